"""Duels for TensorBoard: win, tie and loss of every cell as scalars and as a row in HParams, the heat map as image."""

from collections.abc import Iterator
from pathlib import Path

from tensorboard.compat.proto.summary_pb2 import Summary

from rlattack.evaluation.duels.grid import duel_settings, grid, masked, player, seats, victim_seat
from rlattack.evaluation.duels.heatmap import heat_map_png
from rlattack.evaluation.duels.minds import PICTURE, read_minds
from rlattack.evaluation.series import Record, is_ok, number
from rlattack.evaluation.tensorboard import Point, file_name, free_name, picture, scalars, session, write_events

__all__ = ["write_duel_events"]

_ABOUT = "The step is the number of games."


def write_duel_events(run: Path, cells: list[Record]) -> None:
    """Writes `<run>/tensorboard/`, in place of what was there.

    Args:
        run: The run folder.
        cells: The cells of `results.json`.

    Raises:
        Unwritable: The folder cannot be written.
    """
    runs: dict[str, list[Point]] = {}
    for record in cells:
        step = int(number(record, "episodes") or 0)
        runs[free_name(f"cells/{_name(record)}", runs)] = [(step, value) for value in _row(record)]
    for group in duel_settings(cells):
        laid = grid(group)
        if len(laid.cells) > 1:
            step = int(number(group[0], "episodes") or 0)
            runs[free_name("grid", runs)] = [(step, picture("duels/heat_map", heat_map_png(laid)))]
    if read_minds(run) is not None:
        runs["activations"] = [(0, picture("duels/activations", (run / PICTURE).read_bytes()))]
    write_events(run, runs)


def _row(record: Record) -> Iterator[Summary.Value]:
    """A cell as a session of HParams, and its rates with their intervals as charts."""
    mask = masked(record)
    names = seats(record)
    shown = {key: record.get(key) for key in ("game", "actions", "seed")}
    shown |= {names[seat]: player(record, seat) for seat in (0, 1)}
    yield from session({**shown, "mask": "none" if mask is None else f"{names[mask[0]]}:{mask[1]}"}, is_ok(record))
    if not is_ok(record):
        return
    victim = victim_seat(record)
    for name, key in (("opponent_wins", _key(1 - victim)), ("victim_wins", _key(victim)), ("ties", "tie")):
        yield from scalars(f"duels/{name}", number(record, key, "rate"), f"Share of games. {_ABOUT}")
        for i, end in enumerate(("low", "high")):
            about = f"95 % interval. {_ABOUT}"
            yield from scalars(f"with_interval/{name}/{end}", number(record, key, "ci", i), about)
    for seat in (0, 1):
        yield from scalars(f"duels/return_{file_name(names[seat])}", number(record, "return", seat, "mean"), _ABOUT)
    yield from scalars("duels/length", number(record, "length", "mean"), f"Mean steps of a game. {_ABOUT}")


def _key(seat: int) -> str:
    return "win" if seat == 0 else "loss"


def _name(record: Record) -> str:
    mask = masked(record)
    words = f"{player(record, 0)} - {player(record, 1)}"
    if mask is not None:
        words += f" masked {seats(record)[mask[0]]} {mask[1]}"
    return file_name(words)
