"""TensorBoard's files without TensorFlow: scalars with a description, rows of HParams, bands, pictures."""

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
from tensorboard.plugins.hparams import api_pb2, plugin_data_pb2
from tensorboard.plugins.hparams import metadata as hparams
from tensorboard.plugins.scalar.metadata import create_summary_metadata
from tensorboard.summary.writer.event_file_writer import EventFileWriter
from tensorboard.util import tensor_util
from torch.utils.tensorboard.summary import custom_scalars

from rlattack.files import writing_events

Point = tuple[int, Summary.Value]
"""Step and what is shown there."""


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


def scalar(tag: str, value: float, about: str) -> Summary.Value:
    """A point of a chart."""
    # a tensor and not a simple_value: of those TensorBoard's reader drops the description
    tensor = tensor_util.make_tensor_proto(np.float32(value))
    return Summary.Value(tag=tag, tensor=tensor, metadata=create_summary_metadata("", about))


def picture(tag: str, png: bytes) -> Summary.Value:
    """A picture."""
    width, height = Image.open(io.BytesIO(png)).size
    image = Summary.Image(width=width, height=height, colorspace=3, encoded_image_string=png)
    return Summary.Value(tag=tag, image=image)


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


def bands(title: str, charts: Mapping[str, tuple[str, str, str]]) -> Summary.Value:
    """Charts with intervals as bands, in the tab Custom Scalars.

    Args:
        title: Above the charts.
        charts: Tags of the value, the lower and the upper end, by the title of a chart.
    """
    layout = {title: {name: ("Margin", tags) for name, tags in charts.items()}}
    return custom_scalars(layout).value[0]  # type: ignore[no-untyped-call]  # torch's own


def free_name(name: str, taken: Container[str]) -> str:
    """The name, or the name and a number where it is taken."""
    return next(free for i in count(1) if (free := name if i == 1 else f"{name} {i}") not in taken)


def file_name(text: str) -> str:
    """A name for a folder: letters, digits and a few signs; agent ids and parameters may hold others."""
    return re.sub(r"[^\w=.,+ -]", "-", text).strip(". ")[:200]


def _write(folder: Path, values: Sequence[Point]) -> None:
    writer = EventFileWriter(str(folder))
    for step, value in values:
        writer.add_event(Event(step=step, wall_time=time.time(), summary=Summary(value=[value])))
    writer.close()
