"""Progress on standard error: bars and a moving line for a person, a line now and then for a log."""

import time
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

from rlattack.errors import told

if TYPE_CHECKING:
    from rlattack.evaluation.episode import Episode
    from rlattack.evaluation.plan import Plan

_PATIENCE = 60.0
"""Seconds without a line in a log after which a cell that goes on says so."""

_MANY = 500_000
"""Steps of a cell without an end of an episode after which the way out is said."""


class _Shown:
    """A line that moves for a person until it is closed, a bar where the end is known; a log has lines that stay."""

    def __init__(self, note: str, total: int | None = None, unit: str = "", *, quiet: bool = False) -> None:
        console = Console(stderr=True)
        self._logs = not (quiet or console.is_terminal)
        speed = TextColumn("{task.fields[speed]}")
        bar = (BarColumn(), MofNCompleteColumn(), TextColumn(unit), speed, TimeRemainingColumn())
        columns = (TextColumn("{task.description}", markup=False), *((SpinnerColumn(),) if total is None else bar))
        self._bar = Progress(*columns, console=console, disable=quiet or self._logs, transient=total is None)
        self._task = self._bar.add_task(note, total=total, visible=bool(note), speed="")
        self._bar.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Leaves it as it is."""
        self._bar.stop()

    def _log(self, line: str) -> None:
        if self._logs:
            say(line, stderr=True, markup=False)


class EpisodeBar(_Shown):
    """Progress over all episodes of a plan: a bar in a terminal, a line a cell in a log.

    Args:
        planned: What will be played.
        quiet: Shows nothing.
    """

    def __init__(self, planned: "Plan", *, quiet: bool) -> None:
        self._cells = {cell.key: cell for cell in planned.cells}
        self._left = {key: cell.episodes for key, cell in self._cells.items()}
        self._steps, self._begun = 0, time.perf_counter()
        self._told = self._begun
        super().__init__("starting", sum(self._left.values()), "episodes", quiet=quiet)

    def watch(self, episode: "Episode", kept: bool) -> None:
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
            self._told = time.perf_counter()

    def beat(self, cell: str, steps: int) -> None:
        """Shows that a cell goes on where no episode of it has ended for long.

        Args:
            cell: Its key.
            steps: How many were played of it so far.
        """
        label, said = self._cells[cell].label, f"{steps:,} steps so far"
        if steps >= _MANY and self._left[cell] == self._cells[cell].episodes:
            said += told(" and no episode has ended; where none ever does, --max-steps cuts them")
        self._bar.update(self._task, description=f"{label}, {said}")
        if time.perf_counter() - self._told >= _PATIENCE:
            self._log(f"{label} goes on, {said}")
            self._told = time.perf_counter()


class StepBar(_Shown):
    """Progress over steps of training, or over episodes of a score: a bar in a terminal, a line now and then in a log.

    Args:
        total: How many there will be.
        unit: What is counted.
    """

    def __init__(self, total: int, unit: str = "steps") -> None:
        super().__init__("training", total, unit)
        self.total, self.unit = total, unit
        self._every = max(1, min(100_000, total // 10))
        self._told = self._first = self._last = 0
        self._begun: float | None = None

    def __call__(self, done: int, note: str = "", *, kept: bool = False) -> None:
        """Tells how many are done, what of, and whether it was `kept` from an earlier call, which has no speed."""
        if self._begun is None or done < self._last:  # a resumed run did not make its first steps in no time
            self._bar.reset(self._task, completed=done)
            self._told = self._first = done
            self._begun = time.perf_counter()
        self._last = done
        speed = (done - self._first) / max(time.perf_counter() - self._begun, 1e-9)
        said_speed = f"{speed:,.{0 if speed > 10 else 1}f} {self.unit}/s" if done > self._first else ""
        self._bar.update(self._task, completed=done, description=note or "training", speed=said_speed)
        if done // self._every > self._told // self._every:
            said = [f"{done:,} of {self.total:,} {self.unit}", *([note, said_speed] if note else [])]
            self._log(", ".join(filter(None, said)))
            self._told = done
        if kept:
            self._begun = None


class Stages(_Shown):
    """Says which stage of a long work has begun and how far it is: a moving line in a terminal, a line each in a log.

    Args:
        quiet: Shows nothing.
    """

    def __init__(self, *, quiet: bool) -> None:
        super().__init__("", quiet=quiet)
        self._begun = ""

    def __call__(self, what: str, done: int = 0, total: int = 0) -> None:
        """Tells what is done now, and how much of how much is, where that can be counted."""
        shown = f"{what}: {done} of {total}" if total else what
        self._bar.update(self._task, description=shown, visible=True)
        if what != self._begun:
            self._log(what)
        self._begun = what


def say(text: str, *, stderr: bool = False, markup: bool = True) -> None:
    """Prints a line, with rich's markup."""
    Console(stderr=stderr).print(text, highlight=False, soft_wrap=True, markup=markup)
