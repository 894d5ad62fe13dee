"""Progress on standard error: bars and a moving line for a person, a line now and then for a log."""

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from rlattack.evaluation.episode import Episode
from rlattack.evaluation.plan import Plan

_PATIENCE = 60.0
"""Seconds without a line in a log after which a cell that goes on says so."""


class _Bar:
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


class EpisodeBar(_Bar):
    """Progress over all episodes of a plan: a bar in a terminal, a line a cell in a log.

    Args:
        planned: What will be played.
        quiet: Shows nothing.
    """

    def __init__(self, planned: Plan, *, quiet: bool) -> None:
        self._cells = {cell.key: cell for cell in planned.cells}
        self._left = {key: cell.episodes for key, cell in self._cells.items()}
        self._steps, self._begun = 0, time.perf_counter()
        self._told = self._begun
        super().__init__(sum(self._left.values()), "episodes", "starting", quiet=quiet)

    def watch(self, episode: Episode, kept: bool) -> None:
        """Counts an episode that ended, now or (`kept`) in an earlier call."""
        cell = self._cells[episode.cell]
        self._left[cell.key] -= 1
        if not kept:
            self._steps += episode.length
        speed = f"{self._steps / (time.perf_counter() - self._begun):,.0f} steps/s"
        speed = "kept from before" if kept else speed
        self._bar.update(self._task, advance=1, description=cell.label, speed=speed)
        if not self._left[cell.key]:
            done = sum(not left for left in self._left.values())
            self._log(f"{cell.label} done, {cell.episodes} episodes, {done} of {len(self._left)} cells, {speed}")

    def beat(self, cell: str, steps: int) -> None:
        """Shows that a cell goes on where no episode of it has ended for long.

        Args:
            cell: Its key.
            steps: How many were played of it so far.
        """
        label = self._cells[cell].label
        self._bar.update(self._task, description=f"{label}, {steps:,} steps so far")
        if time.perf_counter() - self._told >= _PATIENCE:
            self._log(f"{label} goes on, {steps:,} steps so far")

    def _log(self, line: str) -> None:
        if self._logs:
            say(line, stderr=True, markup=False)
        self._told = time.perf_counter()


class StepBar(_Bar):
    """Progress over steps of training, or over episodes of a score: a bar in a terminal, a line now and then in a log.

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


class Stages:
    """Says which stage of a long work has begun and how far it is: a moving line in a terminal, a line each in a log.

    Args:
        quiet: Shows nothing.
    """

    def __init__(self, *, quiet: bool) -> None:
        self._console = Console(stderr=True, quiet=quiet)
        self._status = self._console.status("")
        self._begun = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._status.stop()

    def __call__(self, what: str, done: int = 0, total: int = 0) -> None:
        """Tells what is done now, and how much of how much is, where that can be counted."""
        if self._console.is_terminal:
            self._status.update(Text(f"{what}: {done} of {total}" if total else what))
            self._status.start()
        elif what != self._begun:
            self._console.print(what, highlight=False, soft_wrap=True, markup=False)
        self._begun = what


def say(text: str, *, stderr: bool = False, markup: bool = True) -> None:
    """Prints a line, with rich's markup."""
    Console(stderr=stderr).print(text, highlight=False, soft_wrap=True, markup=markup)
