"""Attacked play beside its own limits: the parts of it timed alone, play itself, and what a user would write.

All in one run, in as many processes at once as will play, one torch thread each, in agent steps a second a core. The
things to measure take turns, a second or so each, so that a machine that slows down for a while slows all of them.
The bound of a kind of play is what the sum of its parts allows: stepping, forwards, gradients, and the resets it met.
"""

import multiprocessing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from gymnasium.spaces import Box

from rlattack.attacks import parse_attack
from rlattack.budget import Budget, Unit
from rlattack.device import CPU
from rlattack.evaluation.cell import AttackRef
from rlattack.evaluation.episode import Episode
from rlattack.evaluation.spawned import Names, added_names, set_up
from rlattack.evaluation.study import Study
from rlattack.evaluation.table import Table
from rlattack.perf.baseline import baselines
from rlattack.perf.parts import Emulator, Parts
from rlattack.perf.seating import endless, open_game
from rlattack.perf.table import Speed, SpeedTable
from rlattack.policies.placed import placed

_EPS = 1 / 255
_TURNS = 8
"""How often each thing is measured."""


@dataclass(frozen=True)
class Kind:
    """A kind of play, and what a step of it must ask of the victim at least.

    Attributes:
        name: What it is called.
        attack: As typed on the command line; empty for none.
        forwards: Outputs a step, the victim's own among them.
        gradients: Backward passes with their forwards a step.
    """

    name: str
    attack: str
    forwards: int
    gradients: int


KINDS = (
    Kind("clean", "", 1, 0),
    Kind("fgsm", "fgsm", 1, 1),
    Kind("pgd-10", "pgd:steps=10", 2, 10),  # its random start hides the clean output, which takes a forward of its own
)
CONTINUOUS = (
    KINDS[0],
    Kind("fgsm", "fgsm:loss=mad,random_start=true", 2, 1),  # whose loss is flat at the clean observation
    Kind("mad-10", "pgd:loss=mad,steps=10", 2, 10),
)
"""Of victims of continuous actions."""


class AttackedPlay:
    """A kind of play with all slots full, for as long as it is asked to go on.

    Raises:
        InvalidInput: The attack does not fit the victim.
    """

    def __init__(self, kind: Kind, table: Table, slots: int) -> None:
        game, device = open_game(table, slots), table.study.device
        attacks: tuple[AttackRef, ...] = ()
        if kind.attack:
            pixels = table.seats[table.victim].observation.dtype == np.uint8
            (agent,) = table.agents[table.victim].values()
            space: Unit = "unit" if pixels else "raw" if agent.policy.normaliser is None else "sigma"
            budget = Budget(eps=_EPS if pixels else 0.01, space=space)
            attacks = (AttackRef(spec=parse_attack(kind.attack), seat=table.victim, budget=budget),)
        self.kind = kind
        self.play = endless(table, game, [placed(agent.policy, device) for agent in table.everybody], attacks)
        self.finished: list[Episode] = []
        self._steps = self.play.play()

    def __call__(self, seconds: float) -> None:
        """Goes on for about so many seconds."""
        end = self.play.full_seconds + seconds
        while self.play.full_seconds < end:
            self.finished += next(self._steps)

    def speed(self, parts: dict[str, float]) -> Speed:
        """How fast it was, beside the bound by the speeds of the parts and by the resets that it met."""
        steps, resets = self.play.full_steps, self.play.full_resets
        least = steps * sum(1 / parts[name] for name in ("environment", "opponents") if name in parts)
        least += self.kind.forwards * steps / parts["forward"] + self.kind.gradients * steps / parts["gradient"]
        least += resets / parts["reset"]
        return Speed(
            name=f"{self.kind.name} play", per_second=steps / self.play.full_seconds, beside="bound",
            reference=steps / least, resets_per_step=resets / steps,
        )  # fmt: skip


def measure_play(study: Study, *, slots: int, workers: int, seconds: float) -> SpeedTable:
    """Measures in `workers` processes at once; one works in this process.

    Args:
        study: A game with its victim; beside Stable-Baselines3 too where it is an Atari game as that plays it.
        slots: Games at once, a process.
        workers: Processes.
        seconds: For each thing measured.
    """
    if workers == 1:
        found = [_measure_one(study, slots, seconds)]
    else:
        context = multiprocessing.get_context("spawn")
        with context.Pool(workers, initializer=_share, initargs=(context.Barrier(workers), added_names())) as pool:
            found = pool.starmap(_measure_one, [(study, slots, seconds)] * workers, chunksize=1)
    where = "a core" if study.device == CPU else f"on {study.device}"
    return SpeedTable(
        title=f"attacked play, agent steps a second {where}", setting={"processes": workers, "slots": slots},
        speeds=tuple(Speed.mean(same) for same in zip(*found, strict=True)),
    )  # fmt: skip


_barrier: Any = None  # multiprocessing has no public type for it


def _share(barrier: Any, names: Names) -> None:
    global _barrier
    _barrier = barrier
    set_up(names)


def _together() -> None:
    if _barrier is not None:
        _barrier.wait()


def _measure_one(study: Study, slots: int, seconds: float) -> list[Speed]:
    torch.set_num_threads(1)
    table = Table.lay(study)
    emulators = {"emulator": Emulator(table.card)} if table.card.family == "atari" else {}
    parts, plays = Parts(table, slots), _plays(table, slots)
    on_cpu = study.device == CPU  # as the other loops are
    loops = baselines(table.card, table.everybody[table.victim].policy, slots, _EPS) if on_cpu else {}
    turns: list[Callable[[float], object]] = [*emulators.values(), parts, *plays, *loops.values()]
    for turn in turns * _TURNS:
        _together()
        turn(seconds / _TURNS)
    _together()
    speeds = {name: emulator.clock.speed for name, emulator in emulators.items()} | parts.speeds
    played = {play.kind.name: play.speed(speeds) for play in plays}
    rows = [
        Speed(name=name, per_second=speed, unit="resets" if name == "reset" else "steps")
        for name, speed in speeds.items()
    ]
    besides = [
        Speed(name=f"{kind} play", per_second=played[kind].per_second, beside=loop.name, reference=loop.clock.speed)
        for kind, loop in loops.items()
    ]
    return [*rows, *played.values(), *besides]


def _plays(table: Table, slots: int) -> list[AttackedPlay]:
    """Every kind of play of a victim of such actions."""
    kinds = CONTINUOUS if isinstance(table.seats[table.victim].action, Box) else KINDS
    return [AttackedPlay(kind, table, slots) for kind in kinds]
