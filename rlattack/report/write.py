"""Writes down a finished run: TensorBoard events, heat maps, the matrix, the page."""

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from rlattack.evaluation.results import Result
from rlattack.files import write_whole
from rlattack.report.comparison import settings
from rlattack.report.curves import png
from rlattack.report.heatmap import grid, heat_map
from rlattack.report.matrix import FILE, content, matrices
from rlattack.report.page import write_page
from rlattack.report.runs import RunRecord, read_config
from rlattack.report.tensorboard import write_tensorboard


def write_run(folder: Path, results: Sequence[Result]) -> None:
    """Writes `tensorboard/`, `heatmap.png`, `matrix.json` and `report.html` into a run folder.

    The second is where several players meet, the third where several victims met the same attacks.

    Args:
        folder: The run folder, with `config.json` and whatever films and pictures were made.
        results: Its cells.
    """
    run = RunRecord(folder, tuple(results), read_config(folder))
    write_tensorboard(run)
    grids = [laid for setting in settings(results) if len(laid := grid(setting)) > 1]
    for number, laid in enumerate(grids, start=1):
        write_whole(folder / ("heatmap.png" if number == 1 else f"heatmap-{number}.png"), png(partial(heat_map, laid)))
    if found := matrices(settings(results)):
        write_whole(folder / FILE, (json.dumps(content(found), indent=1, allow_nan=False) + "\n").encode())
    else:
        (folder / FILE).unlink(missing_ok=True)
    write_page([run], folder / "report.html")
