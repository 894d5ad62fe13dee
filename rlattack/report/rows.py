"""Results as flat rows, one a cell, for whoever goes on with them in a notebook."""

import csv
import io
from collections.abc import Sequence

from rlattack.evaluation.measured import CERTIFIED, Measured
from rlattack.evaluation.results import Mean, Rate, Result
from rlattack.report.runs import RunRecord

Row = dict[str, str | float | bool | None]


def rows(results: Sequence[Result]) -> list[Row]:
    """A row a cell: who played, what was attacked and how much, what came of the attacked seat.

    Returns:
        The same columns in every row; None where a cell has no such number. `_low` and `_high` are the ends of 95 %
        intervals.
    """
    return [row(cell) for cell in results]


def as_csv(runs: Sequence[RunRecord]) -> str:
    """The rows of runs as CSV, with the name of the run before each; what was not measured is empty.

    Args:
        runs: At least one.
    """
    found = [{"run": run.name, **one} for run in runs for one in rows(run.results)]
    text = io.StringIO()
    table = csv.DictWriter(text, found[0] if found else ["run"], lineterminator="\n")
    table.writeheader()
    table.writerows(found)
    return text.getvalue()


def row(cell: Result) -> Row:
    """The row of one cell."""
    seat, attack, drop = cell.attacked, cell.attack, cell.attacked.drop
    armed = dict.fromkeys(("parameters", "eps", "reach", "space", "when")) if attack is None else {
        "parameters": ",".join(f"{key}={value}" for key, value in attack.parameters.items()), "eps": attack.eps,
        "reach": attack.reach, "space": attack.space, "when": attack.schedule,
    }  # fmt: skip
    return {
        "cell": cell.cell, "status": cell.status, "game": cell.game, "victim": cell.victim_seat.player,
        "seat": seat.name, "players": " - ".join(one.player for one in cell.seats), "defence": cell.defence,
        "attack": " + ".join(one.name for one in cell.attacks) or "none", "control": cell.control, **armed,
        **_mean("return", seat.returns), "return_iqm": seat.returns.iqm, **_rate("win", seat.win),
        **_mean("return_drop", None if drop is None else drop.returns),
        **_rate("win_drop", None if drop is None else drop.win), **_mean("certified", _certified(cell)),
        "attacked_steps": seat.attacked, "action_change": seat.action_change,
        **{f"measured_{name}": seat.sizes.get(name) for name in ("linf", "l2", "l1", "l0")},
        "queries": seat.queries, "gradients": seat.gradients, "episodes": cell.episodes, "distinct": cell.distinct,
        "length": cell.length.mean, "seed": cell.seed, "steps_per_second": cell.steps_per_second,
    }  # fmt: skip


def _certified(cell: Result) -> Mean | None:
    """Share of the states of its own play that are certified at the size of its attack, by the best of the bounds."""
    read = [(Measured.read(name), share) for name, share in cell.attacked.observed.items()]
    shares = [(about, share) for about, share in read if about is not None and about.what == CERTIFIED]
    sized = [share for about, share in shares if about.fits(cell.spaces[0], cell.eps)]
    return max(sized, key=lambda share: share.mean, default=None)


def _mean(name: str, mean: Mean | None) -> Row:
    values = (None, None, None) if mean is None else (mean.mean, *mean.ci)
    return dict(zip((name, f"{name}_low", f"{name}_high"), values, strict=True))


def _rate(name: str, rate: Rate | None) -> Row:
    values = (None, None, None) if rate is None else (rate.rate, *rate.ci)
    return dict(zip((name, f"{name}_low", f"{name}_high"), values, strict=True))
