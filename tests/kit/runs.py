"""What a run left in its folder, as far as it is the same each time."""

import csv
import json
from pathlib import Path
from typing import Any


def numbers(folder: Path) -> list[dict[str, Any]]:
    """The cells of `results.json` without their speed."""
    cells = json.loads((folder / "results.json").read_text())["cells"]
    return [{name: value for name, value in cell.items() if name != "steps_per_second"} for cell in cells]


def rows(folder: Path) -> list[dict[str, str]]:
    """The rows of `episodes.csv`, one an episode and seat."""
    with (folder / "episodes.csv").open() as file:
        return list(csv.DictReader(file))
