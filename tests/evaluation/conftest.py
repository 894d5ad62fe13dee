"""A run folder as an evaluation leaves it, with numbers known by hand."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

Cell = dict[str, Any]


def cell(name: str, attack: str, eps: float | None, mean: float, win: float | None, **changes: Any) -> Cell:
    """One cell of results.json: Pong, 20 episodes, a clean return of 21."""
    rate = None if win is None else {"rate": win, "ci": [max(0.0, win - 0.16), min(1.0, win + 0.16)]}
    lost = None if win is None else {"rate": 1 - win, "ci": [max(0.0, 0.84 - win), min(1.0, 1.16 - win)]}
    none = attack == "none"
    return {
        "cell": name, "status": "ok", "game": "atari/pong", "victim": "atari/pong/ppo", "defence": None,
        "attack": attack, "parameters": {}, "model": "stack", "grid": False, "surrogate": None,
        "knowledge": "none" if attack in ("none", "noise") else "white",
        "norm": None if none else "linf", "eps": eps, "radius": eps, "space": None if none else "unit",
        "actions": "greedy", "sticky": 0.0, "seed": 0, "episodes": 20,
        "return": {"mean": mean, "ci": [mean - 0.8, mean + 0.8], "iqm": mean - 0.2, "degenerate": False},
        "win": None if rate is None else rate | {"rule": "score"},
        "tie": None if rate is None else {"rate": 0.0, "ci": [0.0, 0.16]}, "loss": lost,
        "drop": {"return": 21.0 - mean, "return_ci": [20.2 - mean, 21.8 - mean], "return_degenerate": False,
                 "win": None if win is None else 1 - win, "win_ci": None if win is None else [0.84 - win, 1.0]},
        "distinct": 20, "stalled": 0, "truncated": 0,
        "action_change": 0.0 if none else 0.95, "attacked": 0.0 if none else 1.0,
        "size": {"linf": eps or 0.0, "l2": 168 * (eps or 0.0), "l1": 28224 * (eps or 0.0), "l0": 0 if none else 28224},
        "queries": 0.0, "gradients": float(attack not in ("none", "noise")), "steps": 31260, "steps_per_second": 1400.0,
    } | changes  # fmt: skip


def pong() -> list[Cell]:
    """Clean, noise, FGSM, PGD with and without parameters, transfer and pixels."""
    pixels = {"norm": "l0", "size": {"linf": 1.0, "l2": 1.0, "l1": 1.0, "l0": 1}}
    return [
        cell("c0", "none", None, 21.0, 1.0),
        cell("n1", "noise", 0.001, 21.0, 1.0),
        cell("n2", "noise", 0.0025, 20.8, 1.0),
        cell("f1", "fgsm", 0.001, -18.2, 0.0),
        cell("f2", "fgsm", 0.0025, -21.0, 0.0),
        cell("p1", "pgd", 0.001, -20.1, 0.0, parameters={"steps": 10}, gradients=10.0),
        cell("t1", "fgsm", 0.001, 20.0, 1.0, surrogate="atari/pong/a2c", knowledge="none"),
        cell("n3", "noise", 1.0, 21.0, 1.0, **pixels),
        cell("x1", "pixel", 1.0, 6.0, 0.7, **pixels),
        cell("x2", "pixel", 2.0, -13.8, 0.1, **pixels),
    ]


def clip(steps: int = 12, actions: int = 6, seed: int = 0) -> dict[str, np.ndarray]:
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


CONFIG = {
    "schema": "rlattack/config/1",
    "command": "rlattack attack atari/pong --victim atari/pong/ppo --attack fgsm --eps 0.001 0.0025",
    "seed": 0,
    "versions": {"rlattack": "0.1.0", "torch": "2.13.0"},
    "rom_sha256": "ab" * 32,
    "victim_sha256": "cd" * 32,
    "action_names": ["NOOP", "FIRE", "RIGHT", "LEFT", "RIGHTFIRE", "LEFTFIRE"],
    "cells": ["c0"] * 10,
}


def write_run(
    folder: Path, cells: list[Cell], clips: tuple[str, ...] = (), config: dict[str, Any] | None = None
) -> Path:
    """Writes results.json, config.json and a clip for the named cells."""
    (folder / "clips").mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(json.dumps({"schema": "rlattack/results/1", "cells": cells}))
    (folder / "config.json").write_text(json.dumps(CONFIG if config is None else config))
    for name in clips:
        np.savez_compressed(folder / "clips" / f"{name}.npz", **clip())
    return folder


@pytest.fixture
def make_cell() -> Callable[..., Cell]:
    return cell


@pytest.fixture
def pong_cells() -> list[Cell]:
    return pong()


@pytest.fixture
def make_run() -> Callable[..., Path]:
    return write_run


@pytest.fixture
def make_clip() -> Callable[..., dict[str, np.ndarray]]:
    return clip


@pytest.fixture
def config() -> dict[str, Any]:
    return dict(CONFIG)
