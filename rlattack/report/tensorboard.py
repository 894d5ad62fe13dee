"""Results for TensorBoard: one line an attack against the budget, one row a cell in HParams, pictures."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from tensorboard.compat.proto.summary_pb2 import Summary

from rlattack.budget.words import heading
from rlattack.evaluation.results import Mean, Rate, Result, SeatResult
from rlattack.report.activations import PICTURE, read_activations
from rlattack.report.clip import read_frames, still
from rlattack.report.comparison import Line, Pairing, Setting, attack_label, distinctions, names, player, settings
from rlattack.report.curves import png
from rlattack.report.events import Point, bands, file_name, free_name, picture, scalars, session, write_events
from rlattack.report.heatmap import grid, heat_map
from rlattack.report.runs import RunRecord
from rlattack.report.staircase import read_staircase, staircase

_CURVES: dict[str, Callable[[SeatResult], Rate | Mean | None]] = {
    "win_rate": lambda seat: seat.win,
    "return": lambda seat: seat.returns,
    "win_drop": lambda seat: None if seat.drop is None else seat.drop.win,
    "return_drop": lambda seat: None if seat.drop is None else seat.drop.returns,
}
"""Tag to what it shows of the attacked seat; all have intervals."""


def write_tensorboard(run: RunRecord) -> None:
    """Writes `tensorboard/` into a run folder, in place of what was there.

    Cells that failed are only rows in HParams; clips, activations and a staircase are shown where the run has them.
    """
    groups = settings(run.results)
    runs: dict[str, list[Point]] = {}
    for words, setting in zip(distinctions(groups), groups, strict=True):
        for name, points in _runs(setting, run).items():
            runs[free_name(f"{file_name(words)}/{name}".strip("/"), runs)] = points
    if read_activations(run.folder) is not None:
        runs["activations"] = [(0, picture("activations", (run.folder / PICTURE).read_bytes()))]
    if points := list(_staircase(run.folder)):
        runs["staircase"] = points
    write_events(run.folder, runs)


def _runs(setting: Setting, run: RunRecord) -> dict[str, list[Point]]:
    """What TensorBoard calls runs: a line an attack, a row a cell; by folder."""
    runs: dict[str, list[Point]] = {}
    for pairing in setting.pairings:
        by_label: dict[str, str] = {}
        who = "" if setting.alone else f"{_players(pairing.attacked[0])} - {pairing.seat} attacked - "
        for line in pairing.lines:
            name = by_label.setdefault(line.label, free_name(file_name(who + line.label), runs))
            runs.setdefault(name, []).extend(_line(line, pairing, run))
    for cell in setting.results:
        runs[free_name(f"cells/{_cell_name(cell)}", runs)] = [(0, value) for value in _row(cell)]
    laid = grid(setting)
    if len(laid) > 1:
        runs["grid"] = [(0, picture("heat_map", png(partial(heat_map, laid))))]
    return runs


def _line(line: Line, pairing: Pairing, run: RunRecord) -> Iterator[Point]:
    """A line with the clean value at step 0, and a picture a cell at the same steps."""
    pixels = line.reach == "l0"
    chart = line.reach if pixels or line.space == "unit" else f"{line.reach}-{line.space}"
    unit = "eps" if pixels else "eps in millionths"
    about = f"The step is the budget, {unit}; {heading(line.reach, line.space)}. Step 0 is the clean game."
    seats = [(_step(cell), cell.attacked) for cell in line.cells]
    if pairing.before is not None:
        seats = [(0, pairing.before), *seats]
    tags = {
        f"{tag.replace('_', ' ')} ({chart})": (f"{tag}/{chart}", _end(f"{tag}/{chart}", 0), _end(f"{tag}/{chart}", 1))
        for tag, read in _CURVES.items()
        if any(read(seat) is not None for _, seat in seats)
    }
    yield 0, bands("Against the budget, with 95 % intervals", tags)
    for step, seat in seats:
        yield from ((step, value) for value in _curves(seat, chart, about, clean=step == 0))
    for cell in line.cells:
        clip = run.folder / "clips" / f"{cell.cell}.npz"
        if clip.is_file():
            drawn = still(read_frames(clip), run.action_names(cell.game))
            yield _step(cell), picture(f"frames/{chart}", drawn)


def _curves(seat: SeatResult, chart: str, about: str, *, clean: bool) -> Iterator[Summary.Value]:
    """What a seat won and earned, how far it fell (nothing in the clean game), and how its actions changed."""
    nothing = Mean(0.0, (0.0, 0.0))
    for tag, read in _CURVES.items():
        point = read(seat)
        if clean and tag.endswith("drop") and not (tag == "win_drop" and seat.win is None):
            point = nothing
        if point is None:
            continue
        yield from scalars(f"{tag}/{chart}", point.value, about)
        for i in (0, 1):
            yield from scalars(_end(f"{tag}/{chart}", i), point.ci[i], f"95 % interval. {about}")
    yield from scalars(f"action_change/{chart}", 0.0 if clean else seat.action_change, about)


def _end(tag: str, end: int) -> str:
    return f"with_interval/{tag}/{('low', 'high')[end]}"


def _row(cell: Result) -> Iterator[Summary.Value]:
    """A cell as a session of HParams, with what it measured as charts."""
    attack, alone = cell.attack, len(cell.seats) == 1
    shown: dict[str, object] = {
        "game": cell.game, "attack": attack_label(cell), "eps": cell.eps or 0.0, "defence": cell.defence,
        "actions": cell.actions, "sticky": cell.sticky, "seed": cell.seed,
        **{"victim" if alone else seat.name: player(cell, number) for number, seat in enumerate(cell.seats)},
    }  # fmt: skip
    if not alone:
        shown["mask"] = "none" if cell.mask is None else f"{cell.mask.seat}:{cell.mask.mode}"
    if attack is not None:
        shown |= {name: getattr(attack, name) for name in ("reach", "space", "model", "grid", "schedule", "surrogate")}
        shown |= {} if alone else {"attacked": attack.seat}
    yield from session(shown, cell.ok)
    if not cell.ok:
        return
    about = "One cell, for the HParams tab."
    for tag, read in _CURVES.items():
        point = read(cell.attacked)
        yield from scalars(f"summary/{tag}", None if point is None else point.value, about)
    yield from scalars("summary/action_change", cell.attacked.action_change, about)
    yield from scalars("summary/length", cell.length.mean, about)
    for seat in [] if alone else cell.seats:
        yield from scalars(f"summary/return_{file_name(seat.name)}", seat.returns.mean, about)
        yield from scalars(f"summary/wins_{file_name(seat.name)}", None if seat.win is None else seat.win.rate, about)
    tie = cell.victim_seat.tie
    yield from scalars("summary/ties", None if tie is None else tie.rate, about)
    for seat in cell.seats:
        for name, measured in seat.observed.items():
            yield from scalars(f"observed/{name}" + ("" if alone else f"_{file_name(seat.name)}"), measured.mean, about)


def _staircase(folder: Path) -> Iterator[Point]:
    stairs = read_staircase(folder)
    if not stairs:
        return
    yield 0, picture("staircase", png(partial(staircase, stairs)))
    about = "The step is the number of the adversary plus that of the victim: up at even ones, down at odd ones."
    for stair in stairs:
        for name, value in (("adversary_wins", stair.win.rate), ("low", stair.win.ci[0]), ("high", stair.win.ci[1])):
            yield from ((sum(stair.number), point) for point in scalars(f"staircase/{name}", value, about))


def _cell_name(cell: Result) -> str:
    """`pgd steps=10 linf 0.001 <cell>`, after the players where there are several."""
    who = "" if len(cell.seats) == 1 else f"{_players(cell)} "
    size = "" if cell.eps is None else f" {cell.spaces[0]} {cell.eps:g}"
    return file_name(f"{who}{attack_label(cell)}{size} {cell.cell}")


def _players(cell: Result) -> str:
    words = names(cell, between=" - ")
    return words if cell.mask is None else f"{words}, {cell.mask.seat} blind, mask {cell.mask.mode}"


def _step(cell: Result) -> int:
    size = cell.eps or 0.0
    return int(size) if cell.spaces[0] == "l0" else max(1, round(size * 1_000_000))
