"""Galleries: frames side by side in rows, each with a word below its row's name."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rlattack.arrays import Array
from rlattack.evaluation.recorder import newest
from rlattack.inspect.finding import Shown
from rlattack.report.curves import png


@dataclass(frozen=True)
class Row:
    """A row of a gallery.

    Attributes:
        name: What it is of.
        observations: Of which the newest frames are shown, shape (n, *observation).
        words: Above each.
    """

    name: str
    observations: Array
    words: Sequence[str]


def gallery(name: str, caption: str, rows: Sequence[Row]) -> Shown:
    """Makes a picture of newest frames.

    Args:
        name: Of the file.
        caption: What is seen.
        rows: As many frames each.
    """

    def drawn() -> Figure:
        columns = len(rows[0].words)
        figure = Figure(figsize=(1.5 * columns + 0.6, 1.8 * len(rows)), layout="constrained")
        for axes, row in zip(figure.subplots(len(rows), columns, squeeze=False), rows, strict=True):
            for place, observation, words in zip(axes, row.observations, row.words, strict=True):
                show_frame(place, newest(observation), words)
            axes[0].set_ylabel(row.name, fontsize=8)
        return figure

    return Shown(name, caption, partial(png, drawn))


def show_frame(axes: Axes, frame: Array, words: str) -> None:
    """Draws a frame of bytes in grey, without ticks."""
    axes.imshow(frame, cmap="gray", vmin=0, vmax=255)
    axes.set_title(words, fontsize=7)
    axes.set_xticks([])
    axes.set_yticks([])
