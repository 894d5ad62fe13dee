"""Results for TensorBoard: one line an attack against the budget, one row a cell in HParams, frames as images."""

import io
import re
import shutil
import time
from collections.abc import Container, Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path

import numpy as np
from PIL import Image
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.custom_scalar import metadata as custom_scalar
from tensorboard.plugins.hparams import api_pb2, plugin_data_pb2
from tensorboard.plugins.hparams import metadata as hparams
from tensorboard.plugins.scalar import metadata as scalar
from tensorboard.summary.writer.event_file_writer import EventFileWriter
from tensorboard.util import tensor_util

from rlattack.evaluation.clip import read_frames, still
from rlattack.evaluation.series import Line, Record, clean_of, distinctions, is_ok, label, lines, number, settings
from rlattack.files import writing_events

__all__ = [
    "Point",
    "file_name",
    "free_name",
    "line_points",
    "picture",
    "scalars",
    "session",
    "write_events",
    "write_tensorboard",
]

Point = tuple[int, Summary.Value]
"""Step and what is shown there."""
_CURVES: dict[str, tuple[str, ...]] = {
    "win_rate": ("win", "rate"),
    "return": ("return", "mean"),
    "win_drop": ("drop", "win"),
    "return_drop": ("drop", "return"),
    "action_change": ("action_change",),
}
"""Tag to where its value lies in a cell."""
_INTERVALS = {"win_rate": ("win", "ci"), "return": ("return", "ci")} | {
    f"{name}_drop": ("drop", f"{name}_ci") for name in ("win", "return")
}


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
    groups = settings(cells)
    runs: dict[str, list[Point]] = {}
    for words, group in zip(distinctions(groups), groups, strict=True):
        for name, values in _runs(group, clips, action_names).items():
            runs[free_name(f"{file_name(words)}/{name}".strip("/"), runs)] = values
    write_events(run, runs)


def write_events(run: Path, runs: Mapping[str, Sequence[Point]]) -> None:
    """Writes `<run>/tensorboard/`, in place of what was there: a folder for each of what TensorBoard calls runs.

    Raises:
        Unwritable: The folder cannot be written.
    """
    place, fresh, old = (run / name for name in ("tensorboard", ".tensorboard.new", ".tensorboard.old"))
    with writing_events(place):
        for leftover in (fresh, old):
            shutil.rmtree(leftover, ignore_errors=True)
        for name, values in runs.items():
            _write(fresh / name, values)
        if place.exists():
            place.rename(old)
        if fresh.exists():
            fresh.rename(place)
        shutil.rmtree(old, ignore_errors=True)


def _runs(group: list[Record], clips: Path, action_names: Sequence[str] | None) -> dict[str, list[Point]]:
    """What TensorBoard calls runs: a line an attack, a row a cell; by folder."""
    names: dict[str, str] = {}
    runs: dict[str, list[Point]] = {}
    for line in lines(group):
        name = names.setdefault(line.label, free_name(file_name(line.label), runs))
        runs.setdefault(name, []).extend(line_points(line, clean_of(group), clips, action_names))
    for record in group:
        words = [label(record), record.get("norm"), number(record, "eps"), record.get("cell")]
        name = file_name(
            " ".join(f"{word:g}" if isinstance(word, float) else str(word) for word in words if word is not None)
        )
        runs[free_name(f"cells/{name}", runs)] = [(0, value) for value in _row(record)]
    return runs


def line_points(line: Line, clean: Record | None, clips: Path, names: Sequence[str] | None = None) -> Iterator[Point]:
    """A line with the clean value at step 0, and a picture a cell at the same steps."""
    pixels = line.norm == "l0"
    chart = line.norm if pixels or line.space == "unit" else f"{line.norm}-{line.space}"
    unit = "pixels" if pixels else f"eps in millionths, in {line.space} space"
    about = f"The step is the budget in norm {line.norm}: {unit}. Step 0 is the clean game."
    yield 0, _layout(chart, line)
    for record in filter(None, (clean, *line.cells)):
        step = 0 if record is clean else _step(record)
        for tag, path in _CURVES.items():
            yield from ((step, value) for value in scalars(f"{tag}/{chart}", number(record, *path), about))
        for tag, path in _INTERVALS.items():
            for i, end in enumerate(("low", "high")):
                value = number(record, *path, i)
                yield from (
                    (step, v) for v in scalars(f"with_interval/{tag}/{chart}/{end}", value, f"95 % interval. {about}")
                )
        clip = clips / f"{record.get('cell')}.npz"
        if record is not clean and clip.is_file():
            yield step, picture(f"frames/{chart}", still(read_frames(clip), names))


def _row(record: Record) -> Iterator[Summary.Value]:
    """A cell as a session of HParams."""
    shown = {
        key: record.get(key)
        for key in ("game", "victim", "defence", "norm", "model", "grid", "actions", "sticky", "surrogate")
    }
    yield from session({"attack": label(record), "eps": number(record, "eps") or 0.0, **shown}, is_ok(record))
    if is_ok(record):
        for tag, path in _CURVES.items():
            yield from scalars(f"summary/{tag}", number(record, *path), "One cell, for the HParams tab.")


def session(parameters: Mapping[str, object], ok: bool) -> Iterator[Summary.Value]:
    """A row of the HParams tab; what it measured are the scalars beside it."""
    start = plugin_data_pb2.SessionStartInfo(start_time_secs=time.time())
    for key, value in parameters.items():
        if isinstance(value, bool):
            start.hparams[key].bool_value = value
        elif isinstance(value, int | float):
            start.hparams[key].number_value = value
        elif value is not None:
            start.hparams[key].string_value = str(value)
    status = api_pb2.STATUS_SUCCESS if ok else api_pb2.STATUS_FAILURE
    end = plugin_data_pb2.SessionEndInfo(status=status, end_time_secs=time.time())
    for tag, data in (
        (hparams.SESSION_START_INFO_TAG, plugin_data_pb2.HParamsPluginData(session_start_info=start)),
        (hparams.SESSION_END_INFO_TAG, plugin_data_pb2.HParamsPluginData(session_end_info=end)),
    ):
        yield Summary.Value(tag=tag, metadata=hparams.create_summary_metadata(data), tensor=hparams.NULL_TENSOR)


def _layout(chart: str, line: Line) -> Summary.Value:
    """Charts of what a line measured, with intervals as bands, in the tab Custom Scalars."""
    measured = [tag for tag in _INTERVALS if any(number(cell, *_CURVES[tag]) is not None for cell in line.cells)]
    panels = [
        layout_pb2.Chart(
            title=f"{tag.replace('_', ' ')} ({chart})",
            margin=layout_pb2.MarginChartContent(
                series=[
                    layout_pb2.MarginChartContent.Series(
                        value=f"{tag}/{chart}",
                        lower=f"with_interval/{tag}/{chart}/low",
                        upper=f"with_interval/{tag}/{chart}/high",
                    )
                ]
            ),
        )
        for tag in measured
    ]
    category = layout_pb2.Category(title="Against the budget, with 95 % intervals", chart=panels)
    tensor = tensor_util.make_tensor_proto(layout_pb2.Layout(category=[category]).SerializeToString())
    metadata = custom_scalar.create_summary_metadata()
    return Summary.Value(tag=custom_scalar.CONFIG_SUMMARY_TAG, metadata=metadata, tensor=tensor)


def _step(record: Record) -> int:
    eps = number(record, "eps") or 0.0
    return int(eps) if record.get("norm") == "l0" else max(1, round(eps * 1_000_000))


def scalars(tag: str, value: float | None, about: str) -> list[Summary.Value]:
    """A point of a chart, or nothing where nothing was measured."""
    if value is None:
        return []
    # a tensor and not a simple_value: of those TensorBoard's reader drops the description
    tensor = tensor_util.make_tensor_proto(np.float32(value))
    return [Summary.Value(tag=tag, tensor=tensor, metadata=scalar.create_summary_metadata("", about))]


def picture(tag: str, png: bytes) -> Summary.Value:
    """A picture."""
    width, height = Image.open(io.BytesIO(png)).size
    return Summary.Value(
        tag=tag, image=Summary.Image(width=width, height=height, colorspace=3, encoded_image_string=png)
    )


def _write(folder: Path, values: Sequence[Point]) -> None:
    writer = EventFileWriter(str(folder))
    for step, value in values:
        writer.add_event(Event(step=step, wall_time=time.time(), summary=Summary(value=[value])))
    writer.close()


def free_name(name: str, taken: Container[str]) -> str:
    """The name, or the name and a number where it is taken."""
    return next(free for i in count(1) if (free := name if i == 1 else f"{name} {i}") not in taken)


def file_name(text: str) -> str:
    """A name for a folder: letters, digits and a few signs; agent ids and parameters may hold others."""
    return re.sub(r"[^\w=.,+ -]", "-", text).strip(". ")[:200]
