"""The result of a cell: typed, per seat, built once when its cell ends, and JSON in and out (`results.json`)."""

import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, TypeAdapter

from rlattack.attacks import Access, Knowledge
from rlattack.attacks.ensemble import Ensemble
from rlattack.budget import Model
from rlattack.evaluation.estimates import Interval as Interval
from rlattack.evaluation.estimates import Mean as Mean
from rlattack.evaluation.estimates import Rate as Rate
from rlattack.policies.claim import Claim

SCHEMA = "rlattack/results/2"
UNSTABLE = "unstable"
"""Ending of a simulation that broke down."""


@dataclass(frozen=True)
class Drop:
    """How far a seat fell: clean minus attacked, paired over the same episodes, with 95 % intervals."""

    returns: Annotated[Mean, Field(alias="return")]
    win: Rate | None = None
    """Difference of shares of wins, in [-1, 1] (Newcombe's paired interval); None without a win rule."""


@dataclass(frozen=True)
class RocPoint:
    """How much is detected at a rate of false alarms."""

    false: float
    """Share of clean steps with a false alarm, at most."""
    detected: float
    """Share of attacked steps with an alarm."""
    low: float
    """Lower end of its 95 % interval, by bootstrap over episodes."""
    high: float


@dataclass(frozen=True)
class Detection:
    """What a detector made of a seat: of its attacked steps or, in a clean cell, where all alarms are false, of all.

    Alarms are those above the threshold that was found on clean tuning episodes; the curve shows all thresholds.
    """

    auc: Mean | None = None
    """Area under the curve, with a bootstrap interval over episodes: 1 tells every attacked step from every clean one,
    0.5 is chance. None in a clean cell."""
    steps: Mean | None = None
    """Share of those steps with an alarm, with an interval over episodes; None where there are none."""
    episodes: Rate | None = None
    """Share of the episodes with an alarm, once they were attacked; None where none was."""
    delay: Mean | None = None
    """Steps from the first such step of an episode to the first alarm, of the episodes that had one."""
    roc: tuple[RocPoint, ...] = ()


@dataclass(frozen=True)
class SeatResult:
    """What one seat did in a cell."""

    name: str
    player: str
    """Who held the seat, as the user named it."""
    role: Literal["victim", "opponent"]
    returns: Annotated[Mean, Field(alias="return")]
    win: Rate | None = None
    tie: Rate | None = None
    loss: Rate | None = None
    drop: Drop | None = None
    """Beside the clean cell; None in that one, and for a seat that is not attacked."""
    attacked: float | None = None
    """Share of its steps in which it received something else than the game showed, did another thing than it chose, or
    was in another world; None for a seat without attack."""
    action_change: float | None = None
    """Mean over steps of how much its greedy action moved, in [0, 1]."""
    sizes: dict[str, float] = field(default_factory=dict)
    """Largest size of a step by name, as the judge measured."""
    queries: float = 0.0
    """Outputs that the attack asked for, a step."""
    gradients: float = 0.0
    """Backward passes of the attack, a step."""
    observed: dict[str, Mean] = field(default_factory=dict)
    """Means over episodes of what other observers collected."""
    detection: dict[str, Detection] = field(default_factory=dict)
    """What detectors made of what it received, by their spelling."""


@dataclass(frozen=True)
class AttackResult:
    """What was done to a seat, as far as a reader of the result needs it."""

    name: str
    seat: str
    access: Access
    knowledge: Knowledge
    """As the attack declares it; of the victim itself `none` where it was crafted on another agent, and `decision`
    where that learned from what the victim did."""
    control: bool
    """Whether it stands beside an attack of the same size, without its wits."""
    parameters: dict[str, Any] = field(default_factory=dict)
    reach: str | None = None
    """`linf`, `l2`, `l1`, `l0`, `rotation`: what eps counts; None for an attack without a size."""
    eps: float | None = None
    radius: float | None = None
    """What the budget allows, in its norm."""
    space: str | None = None
    model: Model = "stack"
    grid: bool = False
    free: tuple[int, ...] = ()
    """Numbers of the entries that may change; all where there are none."""
    entries: str = ""
    """The same in words, where the game has words for them: `picture,body.speed`."""
    schedule: str = "every"
    looks_ahead: bool = False
    """Whether the schedule plays forks of the game: it knows what no attacker outside of it knows."""
    surrogate: str | None = None
    """The agent that the attack was crafted on, in place of the victim."""
    oblivious: bool = False
    """Whether that is the victim without its fronts, of which the attack does not know."""
    fit: str | None = None
    """Digest of what was fitted on tuning episodes."""
    note: str = ""
    """What it did otherwise than was asked for, since the game allows nothing else, and how well a surrogate imitates
    the victim; empty for most."""
    ensemble: Ensemble | None = None
    """Of an ensemble: its members on tuning episodes, which of them plays, and what gradients are worth."""


@dataclass(frozen=True)
class WinRule:
    """When an episode counts as won."""

    rule: Literal["game", "score", "threshold"]
    """`game`: by its rules. `score`: a return above 0. `threshold`: a return at or above it."""
    threshold: float | None = None


@dataclass(frozen=True)
class ScoreResult:
    """What is stated of how well the victim plays when nothing attacks it, beside what it did."""

    mean: float
    deviation: float
    """Standard deviation of an episode's return."""
    source: str
    note: str = ""
    """What to doubt, where the clean interval does not meet the score within two deviations; empty where it does."""


@dataclass(frozen=True)
class MaskResult:
    """The seat from which the other player was hidden, and how."""

    seat: str
    mode: str


@dataclass(frozen=True)
class FrontResult:
    """One front of the victim."""

    name: str
    """With its parameters."""
    fit: str | None = None
    """Digest of what it learned on tuning episodes."""
    facts: dict[str, Any] = field(default_factory=dict)
    """What it tells of that."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """A cell with what came of it."""

    __pydantic_config__ = ConfigDict(extra="forbid", validate_by_name=True, validate_by_alias=True)

    cell: str
    """Its key."""
    status: str = "ok"
    """`ok`, or `failed: ...`; a failed cell's numbers are not shown."""
    game: str
    victim: int = 0
    """Number of the seat under study."""
    seats: tuple[SeatResult, ...]
    attacks: tuple[AttackResult, ...] = ()
    mask: MaskResult | None = None
    win_rule: WinRule | None = None
    actions: str
    """How the victim chose: `sampled` or `greedy`."""
    sticky: float = 0.0
    device: str = "cpu"
    """What the players and the attacks computed on: `cpu`, or `cuda (NVIDIA H100)`."""
    defence: str | None = None
    """Fronts of the victim, in order."""
    fronts: tuple[FrontResult, ...] = ()
    """The same one by one, with what they learned."""
    claim: Claim | None = None
    """What the victim was trained to stand, as its card says."""
    published: ScoreResult | None = None
    """Of a clean cell whose victim's score is stated somewhere."""
    seed: int
    episodes: int
    length: Mean
    """Steps of an episode."""
    endings: dict[str, int] = field(default_factory=dict)
    """How many episodes ended how, in the game's own words."""
    distinct: int
    """Episodes that went differently."""
    stalled: int = 0
    truncated: int = 0
    unstable: int = 0
    steps: int
    steps_per_second: float | None = None

    @property
    def ok(self) -> bool:
        """Whether it was measured and kept its reach."""
        return self.status == "ok"

    @property
    def clean(self) -> bool:
        """Whether nothing was attacked in it."""
        return not self.attacks

    @property
    def control(self) -> bool:
        """Whether it is a control, beside which attacks are read."""
        return bool(self.attacks) and all(attack.control for attack in self.attacks)

    @property
    def attack(self) -> AttackResult | None:
        """The first attack; None in a clean cell."""
        return self.attacks[0] if self.attacks else None

    @property
    def attacked(self) -> SeatResult:
        """The seat that is attacked; the victim's in a clean cell."""
        return self.victim_seat if self.attack is None else self.seat(self.attack.seat)

    @property
    def victim_seat(self) -> SeatResult:
        """The seat under study."""
        return self.seats[self.victim]

    def seat(self, name: str) -> SeatResult:
        """The seat of that name."""
        return next(seat for seat in self.seats if seat.name == name)

    @property
    def eps(self) -> float | None:
        """Size of the first attack; None without one."""
        return None if self.attack is None else self.attack.eps

    @property
    def spaces(self) -> tuple[str, str]:
        """What that size counts, and in which units; empty without one."""
        return ("", "") if self.attack is None else (self.attack.reach or "", self.attack.space or "")


@functools.cache
def _adapter() -> TypeAdapter[list[Result]]:
    return TypeAdapter(list[Result])


def to_json(results: Sequence[Result]) -> list[dict[str, Any]]:
    """Results as they stand in `results.json`."""
    found: list[dict[str, Any]] = _adapter().dump_python(list(results), mode="json", by_alias=True)
    return found


def dumps(results: Sequence[Result]) -> str:
    """The whole text of a `results.json`.

    Raises:
        ValueError: What is no number.
    """
    return json.dumps({"schema": SCHEMA, "cells": to_json(results)}, indent=1, allow_nan=False) + "\n"


def from_json(cells: Sequence[Mapping[str, Any]]) -> list[Result]:
    """Reads the cells of a `results.json` of schema 2.

    Raises:
        ValueError: A missing field, one too many, or a value of another type.
    """
    return _adapter().validate_python(list(cells))
