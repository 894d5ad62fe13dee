"""Fits: what attacks learn on tuning episodes before anything is measured, kept in the store by key."""

import contextlib
import dataclasses
import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from rlattack.arrays import Array
from rlattack.attacks import SCHEDULES, Fitted, Schedule
from rlattack.attacks.attack import Attack
from rlattack.budget import Reach
from rlattack.device import on
from rlattack.draws import Draws, SharedDraws
from rlattack.errors import InvalidInput, RlattackError, said_by
from rlattack.evaluation.cell import AttackRef, Cell, digest
from rlattack.evaluation.code import check_code
from rlattack.evaluation.fits import keep_fit, read_fit
from rlattack.evaluation.observer import Moment, Observer
from rlattack.evaluation.play import open_play, surrogates_of
from rlattack.evaluation.player import make_attacker
from rlattack.evaluation.study import EVERY
from rlattack.specs import canonical

TUNING = 1_000_000_007
"""Run seeds of tuning episodes are those of the run plus this: nothing is measured on what was learned from."""
_EVERY = 4
"""Steps between two batches of observations, since one step is much like the next."""


def fit_key(cell: Cell, ref: AttackRef) -> str:
    """Names what an attack learns: by the game, its players, the attack with its budget, and the run's seed."""
    named = dataclasses.replace(ref, fit=None, timing=None, schedule="")
    return digest({"tuning": _tuning(cell).key, "attack": named.identity})


def timing_key(cell: Cell, ref: AttackRef) -> str:
    """Names what the schedule of an attack learns: the same for all attacks on that seat, crafted on one agent."""
    surrogate = ref.surrogate and ref.surrogate.played
    when = canonical("schedule", SCHEDULES, ref.schedule)
    return digest({"tuning": _tuning(cell).key, "schedule": when, "seat": ref.seat, "surrogate": surrogate})


def prepare(cells: Sequence[Cell], folder: Path, say: Callable[[str], None]) -> None:
    """Lets attacks learn what cells need and a folder of fits does not have, or has damaged; says in a line what.

    Raises:
        RlattackError: An attack or a player does not fit.
        Unwritable: The folder cannot be written.
    """
    pairs = [(cell, ref) for cell in cells for ref in cell.attacks]
    fits = {ref.fit: (cell, ref) for cell, ref in pairs if ref.fit is not None}
    timings = {ref.timing: (cell, ref) for cell, ref in pairs if ref.timing is not None}
    for key, (tried, ref) in (timings | fits).items():
        # what an attack learns is the same whenever it acts
        label = f"when {ref.schedule}" if key in timings else dataclasses.replace(ref, schedule=EVERY).label
        try:
            if read_fit(folder, key) is not None:
                continue
            say(f"fitting {label} on tuning episodes")
        except ValueError as error:
            say(f"fitting {label} again: {error}")
        keep_fit(folder, key, _fit(tried, ref, timing=key in timings))


def _fit(cell: Cell, ref: AttackRef, *, timing: bool) -> Fitted:
    """What an attack, or its schedule, learns in one thread of this process, whatever the number of workers."""
    torch.set_num_threads(1)
    check_code(cell)
    tuning = _Tuned(cell, cell.attacks.index(ref))
    try:
        with on(cell.device):
            return (tuning.schedule if timing else tuning.attack).fit(tuning)
    except RlattackError:
        raise
    except (Exception, SystemExit) as error:
        if not (ref.code or isinstance(error, SystemExit)):
            raise
        raise InvalidInput(f"attack {ref.spec.name}: fails as it learns: {said_by(error)}") from error


class _Tuned:
    """Tuning episodes of a cell, for the attack of it that has a number: what `Attack.fit` may use, see `Tuning`."""

    def __init__(self, cell: Cell, number: int) -> None:
        self._cell, self._ref = _tuning(cell), cell.attacks[number]
        play = open_play(self._cell, lambda slot: None)
        surrogate = surrogates_of(cell, play.game)[number]
        policy = play.policies[self._ref.seat]
        with on(cell.device):
            attacker = make_attacker(self._ref, policy, surrogate, play.game.seats[self._ref.seat], cell.envs)
        play.game.close()
        self.attack: Attack[object] = attacker.attack
        self.schedule: Schedule[object] = attacker.schedule
        self.reach: Reach = attacker.reach
        self.victim = attacker.target
        self._oracle = attacker.oracle
        self.draws: Draws = SharedDraws(cell.envs, self._cell.seed % 2**63)

    def begin(self, obs: Tensor) -> None:
        """Makes these the clean observations of `victim` from now on."""
        self._oracle.begin(obs, np.ones(len(obs), dtype=np.bool_))

    def observations(self, count: int) -> Iterator[Tensor]:
        """`count` batches of what the game showed, float32, of steps that are not much like each other."""
        numbers = itertools.count()
        seen = _Shown(self._ref.seat, self._cell.envs)
        play = open_play(self._cell, lambda slot: next(numbers), [seen])
        with contextlib.closing(play.play()) as steps:
            for _ in range(count):
                for _ in range(_EVERY):
                    next(steps)
                yield torch.as_tensor(seen.shown.astype(np.float32))


class _Shown(Observer):
    """Keeps what a seat was shown last."""

    shown: Array = np.empty(0)

    def see(self, moment: Moment) -> None:
        """Keeps the game's own array."""
        if moment.seat == self.seat:
            self.shown = moment.shown


def _tuning(cell: Cell) -> Cell:
    """Clean play of the same players on seeds of its own."""
    return dataclasses.replace(cell, attacks=(), seed=cell.seed + TUNING, episodes=1, observers=())
