"""Progress of an evaluation on standard error: a bar for a person, a line a cell for a log."""

import time

from rlattack.cli.steps import Bar
from rlattack.evaluation.duels import DuelEpisode, DuelPlan
from rlattack.evaluation.plan import Plan
from rlattack.evaluation.rollout import Episode

__all__ = ["EpisodeBar"]


class EpisodeBar(Bar):
    """A bar over all episodes of a plan.

    Args:
        planned: What will be played.
        quiet: Shows nothing.
    """

    def __init__(self, planned: Plan | DuelPlan, *, quiet: bool) -> None:
        self._cells = {cell.key: cell for cell in planned.cells}
        self._left = {key: cell.episodes for key, cell in self._cells.items()}
        self._steps, self._begun = 0, time.perf_counter()
        super().__init__(sum(self._left.values()), "episodes", "starting", quiet=quiet)

    def advance(self, episode: Episode | DuelEpisode) -> None:
        """Counts a finished episode."""
        self._steps += episode.length
        self._count(episode, f"{self._steps / (time.perf_counter() - self._begun):,.0f} steps/s")

    def skip(self, episode: Episode | DuelEpisode) -> None:
        """Counts an episode that was finished before."""
        self._count(episode, "kept from before")

    def _count(self, episode: Episode | DuelEpisode, speed: str) -> None:
        cell = self._cells[episode.cell]
        self._left[cell.key] -= 1
        self._bar.update(self._task, advance=1, description=cell.label, speed=speed)
        if self._logs and not self._left[cell.key]:
            done = sum(not left for left in self._left.values())
            self._bar.console.print(
                f"{cell.label} done, {cell.episodes} episodes, {done} of {len(self._left)} cells, {speed}",
                highlight=False, soft_wrap=True,
            )  # fmt: skip
