"""Progress of an evaluation on standard error: a bar for a person, a line a cell for a log."""

import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from rlattack.evaluation.duels import DuelEpisode, DuelPlan
from rlattack.evaluation.evaluate import Plan
from rlattack.evaluation.rollout import Episode

__all__ = ["EpisodeBar"]


class EpisodeBar:
    """A bar over all episodes of a plan.

    Args:
        planned: What will be played.
        quiet: Shows nothing.
    """

    def __init__(self, planned: Plan | DuelPlan, *, quiet: bool) -> None:
        self._labels = {cell.key: cell.label for cell in planned.cells}
        self._left = {cell.key: cell.episodes for cell in planned.cells}
        self._total = sum(self._left.values())
        self._steps, self._begun = 0, time.perf_counter()
        console = Console(stderr=True)
        self._logs = not (quiet or console.is_terminal)
        self._bar = Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("episodes"),
            TextColumn("{task.fields[speed]}"), TimeRemainingColumn(), console=console,
            disable=quiet or self._logs,
        )  # fmt: skip
        self._task = self._bar.add_task("starting", total=self._total, speed="")

    def __enter__(self) -> "EpisodeBar":
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def advance(self, episode: Episode | DuelEpisode) -> None:
        """Counts a finished episode."""
        self._steps += episode.length
        self._count(episode, f"{self._steps / (time.perf_counter() - self._begun):,.0f} steps/s")

    def skip(self, episode: Episode | DuelEpisode) -> None:
        """Counts an episode that was finished before."""
        self._count(episode, "kept from before")

    def _count(self, episode: Episode | DuelEpisode, speed: str) -> None:
        self._left[episode.cell] -= 1
        self._bar.update(self._task, advance=1, description=self._labels[episode.cell], speed=speed)
        if self._logs and not self._left[episode.cell]:
            done = self._total - sum(self._left.values())
            self._bar.console.print(
                f"{self._labels[episode.cell]} done, {done} of {self._total} episodes, {speed}",
                highlight=False, soft_wrap=True,
            )  # fmt: skip
