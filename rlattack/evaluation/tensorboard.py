"""Results for TensorBoard: one line an attack against the budget, one row a cell in HParams, frames as images."""

import io
import re
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from PIL import Image
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.custom_scalar import summary as custom_scalar
from tensorboard.plugins.hparams import api_pb2, plugin_data_pb2
from tensorboard.plugins.hparams import metadata as hparams
from tensorboard.plugins.image import metadata as image
from tensorboard.plugins.scalar import metadata as scalar
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from rlattack.errors import Unwritable
from rlattack.evaluation.clip import read_frames, still
from rlattack.evaluation.series import (
    Line,
    Record,
    clean_of,
    distinctions,
    is_ok,
    label,
    lines,
    number,
    settings,
)

__all__ = ["write_tensorboard"]

_MILLIONTHS = 1_000_000
_QUANTITIES: dict[str, tuple[tuple[str, str], tuple[str, str] | None]] = {
    "win_rate": (("win", "rate"), ("win", "ci")),
    "return": (("return", "mean"), ("return", "ci")),
    "win_drop": (("drop", "win"), ("drop", "win_ci")),
    "return_drop": (("drop", "return"), ("drop", "return_ci")),
}
"""Tag to where its value and its interval lie in a cell."""
_CHARTS = {"win_rate": "win rate", "return": "return", "win_drop": "fall of the win rate", "return_drop": "fall of the return"}


def write_tensorboard(run: Path, cells: list[Record], clips: Path, action_names: Sequence[str] | None = None) -> None:
    """Writes `<run>/tensorboard/`, in place of what was there.

    Args:
        run: The run folder.
        cells: The cells of `results.json`; those that failed are only rows in HParams.
        clips: Folder of `<cell>.npz` files; a cell may have none.
        action_names: A name an action, for the images; numbers without.

    Raises:
        ContentError: A clip that cannot be read.
        Unwritable: The folder cannot be written.
    """
    fresh, old = run / ".tensorboard.new", run / ".tensorboard.old"
    groups = settings(cells)
    try:
        for folder in (fresh, old):
            shutil.rmtree(folder, ignore_errors=True)
        for place, group in zip(distinctions(groups), groups, strict=True):
            _write_setting(fresh / _file_name(place), group, clips, action_names)
        if (run / "tensorboard").exists():
            (run / "tensorboard").rename(old)
        if fresh.exists():
            fresh.rename(run / "tensorboard")
        shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        raise Unwritable(f"{run / 'tensorboard'}: cannot be written ({error.strerror or error})") from error


def _write_setting(folder: Path, group: list[Record], clips: Path, action_names: Sequence[str] | None) -> None:
    clean = clean_of(group)
    by_label: dict[str, list[Line]] = {}
    for line in lines(group):
        by_label.setdefault(_file_name(line.label + ("" if line.space == "unit" else f" {line.space}")), []).append(line)
    for name, members in by_label.items():
        _write_events(folder / name, [event for line in members for event in _line_events(line, clean, clips, action_names)])
    norms = sorted({line.norm for line in lines(group)})
    if norms:
        layout = Event(summary=custom_scalar.pb(_layout(norms)), wall_time=time.time())
        _write_events(folder / "intervals", [layout])
    for record in group:
        words = [label(record), str(record.get("norm") or ""), f"{number(record, 'eps') or 0:g}"]
        name = "clean" if record.get("attack") == "none" else _file_name(" ".join(words))
        _write_events(folder / "cells" / name, _row_events(record))


def _line_events(line: Line, clean: Record | None, clips: Path, names: Sequence[str] | None) -> Iterator[Event]:
    """A line with the clean value at step 0, and one image a cell at the same steps."""
    unit = "pixels" if line.norm == "l0" else f"millionths of {line.space} eps"
    about = f"Norm {line.norm}; the step is the budget in {unit}, 0 is the clean game."
    for record in (clean, *line.cells):
        if record is None:
            continue
        step = 0 if record is clean else _step(record)
        for tag, (value_path, interval_path) in _QUANTITIES.items():
            values = {f"{tag}/{line.norm}": number(record, *value_path)}
            if interval_path is not None:
                values |= {f"interval_{tag}/{line.norm}/{end}": number(record, *interval_path, i) for i, end in enumerate(("low", "high"))}
            yield from (_scalar(name, value, step, about) for name, value in values.items() if value is not None)
