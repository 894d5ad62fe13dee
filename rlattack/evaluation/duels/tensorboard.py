"""Duels for TensorBoard: win, tie and loss of every cell as scalars and as a row in HParams, the heat map as image.

Attacks on what a seat sees are a line each against the budget, as attacks on victims of games of one seat are.
"""

from collections.abc import Iterator
from pathlib import Path

from tensorboard.compat.proto.summary_pb2 import Summary

from rlattack.evaluation.duels.grid import (
    attacked_pairs,
    attacked_seat,
    duel_settings,
    grid,
    masked,
    player,
    seats,
    victim_seat,
)
from rlattack.evaluation.duels.heatmap import heat_map_png
from rlattack.evaluation.duels.minds import PICTURE, read_minds
from rlattack.evaluation.duels.staircase import read_staircase, staircase_png
from rlattack.evaluation.series import Record, clean_of, is_clean, is_ok, label, lines, number, size
from rlattack.evaluation.tensorboard import (
    Point,
    file_name,
    free_name,
    line_points,
    picture,
    scalars,
    session,
    write_events,
)

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
        for pair in attacked_pairs(group):
            for name, points in _lines(pair, run).items():
                runs[free_name(name, runs)] = points
        laid = grid(group)
        if len(laid.cells) > 1:
            step = int(number(group[0], "episodes") or 0)
            runs[free_name("grid", runs)] = [(step, picture("duels/heat_map", heat_map_png(laid)))]
    if read_minds(run) is not None:
        runs["activations"] = [(0, picture("duels/activations", (run / PICTURE).read_bytes()))]
    if stairs := read_staircase(run):
        runs["staircase"] = [(0, picture("duels/staircase", staircase_png(stairs)))]
        about = "The step is the number of the adversary plus that of the victim: up at even ones, down at odd ones."
        for one in stairs:
            rates = (("adversary_wins", one.wins.value), ("low", one.wins.low), ("high", one.wins.high))
            for name, value in rates:
                runs["staircase"] += [(sum(one.number), item) for item in scalars(f"staircase/{name}", value, about)]
    write_events(run, runs)


def _lines(pair: list[Record], run: Path) -> dict[str, list[Point]]:
    """A line an attack: wins are those of the attacked seat, and the step is the budget."""
    seat = attacked_seat(pair[-1])
    seen = [_seen_from(seat, record) for record in pair]
    name = f"{_players(pair[-1])} - {seats(pair[-1])[seat]} attacked"
    found: dict[str, list[Point]] = {}
    for line in lines(seen):
        points = found.setdefault(file_name(f"{name} - {line.label}"), [])
        points.extend(line_points(line, clean_of(seen), run / "clips"))
    return found


def _seen_from(seat: int, record: Record) -> Record:
    """A cell as one of a game of one seat."""
    returns = record.get("return")
    own = returns[seat] if isinstance(returns, list) and len(returns) == 2 else None
    return record | {"win": record.get(_key(seat)), "return": own}


def _row(record: Record) -> Iterator[Summary.Value]:
    """A cell as a session of HParams, and its rates with their intervals as charts."""
    mask = masked(record)
    names = seats(record)
    shown = {key: record.get(key) for key in ("game", "actions", "seed")}
    shown |= {names[seat]: player(record, seat) for seat in (0, 1)}
    shown |= {"mask": "none" if mask is None else f"{names[mask[0]]}:{mask[1]}"}
    if not is_clean(record):
        shown |= {"attack": label(record), "eps": number(record, "eps"), "attacked": names[attacked_seat(record)]}
    yield from session(shown, is_ok(record))
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
    attack = "" if is_clean(record) else f" {label(record)} {record.get('norm')} {size(record)}"
    return file_name(_players(record) + attack)


def _players(record: Record) -> str:
    mask = masked(record)
    words = f"{player(record, 0)} - {player(record, 1)}"
    if mask is not None:
        words += f", {seats(record)[mask[0]]} blind, mask {mask[1]}"
    return words
