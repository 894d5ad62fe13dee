"""Progress of a training on standard error, and what is said beside it."""

import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

__all__ = ["StepBar", "say"]


class StepBar:
    """Progress over training steps: a bar in a terminal, a line now and then in a log.

    Args:
        total: How many there will be.
        unit: What is counted.
    """

    def __init__(self, total: int, unit: str = "steps") -> None:
        console = Console(stderr=True)
        self._bar = Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn(unit),
            TextColumn("{task.fields[speed]}"), TimeRemainingColumn(), console=console,
            disable=not console.is_terminal,
        )  # fmt: skip
        self._total, self._unit = total, unit
        self._task = self._bar.add_task("training", total=total, speed="")
        self._every = max(1, min(100_000, total // 10))
        self._told = self._first = self._last = 0
        self._begun: float | None = None

    def __enter__(self) -> "StepBar":
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

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
        if self._bar.disable and steps // self._every > self._told // self._every:
            said = [f"{steps:,} of {self._total:,} {self._unit}", *([note, said_speed] if note else [])]
            say(", ".join(filter(None, said)), stderr=True)
            self._told = steps


def say(text: str, *, stderr: bool = False) -> None:
    """Prints a line with rich's markup."""
    Console(stderr=stderr).print(text, highlight=False, soft_wrap=True)
