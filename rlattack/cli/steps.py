"""Progress of a training on standard error, and what is said beside it."""

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

__all__ = ["Bar", "StepBar", "say"]


class Bar:
    """A bar on standard error, for a person: there is none in a log.

    Args:
        total: How much there will be.
        unit: What is counted.
        begun: What it says at first.
        quiet: Shows nothing, in a log neither.
    """

    def __init__(self, total: int, unit: str, begun: str, *, quiet: bool = False) -> None:
        console = Console(stderr=True)
        self._logs = not (quiet or console.is_terminal)
        self._bar = Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn(unit),
            TextColumn("{task.fields[speed]}"), TimeRemainingColumn(), console=console,
            disable=quiet or self._logs,
        )  # fmt: skip
        self._task = self._bar.add_task(begun, total=total, speed="")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()


class StepBar(Bar):
    """Progress over training steps: a bar in a terminal, a line now and then in a log.

    Args:
        total: How many there will be.
        unit: What is counted.
    """

    def __init__(self, total: int, unit: str = "steps") -> None:
        super().__init__(total, unit, "training")
        self._total, self._unit = total, unit
        self._every = max(1, min(100_000, total // 10))
        self._told = self._first = self._last = 0
        self._begun: float | None = None

    def skip(self) -> None:
        """What was done so far was done before: speed is measured from here."""
        self._begun = None

    def __call__(self, steps: int, note: str = "") -> None:
        """Tells how many steps are done; `note` says what of."""
        if self._begun is None or steps < self._last:  # a resumed run did not make its first steps in no time
            self._bar.reset(self._task, completed=steps)
            self._told = self._first = steps
            self._begun = time.perf_counter()
        self._last = steps
        speed = (steps - self._first) / max(time.perf_counter() - self._begun, 1e-9)
        said_speed = f"{speed:,.{0 if speed > 10 else 1}f} {self._unit}/s" if steps > self._first else ""
        self._bar.update(self._task, completed=steps, description=note or "training", speed=said_speed)
        if self._logs and steps // self._every > self._told // self._every:
            said = [f"{steps:,} of {self._total:,} {self._unit}", *([note, said_speed] if note else [])]
            say(", ".join(filter(None, said)), stderr=True)
            self._told = steps


def say(text: str, *, stderr: bool = False) -> None:
    """Prints a line with rich's markup."""
    Console(stderr=stderr).print(text, highlight=False, soft_wrap=True)
