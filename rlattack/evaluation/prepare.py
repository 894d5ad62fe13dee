"""Fits: what attacks learn on tuning episodes before anything is measured, kept in the store by key."""

import dataclasses
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from rlattack.attacks import SCHEDULES, Fitted
from rlattack.device import on
from rlattack.errors import InvalidInput, RlattackError, said_by
from rlattack.evaluation.cell import AttackRef, Cell, digest
from rlattack.evaluation.code import check_code
from rlattack.evaluation.fits import keep_fit, read_fit
from rlattack.evaluation.study import EVERY
from rlattack.evaluation.tuning import Tuned, tuning_of
from rlattack.specs import canonical

_PATIENCE = 5.0
"""Seconds between two lines that say how far a fit is."""


def fit_key(cell: Cell, ref: AttackRef) -> str:
    """Names what an attack learns: by the game, its players, the attack with its budget, and the run's seed."""
    named = dataclasses.replace(ref, fit=None, timing=None, schedule="")
    return digest({"tuning": tuning_of(cell).key, "attack": named.identity})


def timing_key(cell: Cell, ref: AttackRef) -> str:
    """Names what the schedule of an attack learns: the same for all attacks on that seat, crafted on one agent."""
    surrogate = ref.surrogate and ref.surrogate.played
    when = canonical("schedule", SCHEDULES, ref.schedule)
    return digest({"tuning": tuning_of(cell).key, "schedule": when, "seat": ref.seat, "surrogate": surrogate})


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
        keep_fit(folder, key, _fit(tried, ref, _seldom(say, f"fitting {label}"), timing=key in timings))


def _fit(cell: Cell, ref: AttackRef, say: Callable[[str], None], *, timing: bool) -> Fitted:
    """What an attack, or its schedule, learns in one thread of this process, whatever the number of workers."""
    torch.set_num_threads(1)
    check_code(cell)
    tuning = Tuned(cell, cell.attacks.index(ref), say, timing=timing)
    try:
        with on(cell.device):
            return (tuning.schedule if timing else tuning.attack).fit(tuning)
    except RlattackError:
        raise
    except (Exception, SystemExit) as error:
        if not (ref.code or isinstance(error, SystemExit)):
            raise
        raise InvalidInput(f"attack {ref.spec.name}: fails as it learns: {said_by(error)}") from error


def _seldom(say: Callable[[str], None], about: str) -> Callable[[str], None]:
    """Says a line about something where the last one was said a while ago."""
    told = time.monotonic()

    def maybe(line: str) -> None:
        nonlocal told
        if time.monotonic() - told >= _PATIENCE:
            told = time.monotonic()
            say(f"{about}: {line}")

    return maybe
