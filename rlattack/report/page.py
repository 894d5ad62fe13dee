"""One self-contained HTML page of runs: the finding, the curves, films, all numbers, how to repeat them."""

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from rlattack.attacks import title_of
from rlattack.evaluation.results import Result
from rlattack.files import write_whole
from rlattack.report.activations import PICTURE, Activations, read_activations
from rlattack.report.certificates import certain_shares, certificates
from rlattack.report.columns import details, numbers
from rlattack.report.comparison import Setting, at, names, settings
from rlattack.report.curves import Style, draw, styles, svg
from rlattack.report.detection import curves as roc_curves
from rlattack.report.detection import detection, roc_map
from rlattack.report.differences import LEGEND as EXPLAINED
from rlattack.report.differences import laid
from rlattack.report.encoding import Film, data_url
from rlattack.report.findings import Finding, finding, title, win_rule
from rlattack.report.heatmap import grid, heat_map
from rlattack.report.lines import AXES, lines
from rlattack.report.matrix import LEGEND, Matrix, matrices, matrix_map, notes, written
from rlattack.report.members import members
from rlattack.report.paired import Paired
from rlattack.report.pictures import Clip, clips, films, meeting
from rlattack.report.runs import RunRecord
from rlattack.report.staircase import read_staircase, staircase
from rlattack.report.tables import Table, table
from rlattack.report.transfer import transfer_map, transfers
from rlattack.report.values import Value, decimals, mean, percent, some
from rlattack.report.warnings import warnings

_MOST_GAMES = 3
"""In the title of a page."""
_WIDEST = 8
"""Columns of a table of words that a page has room for."""


@dataclass(frozen=True)
class Tile:
    """A number that is seen first.

    Attributes:
        win: Of the episodes, how many `whose` won; a dash where nobody wins.
        returns: What the attacked seat earned; a dash where that is not the point.
    """

    name: str
    win: Value
    whose: str
    returns: Value


@dataclass(frozen=True)
class Section:
    """What the page shows of one setting."""

    anchor: str
    setting: Setting
    finding: str
    tiles: list[list[Tile]]
    warnings: list[str]
    heat_map: Markup
    staircase: Markup
    curves: dict[str, list[tuple[str, Markup]]]
    looks: dict[str, Style]
    tables: list[Table]
    members: Table | None
    certificates: Table | None
    certainty: Markup
    detection: Table | None
    roc: Markup
    rule: str
    clips: list[Clip]
    films: list[tuple[str, Film]]
    activations: Activations | None
    activations_src: str


def template(name: str, *folders: Path) -> Template:
    """A template of pages that need no other file.

    Args:
        name: Of its file.
        folders: Where it lies, beside those that all pages share.
    """
    pages = Environment(
        loader=FileSystemLoader([*folders, Path(__file__).parent]), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    pages.filters["sha256"] = lambda text: base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    pages.filters["json"] = lambda content: json.dumps(content, indent=2, ensure_ascii=False)
    return pages.get_template(name)


def write_page(runs: Sequence[RunRecord], out: Path, differences: Paired | None = None) -> None:
    """Writes one page that needs no other file and no network.

    Args:
        runs: Run folders; `clips/`, `videos/`, a staircase and activations are shown where they have them.
        out: The page.
        differences: Of two runs, which come first.
    """
    sections = [
        [_section(setting, run, f"run-{number}-{place}") for place, setting in enumerate(settings(run.results))]
        for number, run in enumerate(runs)
    ]
    every = [section for of_run in sections for section in of_run]
    transferred = [
        (laid.title, Markup(svg(f"transfer-{number}-{place}", partial(transfer_map, laid))))
        for number, run in enumerate(runs)
        for place, laid in enumerate(transfers(settings(run.results)))
    ]
    page = template("page.html.jinja").render(
        runs=list(zip(runs, sections, strict=True)), sections=every, title=_title(runs, every), transferred=transferred,
        matrices=_matrices(runs), legend=LEGEND, differences=differences,
        laid=[] if differences is None else laid(differences), explained=EXPLAINED,
    )  # fmt: skip
    write_whole(out, page.encode())


def _matrices(runs: Sequence[RunRecord]) -> list[tuple[Matrix, Markup, list[list[str]], list[str]]]:
    """Matrices of the victims of all runs together, each as a picture, as text, and with what it leaves out."""
    cells = list({cell.cell: cell for run in runs for cell in run.results}.values())
    return [
        (laid, Markup(svg(f"matrix-{place}", partial(matrix_map, laid))), _fitting(written(laid)), notes(laid))
        for place, laid in enumerate(matrices(settings(cells)))
    ]


def _fitting(lines: list[list[str]]) -> list[list[str]]:
    """A table that is turned where it is too wide for a page."""
    return lines if len(lines[0]) <= _WIDEST else [list(line) for line in zip(*lines, strict=True)]


def _title(runs: Sequence[RunRecord], sections: Sequence[Section]) -> str:
    """Names the page by its only section, else by the games, or by the runs where nothing was played yet."""
    if len(sections) == 1:
        return sections[0].setting.title
    games = list(dict.fromkeys(section.setting.first.game for section in sections))
    if not games:
        return f"rlattack: {', '.join(run.name for run in runs)}"
    kinds = {"attacks" if section.setting.alone else "duels" for section in sections}
    return f"{' and '.join(sorted(kinds)).capitalize()}: {some(games, _MOST_GAMES)}"


def _section(setting: Setting, run: RunRecord, anchor: str) -> Section:
    found, laid = finding(setting), grid(setting)
    activations = read_activations(run.folder)
    if activations is not None and activations.seat not in [seat.name for seat in setting.first.seats]:
        activations = None  # of another game of the run
    looks = styles(line for axis in AXES for pairing in setting.pairings for line in lines(axis, pairing.good))
    stairs = [] if setting.alone else read_staircase(run.folder)
    care = [] if activations is None or activations.warning is None else [activations.warning]
    return Section(
        anchor=anchor,
        setting=setting,
        finding=found.sentence,
        tiles=_tiles(setting, found),
        warnings=[*warnings(setting), *care],
        # matplotlib escapes the text of its drawings
        heat_map=Markup(svg(anchor, partial(heat_map, laid)) if len(laid) > 1 else ""),
        staircase=Markup(svg(f"{anchor}-stairs", partial(staircase, stairs)) if stairs else ""),
        curves=_curves(setting, found, looks, anchor),
        looks=looks,
        tables=[table(setting, columns(setting)) for columns in (numbers, details)],
        members=members(setting),
        certificates=certificates(setting),
        certainty=Markup(svg(f"{anchor}-certain", partial(certain_shares, setting)) if certificates(setting) else ""),
        detection=detection(setting),
        roc=Markup(svg(f"{anchor}-roc", partial(roc_map, told)) if (told := roc_curves(setting)) else ""),
        rule=win_rule(setting.first),
        clips=clips(setting, run),
        films=films(setting, run),
        activations=activations,
        activations_src="" if activations is None else data_url((run.folder / PICTURE).read_bytes(), "image/png"),
    )


def _tiles(setting: Setting, found: Finding) -> list[list[Tile]]:
    """Who beats whom, then the clean game, the attack and its control."""
    met = [Tile(meeting(cell), percent(cell.victim_seat.loss), setting.opponents, Value()) for cell in found.meetings]
    places = decimals([cell.attacked.returns.mean for cell in setting.good])

    def tile(name: str, cell: Result) -> Tile:
        seat = cell.seat((found.attack or cell).attacked.name)
        return Tile(name, percent(seat.win), "" if setting.alone else seat.name, mean(seat.returns, places))

    harm = []
    if found.clean:
        harm.append(tile("Clean" if setting.alone else f"Clean: {names(found.clean)}", found.clean))
    if found.attack:
        harm.append(tile(f"{title(found.attack)}{at(found.attack)}", found.attack))
    if found.control:
        sized = "" if found.control.eps is None else " of that size"
        harm.append(tile(f"{title_of(found.control.attacks[0].name)}{sized}", found.control))
    return [row for row in (met, harm) if row]


def _curves(
    setting: Setting, told: Finding, looks: dict[str, Style], anchor: str
) -> dict[str, list[tuple[str, Markup]]]:
    """Win rate and return against each number, by its title, below whose they are; those of the finding first."""
    found: dict[str, list[tuple[str, Markup]]] = {}
    for number, pairing in enumerate(sorted(setting.pairings, key=lambda one: told.attack not in one.attacked)):
        every = [line for axis in AXES for line in lines(axis, pairing.good)]
        charts = groupby(every, key=lambda line: (line.axis.title, line.reach, line.space))
        for place, ((heading, *_), drawn) in enumerate(charts):
            drawing = draw(list(drawn), pairing.before, looks, f"{anchor}-{number}-{place}")
            found.setdefault(heading, []).append((setting.about(pairing), Markup(drawing)))
    return found
