"""Throughput beside its own limits: the parts of attacked play timed alone, play itself, and what a user would write.

All in one run, in as many processes at once as will play, one torch thread each, in agent steps a second a core.
The bound of a kind of play is what the sum of its parts allows: emulation, forwards, gradients, and the resets it met.
"""

import importlib.util
import itertools
import multiprocessing
import statistics
import time
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rlattack.attacks import AttackSpec
from rlattack.budget import Budget
from rlattack.evaluation.baseline import baselines
from rlattack.evaluation.cell import AgentRef, Cell
from rlattack.evaluation.rollout import Rollout
from rlattack.games import GameCard, make_game
from rlattack.games.card import AtariOptions
from rlattack.policies import Output, Policy, load_policy

__all__ = ["Measured", "Play", "measure"]

_EPS = 1 / 255
_PLAYS = {"clean": AttackSpec("none"), "fgsm": AttackSpec("fgsm"), "pgd-10": AttackSpec("pgd", {"steps": 10})}
_GRADIENTS = {"clean": 0, "fgsm": 1, "pgd-10": 10}


@dataclass(frozen=True)
class Play:
    """One kind of play, a core: steps a second and what its parts would allow."""

    steps_per_second: float
    bound: float

    @property
    def share(self) -> float:
        """Of the bound."""
        return self.steps_per_second / self.bound


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What one run of `measure` found, the mean over its processes."""

    workers: int
    envs: int
    parts: dict[str, float]
    """Steps a second: `emulator`, `environment`, `forward`, `gradient`; and `reset`, seeded resets a second."""
    plays: dict[str, Play]
    others: dict[str, float] = field(default_factory=dict)
    """Stable-Baselines3's `evaluate_policy` loop and foolbox's FGSM in such a loop, where they are installed."""


def measure(card: GameCard, victim: AgentRef, *, envs: int, workers: int, seconds: float) -> Measured:
    """Measures in `workers` processes at once.

    Args:
        card: An Atari game, or any other (then without the raw emulator and the other loops).
        victim: Who plays.
        envs: Slots a worker.
        workers: Processes.
        seconds: For each thing measured.

    Raises:
        RlattackError: The victim or game cannot be loaded.
    """
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(workers)
    with context.Pool(workers, initializer=_share, initargs=(barrier,)) as pool:
        found = pool.starmap(_measure_one, [(card, victim, envs, seconds)] * workers, chunksize=1)
    parts = {name: statistics.fmean(one[0][name] for one in found) for name in found[0][0]}
    plays = {
        name: Play(*(statistics.fmean(values) for values in zip(*(one[1][name] for one in found), strict=True)))
        for name in _PLAYS
    }
    others = {name: statistics.fmean(one[2][name] for one in found) for name in found[0][2]}
    return Measured(workers=workers, envs=envs, parts=parts, plays=plays, others=others)


_barrier: Any = None


def _share(barrier: Any) -> None:  # multiprocessing has no public type for it
    global _barrier
    _barrier = barrier


def _measure_one(
    card: GameCard, victim: AgentRef, envs: int, seconds: float
) -> tuple[dict[str, float], dict[str, tuple[float, float]], dict[str, float]]:
    torch.set_num_threads(1)
    game = make_game(card, 1)
    seen = game.observation_space.shape
    game.close()
    policy = load_policy(victim.spec, observation=seen, trust=victim.trust).policy
    parts = _parts(card, policy, envs, seconds)
    plays = {name: _play(name, card, policy, envs, seconds, parts) for name in _PLAYS}
    others = {}
    if (
        card.family == "atari"
        and card.atari == AtariOptions()
        and all(importlib.util.find_spec(name) for name in ("foolbox", "cv2"))
    ):
        for name, loop in baselines(card, policy, envs, _EPS).items():
            _barrier.wait()
            others[name] = loop(seconds)
    _barrier.wait()
    return parts, plays, others


def _parts(card: GameCard, policy: Policy, envs: int, seconds: float) -> dict[str, float]:
    """Times the parts in turn on the observations of real play, so that caches are as in play."""
    game, state = make_game(card, envs), policy.initial_state(envs)
    every = np.ones(envs, dtype=np.bool_)
    begun = time.perf_counter()
    obs = game.reset(every, np.arange(envs))
    reset = (time.perf_counter() - begun) / envs
    spent = {"environment": 0.0, "forward": 0.0, "gradient": 0.0}
    steps = 0
    _barrier.wait()
    while sum(spent.values()) < 3 * seconds:
        seen = torch.from_numpy(obs.astype(np.float32))
        with torch.no_grad(), _Timed(spent, "forward"):
            out = policy(seen, state)
        loss = partial(_loss, out.greedy)
        with _Timed(spent, "gradient"):
            policy.gradient(seen, loss, state)
        actions = torch.multinomial(out.probabilities, 1).squeeze(1).numpy()
        with _Timed(spent, "environment"):
            step = game.step(actions)
        obs, steps = step.obs, steps + envs
        if (done := step.terminated | step.truncated).any():
            obs = game.reset(done, np.arange(int(done.sum())))
    game.close()
    speeds = {name: steps / value for name, value in spent.items()} | {"reset": 1 / reset}
    return ({"emulator": _emulator(card, seconds)} if card.family == "atari" else {}) | speeds


def _loss(labels: Tensor, out: Output) -> Tensor:
    return torch.nn.functional.cross_entropy(out.scores, labels, reduction="sum")


class _Timed:
    """Adds the time of a block to a tally."""

    def __init__(self, tally: dict[str, float], name: str) -> None:
        self._tally, self._name = tally, name

    def __enter__(self) -> None:
        self._begun = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self._tally[self._name] += time.perf_counter() - self._begun


def _emulator(card: GameCard, seconds: float) -> float:
    """The emulator alone: random actions for `frame_skip` frames, no screen read."""
    import ale_py

    ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)
    ale = ale_py.ALEInterface()
    rom = ale_py.roms.get_rom_path(card.rom or "")
    assert rom is not None  # the batch was made from it
    ale.loadROM(rom)
    actions = ale.getMinimalActionSet()
    chosen = np.random.default_rng(0).integers(len(actions), size=4096)
    _barrier.wait()
    begun, steps = time.perf_counter(), 0
    while time.perf_counter() - begun < seconds:
        for index in chosen[:256]:
            for _ in range(card.atari.frame_skip):
                ale.act(actions[index])
        steps += 256
        if ale.game_over():
            ale.reset_game()
    return steps / (time.perf_counter() - begun)


def _play(
    name: str, card: GameCard, policy: Policy, envs: int, seconds: float, parts: dict[str, float]
) -> tuple[float, float]:
    """Plays with all slots full; returns steps a second and the bound by the parts and the resets of this play."""
    spec = _PLAYS[name]
    pixels = name == "clean" or card.family == "atari"
    budget = None if name == "clean" else Budget(eps=_EPS if pixels else 0.01, space="unit" if pixels else "raw")
    cell = Cell(
        game=card, victim=AgentRef("", "", ""), attack=spec, budget=budget, actions=card.protocol.actions, seed=0,
        episodes=1, envs=envs,
    )  # fmt: skip
    numbers = itertools.count(1)  # episode 0 is recorded for a clip
    rollout = Rollout(cell, policy, policy, lambda slot: next(numbers))
    _barrier.wait()
    for _ in rollout.episodes(seconds):
        pass
    steps = rollout.full_steps
    least = steps / parts["environment"] + steps / parts["forward"] + rollout.full_resets / parts["reset"]
    least += _GRADIENTS[name] * steps / parts["gradient"]
    if name == "pgd-10":  # its random start hides the clean label, which takes a forward of its own
        least += steps / parts["forward"]
    return steps / rollout.full_seconds, steps / least
