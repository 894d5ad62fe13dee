"""What a training shows: bars while it learns and plays, and what came of it."""

import shlex
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from rlattack.evaluation import Results
from rlattack.evaluation.likeness import DOES
from rlattack.evaluation.results import Mean, Rate
from rlattack.report import print_results, write_run
from rlattack.report.progress import StepBar, say
from rlattack.report.staircase import write_staircase
from rlattack.report.values import percent
from rlattack.training import Meeting, Shipped, Watch


class Screen(Watch):
    """Shows a training to who typed it."""

    def __init__(self) -> None:
        self._bar: StepBar | None = None

    def close(self) -> None:
        """Leaves the bar as it is."""
        if self._bar is not None:
            self._bar.close()
        self._bar = None

    def note(self, line: str) -> None:
        """Says it."""
        self.close()
        say(escape(line), stderr=True)

    def begin(self, name: str, turn: int, turns: int) -> None:
        """Names a training of several."""
        self.close()
        say(f"[bold]{name}[/bold] (round {turn} of {turns})", stderr=True)

    def steps(self, done: int, total: int, note: str = "") -> None:
        """Moves the bar of steps."""
        self._over(total, "steps")(done, note)

    def episodes(self, done: int, total: int, note: str, kept: bool) -> None:
        """Moves the bar of episodes."""
        self._over(total, "episodes")(done, note, kept=kept)

    def ship(self, shipped: Shipped) -> None:
        """Prints what an agent reached, and what can be done with it now."""
        self.close()
        if len(shipped.tried) > 1:
            Console().print(_seeds(shipped))
        score, folder = shipped.score, escape(str(shipped.folder))
        if shipped.defended:
            under = score.more["attacked"]
            beside = ", ".join(f"{name} {_reached(score.more[name])}" for name in ("noise",) if name in score.more)
            said = f"earns {_reached(score.table)} clean and {_reached(under)} under {under['attack']}"
            say(escape(f"{said} over {score.episodes} episodes" + f" ({beside})" * bool(beside)))
            say(f"[bold]{folder}[/bold] can now be attacked: {escape(under['command'])}")
            return
        if "clean" in score.more:
            others = [name for name in ("clean", "noise", "action-noise") if name in score.more]
            beside = ", ".join(f"{name} {_reached(score.more[name])}" for name in others)
            verb = "earns" if score.returns is not None else "wins"
            say(escape(f"the victim {verb} {_reached(score.table)} over {score.episodes} episodes ({beside})"))
            if "target" in score.more:
                say(escape(_likeness(score.table)))
            say(f"[bold]{folder}[/bold] can now attack: {escape(score.command)}")
            return
        if score.returns is not None:
            low, high = score.returns.ci
            say(f"mean return {score.returns.mean:.1f} [{low:.1f}, {high:.1f}] over {score.episodes} episodes")
            attack = shlex.join(["rlattack", "attack", shipped.game, "--victim", shipped.id])
            say(f"[bold]{folder}[/bold] can now be attacked: {escape(attack)} --attack pgd --eps ...")
            return
        win, tie, loss = (percent(score.rates[name], 1) for name in ("win", "tie", "loss"))
        met = ", ".join(dict.fromkeys(one["opponent"] for one in score.more.get("against", [])))
        whom = f"{shipped.learner}: " if shipped.learner else ""
        line = f"{whom}wins {win}, ties {tie.text}, loses {loss.text} of {score.episodes} fresh episodes"
        say(escape(line + (f" against {met}" if met else "")))
        say(f"[bold]{folder}[/bold] can now play: {escape(score.command)}")

    def results(self, results: Results) -> None:
        """Writes and prints what several agents stand."""
        self.close()
        write_run(results.folder, results.cells)
        print_results(results.cells, results.folder)

    def show(self, meeting: Meeting) -> None:
        """Writes and prints the games at the end of rounds, and the staircase."""
        self.close()
        folder, cells = meeting.results.folder, meeting.results.cells
        stairs = write_staircase(folder, cells, meeting.victims, meeting.adversaries)
        write_run(folder, cells)
        print_results(cells, folder)
        table = Table(title="the staircase: games that adversary i wins against victims i and i + 1")
        for column in ("", "adversary", "victim", "wins"):
            table.add_column(column, overflow="fold", justify="right" if column == "wins" else "left")
        for stair in stairs:
            names = (name.removeprefix(f"{cells[0].game}/") for name in (stair.adversary, stair.victim))
            table.add_row("{} – {}".format(*stair.number), *names, str(percent(stair.win, 1)))
        Console().print(table)

    def _over(self, total: int, unit: str) -> StepBar:
        """The bar over so many steps or episodes, which takes the place of another one."""
        if self._bar is None or (self._bar.total, self._bar.unit) != (total, unit):
            self.close()
            self._bar = StepBar(total, unit)
        return self._bar


def _reached(table: Mapping[str, Any]) -> str:
    """A mean return or a share of wins with its interval, as a card has it."""
    if "win" in table:
        return str(percent(Rate(table["win"]["rate"], tuple(table["win"]["ci"])), 1))
    return "{:.1f} [{:.1f}, {:.1f}]".format(table["mean"], *table["ci"])


def _likeness(table: Mapping[str, Any]) -> str:
    """How like a target a victim was, beside clean play, noise and the target itself, as a card has it."""

    def told(of: Mapping[str, Any]) -> str:
        return "{mean:.3f} [{ci[0]:.3f}, {ci[1]:.3f}]".format(**of["observed"][DOES])

    names = {"clean": "clean", "noise": "noise", "target": "the target itself"}
    beside = ", ".join(f"{name} {told(table[key])}" for key, name in names.items())
    verb = "wins" if "win" in table else "earns"
    return f"likeness to the target {told(table)} ({beside}); the target {verb} {_reached(table['target'])}"


def _seeds(shipped: Shipped) -> Table:
    """How all seeds of a run did."""
    earned = any(isinstance(one.tuning, Mean) for one in shipped.tried)
    like = all(one.likeness is not None for one in shipped.tried)
    title = "seeds, by what the victim earned" if earned else "seeds, by what they won of tuning games"
    title = "seeds, by likeness to the target" if like else title
    table = Table(title="seeds, by what they earned under attack" if shipped.defended else title)
    for name in ("seed", "steps", "training", "tuning", *["likeness"] * like):
        table.add_column(name, justify="right")
    for one in shipped.tried:
        table.add_row(
            str(one.seed), f"{one.steps:,}" + (" (cut)" if one.cut else ""),
            "" if one.win is None else f"{100 * one.win:.1f} %",
            f"{one.tuning.mean:.1f}" if isinstance(one.tuning, Mean) else str(percent(one.tuning, 1)),
            *[] if one.likeness is None else [f"{one.likeness.mean:.3f}"],
        )  # fmt: skip
    return table
