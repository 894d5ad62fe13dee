"""Throughput beside its own limits: the parts of attacked play timed alone, play itself, and what a user would write.

All in one run, in as many processes at once as will play, one torch thread each, in agent steps a second a core. The
things to measure take turns, a second or so each, so that a machine that slows down for a while slows all of them.
The bound of a kind of play is what the sum of its parts allows: emulation, forwards, gradients, and the resets it met.
"""

import importlib.util
import itertools
import multiprocessing
import statistics
import time
from collections.abc import Callable, Iterator
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
from rlattack.games.batch import BoolArray
from rlattack.games.card import AtariOptions
from rlattack.policies import Output, Policy, load_policy

__all__ = ["Measured", "Play", "measure"]

_EPS = 1 / 255
_PLAYS = {"clean": AttackSpec("none"), "fgsm": AttackSpec("fgsm"), "pgd-10": AttackSpec("pgd", {"steps": 10})}
_GRADIENTS = {"clean": 0, "fgsm": 1, "pgd-10": 10}


_TURNS = 8
"""How often each thing is measured."""

Turn = Callable[[float], object]
"""Goes on with something for about so many seconds."""


@dataclass(frozen=True)
class Play:
    """One kind of play, a core: steps a second and what its parts would allow."""

    steps_per_second: float
    bound: float
    resets_per_step: float
    """Seeded resets of a slot a step: attacks that lose games fast meet more of them."""

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
    parts = _means([one[0] for one in found])
    plays = {name: Play(**_means([one[1][name] for one in found])) for name in _PLAYS}
    return Measured(workers=workers, envs=envs, parts=parts, plays=plays, others=_means([one[2] for one in found]))


def _means(found: list[dict[str, float]]) -> dict[str, float]:
    return {name: statistics.fmean(one[name] for one in found) for name in found[0]}


_barrier: Any = None


def _share(barrier: Any) -> None:  # multiprocessing has no public type for it
    global _barrier
    _barrier = barrier


def _measure_one(
    card: GameCard, victim: AgentRef, envs: int, seconds: float
) -> tuple[dict[str, float], dict[str, dict[str, float]], dict[str, float]]:
    torch.set_num_threads(1)
    game = make_game(card, 1)
    seen = game.observation_space.shape
    game.close()
    policy = load_policy(victim.spec, observation=seen, trust=victim.trust).policy
    parts = _Parts(card, policy, envs)
    plays = {name: _Playing(name, card, policy, envs) for name in _PLAYS}
    others = {}
    if (
        card.family == "atari"
        and card.atari == AtariOptions()
        and all(importlib.util.find_spec(name) for name in ("foolbox", "cv2"))
    ):
        others = baselines(card, policy, envs, _EPS)
    emulator = [_Emulator(card)] if card.family == "atari" else []
    turns: list[Turn] = [*emulator, parts, *plays.values(), *others.values()]
    for turn in turns * _TURNS:
        _barrier.wait()
        turn(seconds / _TURNS)
    _barrier.wait()
    speeds = ({"emulator": emulator[0].speed} if emulator else {}) | parts.speeds
    return (
        speeds,
        {name: play.found(speeds) for name, play in plays.items()},
        {name: loop.speed for name, loop in others.items()},
    )


class _Parts:
    """Times the parts one after the other on the observations of real play, so that caches are as in play."""

    def __init__(self, card: GameCard, policy: Policy, envs: int) -> None:
        self._policy, self._envs, self._game = policy, envs, make_game(card, envs)
        self._state = policy.initial_state(envs)
        self._obs = self._game.reset(np.ones(envs, dtype=np.bool_), np.arange(envs))
        self._spent = {"environment": 0.0, "forward": 0.0, "gradient": 0.0}
        self._reset = {"reset": 0.0}
        self._steps = self._resets = 0

    @property
    def speeds(self) -> dict[str, float]:
        """Steps a second of each part, and resets a second."""
        parts = {name: self._steps / spent for name, spent in self._spent.items()}
        return parts | {"reset": self._resets / self._reset["reset"]}

    def __call__(self, seconds: float) -> None:
        end = sum(self._spent.values()) + 3 * seconds
        self._start(np.arange(self._envs) == self._resets % self._envs)
        while sum(self._spent.values()) < end:
            seen = torch.from_numpy(self._obs.astype(np.float32))
            with torch.no_grad(), _Timed(self._spent, "forward"):
                out = self._policy(seen, self._state)
            loss = partial(_loss, out.greedy)
            with _Timed(self._spent, "gradient"):
                self._policy.gradient(seen, loss, self._state)
            actions = torch.multinomial(out.probabilities, 1).squeeze(1).numpy()
            with _Timed(self._spent, "environment"):
                step = self._game.step(actions)
            self._obs, self._steps = step.obs, self._steps + self._envs
            if (done := step.terminated | step.truncated).any():
                self._start(done)

    def _start(self, mask: BoolArray) -> None:
        count = int(mask.sum())
        with _Timed(self._reset, "reset"):
            self._obs = self._game.reset(mask, np.arange(count))
        self._resets += count


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


class _Emulator:
    """The emulator alone: random actions for `frame_skip` frames, no screen read."""

    def __init__(self, card: GameCard) -> None:
        import ale_py

        ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)
        self._ale, self._skip = ale_py.ALEInterface(), card.atari.frame_skip
        rom = ale_py.roms.get_rom_path(card.rom or "")
        assert rom is not None  # the batch was made from it
        self._ale.loadROM(rom)
        actions = self._ale.getMinimalActionSet()
        self._actions = [actions[index] for index in np.random.default_rng(0).integers(len(actions), size=256)]
        self._steps, self._spent = 0, 0.0

    @property
    def speed(self) -> float:
        """Agent steps a second."""
        return self._steps / self._spent

    def __call__(self, seconds: float) -> None:
        begun = time.perf_counter()
        while time.perf_counter() - begun < seconds:
            for action in self._actions:
                for _ in range(self._skip):
                    self._ale.act(action)
            self._steps += len(self._actions)
            if self._ale.game_over():
                self._ale.reset_game()
        self._spent += time.perf_counter() - begun


class _Playing:
    """A kind of play with all slots full."""

    def __init__(self, name: str, card: GameCard, policy: Policy, envs: int) -> None:
        self._name = name
        pixels = name == "clean" or card.family == "atari"
        budget = None if name == "clean" else Budget(eps=_EPS if pixels else 0.01, space="unit" if pixels else "raw")
        cell = Cell(
            game=card, victim=AgentRef("", "", ""), attack=_PLAYS[name], budget=budget, actions=card.protocol.actions,
            seed=0, episodes=1, envs=envs,
        )  # fmt: skip
        numbers = itertools.count(1)  # episode 0 is recorded for a clip
        self._rollout = Rollout(cell, policy, policy, lambda slot: next(numbers))
        self._steps: Iterator[object] = self._rollout.play()

    def __call__(self, seconds: float) -> None:
        end = self._rollout.full_seconds + seconds
        while self._rollout.full_seconds < end:
            next(self._steps)

    def found(self, parts: dict[str, float]) -> dict[str, float]:
        """The fields of a `Play`, with the bound by the parts and the resets of this play."""
        steps, resets = self._rollout.full_steps, self._rollout.full_resets
        least = steps / parts["environment"] + steps / parts["forward"] + resets / parts["reset"]
        least += _GRADIENTS[self._name] * steps / parts["gradient"]
        if self._name == "pgd-10":  # its random start hides the clean label, which takes a forward of its own
            least += steps / parts["forward"]
        speed = steps / self._rollout.full_seconds
        return {"steps_per_second": speed, "bound": steps / least, "resets_per_step": resets / steps}
