"""Results with numbers known by hand, and the run folders that evaluations leave with them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from rlattack.arrays import Array
from rlattack.evaluation.results import (
    SCHEMA,
    AttackResult,
    Drop,
    Interval,
    MaskResult,
    Mean,
    Rate,
    Result,
    SeatResult,
    WinRule,
    to_json,
)
from rlattack.evaluation.run import HEAD
from rlattack.games.game import PLAYER

PONG = "atari/pong"
PASS = "mujoco/you-shall-not-pass"
_RULES = {"game": WinRule("game"), "score": WinRule("score"), "threshold": WinRule("threshold", 30.5), "": None}


def rate(value: float, half: float = 0.1) -> Rate:
    """A share with an interval of so much to each side, as far as shares go."""
    return Rate(value, (max(0.0, round(value - half, 6)), min(1.0, round(value + half, 6))))


def mean(value: float, half: float = 0.8, **more: Any) -> Mean:
    """A mean with an interval of so much to each side; all values are equal where that is nothing."""
    ci: Interval = (round(value - half, 6), round(value + half, 6))
    return Mean(value, ci, **{"degenerate": half == 0, **more})


def result(
    cell: str, players: Mapping[str, str], wins: Sequence[float | None], returns: Sequence[Mean], *, game: str,
    attacks: Sequence[AttackResult] = (), before: tuple[float, float] = (1.0, 21.0), tie: float = 0.0,
    rule: str = "game", half: float = 0.1, seat: Mapping[str, Any] | None = None, **changes: Any,
) -> Result:  # fmt: skip
    """A cell of 20 episodes of any number of seats.

    Args:
        cell: Its key.
        players: Who holds each seat, by its name.
        wins: Share of episodes that each won; None without a win rule.
        returns: What each earned.
        game: Id of the game.
        attacks: What is done in it; the measurements of the seat of the first one come with it.
        before: Share of wins and mean return of that seat without the attack.
        tie: Share of ties.
        rule: Of winning: `game`, `score`, `threshold`, or "" for none.
        half: Half the width of the interval of shares.
        seat: Other fields of the seat that is attacked, or of the first one.
        changes: Other fields of the result.
    """
    victim = changes.pop("victim", 0)
    hit = attacks[0].seat if attacks else ""
    seats = []
    for number, (name, player) in enumerate(players.items()):
        win = wins[number]
        won, tied, lost = (None, None, None) if win is None else (
            rate(one, half) for one in (win, tie, round(1 - win - tie, 6))
        )  # fmt: skip
        role: Literal["victim", "opponent"] = "victim" if number == victim else "opponent"
        found = SeatResult(name, player, role, returns[number], win=won, tie=tied, loss=lost)
        if name == hit:
            found = replace(found, **_judged(attacks[0], found, before))
        if name == (hit or next(iter(players))):
            found = replace(found, **seat or {})
        seats.append(found)
    values: dict[str, Any] = {
        "actions": "greedy", "seed": 0, "episodes": 20, "length": mean(167.25, 7.5), "distinct": 20, "steps": 31260,
        "steps_per_second": 1400.0,
    }  # fmt: skip
    about = {"game": game, "victim": victim, "attacks": tuple(attacks), "win_rule": _RULES[rule]}
    return Result(cell=cell, seats=tuple(seats), **{**about, **values, **changes})


def attack(name: str, eps: float | None, seat: str = PLAYER, **changes: Any) -> AttackResult:
    """An attack on what a seat sees, by default of bytes in their largest entry."""
    values: dict[str, Any] = {
        "name": name, "seat": seat, "access": "observation", "knowledge": "none" if name == "noise" else "white",
        "control": name == "noise", "reach": "linf", "eps": eps, "radius": eps, "space": "unit",
    }  # fmt: skip
    return AttackResult(**values | changes)


def pong_cell(
    cell: str, name: str, eps: float | None, score: float, win: float | None, *, about: Mapping[str, Any] | None = None,
    **changes: Any,
) -> Result:  # fmt: skip
    """A cell of a game of one seat, by default Pong with a clean return of 21; `about` changes its attack."""
    attacks = [] if name == "clean" else [attack(name, eps, **about or {})]
    values: dict[str, Any] = {"game": PONG, "rule": "" if win is None else "score", "half": 0.16, "returns": None}
    values |= changes
    returns = values.pop("returns") or mean(score, iqm=score - 0.2)
    return result(cell, {PLAYER: "atari/pong/ppo"}, [win], [returns], attacks=attacks, **values)


def pong() -> list[Result]:
    """Clean, noise, FGSM, PGD with parameters, transfer and pixels."""
    pixels = {"reach": "l0"}
    return [
        pong_cell("c0", "clean", None, 21.0, 1.0),
        pong_cell("n1", "noise", 0.001, 21.0, 1.0),
        pong_cell("n2", "noise", 0.0025, 20.8, 1.0),
        pong_cell("f1", "fgsm", 0.001, -18.2, 0.0),
        pong_cell("f2", "fgsm", 0.0025, -21.0, 0.0),
        pong_cell("p1", "pgd", 0.001, -20.1, 0.0, about={"parameters": {"steps": 10}}, seat={"gradients": 10.0}),
        pong_cell("t1", "fgsm", 0.001, 20.0, 1.0, about={"surrogate": "atari/pong/a2c", "knowledge": "none"}),
        pong_cell("n3", "noise", 1.0, 21.0, 1.0, about=pixels),
        pong_cell("x1", "pixel", 1.0, 6.0, 0.7, about=pixels),
        pong_cell("x2", "pixel", 2.0, -13.8, 0.1, about=pixels),
    ]


def transferred(
    victim: str, scores: Mapping[str | None, float], eps: float = 0.004, **changes: Any
) -> list[Result]:  # fmt: skip
    """The clean game of a victim, noise, and FGSM from each surrogate (None: from itself), by what is left of it."""
    cells = [pong_cell("c", "clean", None, 21.0, 1.0, **changes), pong_cell("n", "noise", eps, 15.0, 1.0, **changes)]
    for surrogate, score in scores.items():
        about = {"surrogate": surrogate} if surrogate else {}
        cells.append(pong_cell(f"f{surrogate}", "fgsm", eps, score, 0.0, about=about, **changes))
    return [replace(one, cell=f"{victim} {one.cell}", seats=(replace(one.seats[0], player=victim),)) for one in cells]


def crossed() -> list[Result]:
    """Two victims, each attacked from itself, from the other and from an imitation."""
    return [
        *transferred("atari/pong/ppo", {None: -21.0, "atari/pong/a2c": 3.0, "imitate": -12.5}),
        *transferred("atari/pong/a2c", {None: -20.0, "atari/pong/ppo": 18.0, "imitate": -8.0}, actions="sampled"),
    ]


def duel(
    first: str, second: str, win: float, tie: float = 0.0, *, mask: str = "", hidden_from: str = "runner",
    attacks: Sequence[AttackResult] = (), **changes: Any,
) -> Result:  # fmt: skip
    """A blocker against a runner, the victim; the blocker wins that share of 100 episodes, and so falls the runner."""
    key = " ".join([first, second, mask, *(f"{one.name}{one.eps}" for one in attacks)])
    values: dict[str, Any] = {
        "cell": key, "mask": MaskResult(hidden_from, mask) if mask else None, "actions": "sampled", "episodes": 100,
        "distinct": 100, "steps": 16725, "endings": {"goal": 40, "fallen": 60}, "victim": 1, "before": (1.0, 0.0),
        "returns": [mean(12.5, 2.5), mean(-1250.0, 50.0)], "game": PASS,
    }  # fmt: skip
    wins = [win, round(1 - win - tie, 6)]
    players = {"blocker": first, "runner": second}
    return result(players=players, wins=wins, tie=tie, attacks=attacks, **values | changes)


def heat() -> list[Result]:
    """Two opponents against two victims, and the better one against a masked victim."""
    return [
        duel("adversary", "runner", 0.86),
        duel("adversary", f"{PASS}/tuned", 0.25),
        duel("zero", "runner", 0.02, 0.01),
        duel("zero", f"{PASS}/tuned", 0.04),
        duel("adversary", "runner", 0.12, mask="initial"),
    ]


def struck(name: str, eps: float, win: float, **changes: Any) -> Result:
    """What the runner sees is attacked against `zero`, which then wins that share, and none without."""
    about = {key: changes.pop(key) for key in ("reach", "parameters") if key in changes}
    attacks = [attack(name, eps, "runner", space="sigma", **about)]
    return duel("zero", "runner", win, cell=f"{name}{eps:g}", attacks=attacks, **changes)


def assault() -> list[Result]:
    """A runner clean, under noise and under two sizes of pgd, and another opponent without an attack."""
    return [
        duel("zero", "runner", 0.0),
        struck("noise", 0.05, 0.01),
        struck("noise", 0.2, 0.02),
        struck("pgd", 0.05, 0.6),
        struck("pgd", 0.2, 1.0),
        duel("adversary", "runner", 0.86),
    ]


def three(*, attacks: Sequence[AttackResult] = (), wins: Sequence[float] = (0.5, 0.2, 0.3), **changes: Any) -> Result:
    """A game of three seats, of which the first is the victim's."""
    players = {"east": "mine/east", "north": "random", "west": "mine/west"}
    values: dict[str, Any] = {"cell": "three", "game": "cards/hearts", "returns": [mean(26 * win) for win in wins]}
    return result(players=players, wins=wins, attacks=attacks, **{"before": (0.5, 13.0), **values, **changes})


CONFIG: dict[str, Any] = {
    "schema": "rlattack/config/2",
    "command": "rlattack attack atari/pong --victim atari/pong/ppo --attack fgsm --eps 0.001 0.0025",
    "seed": 0,
    "versions": {"rlattack": "0.1.0", "torch": "2.13.0"},
    "rom_sha256": "ab" * 32,
    "victim_sha256": "cd" * 32,
    "action_names": ["NOOP", "FIRE", "RIGHT", "LEFT", "RIGHTFIRE", "LEFTFIRE"],
    "cells": ["c0"] * 10,
}


def write_folder(
    folder: Path, cells: Sequence[Result], clips: Sequence[str] = (), config: Mapping[str, Any] | None = None,
    videos: Sequence[str] = (),
) -> Path:  # fmt: skip
    """Writes results.json, config.json, a clip for the named cells, and files of the named films."""
    for name in ("clips", "videos"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(json.dumps({"schema": SCHEMA, "cells": to_json(cells)}))
    (folder / "config.json").write_text(json.dumps(CONFIG if config is None else config))
    for name in clips:
        np.savez_compressed(folder / "clips" / f"{name}.npz", allow_pickle=False, **clip())
    for name in videos:
        (folder / "videos" / name).write_bytes(b"film")
    return folder


def write_episodes(folder: Path, played: Mapping[str, Sequence[tuple[int, float, str]]], seat: str = PLAYER) -> Path:
    """Writes episodes.csv: of each cell seed, return and outcome of the seat, an episode each, from episode 0."""
    lines = [",".join(HEAD)]
    for cell, episodes in played.items():
        for number, (seed, score, outcome) in enumerate(episodes):
            lines.append(f"{cell},{number},{seed},{seat},agent,{score},{outcome},100,over,0,0")
    (folder / "episodes.csv").write_text("\n".join(lines) + "\n")
    return folder


def clip(steps: int = 12, actions: int = 6, seed: int = 0) -> dict[str, Array]:
    """An episode in which a perturbation of a quarter of a grey level flips the choice from step 3 on."""
    rng = np.random.default_rng(seed)
    clean = rng.integers(40, 200, (steps, 84, 84), dtype=np.uint8)
    attacked = (clean + 0.255 * rng.choice([-1, 1], clean.shape)).astype(np.float32)
    before = np.full((steps, actions), 0.1 / (actions - 1), dtype=np.float32)
    before[:, 2] = 0.9
    after = before.copy()
    after[3:, [2, 3]] = after[3:, [3, 2]]
    greedy = np.full(steps, 2)
    rewards = np.where(np.arange(steps) == 5, -1.0, 0.0)
    return {
        "clean": clean, "attacked": attacked, "probabilities_clean": before, "probabilities": after,
        "actions": after.argmax(axis=1), "greedy": greedy, "rewards": rewards,
    }  # fmt: skip


def _judged(done: AttackResult, seat: SeatResult, before: tuple[float, float]) -> dict[str, Any]:
    """What the judge measures of a seat in every step of which the attack does all that it may."""
    eps, noise = done.eps or 0.0, done.control
    lost = mean(round(before[1] - seat.returns.mean, 6), 0.0 if seat.returns.degenerate else 0.8)
    fell = None if seat.win is None else round(before[0] - seat.win.rate, 6)
    sizes = {"linf": eps, "l2": 168 * eps, "l1": 28224 * eps, "l0": 28224.0}
    if done.reach == "l0":
        sizes = {"linf": 1.0, "l2": 1.0, "l1": 1.0, "l0": eps}
    return {
        "drop": Drop(lost, None if fell is None else Rate(fell, (round(fell - 0.1, 6), min(1.0, fell + 0.1)))),
        "attacked": 1.0, "action_change": 0.95, "sizes": sizes, "gradients": 0.0 if noise else 1.0,
    }  # fmt: skip
