"""Results as flat rows, one a cell, for whoever goes on with them in a notebook."""

from collections.abc import Sequence

from rlattack.evaluation.results import Mean, Rate, Result

Row = dict[str, str | float | bool | None]


def rows(results: Sequence[Result]) -> list[Row]:
    """A row a cell: who played, what was attacked and how much, what came of the attacked seat.

    Returns:
        The same columns in every row; None where a cell has no such number. `_low` and `_high` are the ends of 95 %
        intervals.
    """
    return [_row(cell) for cell in results]


def _row(cell: Result) -> Row:
    seat, attack, first = cell.attacked, cell.attack, cell.victim_seat
    named = " + ".join(one.name for one in cell.attacks)
    sizes = {f"measured_{name}": seat.sizes.get(name) for name in ("linf", "l2", "l1", "l0")}
    return {
        "cell": cell.cell, "status": cell.status, "game": cell.game, "victim": first.player, "seat": seat.name,
        "players": " - ".join(one.player for one in cell.seats),
        "attack": named or "none", "control": cell.control,
        "parameters": "" if attack is None else ",".join(f"{key}={value}" for key, value in attack.parameters.items()),
        "eps": attack and attack.eps, "reach": attack and attack.reach, "space": attack and attack.space,
        "when": attack and attack.schedule, "defence": cell.defence,
        **_mean("return", seat.returns), "return_iqm": seat.returns.iqm,
        **_rate("win", seat.win),
        **_mean("return_drop", seat.drop and seat.drop.returns), **_rate("win_drop", seat.drop and seat.drop.win),
        "attacked_steps": seat.attacked, "action_change": seat.action_change, **sizes,
        "queries": seat.queries, "gradients": seat.gradients,
        "episodes": cell.episodes, "distinct": cell.distinct, "length": cell.length.mean, "seed": cell.seed,
        "steps_per_second": cell.steps_per_second,
    }  # fmt: skip


def _mean(name: str, mean: Mean | None) -> Row:
    low, high = (None, None) if mean is None else mean.ci
    return {name: mean and mean.mean, f"{name}_low": low, f"{name}_high": high}


def _rate(name: str, rate: Rate | None) -> Row:
    low, high = (None, None) if rate is None else rate.ci
    return {name: rate and rate.rate, f"{name}_low": low, f"{name}_high": high}
