"""`rlattack report`: a page from one run or several, or what a pipeline shows of them."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from rlattack.cli.pipeline import Pipeline
from rlattack.errors import InvalidInput
from rlattack.files import write_whole
from rlattack.report.progress import say

if TYPE_CHECKING:
    from rlattack.report.condition import Condition
    from rlattack.report.runs import RunRecord


@dataclass(frozen=True, kw_only=True)
class Report(Pipeline):
    """Write one self-contained page from run folders, a summary for a pipeline, or how two of them differ."""

    runs: tyro.conf.Positional[tuple[Path, ...]]
    """Run folders."""
    form: Annotated[Literal["page", "markdown", "badge", "junit", "csv"], tyro.conf.arg(name="as")] = "page"
    """The page; a summary for a comment on a pull request; an SVG for a README; a test case a cell, which fails where
    --fail-if holds; or a flat row a cell. All but the page go to standard output where there is no --out."""
    diff: bool = False
    """Compare two runs cell by cell, the second minus the first: the same game, attack and size over the same episodes.
    Shown as a table and in the page, or as markdown."""
    out: Path | None = None
    """The file; by default the page is report.html in the run folder, or beside the folders when there are several."""

    def __call__(self, command: list[str]) -> int:
        """Runs the command; 1 where what `--fail-if` says holds or cannot be decided, or a cell failed beside it."""
        from rlattack.report import read_run

        self.check_trackers()
        condition, runs = self.condition, [read_run(run) for run in self._folders()]
        cells = [cell for run in runs for cell in run.results]
        if condition is not None:
            condition.verdicts(cells)  # which refuses a name that no cell has before anything is written
        if self.diff:
            self._differ(runs)
        elif self.form == "page":
            self._page(runs)
        else:
            self._write(_FORMS[self.form](runs, condition))
        failed = self.fails(condition, cells) or (condition is not None and not all(cell.ok for cell in cells))
        for run in runs:
            self.log(run)
        return int(failed)

    def _folders(self) -> list[Path]:
        if not self.runs:
            raise InvalidInput("expected at least one run folder, as in `rlattack report runs/NAME`")
        runs = [run.parent if run.name == "results.json" and run.is_file() else run for run in self.runs]
        others = [run for run in runs if run.exists() and not (run / "results.json").is_file()]
        if len(others) < len(runs) and others:  # as in runs/*
            runs = [run for run in runs if run not in others]
            left_out = f"rlattack: left out, no run of `attack` or `duel`: {', '.join(map(str, others))}"
            say(left_out, stderr=True, markup=False)
        if self.diff and len(runs) != 2:
            raise InvalidInput(f"--diff: expected two run folders, got {len(runs)}")
        if self.diff and self.form not in ("page", "markdown"):
            raise InvalidInput(f"--diff: expected --as page or --as markdown, got --as {self.form}")
        return runs

    def _differ(self, runs: Sequence["RunRecord"]) -> None:
        from rlattack.report.differences import differences_markdown, print_differences
        from rlattack.report.page import write_page
        from rlattack.report.paired import paired

        found = paired(*runs)
        if self.form == "markdown":
            self._write(differences_markdown(found))
            return
        print_differences(found)
        write_page(runs, out := self.out or runs[0].folder.parent / "diff.html", found)
        say(f"[bold]{out}[/bold]")

    def _page(self, runs: Sequence["RunRecord"]) -> None:
        from rlattack.report import write_page

        folder = runs[0].folder
        out = self.out or (folder if len(runs) == 1 else folder.parent) / "report.html"
        write_page(runs, out)
        say(f"[bold]{out}[/bold]")

    def _write(self, text: str) -> None:
        if self.out is None:
            sys.stdout.write(text)
            return
        write_whole(self.out, text.encode())
        say(f"[bold]{self.out}[/bold]")


def _markdown(runs: Sequence["RunRecord"], condition: "Condition | None") -> str:
    from rlattack.report.markdown import markdown

    return markdown(runs, condition)


def _badge(runs: Sequence["RunRecord"], condition: "Condition | None") -> str:
    from rlattack.report.badge import badge

    return badge(runs, condition)


def _junit(runs: Sequence["RunRecord"], condition: "Condition | None") -> str:
    from rlattack.report.junit import junit

    return junit(runs, condition)


def _csv(runs: Sequence["RunRecord"], condition: "Condition | None") -> str:
    from rlattack.report.rows import as_csv

    return as_csv(runs)


_FORMS: dict[str, Callable[[Sequence["RunRecord"], "Condition | None"], str]] = {
    "markdown": _markdown, "badge": _badge, "junit": _junit, "csv": _csv,
}  # fmt: skip
