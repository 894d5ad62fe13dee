"""Tuning episodes of a cell, from which its attacks learn: on seeds by which nothing is measured."""

import contextlib
import dataclasses
import hashlib
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rlattack.arrays import BoolArray, IntArray
from rlattack.attacks import (
    DynamicsAttack,
    DynamicsAttacker,
    ObservationAttack,
    Schedule,
    ScreenAttacker,
    TuningStep,
)
from rlattack.attacks.attack import Attack
from rlattack.attacks.tuning import STRIDE
from rlattack.budget import Reach
from rlattack.defences import Defended, Front, defend, make_front
from rlattack.device import on
from rlattack.draws import Draws, SharedDraws
from rlattack.evaluation.cell import Cell
from rlattack.evaluation.code import code_of
from rlattack.evaluation.loading import learned_by, load_player, surrogates_of
from rlattack.evaluation.looking import Looking
from rlattack.evaluation.memory import check_memory
from rlattack.evaluation.play import Play, open_play
from rlattack.evaluation.player import Sight, here, lend_worlds, make_attacker, make_sight
from rlattack.evaluation.slots import Take
from rlattack.games.game import Seat
from rlattack.policies.policy import Policy, State
from rlattack.specs import NoParameters

TUNING = 1_000_000_007
"""Run seeds of tuning episodes are those of the run plus this: nothing is measured on what was learned from."""


def tuning_of(cell: Cell) -> Cell:
    """Clean play of the same players on seeds of its own."""
    return dataclasses.replace(cell, attacks=(), seed=cell.seed + TUNING, episodes=1, observers=(), detectors=())


class Tuned:
    """Tuning episodes for the attack of a cell that has a number: what `Attack.fit` may use, see `Tuning`.

    Args:
        cell: The cell.
        number: Of the attack.
        say: Told in a line how far the fit is.
        fits: Folder of what fronts and surrogates learned before; needed where one of them learned.
        timing: Its schedule learns, by what the schedule may know, whatever the attack may.

    Raises:
        RlattackError: The attack or a player does not fit.
    """

    def __init__(
        self, cell: Cell, number: int, say: Callable[[str], None], fits: Path | None = None, *, timing: bool = False
    ) -> None:
        self._cell, self._ref, self.say = tuning_of(cell), cell.attacks[number], say
        self.steps = 0
        self._fits = fits
        play = open_play(self._cell, lambda slot: None, fits=fits)
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
        self._screens = attacker if isinstance(attacker, ScreenAttacker) else None
        self._stacks: dict[bytes, Tensor] = {}
        if timing:
            self._oracle.count(np.ones(cell.envs, dtype=np.bool_), type(attacker.schedule).knowledge)
        self.draws: Draws = SharedDraws(cell.envs, self._cell.seed % 2**63)

    def begin(self, obs: Tensor) -> None:
        """Makes these the clean observations of `victim` from now on: of a screen, those that were made of it."""
        if self._screens is None:
            self._oracle.begin(obs, np.ones(len(obs), dtype=np.bool_))
        else:
            self._screens.rehearse(self._stacks[_name(obs)])

    def observations(self, count: int) -> Iterator[Tensor]:
        """`count` batches of what the game showed, float32, of steps that are not much like each other."""
        numbers = itertools.count()
        seen = Looking(self._ref.seat, self._cell.envs)
        on_screen = self._screens is not None
        play = open_play(self._cell, lambda slot: next(numbers), [seen], fits=self._fits, screens=on_screen)
        with contextlib.closing(play.play()) as steps:
            for _ in range(count):
                for _ in range(STRIDE):
                    next(steps)
                    self.steps += self._cell.envs
                shown = torch.as_tensor(seen.shown.astype(np.float32))
                if seen.pictures is not None:
                    stack, shown = shown, torch.as_tensor(seen.pictures.astype(np.float32))
                    self._stacks[_name(shown)] = stack
                yield shown

    def rehearse(
        self, attack: ObservationAttack[Any, Any] | DynamicsAttack[Any] | None, slots: int, *, sampled: bool = False
    ) -> "Rehearsing":
        """Opens the game; whom the attack is crafted on plays, which is a surrogate where there is one."""
        ref, plays = self._ref, self._surrogate or self._victim
        on_screen = attack is not None and self._screens is not None
        check_memory(slots, self._seats, f"attack {ref.spec.name}", screens=on_screen)
        actions = list(self._cell.actions)
        actions[ref.seat] = plays.acts or ("sampled" if sampled else actions[ref.seat])
        cell = dataclasses.replace(self._cell, envs=slots, actions=tuple(actions))
        opened = open_play(cell, lambda slot: None, fits=self._fits, screens=on_screen)
        policies = list(opened.policies)
        policies[ref.seat] = plays
        rehearsing = Rehearsing(cell, opened.game, policies, ref.seat)
        if attack is not None:
            with on(cell.device):
                rehearsing.arm(self._rehearsed(attack, plays, opened.game.seats[ref.seat], slots))
        return rehearsing

    def _rehearsed(
        self, attack: ObservationAttack[Any, Any] | DynamicsAttack[Any], plays: Policy, seat: Seat, slots: int
    ) -> Sight | DynamicsAttacker:
        """An attack at work on whoever plays, held to the reach."""
        ref = self._ref
        if isinstance(attack, DynamicsAttack):
            return DynamicsAttacker(attack, plays, seat.bodies, slots, budget=ref.budget)
        return make_sight(attack, ref, plays, self._victim, seat, slots)


def watched(cell: Cell, seat: int, fits: Path | None = None) -> "Rehearsing":
    """Tuning episodes of the players of a cell, of whom nobody is attacked, to look at one seat."""
    tuning = tuning_of(cell)
    opened = open_play(tuning, lambda slot: None, fits=fits)
    return Rehearsing(tuning, opened.game, opened.policies, seat)


def before_front(cell: Cell, seat: int, number: int) -> Cell:
    """Clean play of a cell from which a front of one of its players learns: behind those that come before it alone."""
    players = list(cell.players)
    players[seat] = players[seat].behind(number)
    before = dataclasses.replace(tuning_of(cell), players=tuple(players))
    told = {name: said for name, said in code_of(before).items() if said}
    return dataclasses.replace(before, code=told if cell.code else {})


class Watched:
    """Tuning episodes for a front of a player of a cell, see `Watching`.

    Args:
        cell: The cell.
        seat: Who has the front.
        number: Of the front.
        say: Told in a line how far the fit is.
        fits: Folder of what the fronts before it learned.

    Attributes:
        front: The front, which has learned nothing yet.

    Raises:
        RlattackError: A player cannot be loaded.
    """

    def __init__(self, cell: Cell, seat: int, number: int, say: Callable[[str], None], fits: Path) -> None:
        tuning, ref, self.say = before_front(cell, seat, number), cell.players[seat], say
        self.slots = cell.envs
        self.draws: Draws = SharedDraws(1, tuning.seed % 2**63)
        opened = open_play(tuning, lambda slot: None, fits=fits)
        self.seat = opened.game.seats[seat]
        self.policy = load_player(ref.behind(0), self.seat, tuning, fits)
        self._door = _Door(cell.envs)
        policies, before = list(opened.policies), tuning.players[seat]
        with on(cell.device):
            self.front = make_front(ref.fronts[number], self.seat)
            learned = list(map(here, learned_by(before, fits)))
            policies[seat] = defend(Defended(self.policy, self._door), before.fronts, self.seat, learned)
        self._play = Rehearsing(tuning, opened.game, policies, seat)

    def steps(self, episodes: int, first: int = 0) -> Iterator[TuningStep]:
        """Plays tuning episodes, the i-th in slot i modulo the slots."""
        waiting = [iter(range(first + slot, first + episodes, self.slots)) for slot in range(self.slots)]
        for step in self._play.round(lambda slot: next(waiting[slot], None)):
            yield dataclasses.replace(step, received=self._door.arrived)

    def close(self) -> None:
        """Frees the game."""
        self._play.close()


class _Door(Front[NoParameters]):
    """Keeps what arrived last, and lets it through: of several copies of a row it keeps the first.

    Args:
        slots: How many rows there are.
    """

    name = "door"
    arrived: Tensor

    def __init__(self, slots: int) -> None:
        super().__init__(NoParameters())
        self._slots = slots

    def seen(self, obs: Tensor, draws: Draws | None, memory: State = None) -> Tensor:
        """What arrived."""
        self.arrived = obs[:: len(obs) // self._slots]
        return obs


class Rehearsing(Play):
    """Tuning episodes round after round in one game, see `Rehearsal`; whoever opened it closes it.

    Arguments are those of `Play`, beside the seat that is looked at.
    """

    def __init__(self, cell: Cell, game: Any, policies: Any, seat: int) -> None:
        self._looking = Looking(seat, cell.envs)
        super().__init__(cell, game, policies, lambda slot: None, [self._looking])
        self._stopped: BoolArray = np.zeros(cell.envs, dtype=np.bool_)

    def arm(self, attacker: Sight | DynamicsAttacker) -> None:
        """Lets an attack work on the seat."""
        self._players[self._looking.seat].arm(0, attacker, own=True)
        lend_worlds(self.game, self._players)

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
        ended, terminated = over & active, self._tally.last.terminated & active
        self._now = TuningStep(
            active, seen.shown, seen.received, seen.action, seen.reward, ended, terminated, seen.acting,
            self.episode.copy(), seen.out, seen.about, seen.then,
        )  # fmt: skip
        return over

    def _close(self) -> None:
        """The game goes on with the next round."""


def _name(pictures: Tensor) -> bytes:
    """Names a batch of pictures by what is in them, of whatever device and copy."""
    return hashlib.sha256(pictures.byte().numpy(force=True).tobytes()).digest()
