"""The pace of a cell in a second or two: the cell itself is played, or added up of parts where its attack must learn.

What learns is told by what it asks for as it learns (`Attack.work`) and the speeds of the parts, of which `rlattack
perf` makes its bounds. What fronts, detectors, schedules and surrogates learn is left out.
"""

import contextlib
import dataclasses
import itertools
import statistics
import time
from collections.abc import Sequence

import torch

from rlattack.attacks.words import Work
from rlattack.evaluation.cell import AttackRef, Cell
from rlattack.evaluation.episode import Episode
from rlattack.evaluation.observers import make_observers
from rlattack.evaluation.pace import Pace
from rlattack.evaluation.play import open_play
from rlattack.evaluation.player import make_attacker
from rlattack.evaluation.study import EVERY
from rlattack.perf.parts import Parts
from rlattack.perf.seating import seat_victim

_PATIENCE = 10
"""How many times as long as others a clean cell is played: until every slot has ended an episode."""


def measure_pace(cell: Cell, clean: Pace | None = None, *, seconds: float = 1.0) -> Pace:
    """Measures how long a cell takes on one core.

    Args:
        cell: What is to be played; nothing of it is kept.
        clean: The pace of the same without an attack; None of a clean cell.
        seconds: In which it is played, after a first step; ten times as long where it is clean.

    Raises:
        RlattackError: A player or an attack that fails, or a front that plays only once it has learned.
    """
    torch.set_num_threads(1)
    if clean is None:
        return _played(cell, seconds * _PATIENCE)
    if any(ref.fit is not None for ref in cell.attacks):
        return _added_up(cell, clean, seconds)
    pace = _played(_without_lessons(cell), seconds)
    return pace if pace.length else dataclasses.replace(pace, length=clean.length)


def _played(cell: Cell, seconds: float) -> Pace:
    """The pace of a cell, whose length is 0 where an attacked episode is longer than could be seen."""
    numbers = [itertools.count(slot, cell.envs) for slot in range(cell.envs)]
    begun = time.perf_counter()
    play = open_play(cell, lambda slot: next(numbers[slot]), make_observers(cell))
    with contextlib.closing(play.play()) as steps:
        next(steps)  # what is made in it is made once
        begin, warm = time.perf_counter() - begun, play.full_seconds
        ended: list[Episode] = []
        while (over := play.full_seconds - warm) < seconds or play.full_steps == play.slots:
            ended += next(steps)
            if not cell.attacks and over >= seconds / _PATIENCE and _lengths(ended, play.slots):
                break
    step = (play.full_seconds - warm) / (play.full_steps - play.slots)
    if firsts := _lengths(ended, play.slots):
        return Pace(begin=begin, step=step, length=statistics.fmean(firsts))
    seen = 0.0 if cell.attacks else play.steps / max(len(ended), 1)
    return Pace(begin=begin, step=step, length=min(seen, cell.game.card.max_steps or seen))


def _lengths(ended: Sequence[Episode], slots: int) -> list[int]:
    """Steps of the first episode of every slot, once all have ended: of those that end first most are short."""
    firsts = [one.length for one in ended if one.episode < slots]
    return firsts if len(firsts) == slots else []


def _without_lessons(cell: Cell) -> Cell:
    """The cell without what must learn first, and attacked at every step where that is learned."""
    attacks = [
        dataclasses.replace(
            ref, evades=None, timing=None, schedule=EVERY if ref.timing else ref.schedule,
            surrogate=None if ref.surrogate is not None and ref.surrogate.learns else ref.surrogate,
        )
        for ref in cell.attacks
    ]  # fmt: skip
    return dataclasses.replace(cell, attacks=tuple(attacks), detectors=())


def _added_up(cell: Cell, clean: Pace, seconds: float) -> Pace:
    """The pace of a cell whose attacks learn, by what they ask for and the speeds of the parts of play."""
    victim = cell.players[cell.attacks[0].seat]
    table = seat_victim(cell.game.card.id, victim.spec, trust=victim.trust, device=cell.device)
    parts = Parts(table, cell.envs)
    parts(seconds / 2)
    forward, gradient = parts.speeds["forward"], parts.speeds["gradient"]
    works = [_work(cell, ref, clean.length) for ref in cell.attacks]

    def asks(work: Work) -> float:
        return work.queries / forward + work.gradients / gradient

    fit = sum(one.steps * clean.step + asks(one) for one, _ in works)
    return dataclasses.replace(clean, step=clean.step + sum(asks(one) for _, one in works), fit=fit)


def _work(cell: Cell, ref: AttackRef, length: float) -> tuple[Work, Work]:
    """What an attack asks for as it learns, and in a step of play."""
    play = open_play(cell.clean, lambda slot: None)
    with contextlib.closing(play.game):
        attack = make_attacker(ref, play.policies[ref.seat], None, play.game.seats[ref.seat], cell.envs).attack
    return attack.work(length) if ref.fit is not None else Work(), attack.step_work
