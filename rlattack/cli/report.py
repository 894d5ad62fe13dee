"""`rlattack report`: one page from one run or several."""

from dataclasses import dataclass
from pathlib import Path

import tyro

from rlattack.errors import InvalidInput
from rlattack.report.progress import say


@dataclass(frozen=True, kw_only=True)
class Report:
    """Write one self-contained page from run folders."""

    runs: tyro.conf.Positional[tuple[Path, ...]]
    """Run folders."""
    out: Path | None = None
    """The page; by default report.html in the run folder, or beside the folders when there are several."""

    def __call__(self, command: list[str]) -> int:
        """Runs the command."""
        from rlattack.report import read_run, write_page

        if not self.runs:
            raise InvalidInput("expected at least one run folder, as in `rlattack report runs/NAME`")
        runs = [run.parent if run.name == "results.json" and run.is_file() else run for run in self.runs]
        others = [run for run in runs if run.exists() and not (run / "results.json").is_file()]
        if len(others) < len(runs) and others:  # as in runs/*
            runs = [run for run in runs if run not in others]
            left_out = f"rlattack: left out, no run of `attack` or `duel`: {', '.join(map(str, others))}"
            say(left_out, stderr=True, markup=False)
        out = self.out or (runs[0] if len(runs) == 1 else runs[0].parent) / "report.html"
        write_page([read_run(run) for run in runs], out)
        say(f"[bold]{out}[/bold]")
        return 0
