"""Results for TensorBoard: a line an attack against the budget and the like, a row a cell in HParams, pictures."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from tensorboard.compat.proto.summary_pb2 import Summary

from rlattack.budget.words import heading
from rlattack.evaluation.results import Mean, Rate, Result, SeatResult
from rlattack.report.activations import PICTURE, read_activations
from rlattack.report.certificates import certified_points
from rlattack.report.clip import read_frames, still
from rlattack.report.comparison import Pairing, Setting, attack_label, distinctions, names, player, settings
from rlattack.report.curves import png
from rlattack.report.detection import PALETTE, curves, roc_map, scalars
from rlattack.report.events import Point, bands, file_name, free_name, picture, scalar, session, write_events
from rlattack.report.heatmap import grid, heat_map
from rlattack.report.lines import AXES, BUDGET, Line, lines
from rlattack.report.matrix import first_numbers, matrices, matrix_map
from rlattack.report.runs import RunRecord
from rlattack.report.staircase import read_staircase, staircase
from rlattack.report.transfer import transfer_map, transfers


def write_tensorboard(run: RunRecord) -> None:
    """Writes `tensorboard/` into a run folder, in place of what was there.

    Cells that failed are only rows in HParams; clips, activations and a staircase are shown where the run has them.
    """
    groups = settings(run.results)
    runs: dict[str, list[Point]] = {}
    for words, setting in zip(distinctions(groups), groups, strict=True):
        for name, points in _runs(setting, run).items():
            runs[free_name(f"{file_name(words)}/{name}".strip("/"), runs)] = points
    for laid in transfers(groups):
        runs[free_name(f"transfer/{file_name(laid.title)}", runs)] = [
            (0, picture("transfer", png(partial(transfer_map, laid))))
        ]
    for name, shown in _matrices(groups):
        runs[free_name(name, runs)] = shown
    if read_activations(run.folder) is not None:
        runs["activations"] = [(0, picture("activations", (run.folder / PICTURE).read_bytes()))]
    if points := list(_staircase(run.folder)):
        runs["staircase"] = points
    write_events(run.folder, runs)


def _matrices(groups: Sequence[Setting]) -> Iterator[tuple[str, list[Point]]]:
    """What several victims stand: a picture a matrix, and the numbers of each victim, by folder."""
    for laid in matrices(groups):
        name = f"matrix/{file_name(laid.title)}"
        yield name, [(0, picture("matrix", png(partial(matrix_map, laid))))]
        for row in laid.rows:
            about = "Of a victim, over all that was done to it."
            yield f"{name}/{file_name(row.name)}", [(0, scalar(*one, about)) for one in first_numbers(row).items()]


def _runs(setting: Setting, run: RunRecord) -> dict[str, list[Point]]:
    """What TensorBoard calls runs: a line an attack, a row a cell; by folder."""
    runs: dict[str, list[Point]] = {}
    for pairing in setting.pairings:
        by_label: dict[str, str] = {}
        who = "" if setting.alone else f"{_players(pairing.attacked[0])} - {pairing.seat} attacked - "
        for line in (line for axis in AXES for line in lines(axis, pairing.good)):
            name = by_label.setdefault(line.label, free_name(file_name(who + line.label), runs))
            runs.setdefault(name, []).extend(_line(line, pairing, run))
    for cell in setting.results:
        runs[free_name(f"cells/{_cell_name(cell)}", runs)] = [(0, value) for value in _row(cell)]
    for tag, step, value in certified_points(setting):
        runs.setdefault("certified", []).append(
            (step, scalar(tag, value, "The step is eps in millionths; states of play without an attack."))
        )
    if drawn := curves(setting):
        runs["detection"] = [(0, picture("roc", png(partial(roc_map, drawn, PALETTE))))]
    laid = grid(setting)
    if len(laid) > 1:
        runs["grid"] = [(0, picture("heat_map", png(partial(heat_map, laid))))]
    return runs


def _line(line: Line, pairing: Pairing, run: RunRecord) -> Iterator[Point]:
    """A line with the clean value at step 0, and a picture a cell at the same steps."""
    chart, about = _chart(line)
    points = [(_step(line, cell), _curves(cell.attacked), cell.attacked.action_change) for cell in line.cells]
    tags = dict.fromkeys(tag for _, found, _ in points for tag in found)
    charts = {f"{tag.replace('_', ' ')} ({chart})": (f"{tag}/{chart}", *_ends(f"{tag}/{chart}")) for tag in tags}
    yield 0, bands(f"{line.axis.title}, with 95 % intervals", charts)
    if (before := pairing.before) is not None:
        earned = _curves(before)
        falls = {f"{tag.removesuffix('_rate')}_drop": Mean(0.0, (0.0, 0.0)) for tag in earned}
        points = [(0, {**earned, **falls}, 0.0), *points]
    for step, found, change in points:
        for tag, point in found.items():
            yield step, scalar(f"{tag}/{chart}", point.value, about)
            for end, value in zip(_ends(f"{tag}/{chart}"), point.ci, strict=True):
                yield step, scalar(end, value, f"95 % interval. {about}")
        if change is not None:
            yield step, scalar(f"action_change/{chart}", change, about)
    for cell in line.cells if line.axis is BUDGET else ():
        clip = run.folder / "clips" / f"{cell.cell}.npz"
        if clip.is_file():
            drawn = still(read_frames(clip), run.action_names(cell.game))
            yield _step(line, cell), picture(f"frames/{chart}", drawn)


def _curves(seat: SeatResult) -> dict[str, Rate | Mean]:
    """What a seat won and earned and how far it fell, by tag, as far as it was measured; all have intervals."""
    found: dict[str, Rate | Mean | None] = {"win_rate": seat.win, "return": seat.returns}
    if seat.drop is not None:
        found |= {"win_drop": seat.drop.win, "return_drop": seat.drop.returns}
    return {tag: point for tag, point in found.items() if point is not None}


def _ends(tag: str) -> tuple[str, str]:
    return f"with_interval/{tag}/low", f"with_interval/{tag}/high"


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
    measured: dict[str, float | Rate | Mean | None] = {
        **{f"summary/{tag}": point for tag, point in _curves(cell.attacked).items()},
        "summary/action_change": cell.attacked.action_change, "summary/length": cell.length,
        "summary/ties": cell.victim_seat.tie,
    }  # fmt: skip
    for seat in cell.seats:
        of = "" if alone else f"_{file_name(seat.name)}"
        if not alone:
            measured |= {f"summary/return{of}": seat.returns, f"summary/wins{of}": seat.win}
        measured |= {f"observed/{name}{of}": one for name, one in seat.observed.items()}
    measured |= {f"detection/{file_name(name)}": one for name, one in scalars(cell).items()}
    for tag, one in measured.items():
        if one is not None:
            value = one.value if isinstance(one, Rate | Mean) else one
            yield scalar(tag, value, "One cell, for the HParams tab.")


def _staircase(folder: Path) -> Iterator[Point]:
    stairs = read_staircase(folder)
    if not stairs:
        return
    yield 0, picture("staircase", png(partial(staircase, stairs)))
    about = "The step is the number of the adversary plus that of the victim: up at even ones, down at odd ones."
    for stair in stairs:
        for name, value in (("adversary_wins", stair.win.rate), ("low", stair.win.ci[0]), ("high", stair.win.ci[1])):
            yield sum(stair.number), scalar(f"staircase/{name}", value, about)


def _cell_name(cell: Result) -> str:
    """`pgd steps=10 linf 0.001 <cell>`, after the players where there are several."""
    who = "" if len(cell.seats) == 1 else f"{_players(cell)} "
    size = "" if cell.eps is None else f" {cell.spaces[0]} {cell.eps:g}"
    return file_name(f"{who}{attack_label(cell)}{size} {cell.cell}")


def _players(cell: Result) -> str:
    words = names(cell, between=" - ")
    return words if cell.mask is None else f"{words}, {cell.mask.seat} blind, mask {cell.mask.mode}"


def _chart(line: Line) -> tuple[str, str]:
    """What a line's charts are called, and what their steps are."""
    if line.axis is not BUDGET:
        return line.axis.tag, f"The step is {line.axis.label}, in {line.axis.unit[0]}. Step 0 is the clean game."
    pixels = line.reach == "l0"
    unit = "eps" if pixels else "eps in millionths"
    about = f"The step is the budget, {unit}; {heading(line.reach, line.space)}. Step 0 is the clean game."
    return line.reach if pixels or line.space == "unit" else f"{line.reach}-{line.space}", about


def _step(line: Line, cell: Result) -> int:
    if line.axis is BUDGET and line.reach == "l0":
        return int(line.at(cell))
    return max(1, round(line.at(cell) * (1_000_000 if line.axis is BUDGET else line.axis.unit[1])))
