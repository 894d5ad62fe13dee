"""`rlattack benchmark`: a grid in, a leaderboard out."""

import dataclasses
import json
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from rlattack.budget import Norm, Unit
from rlattack.errors import InvalidInput
from rlattack.evaluation.options import Plugins
from rlattack.report.progress import say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rlattack.benchmark import Grid, Leaderboard, Program
    from rlattack.benchmark.trials import Trial
    from rlattack.evaluation.cell import Cell
    from rlattack.evaluation.executor import Executor
    from rlattack.evaluation.pace import Pace


@dataclass(frozen=True, kw_only=True)
class Benchmark(Plugins):
    """Play a grid of agents and attacks, and rank the agents by the least that any attack leaves them.

    Killed anywhere, the same command goes on. `rlattack list grids` shows the grids that ship. With --entry it makes
    an entry of an agent instead, a folder that others can put on their leaderboard; with --counterexample a folder of a
    run that lowers an entry wherever it is replayed.
    """

    grid: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="GRID")] = ""
    """A grid that ships, as smoke, or a TOML file."""
    victim: Annotated[tuple[str, ...], tyro.conf.arg(metavar="AGENT|ENTRY|GROUP=A,B,... ...")] = ()
    """Agents or folders of entries in place of the grid's own; GROUP=A,B,... are training seeds of one method, which
    are one row."""
    only: str = ""
    """Play only where the game, the agent or the attack has this in its name, or fits this pattern; the leaderboard
    shows all that is there. With --counterexample: which cell of the run."""
    plan: bool = False
    """Say what would be played and about how long it takes, and play none of it: what nobody has played the like of is
    measured for a few seconds, once on a machine."""
    episodes: int | None = None
    """Episodes a cell, in place of the grid's."""
    verify: bool = False
    """Keep a ledger of every cell, and check each run by them; a row is verified only so."""
    reveal: Annotated[str, tyro.conf.arg(metavar="SALT")] = ""
    """Play entries on seeds drawn of their digests and of this text, which nobody knew when they were fixed: a public
    draw of numbers, say."""
    against: Annotated[tuple[Path, ...], tyro.conf.arg(metavar="FOLDER ...")] = ()
    """Counterexamples of others: each is replayed, and lowers whom it is about where its whole interval lies below what
    was known."""
    workers: int | None = None
    """Processes; one a core by default. Changes no result."""
    ray: Annotated[str | None, tyro.conf.arg(metavar="ADDRESS")] = None
    """Play on a Ray cluster at this address, or `local`; needs rlattack[ray]. Changes no result."""
    gpus: float = 0.0
    """With --ray: fraction of a GPU that each task takes."""
    run: Path | None = None
    """Folder; by default runs/benchmark-GRID."""
    json: bool = False
    """Print leaderboard.json instead of the table."""
    entry: Annotated[str, tyro.conf.arg(metavar="AGENT")] = ""
    """Make an entry of this agent, and play nothing."""
    counterexample: Annotated[Path | None, tyro.conf.arg(metavar="RUN")] = None
    """Make a counterexample of the attacked cell of this run folder of yours, whose command is planned again, and whose
    cell is played once more to keep what arrives; an adversary that was trained is copied instead."""
    out: Path | None = None
    """With --entry and --counterexample: its folder; by default runs/entry-AGENT or runs/counterexample-RUN."""
    name: str = ""
    """With --entry: on the leaderboard; by default the agent's id, or the name of its folder."""
    licence: str = ""
    """With --entry and --counterexample: of what it holds, as MIT."""
    eps: float | None = None
    """With --entry: the size that it is said to stand; by default that of its card."""
    norm: Norm = "linf"
    """With --entry and --eps: in which norm."""
    space: Unit = "unit"
    """With --entry and --eps: in which units."""
    authors: str = ""
    """With --entry and --counterexample: who made it."""
    source: str = ""
    """With --entry and --counterexample: where it is described."""
    defence: Annotated[tuple[str, ...], tyro.conf.arg(metavar="FRONT[:key=value,...] ...")] = ()
    """With --entry: what stands before it."""

    def __call__(self, command: list[str]) -> int:
        """Runs the command."""
        if self.entry:
            return self._make_entry()
        if self.counterexample is not None:
            return self._make_counterexample(self.counterexample)
        if not self.grid:
            raise InvalidInput("expected a grid, as in `rlattack benchmark smoke`, or --entry or --counterexample")
        from rlattack.benchmark import plan_grid
        from rlattack.benchmark.forecast import forecast
        from rlattack.benchmark.shown import print_leaderboard
        from rlattack.benchmark.tables import to_json
        from rlattack.benchmark.trials import plan_trials
        from rlattack.evaluation.executor import cores

        grid = self.grid_asked
        found = plan_grid(grid)
        for line in (
            *found.notes,
            *(f"{one.attack} on {one.agent} is not played: {one.why}" for one in found.impossible),
        ):
            _say(line)
        folder = self.run or Path("runs") / f"benchmark-{grid.name}"
        asked = found.only(self.only) if self.only else found
        trials = plan_trials(found, self.against)
        for trial in trials:
            _say(trial.words)
        _say(forecast(asked, folder, self._measure if self.plan else None, _say).words(self.workers or cores()))
        if self.plan:
            return 0
        board = self._played(found, asked, trials, folder, shlex.join(command))
        if self.json:
            sys.stdout.write(json.dumps(to_json(board), indent=1, allow_nan=False) + "\n")
        else:
            print_leaderboard(board)
            say(f"[bold]{folder}/leaderboard.html[/bold] shows it all; or: tensorboard --logdir {folder}")
        if board.failed:
            _say(f"{board.failed} cells failed: `rlattack report` on the runs in {folder} tells which, and why")
        return int(board.failed > 0)

    @property
    def grid_asked(self) -> "Grid":
        """The grid with all that the command changes of it.

        Raises:
            RlattackError: There is none, it is damaged, or an option does not fit.
        """
        from rlattack.benchmark import read_grid

        if self.episodes is not None and self.episodes < 1:
            raise InvalidInput(f"--episodes: expected at least 1, got {self.episodes}")
        grid = read_grid(self.grid).with_victims(self.victim)
        grid = grid.revealed(self.reveal) if self.reveal else grid
        more: dict[str, Any] = {"ledger": True} if self.verify else {}
        more |= {} if self.episodes is None else {"episodes": self.episodes}
        tables = [dataclasses.replace(one, options={**one.options, **more}) for one in grid.products]
        return dataclasses.replace(grid, products=tuple(tables))

    @property
    def _executor(self) -> "Executor | None":
        if self.ray is None:
            return None
        from rlattack.benchmark.cluster import Ray

        return Ray(self.ray, gpus=self.gpus)

    @staticmethod
    def _measure(cell: "Cell", clean: "Pace | None") -> "Pace":
        from rlattack.perf.pace import measure_pace  # which a benchmark does without

        return measure_pace(cell, clean)

    def _played(
        self, whole: "Program", asked: "Program", trials: "Sequence[Trial]", folder: Path, command: str
    ) -> "Leaderboard":
        """Plays what was asked for, and ranks by all that is there."""
        from rlattack.benchmark import play_grid, rank, write_leaderboard
        from rlattack.benchmark.play import there, verified
        from rlattack.benchmark.shown import Bars
        from rlattack.benchmark.trials import try_all

        played = play_grid(
            asked, folder, watch=Bars(len(asked.runs)), workers=self.workers, executor=self._executor, say=_say,
            command=command,
        )  # fmt: skip
        if asked is not whole:
            kept = there(whole, folder)
            played = play_grid(kept, folder, watch=Bars(len(kept.runs)), workers=1, command=command)
        tried = try_all(
            trials, whole, folder, watch=Bars(sum(len(one.runs) for one in trials)), workers=self.workers,
            verify=self.verify, say=_say, command=command,
        )  # fmt: skip
        board = rank(whole, played, verified(whole, folder, _say) if self.verify else (), tried)
        write_leaderboard(board, folder)
        return board

    def _make_entry(self) -> int:
        from rlattack.benchmark import write_entry
        from rlattack.benchmark.entry import Stated

        folder = self.out or Path("runs") / f"entry-{self.entry.replace('/', '-')}"
        claim = None if self.eps is None else Stated(eps=self.eps, norm=self.norm, space=self.space)
        made = write_entry(
            self.entry, folder, licence=self.licence, name=self.name, claim=claim, defence=self.defence,
            authors=self.authors, source=self.source,
        )  # fmt: skip
        say(f"{folder} is an entry of {made.name} in {made.game}: digest {made.digest[:16]}", markup=False)
        say(f"`rlattack benchmark GRID --victim {folder}` plays it", markup=False)
        return 0

    def _make_counterexample(self, run: Path) -> int:
        from rlattack.benchmark.counterexample import write_counterexample
        from rlattack.cli.played import cell_of
        from rlattack.evaluation.executor import cores

        folder = self.out or Path("runs") / f"counterexample-{run.resolve().name}"
        cell, result, fits = cell_of(run, self.only, type(self))
        made = write_counterexample(
            cell, result, folder, fits, licence=self.licence, authors=self.authors, source=self.source,
            workers=self.workers or cores(), say=_say,
        )  # fmt: skip
        claim = made.claim
        left = f"{claim.mean:.6g} [{claim.low:.6g}, {claim.high:.6g}]"
        say(f"{folder} is a counterexample to {made.victim} in {made.game}: {made.attack} leaves {left}", markup=False)
        say(f"`rlattack benchmark GRID --against {folder}` replays it", markup=False)
        return 0


def _say(line: str) -> None:
    say(f"rlattack: {line}", stderr=True, markup=False)
