"""One self-contained HTML page of runs: the finding, the curves, a film, all numbers, how to repeat them."""

import base64
import hashlib
import json
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from rlattack.errors import ContentError
from rlattack.evaluation.clip import Frames, magnification, read_frames, render, still
from rlattack.evaluation.curves import draw, styles
from rlattack.evaluation.duels.grid import duel_settings
from rlattack.evaluation.duels.section import duel_section
from rlattack.evaluation.findings import finding, strongest, title, warnings, win_rule
from rlattack.evaluation.results import SCHEMA
from rlattack.evaluation.series import Record, clean_of, label, lines, settings, size
from rlattack.evaluation.tables import DETAILS, NUMBERS, decimals, mean_return, table, win_rate
from rlattack.files import write_whole

__all__ = ["write_report"]

_MOST_STILLS = 8
_MOST_GAMES = 3
"""In the title of a page."""


def write_report(runs: Sequence[Path], out: Path) -> None:
    """Writes one page that needs no other file and no network.

    Args:
        runs: Run folders with `results.json`; `config.json`, `clips/` and `videos/` are used where they are. Names of
            actions come from `action_names` of the configuration: a list, or a table of lists by game.
        out: The page.

    Raises:
        ContentError: A folder without results, or with results that this version does not read.
        Unwritable: The page cannot be written.
    """
    shown = [_run(run, f"run-{place}") for place, run in enumerate(runs)]
    pages = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pages.filters["sha256"] = lambda text: base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    sections = [section for run in shown for section in run["sections"]]
    page = pages.get_template("report.html.jinja").render(runs=shown, sections=sections, title=_title(shown, sections))
    write_whole(out, page.encode())


def _title(runs: Sequence[dict[str, Any]], sections: Sequence[dict[str, Any]]) -> str:
    """Of the page: what its only section is about, or the games of all, or the runs where nothing was played yet."""
    if len(sections) == 1:
        return str(sections[0]["title"])
    games = list(dict.fromkeys(str(section["game"]) for section in sections))
    if not games:
        return f"rlattack: {', '.join(str(run['name']) for run in runs)}"
    more = f" and {len(games) - _MOST_GAMES} more" if len(games) > _MOST_GAMES else ""
    kinds = dict.fromkeys("duels" if section["kind"] == "duel" else "attacks" for section in sections)
    return f"{' and '.join(sorted(kinds)).capitalize()}: {', '.join(games[:_MOST_GAMES])}{more}"


def _run(run: Path, anchor: str) -> dict[str, Any]:
    records, config = _read_results(run / "results.json"), _read_config(run / "config.json")
    duels = [record for record in records if record.get("players")]
    attacks = [record for record in records if not record.get("players")]
    planned = config.get("cells")
    versions = config.get("versions")
    return {
        "name": run.resolve().name,
        "done": len(records),
        "planned": len(planned) if isinstance(planned, list) else None,
        "command": config.get("command"),
        "facts": {k: v for k, v in config.items() if k != "command" and isinstance(v, str | int | float)},
        "versions": versions if isinstance(versions, dict) else {},
        "config": json.dumps(config, indent=2, ensure_ascii=False) if config else "",
        "sections": [
            _section(group, run / "clips", _action_names(config, group[0]), f"{anchor}-{place}")
            for place, group in enumerate(settings(attacks))
        ]
        + [duel_section(group, run, f"{anchor}-duel-{place}") for place, group in enumerate(duel_settings(duels))],
    }


def _section(records: list[Record], clips: Path, names: Sequence[str] | None, anchor: str) -> dict[str, Any]:
    clean, drawn, found = clean_of(records), lines(records), finding(records)
    looks, first = styles(drawn), clean or records[0]
    tiles = {
        "Clean": found.clean,
        found.attack and title(found.attack): found.attack,
        "Noise of that size": found.noise,
    }
    charts = groupby(drawn, key=lambda line: (line.norm, line.space))
    return {
        "kind": "attack",
        "game": first.get("game"),
        "anchor": anchor,
        "title": f"{first.get('game')}: {first.get('victim') or 'an unknown victim'} under attack",
        "protocol": {key: first.get(key) for key in ("defence", "actions", "sticky", "episodes", "seed")},
        "rule": win_rule(first),
        "finding": found.sentence,
        "tiles": [
            {
                "name": name,
                "size": size(cell) if cell is not found.clean else "",
                "win": win_rate(cell),
                "return": mean_return(cell, decimals(records)),
            }
            for name, cell in tiles.items()
            if cell is not None
        ],
        "warnings": warnings(records),
        "curves": [
            # matplotlib escapes the text of its drawings
            Markup(draw(list(members), clean, looks, f"{anchor}-{place}"))
            for place, (_, members) in enumerate(charts)
        ],
        "tables": [table(records, columns, looks) for columns in (NUMBERS, DETAILS)],
        **_pictures(records, clips, names),
    }


def _pictures(records: list[Record], clips: Path, names: Sequence[str] | None) -> dict[str, Any]:
    """The film of the strongest attack that has a clip, and one still a line of the others, strongest first."""
    filmed = [cell for cell in strongest(records) if (clips / f"{cell.get('cell')}.npz").is_file()]
    noise = [cell for line in lines(records) if line.control for cell in reversed(line.cells)]
    film: dict[str, Any] | None = None
    stills: dict[tuple[Any, ...], dict[str, Any]] = {}
    for cell in [*filmed, *noise]:
        path, kind = clips / f"{cell.get('cell')}.npz", (label(cell), cell.get("norm"), cell.get("space"))
        if kind in stills or len(stills) > _MOST_STILLS or not path.is_file():
            continue
        frames = read_frames(path)
        stills[kind] = _picture(cell, frames, names, decimals(records))
        if film is None:
            reel = render(frames, names)
            film = stills[kind] | {
                "src": _data(reel.data, reel.mime),
                "moves": reel.mime.startswith("video/"),
                "steps": len(frames.clean),
            }
    return {"film": film, "stills": list(stills.values())[1:]}


def _picture(cell: Record, frames: Frames, names: Sequence[str] | None, places: int) -> dict[str, Any]:
    return {
        "title": f"{title(cell)} at {size(cell)}",
        "return": mean_return(cell, places).text,
        "factor": f"{magnification(frames):g}",
        "step": frames.farthest + 1,
        "still": _data(still(frames, names, frames.farthest), "image/png"),
    }


def _data(raw: bytes, mime: str) -> str:
    return f"data:{mime};base64,{base64.b64encode(raw).decode()}"


def _action_names(config: dict[str, Any], record: Record) -> list[str] | None:
    names = config.get("action_names")
    if isinstance(names, dict):
        names = names.get(str(record.get("game")))
    return [str(name) for name in names] if isinstance(names, list) else None


def _read_results(path: Path) -> list[Record]:
    content = _read_json(path)
    if content is None:
        raise ContentError(
            f"{path.parent}: expected a run folder with results.json; `rlattack attack` or `rlattack duel` makes one"
        )
    if not isinstance(content, dict) or content.get("schema") != SCHEMA:
        schema = content.get("schema") if isinstance(content, dict) else None
        raise ContentError(f"{path}: expected schema {SCHEMA!r}, got {schema!r}")
    cells = content.get("cells")
    if not isinstance(cells, list) or not all(isinstance(cell, dict) for cell in cells):
        raise ContentError(f"{path}: expected a list of cells")
    return cells


def _read_config(path: Path) -> dict[str, Any]:
    config = _read_json(path)
    return config if isinstance(config, dict) else {}


def _read_json(path: Path) -> object:
    """Reads JSON without NaN, which is not JSON and must not be shown; None when there is no file."""
    try:
        return json.loads(path.read_text(encoding="utf-8"), parse_constant=lambda _: None)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise ContentError(f"{path}: cannot be read ({error})") from error
