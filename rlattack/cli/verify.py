"""`rlattack verify`: checks a run of somebody's, without the attacks that were played in it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from rlattack.evaluation.options import Plugins
from rlattack.report.progress import say


@dataclass(frozen=True, kw_only=True)
class Verify(Plugins):
    """Check a run by its ledgers: play its actions again, measure its perturbations, ask its agents, count anew.

    Ends with 0 where nothing failed, with 1 where a check did. No attack is imported.
    """

    run: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN")]
    """Run folder of `attack`, `duel` or `certify`, or the folder of a `benchmark`, of which each run is checked, and
    the leaderboard computed anew; played with --ledger (`benchmark --verify`), it can be checked wholly."""
    trust: bool = False
    """Run code that the run names: agents by module:function, games of other packages, files that hold code."""

    def __call__(self, command: list[str]) -> int:
        """Runs the command."""
        from rlattack.benchmark.verify import Verdict, verify
        from rlattack.benchmark.verify.board import FILE, verify_board
        from rlattack.benchmark.verify.table import show

        within = sorted(path.parent for path in self.run.glob("*/results.json"))
        verdicts: dict[Path, Verdict] = {}
        for run in within if within and not (self.run / "results.json").exists() else [self.run]:
            verdicts[run] = verify(run, trust=self.trust, say=lambda line: say(line, stderr=True, markup=False))
            show(verdicts[run], run)
        if self.run not in verdicts and (self.run / FILE).exists():
            verdicts[self.run] = verify_board(self.run, {run.name: verdict for run, verdict in verdicts.items()})
            show(verdicts[self.run], self.run)
        return int(not all(verdict.ok for verdict in verdicts.values()))
