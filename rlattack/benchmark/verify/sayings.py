"""Asks agents anew, on what arrived in sampled steps, and compares what they say and did."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rlattack.arrays import Array
from rlattack.benchmark.verify.account import Account
from rlattack.draws import SharedDraws, Streams, seat_seed
from rlattack.policies.distributions import Actions
from rlattack.policies.policy import Output, Policy

_AT_ONCE = 64
_NEAR = {"cpu": 1e-4}
"""By how much numbers may differ, relative to the largest of a row: they round with their place in a batch."""
_ELSEWHERE = 1e-2
"""The same of what was played on a GPU."""


class _Heard(Streams):
    """A stream that keeps the uniform number that it drew last."""

    last: Tensor | None = None

    def uniform(self, *shape: int) -> Tensor:
        """As `Streams` draws them."""
        self.last = super().uniform(*shape)
        return self.last


class _Near(Streams):
    """Says one uniform number, a little more or less than was drawn."""

    def __init__(self, number: Tensor) -> None:
        super().__init__(1)
        self._number = number

    def uniform(self, *shape: int) -> Tensor:
        """That number, whatever the shape."""
        return self._number


class _Asked(SharedDraws):
    """Draws that tell whether they were asked for."""

    asked = False

    def _drawn(self, shape: tuple[int, ...], draw: Callable[[Tensor], Tensor]) -> Tensor:
        self.asked = True
        return super()._drawn(shape, draw)


def asked_anew(account: Account, seat: int, policy: Policy) -> tuple[list[str], str]:
    """What an agent says otherwise than the ledger, and why it was not asked, if so.

    Args:
        account: Of the cell.
        seat: Whose.
        policy: Who held it, with all that stood before it.
    """
    rows = np.flatnonzero(account.acting(seat))
    if not len(rows):
        return [], f"{account.seats[seat]} acts in no sampled step"
    with torch.no_grad():
        parts = [_ask(account, seat, policy, rows[at : at + _AT_ONCE]) for at in range(0, len(rows), _AT_ONCE)]
    if any(part is None for part in parts):
        return [], f"{account.seats[seat]} is random in itself, so that it says something else each time"
    problems = []
    near = _NEAR.get(str(account.about["device"]), _ELSEWHERE)
    for place, part in enumerate(parts):
        if part is not None:
            problems += _unlike(account, seat, part, rows[place * _AT_ONCE :][:_AT_ONCE], near)
    problems += _acted_otherwise(account, seat, [part for part in parts if part is not None], rows, near)
    return problems, ""


def _ask(account: Account, seat: int, policy: Policy, rows: Array) -> Actions | None:
    """What is said in some sampled steps; None of who draws for it."""
    draws = _Asked(len(rows), 0)
    state = torch.as_tensor(account.array(f"before.{seat}")[rows]) if account.has(f"before.{seat}") else None
    legal = torch.as_tensor(account.array(f"allowed.{seat}")[rows]) if account.has(f"allowed.{seat}") else None
    out: Output = policy(torch.as_tensor(account.received(seat)[rows]), state, draws).among(legal)
    return None if draws.asked else out.actions


def _unlike(account: Account, seat: int, actions: Actions, rows: Array, near: float) -> list[str]:
    """The sampled steps in which distributions differ."""
    wrong = np.zeros(len(rows), dtype=np.bool_)
    for name, values in _tensors(actions).items():
        if not account.has(f"said.{seat}.{name}"):
            return [f"{account.seats[seat]} says {name}, of which the ledger has nothing"]
        told = account.array(f"said.{seat}.{name}")[rows]
        now = np.broadcast_to(values.numpy(), told.shape) if values.ndim < told.ndim else values.numpy()
        if now.shape != told.shape:
            return [f"{account.seats[seat]} says {name} of shape {now.shape[1:]}, the ledger {told.shape[1:]}"]
        wrong |= ~_close(now, told, near)
    return [f"{_where(account, row)}: {account.seats[seat]} says something else" for row in rows[wrong]]


def _close(now: Array, told: Array, near: float) -> Array:
    """Whether rows are equal but for rounding."""
    now, told = (np.asarray(one, dtype=np.float64).reshape(len(one), -1) for one in (now, told))
    same = (now == told) | ~np.isfinite(now)
    largest = np.abs(np.where(np.abs(now) < 1e29, now, 0.0)).max(axis=1, keepdims=True)  # what is illegal is far below
    found: Array = (same | (np.abs(now - told) <= near * np.maximum(1.0, largest))).all(axis=1)
    return found


def _acted_otherwise(account: Account, seat: int, parts: list[Actions], rows: Array, near: float) -> list[str]:
    """The sampled steps in which another action was chosen, or done, than follows."""
    problems = []
    chosen = account.array(f"chosen.{seat}")
    attacked = any(
        one["seat"] == seat and account.about["attacks"][number]["access"] == "action"
        for number, one in account.attacks
    )
    done = account.array(f"action.{seat}")[account.rows]
    if not attacked:
        other = (done[rows] != chosen[rows]).reshape(len(rows), -1).any(axis=1)
        problems += [f"{_where(account, row)}: another action is done than was chosen" for row in rows[other]]
    greedy = account.mode(seat) == "greedy"
    singles = [_row(part, place) for part in parts for place in range(len(part.greedy))]
    follows = _greedy(singles, near) if greedy else _drawn(account, seat, singles, rows, near)
    for row, expected in zip(rows, follows, strict=True):
        if not any(_same(chosen[row], one, near) for one in expected):
            problems.append(f"{_where(account, row)}: {account.seats[seat]} would choose another action")
    return problems


def _greedy(singles: list[Any], near: float) -> list[list[Array]]:
    """The greedy actions of sampled steps: several where scores are equal but for rounding."""
    found = []
    for one in singles:
        scores = getattr(one, "scores", None)
        if scores is None or one.greedy.ndim > 1:
            found.append([one.greedy.numpy()[0]])
            continue
        best = float(scores.max())
        found.append(
            [np.asarray(place) for place in np.flatnonzero(scores[0].numpy() >= best - near * max(1, abs(best)))]
        )
    return found


def _drawn(account: Account, seat: int, singles: list[Any], rows: Array, near: float) -> list[list[Array]]:
    """The actions of sampled steps, drawn anew from the seed: every step in which the seat acts draws as many."""
    draws, found = _Heard(1), {}
    place = {int(account.rows[row]): at for at, row in enumerate(rows)}
    for one in account.episodes:
        draws.restart(0, seat_seed(account.seed, one.episode, seat))
        first, last = account.begins[one.episode : one.episode + 2].tolist()
        for row in first + np.flatnonzero(account.array(f"acting.{seat}")[first:last]):
            at = place.get(int(row))
            drawn = singles[at or 0].sample(draws)
            if at is not None:
                found[at] = [drawn.numpy()[0]]
                if drawn.ndim == 1 and draws.last is not None:  # one number decided, which rounding may put elsewhere
                    beside = [(draws.last + way).clamp(0, 1 - 1e-7) for way in (-near, near)]
                    found[at] += [singles[at].sample(_Near(number)).numpy()[0] for number in beside]
    return [found[at] for at in range(len(rows))]


def _same(chosen: Array, expected: Array, near: float) -> bool:
    """Whether a choice is that one, but for rounding."""
    if np.shape(chosen) != np.shape(expected):
        return False
    if np.asarray(chosen).dtype.kind != "f":
        return bool(np.array_equal(chosen, expected))
    return bool(np.abs(chosen - expected).max() <= 10 * near * max(1.0, float(np.abs(expected).max())))


def _tensors(actions: Actions) -> dict[str, Tensor]:
    return {name: value for name, value in vars(actions).items() if isinstance(value, Tensor)}


def _row(actions: Any, place: int) -> Any:
    """The distribution of one row."""
    tensors = {name: value[place : place + 1] for name, value in _tensors(actions).items() if value.ndim > 1}
    return dataclasses.replace(actions, **tensors)


def _where(account: Account, row: int) -> str:
    episode, step = account.array("sampled")[int(row)]
    return f"episode {episode}, step {step}"
