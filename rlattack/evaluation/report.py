"""One self-contained HTML page of one or more runs: the finding, the curves, a film, all numbers, how to repeat them."""

import base64
import hashlib
import json
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from rlattack.errors import ContentError, Unwritable
from rlattack.evaluation.clip import magnification, read_frames, render, still
from rlattack.evaluation.curves import COLOURS, Style, draw, styles
from rlattack.evaluation.findings import finding, strongest, title, warnings
from rlattack.evaluation.series import Line, Record, clean_of, is_clean, label, lines, number, settings, size
from rlattack.evaluation.tables import DETAILS, NUMBERS, Column, decimals, row, used
from rlattack.policies.folder import write_whole

__all__ = ["SCHEMA", "write_report"]

SCHEMA = "rlattack/results/1"
_NORMS = {
    "linf": "L∞, the largest entry",
    "l2": "L2, the root mean square of the entries",
    "l1": "L1, the mean of the entries",
    "l0": "L0, the number of pixels",
}
_SPACES = {"unit": "pixels over 255", "raw": "in the game's own units", "sigma": "in standard deviations of each entry"}
_MOST_STILLS = 8


def write_report(runs: Sequence[Path], out: Path) -> None:
    """Writes one page that needs no other file and no network.

    Args:
        runs: Run folders with `results.json`; `config.json` and `clips/` are used where they are.
        out: The page.

    Raises:
        ContentError: A folder without results, or with results that this version does not read.
        Unwritable: The page cannot be written.
    """
    shown = [_run(run, place) for place, run in enumerate(runs)]
    sections = [section for run in shown for section in run["sections"]]
    loader = FileSystemLoader(Path(__file__).parent)
    pages = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    pages.filters["sha256"] = lambda text: base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    page = pages.get_template("report.html.jinja").render(
        runs=shown, many=len(sections) > 1, first=sections[0] if sections else None, colours=range(COLOURS)
    )
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_whole(out, page.encode())
    except OSError as error:
        raise Unwritable(f"{out}: cannot be written ({error.strerror or error})") from error


def _run(run: Path, place: int) -> dict[str, Any]:
    records, config = _read_results(run), _read_config(run)
    planned = _planned(config)
    sections = [
        _section(group, run / "clips", _names(config, group[0].get("game")), f"run-{place}-{number}")
        for number, group in enumerate(settings(records))
    ]
    return {
        "name": run.resolve().name,
        "sections": sections,
        "missing": max(0, planned - len(records)) if planned else 0,
        "planned": planned,
        "config": config,
        "text": json.dumps(config, indent=2, ensure_ascii=False),
    }


def _section(records: list[Record], clips: Path, names: Sequence[str] | None, anchor: str) -> dict[str, Any]:
    drawn, clean, found = lines(records), clean_of(records), finding(records)
    looks, first = styles(drawn), clean or records[0]
    places = decimals(records)
    tiles = [("clean", found.clean), (found.attack and title(found.attack), found.attack), ("noise of the same size", found.noise)]
    return {
        "anchor": anchor,
        "game": str(first.get("game")),
        "victim": str(first.get("victim") or " against ".join(map(str, first.get("players") or ["unknown"]))),
        "defence": first.get("defence"),
        "protocol": {key: first.get(key) for key in ("actions", "sticky", "episodes", "seed")},
        "finding": found.sentence,
        "tiles": [
            {"name": name, "size": "" if record is found.clean else size(record), **row(record, NUMBERS, places, 200)}
            for name, record in tiles
            if record is not None
        ],
        "warnings": warnings(records),
        "rule": _rule(first),
        "curves": _curves(drawn, clean, looks, anchor),
        "tables": [_table(records, columns, looks, places) for columns in (NUMBERS, DETAILS)],
        **_pictures(records, drawn, clips, names),
    }
