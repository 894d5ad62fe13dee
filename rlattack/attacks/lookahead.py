"""What would come of it: plans, and the victim's own play after them, in forks of the running game."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from rlattack.arrays import Array, BoolArray, FloatArray, IntArray, rowwise
from rlattack.games.game import Forkable, SlotFault, View
from rlattack.policies.policy import Policy, State

FORKS = 32
"""Forks that are played at once."""


@dataclass(frozen=True)
class Ahead:
    """What would come of plans.

    Attributes:
        returns: What each brings, until its end or the horizon, shape (plans,).
        last: What is seen there before it ends, float32, shape (plans, *observation).
        asked: How often the victim was asked in each, shape (plans,).
        over: Whether it ended before the horizon, shape (plans,).
        path: What is seen before each of the first steps, as many as were asked for, float32, shape
            (plans, steps, *observation); what comes after an end is seen as the last there.
    """

    returns: FloatArray
    last: Tensor
    asked: IntArray
    over: BoolArray
    path: Tensor

    def of(self, plans: slice) -> "Ahead":
        """What would come of some of them."""
        return Ahead(self.returns[plans], self.last[plans], self.asked[plans], self.over[plans], self.path[plans])


@dataclass(frozen=True)
class Here:
    """Where a seat of the running game stands, a row a slot, and who plays on in it."""

    policy: Policy
    obs: Tensor
    legal: Tensor | None
    state: State


class Lookahead:
    """Plays on in a spare game from where slots of the running one stand.

    Forks have the luck of the running game, as sticky actions, and go on where `--max-steps` or a stall cut it; who
    holds the seats plays greedily, and sees what is true.

    Args:
        game: The running one; in every step all seats act.
        spare: Another one of the same variant, in `FORKS` slots.
        seat: The one for which plans are.
        stands: Where each seat stands before anybody acts in a step; whoever plays puts it here.
    """

    def __init__(self, game: Forkable, spare: Forkable, seat: int = 0, stands: list[Here] | None = None) -> None:
        self._game, self._spare, self._seat = game, spare, seat
        self.stands: list[Here] = [] if stands is None else stands

    def of(self, seat: int) -> "Lookahead":
        """The same for another seat."""
        return Lookahead(self._game, self._spare, seat, self.stands)

    def play(self, here: Here, slots: IntArray, plans: Array, horizon: int, path: int = 0) -> Ahead:
        """Plays plans, which the victim follows with its own actions.

        Args:
            here: Where the game stands.
            slots: The slot that each plan starts from, shape (plans,).
            plans: Actions, shape (plans, steps, *action); in place of an illegal one the victim's own is played.
            horizon: Steps to be played in all.
            path: In how many of them to tell what is seen.

        Raises:
            SlotFault: The game fails, or cannot be copied.
        """
        places = np.unique(slots)
        saved = dict(zip(places.tolist(), self._game.save(places), strict=True))
        parts = []
        for start in range(0, len(slots), FORKS):
            own = slots[start : start + FORKS]
            try:
                self._spare.restore(np.arange(len(own)), [saved[slot] for slot in own.tolist()])
                parts.append(self._forks(here, own, plans[start : start + FORKS], horizon, path))
            except SlotFault as fault:
                raise SlotFault(int(own[fault.slot]), f"{fault}, as one looks ahead") from fault
        return Ahead(
            np.concatenate([part.returns for part in parts]), torch.cat([part.last for part in parts]),
            np.concatenate([part.asked for part in parts]), np.concatenate([part.over for part in parts]),
            torch.cat([part.path for part in parts]),
        )  # fmt: skip

    def close(self) -> None:
        """Closes the spare game."""
        self._spare.close()

    def _forks(self, here: Here, slots: IntArray, plans: Array, horizon: int, path: int) -> Ahead:
        count, rows = len(slots), torch.as_tensor(np.resize(slots, FORKS))  # rows that are over repeat others
        plans = np.resize(plans, (FORKS, *plans.shape[1:])) if plans.size else np.zeros((FORKS, *plans.shape[1:]))
        stands = [_spread(one, rows) for one in self.stands] or [here]
        stands[self._seat] = _spread(here, rows)
        obs = stands[self._seat].obs
        alive: BoolArray = np.arange(FORKS) < count
        returns, asked, last = np.zeros(FORKS), np.zeros(FORKS, dtype=np.int64), obs
        seen = obs[:, None].repeat(1, path, *[1] * (obs.ndim - 1))
        for step in range(horizon):
            if not alive.any():
                break
            last = torch.where(rowwise(torch.as_tensor(alive), obs), obs, last)
            seen[:, step:] = last[:, None]
            planned = plans[:, step] if step < plans.shape[1] else None
            acts = [_chosen(one, planned if seat == self._seat else None) for seat, one in enumerate(stands)]
            played = self._spare.step([action for action, _, _ in acts])
            returns += np.where(alive, played.rewards[self._seat], 0.0)
            asked += alive * acts[self._seat][2]
            alive &= ~(played.terminated | played.truncated)
            stands = [
                Here(one.policy, *_seen(view), state)
                for one, view, (_, state, _) in zip(stands, played.views, acts, strict=True)
            ]
            obs = stands[self._seat].obs
        last = torch.where(rowwise(torch.as_tensor(alive), obs), obs, last)
        return Ahead(returns, last, asked, ~alive, seen).of(slice(count))


def _spread(here: Here, rows: Tensor) -> Here:
    """The same with these rows."""
    obs, legal, state = (None if one is None else one[rows] for one in (here.obs, here.legal, here.state))
    assert obs is not None
    return Here(here.policy, obs, legal, state)


def _chosen(here: Here, planned: Array | None) -> tuple[Array, State, int]:
    """What is done: what was planned, as far as it is legal, or what the policy does; and how often it was asked."""
    legal = here.legal
    if planned is not None and here.state is None and legal is None:
        return planned, None, 0
    with torch.no_grad():
        out = here.policy(here.obs, here.state).among(legal)
    own: Array = out.actions.greedy.numpy(force=True)
    if planned is None:
        return own, out.state, 1
    if legal is None:
        return planned, out.state, 1
    may = legal.numpy(force=True)[np.arange(len(own)), planned.astype(np.int64)]
    return np.where(may, planned, own), out.state, 1


def _seen(view: View) -> tuple[Tensor, Tensor | None]:
    """What is shown, float32, and what is legal."""
    legal = None if view.legal is None else torch.as_tensor(view.legal | ~view.legal.any(axis=1, keepdims=True))
    return torch.as_tensor(view.obs).to(torch.float32), legal
