"""What a benchmark found: a table of named speeds, each beside the bound or the loop that it is read beside."""

import dataclasses
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Speed:
    """How fast one thing was done.

    Attributes:
        name: What was done.
        per_second: Steps of the game a second, or resets.
        unit: `steps` or `resets`.
        beside: What it is read beside: a bound, or a loop that a user would write; empty for a part of a bound.
        reference: How fast that is, in the same unit.
        resets_per_step: Resets of a slot a step: attacks that lose games fast meet more of them.
    """

    name: str
    per_second: float
    unit: str = "steps"
    beside: str = ""
    reference: float | None = None
    resets_per_step: float | None = None

    @property
    def share(self) -> float | None:
        """This speed over the one that it is read beside."""
        return None if self.reference is None else self.per_second / self.reference

    @classmethod
    def mean(cls, found: Sequence["Speed"]) -> "Speed":
        """The mean of what several processes found of the same thing."""
        names = [name for name in ("per_second", "reference", "resets_per_step") if getattr(found[0], name) is not None]
        means: dict[str, Any] = {name: statistics.fmean(getattr(one, name) for one in found) for name in names}
        return dataclasses.replace(found[0], **means)


@dataclass(frozen=True, kw_only=True)
class SpeedTable:
    """What one benchmark found.

    Attributes:
        title: What was measured, and in which unit.
        setting: How many of what were at work: processes, slots, threads.
        speeds: One a row.
        note: Why nothing was measured; empty where something was.
    """

    title: str
    setting: Mapping[str, int] = field(default_factory=dict)
    speeds: tuple[Speed, ...] = ()
    note: str = ""

    def to_json(self) -> dict[str, Any]:
        """The table as `rlattack perf --json` prints it."""
        speeds = [{**dataclasses.asdict(speed), "share": speed.share} for speed in self.speeds]
        return {"title": self.title, "setting": dict(self.setting), "speeds": speeds, "note": self.note}
