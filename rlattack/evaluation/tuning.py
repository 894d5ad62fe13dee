"""Tuning episodes of a cell, from which its attacks learn: on seeds by which nothing is measured."""

import contextlib
import dataclasses
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rlattack.arrays import Array, BoolArray, FloatArray, IntArray
from rlattack.attacks import Attacker, ObservationAttack, Schedule, TuningStep
from rlattack.attacks.attack import Attack
from rlattack.budget import Reach
from rlattack.device import on
from rlattack.draws import Draws, SharedDraws
from rlattack.evaluation.cell import Cell
from rlattack.evaluation.loading import surrogates_of
from rlattack.evaluation.memory import check_memory
from rlattack.evaluation.observer import Moment, Observer
from rlattack.evaluation.play import Play, open_play
from rlattack.evaluation.player import make_attacker
from rlattack.evaluation.slots import Take
from rlattack.games.game import Step
from rlattack.policies.policy import Output

TUNING = 1_000_000_007
"""Run seeds of tuning episodes are those of the run plus this: nothing is measured on what was learned from."""
_EVERY = 4
"""Steps between two batches of observations, since one step is much like the next."""


def tuning_of(cell: Cell) -> Cell:
    """Clean play of the same players on seeds of its own."""
    return dataclasses.replace(cell, attacks=(), seed=cell.seed + TUNING, episodes=1, observers=(), detectors=())


class Tuned:
    """Tuning episodes for the attack of a cell that has a number: what `Attack.fit` may use, see `Tuning`.

    Args:
        cell: The cell.
        number: Of the attack.
        say: Told in a line how far the fit is.
        fits: Folder of what a surrogate learned before; needed where there is one that learned.
        timing: Its schedule learns, by what the schedule may know, whatever the attack may.

    Raises:
        RlattackError: The attack or a player does not fit.
    """

    def __init__(
        self, cell: Cell, number: int, say: Callable[[str], None], fits: Path | None = None, *, timing: bool = False
    ) -> None:
        self._cell, self._ref, self.say = tuning_of(cell), cell.attacks[number], say
        self.steps = 0
        play = open_play(self._cell, lambda slot: None)
        self._surrogate = surrogates_of(cell, play.game, fits)[number]
        self._victim = play.policies[self._ref.seat]
        with on(cell.device):
            seat = play.game.seats[self._ref.seat]
            attacker = make_attacker(self._ref, self._victim, self._surrogate, seat, cell.envs)
        play.game.close()
        self._seats = play.game.seats
        self.attack: Attack[object] = attacker.attack
        self.schedule: Schedule[object] = attacker.schedule
        self.reach: Reach = attacker.reach
        self.victim = attacker.target
        self._oracle = attacker.oracle
        if timing:
            self._oracle.count(np.ones(cell.envs, dtype=np.bool_), type(attacker.schedule).knowledge)
        self.draws: Draws = SharedDraws(cell.envs, self._cell.seed % 2**63)

    def begin(self, obs: Tensor) -> None:
        """Makes these the clean observations of `victim` from now on."""
        self._oracle.begin(obs, np.ones(len(obs), dtype=np.bool_))

    def observations(self, count: int) -> Iterator[Tensor]:
        """`count` batches of what the game showed, float32, of steps that are not much like each other."""
        numbers = itertools.count()
        seen = _Looking(self._ref.seat, self._cell.envs)
        play = open_play(self._cell, lambda slot: next(numbers), [seen])
        with contextlib.closing(play.play()) as steps:
            for _ in range(count):
                for _ in range(_EVERY):
                    next(steps)
                    self.steps += self._cell.envs
                yield torch.as_tensor(seen.shown.astype(np.float32))

    def rehearse(
        self, attack: ObservationAttack[Any, Any] | None, slots: int, *, sampled: bool = False
    ) -> "Rehearsing":
        """Opens the game; whom the attack is crafted on plays, which is a surrogate where there is one."""
        ref, plays = self._ref, self._surrogate or self._victim
        check_memory(slots, self._seats, f"attack {ref.spec.name}")
        actions = list(self._cell.actions)
        actions[ref.seat] = plays.acts or ("sampled" if sampled else actions[ref.seat])
        cell = dataclasses.replace(self._cell, envs=slots, actions=tuple(actions))
        opened = open_play(cell, lambda slot: None)
        policies = list(opened.policies)
        policies[ref.seat] = plays
        rehearsing = Rehearsing(cell, opened.game, policies, ref.seat)
        if attack is not None:
            with on(cell.device):
                space = opened.game.seats[ref.seat].observation
                attacker = Attacker(
                    attack, plays, space, slots, model=ref.model, victim=self._victim, budget=ref.budget
                )
                rehearsing.arm(attacker)
        return rehearsing


def watched(cell: Cell, seat: int) -> "Rehearsing":
    """Tuning episodes of the players of a cell, of whom nobody is attacked, to look at one seat."""
    tuning = tuning_of(cell)
    opened = open_play(tuning, lambda slot: None)
    return Rehearsing(tuning, opened.game, opened.policies, seat)


class Rehearsing(Play):
    """Tuning episodes round after round in one game, see `Rehearsal`; whoever opened it closes it.

    Arguments are those of `Play`, beside the seat that is looked at.
    """

    def __init__(self, cell: Cell, game: Any, policies: Any, seat: int) -> None:
        self._looking = _Looking(seat, cell.envs)
        super().__init__(cell, game, policies, lambda slot: None, [self._looking])
        self._stopped: BoolArray = np.zeros(cell.envs, dtype=np.bool_)

    def arm(self, attacker: Attacker) -> None:
        """Lets an attack work on the seat."""
        self._players[self._looking.seat].arm(0, attacker, own=True)

    @property
    def asked(self) -> tuple[int, int]:
        """Outputs and backward passes that the attack has asked for."""
        oracles = [attacker.oracle for _, attacker in self._players[self._looking.seat].attackers]
        return sum(int(one.queries.sum()) for one in oracles), sum(int(one.gradients.sum()) for one in oracles)

    def round(self, take: Take) -> Iterator[TuningStep]:
        """Plays a round, from new episodes in all slots until no slot has one."""
        self._take = take
        with contextlib.closing(self.play()) as steps:
            for _ in steps:
                yield self._now

    def stop(self, slots: BoolArray) -> None:
        """Lets the running episodes of some slots end with the step that comes."""
        self._stopped |= slots & (self.episode >= 0)

    def close(self) -> None:
        """Frees the game."""
        self.game.close()

    def _begin(self, started: IntArray, reset: BoolArray, seeds: IntArray) -> None:
        self._stopped[reset] = False
        super()._begin(started, reset, seeds)

    def _step(self, active: BoolArray) -> BoolArray:
        over: BoolArray = super()._step(active) | self._stopped
        seen = self._looking
        ended, terminated = over & active, self._last.terminated & active
        self._now = TuningStep(
            active, seen.shown, seen.received, seen.action, seen.reward, ended, terminated, seen.acting,
            self.episode.copy(), seen.out, seen.about,
        )  # fmt: skip
        return over

    def _close(self) -> None:
        """The game goes on with the next round."""


class _Looking(Observer):
    """Keeps what a seat was shown, received and did last, and what it was paid."""

    shown: Array = np.empty(0)
    received: Tensor
    action: Tensor
    acting: BoolArray
    out: Output
    about: Callable[[Tensor], Output]
    reward: FloatArray

    def see(self, moment: Moment) -> None:
        """Keeps the game's own array, and the tensors of play."""
        if moment.seat == self.seat:
            self.shown, self.received, self.action = moment.shown, moment.received, moment.action
            self.acting, self.out, self.about = moment.acting, moment.out, moment.about

    def after(self, step: Step) -> None:
        """Keeps what the step paid; where several play, for the end of a game alone, which a win is read from."""
        paid = step.rewards if step.sparse is None or len(step.rewards) == 1 else step.sparse
        self.reward = paid[self.seat]
