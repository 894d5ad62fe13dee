"""Measures what a game has to measure: attacked play, stepping where MuJoCo plays, training."""

from collections.abc import Callable

from rlattack.device import CPU
from rlattack.errors import InvalidInput, MissingExtra
from rlattack.evaluation.table import Table
from rlattack.perf.control import measure_control
from rlattack.perf.play import measure_play
from rlattack.perf.stepping import measure_stepping
from rlattack.perf.table import SpeedTable
from rlattack.perf.training import measure_training


def measure(
    table: Table, *, slots: int, workers: int, seconds: float, say: Callable[[str], object] = lambda _: None
) -> dict[str, SpeedTable]:
    """Measures everything that applies to a game.

    Args:
        table: A game with its victim.
        slots: Games at once in a process that plays.
        workers: Processes that play, and threads that step the games of a training.
        seconds: For each thing measured.
        say: Hears what is measured now.

    Returns:
        Tables by `play`, `stepping`, `random` (of control tasks) and `training`; on a GPU by `play` alone.
    """
    (victim,) = table.study.candidates[table.victim]
    who = f"{victim} in {table.card.id}"
    if table.study.device != CPU:
        say(f"measuring attacked play of {who} on {table.study.device}, about {10 * seconds:.0f} s")
        return {"play": measure_play(table.study, slots=slots, workers=1, seconds=seconds)}
    say(f"measuring attacked play of {who}, {workers} processes, about {10 * seconds:.0f} s")
    found = {"play": measure_play(table.study, slots=slots, workers=workers, seconds=seconds)}
    if table.card.family == "mujoco":
        say(f"measuring stepping of {table.card.id}, about {4 * seconds:.0f} s")
        found["stepping"] = measure_stepping(table, seconds=seconds)
    if table.card.task is not None:
        say(f"measuring {table.card.id} beside Gymnasium's own, about {8 * seconds:.0f} s")
        try:
            found |= measure_control(table.card, seconds=seconds)
        except MissingExtra as error:
            found["training"] = SpeedTable(title="random play, and training of a victim", note=str(error))
    if len(table.seats) > 1:
        say(f"measuring training against {who}, about {4 * seconds:.0f} s and two batches")
        try:
            found["training"] = measure_training(table, threads=workers, seconds=seconds)
        except InvalidInput as error:  # such as a game that is seen by images
            found["training"] = SpeedTable(title="training of an adversary", note=str(error))
    return found
