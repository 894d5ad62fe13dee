"""A leaderboard and a program in the terminal."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from rlattack.benchmark.board import GameBoard, Leaderboard, Ranking
from rlattack.benchmark.publish import columns, digits
from rlattack.evaluation.episode import Episode
from rlattack.evaluation.plan import Plan
from rlattack.report.progress import EpisodeBar, say
from rlattack.report.values import mean

_WIDE = 160
"""Columns where no terminal says how many there are."""
_SHOWN = ("rank", "clean", "noise", "reported", "standard", "best known", "strongest attack", "certified", "tier")
"""Columns of a terminal; the page has the rest."""


class Bars:
    """Shows the runs of a grid, one after another.

    Args:
        runs: How many there are.
    """

    def __init__(self, runs: int) -> None:
        self._runs, self._begun = runs, 0

    def __call__(
        self, name: str, planned: Plan
    ) -> tuple[Callable[[Episode, bool], None], Callable[[str, int], None], Callable[[], None]]:
        """Begins to show one."""
        self._begun += 1
        say(f"rlattack: {name}, run {self._begun} of {self._runs}", stderr=True, markup=False)
        stack = ExitStack()
        bar = stack.enter_context(EpisodeBar(planned, quiet=False))
        return bar.watch, bar.beat, stack.close


def print_leaderboard(board: Leaderboard, console: Console | None = None) -> None:
    """Prints a table a game and size; the page shows more."""
    console = console or (Console() if Console().is_terminal else Console(width=_WIDE))
    for of_game in board.boards:
        for ranking in of_game.rankings:
            console.print(_table(of_game, ranking))
            for line in _counterexamples(ranking):
                console.print(line, markup=False, highlight=False, soft_wrap=True)
        best = next((one for one in of_game.attackers if one.strongest), None)
        if best is not None:
            words = f"{of_game.game}: {best.name} left least most often, on {best.strongest} of {best.met}"
            console.print(words, markup=False, highlight=False, soft_wrap=True)
    if board.missing:
        words = f"{board.missing} cells are not played yet; the same command goes on with them"
        console.print(words, markup=False, highlight=False, soft_wrap=True)


def _counterexamples(ranking: Ranking) -> Iterator[str]:
    """A line a counterexample: what it left, and whether that counts."""
    places = digits(ranking)
    for row in ranking.rows:
        for one in row.counterexamples:
            said = "counts" if one.counted else f"does not count: {one.why}"
            left = mean(one.value.as_mean, places)
            yield f"{one.words}, on {one.agent}: {left}, {said}"


def _table(of_game: GameBoard, ranking: Ranking) -> Table:
    heads, rows = columns(ranking)
    shown = [place for place, (head, _) in enumerate(heads) if head in _SHOWN]
    table = Table(title=f"{of_game.game}: {ranking.threat.words}", title_justify="left")
    table.add_column("contender", overflow="fold")
    for place in shown:
        table.add_column(heads[place][0], justify="right", overflow="fold")
    for row, values in zip(ranking.rows, rows, strict=True):
        table.add_row(*map(escape, (row.name, *(str(values[place]) for place in shown))))
    return table
