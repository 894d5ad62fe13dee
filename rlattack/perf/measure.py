"""Measures what a game has to measure: attacked play, stepping where MuJoCo plays, training where others play too."""

from collections.abc import Callable

from rlattack.errors import InvalidInput
from rlattack.perf.play import measure_play
from rlattack.perf.seating import Seating
from rlattack.perf.stepping import measure_stepping
from rlattack.perf.table import SpeedTable
from rlattack.perf.training import measure_training


def measure(
    seating: Seating, *, slots: int, workers: int, seconds: float, say: Callable[[str], object] = lambda _: None
) -> dict[str, SpeedTable]:
    """Measures everything that applies to a game.

    Args:
        seating: A game with its victim.
        slots: Games at once in a process that plays.
        workers: Processes that play, and threads that step the games of a training.
        seconds: For each thing measured.
        say: Hears what is measured now.

    Returns:
        Tables by `play`, `stepping` and `training`.
    """
    who = f"{seating.victim} in {seating.card.id}"
    say(f"measuring attacked play of {who}, {workers} processes, about {10 * seconds:.0f} s")
    found = {"play": measure_play(seating, slots=slots, workers=workers, seconds=seconds)}
    if seating.card.mujoco is not None:
        say(f"measuring stepping of {seating.card.id}, about {4 * seconds:.0f} s")
        found["stepping"] = measure_stepping(seating, seconds=seconds)
    if seating.seats > 1:
        say(f"measuring training against {who}, about {4 * seconds:.0f} s and two batches")
        try:
            found["training"] = measure_training(seating, threads=workers, seconds=seconds)
        except InvalidInput as error:  # such as a game that is seen by images
            found["training"] = SpeedTable(title="training of an adversary", note=str(error))
    return found
