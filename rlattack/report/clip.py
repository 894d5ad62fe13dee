"""An attacked episode as a picture or a short film: clean, perturbation, attacked, and what the victim does."""

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from zipfile import BadZipFile

import matplotlib
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from rlattack.arrays import IntArray
from rlattack.errors import ContentError
from rlattack.games.camera import Picture
from rlattack.report.encoding import LIMIT, Film, encode

Floats = npt.NDArray[np.floating]
FPS = 15
"""Agent steps a second: an Atari game in its own time (60 frames, 4 a step)."""
_H264 = {"crf": "22", "x264-params": "aq-mode=2:aq-strength=2:psy=0"}
"""Bits go to the frames and the text, not to the noise of a magnified perturbation, which would take most of them."""
_PANEL, _CHART, _EDGE, _HEAD = 252, 250, 14, 30
"""Picture: side of a panel (84 by 3), width of the chart, margin, height of the captions."""
_MOST_ACTIONS = 18

# A canvas holds palette numbers: 240 greys, which text may mix, then the colours of the bars.
_GREYS = 240
_BACK, _MUTED, _INK, _TRACK = 22, 150, 225, 42
_CLEAN, _ATTACKED, _PLAYED = 240, 241, 242
_COLOURS = ((86, 164, 245), (250, 122, 74), (255, 214, 90))


@dataclass(frozen=True)
class Frames:
    """What `clips/<cell>.npz` holds of t steps of an attacked episode.

    Attributes:
        clean: Newest frames before the attack, shape (t, height, width), 0..255.
        attacked: Newest frames that the victim received, same shape, 0..255.
        actions: What it played, shape (t,), or (t, entries) where actions are continuous.
        greedy: Its most likely action on the clean observation, same shape.
        rewards: Of the seat, shape (t,).
        probabilities_clean: Its action distribution on the clean observation, shape (t, actions); None where actions
            are continuous.
        probabilities: Its action distribution on what it received, same shape.
        greedy_attacked: Its most likely action on what it received, shape of `actions`; where there are no
            probabilities.
    """

    clean: Picture
    attacked: Floats
    actions: npt.NDArray[np.generic]
    greedy: npt.NDArray[np.generic]
    rewards: Floats
    probabilities_clean: Floats | None = None
    probabilities: Floats | None = None
    greedy_attacked: Floats | None = None

    @property
    def turning_point(self) -> int:
        """The first step in which the attack changes the most likely action; 0 when it never does."""
        if self.probabilities is None:
            return self.farthest
        return int(np.argmax(self.probabilities.argmax(axis=1) != self.greedy))

    @property
    def farthest(self) -> int:
        """The step in which the attack moves most of the action distribution, or of the continuous action."""
        if self.probabilities is not None and self.probabilities_clean is not None:
            return int(np.argmax(np.abs(self.probabilities - self.probabilities_clean).sum(axis=1)))
        assert self.greedy_attacked is not None
        moved = np.abs(self.greedy_attacked - self.greedy.astype(np.float64)).reshape(len(self.clean), -1)
        return int(np.argmax(moved.sum(axis=1)))


def read_frames(path: Path) -> Frames:
    """Reads a clip file.

    Raises:
        ContentError: Not an npz file, or arrays that are missing or do not fit each other.
    """
    names = [f.name for f in fields(Frames)]
    try:
        with np.load(path, allow_pickle=False) as file:
            frames = Frames(**{name: file[name] for name in names if name in file})
    except (OSError, ValueError, KeyError, TypeError, EOFError, BadZipFile) as error:
        raise ContentError(f"{path}: expected a clip with the arrays {', '.join(names[:5])}: {error}") from error
    images = frames.clean.shape
    if len(images) != 3 or not images[0] or frames.attacked.shape != images:
        raise ContentError(
            f"{path}: expected frames of shape (t, height, width), got {images} and {frames.attacked.shape}"
        )
    there = [array for name in names if (array := getattr(frames, name)) is not None]
    chances = (frames.probabilities, frames.probabilities_clean)
    shapes = {None if one is None else one.shape for one in chances}
    if any(len(array) != images[0] for array in there) or len(shapes) != 1:
        raise ContentError(f"{path}: expected {images[0]} steps in every array")
    if shapes == {None} and frames.greedy_attacked is None:
        raise ContentError(f"{path}: expected a clip with probabilities, or with greedy_attacked of continuous actions")
    return frames


def magnification(frames: Frames) -> float:
    """By how much a perturbation is enlarged to be seen: a round number that brings the large ones to full contrast."""
    delta = np.abs(frames.attacked - frames.clean)
    delta = delta[delta > 0]
    if not delta.size:
        return 1.0
    wanted = 127.5 / float(np.percentile(delta, 99)) * 1.01  # floats: 0.255 grey levels are rarely 0.255
    power = 10.0 ** math.floor(math.log10(wanted))
    return max(step * power for step in (1, 2, 5) if step * power <= wanted)


def still(frames: Frames, names: Sequence[str] | None = None, step: int | None = None) -> bytes:
    """Draws one step as a PNG.

    Args:
        frames: The episode.
        names: A name an action; numbers without.
        step: Which step; by default the first in which the attack changes the most likely action.
    """
    canvas = _draw(frames, names, np.asarray([frames.turning_point if step is None else step]))
    file = io.BytesIO()
    Image.fromarray(_palette()[canvas[0]]).save(file, "PNG", optimize=True)
    return file.getvalue()


def render(frames: Frames, names: Sequence[str] | None = None, limit: int = LIMIT) -> Film:
    """Draws the episode as a film of at most `limit` bytes; steps are left out of one that would be larger."""
    total = len(frames.clean)
    return encode(total, FPS, lambda steps: (_palette()[row] for row in _draw(frames, names, steps)), _H264, limit)


def _draw(frames: Frames, names: Sequence[str] | None, steps: IntArray) -> Picture:
    """Draws steps as palette numbers, shape (steps, height, width); both sides are even, as H.264 wants them."""
    height, width = frames.clean.shape[1:]
    scale = max(1, _PANEL // max(height, width))
    height, width = height * scale, width * scale
    left = [_EDGE + panel * (width + _EDGE) for panel in range(4)]
    size = (left[3] + _CHART + _EDGE, _HEAD + max(height, _PANEL) + _HEAD)
    canvas = np.empty((len(steps), size[1] + size[1] % 2, size[0] + size[0] % 2), dtype=np.uint8)
    factor = magnification(frames)
    captions = ("clean", f"perturbation × {factor:g}", "attacked: what the victim sees")
    canvas[:] = _text(canvas.shape[1:], [((x, 8), text, _INK) for x, text in zip(left, captions, strict=False)])
    clean, attacked = frames.clean[steps], frames.attacked[steps]
    for x, image in zip(left, (clean, 127.5 + factor * (attacked - clean), attacked), strict=False):
        grey = np.rint(np.clip(image, 0, 255) * ((_GREYS - 1) / 255)).astype(np.uint8)
        canvas[:, _HEAD : _HEAD + height, x : x + width] = grey.repeat(scale, axis=1).repeat(scale, axis=2)
    if frames.probabilities is None:
        _entries(canvas[:, :, left[3] :], frames, steps)
    else:
        _chart(canvas[:, :, left[3] :], frames, names, steps)
    returns = np.cumsum(frames.rewards)
    for row, step in zip(canvas, steps, strict=True):
        line = f"step {step + 1}     return {returns[step]:g}"
        row[-_HEAD:, : left[3]] = _text((_HEAD, left[3]), [((_EDGE, 8), line, _MUTED)])
    return canvas


def _chart(canvas: Picture, frames: Frames, names: Sequence[str] | None, steps: IntArray) -> None:
    """Draws two bars an action, clean above attacked, and a mark at the action that was played."""
    assert frames.probabilities is not None
    assert frames.probabilities_clean is not None
    count = frames.probabilities.shape[1]
    shown = np.sort(np.argsort(-frames.probabilities.max(axis=0), kind="stable")[:_MOST_ACTIONS])
    pitch = min(34, _PANEL // len(shown))
    bar, start, length = max(3, pitch // 3), 92, _CHART - 92
    words = [str(action) for action in range(count)] if names is None or len(names) != count else list(names)
    labels = [
        ((14, _HEAD + row * pitch + pitch // 2 - 7), words[action][:12], _INK) for row, action in enumerate(shown)
    ]
    legend = [((start + 12, 8), "clean", _MUTED), ((start + 68, 8), "attacked", _MUTED)]
    canvas[:, :, :] = _text(canvas.shape[1:], [((0, 8), "action", _INK), *legend, *labels])
    for x, colour in ((start, _CLEAN), (start + 56, _ATTACKED)):
        canvas[:, 12:20, x : x + 8] = colour
    ramp = np.arange(length)
    for row, action in enumerate(shown):
        top = _HEAD + row * pitch + (pitch - 2 * bar) // 2
        for y, chances, colour in (
            (top, frames.probabilities_clean, _CLEAN),
            (top + bar, frames.probabilities, _ATTACKED),
        ):
            filled = ramp < np.rint(chances[steps, action, None] * length)
            canvas[:, y : y + bar, start : start + length] = np.where(filled, colour, _TRACK)[:, None, :]
        played = np.flatnonzero(frames.actions[steps] == action)
        for column in range(6):  # a triangle that points at the name
            canvas[played, top + bar - 6 + column : top + bar + 6 - column, 2 + column] = _PLAYED


def _entries(canvas: Picture, frames: Frames, steps: IntArray) -> None:
    """Writes a continuous action, a line an entry: on the clean frame, on the attacked one, and as it was played."""
    assert frames.greedy_attacked is not None
    columns = ((0, "action"), (50, "clean"), (115, "attacked"), (185, "played"))
    head = [((x, 8), word, _INK if x == 0 else _MUTED) for x, word in columns]
    for row, step in zip(canvas, steps, strict=True):
        lines = list(head)
        values = [of[step].reshape(-1) for of in (frames.greedy, frames.greedy_attacked, frames.actions)]
        for entry in range(min(len(values[0]), _MOST_ACTIONS)):
            y = _HEAD + 14 * entry
            lines.append(((0, y), str(entry), _INK))
            numbers = zip(columns[1:], values, strict=True)
            lines += [((x, y), f"{float(value[entry]):+.2f}", _MUTED) for (x, _), value in numbers]
        row[:] = _text(row.shape, lines)


@cache
def _palette() -> Picture:
    greys = np.rint(np.arange(_GREYS) * (255 / (_GREYS - 1))).astype(np.uint8)[:, None].repeat(3, axis=1)
    rest = np.zeros((256 - _GREYS, 3), dtype=np.uint8)
    rest[: len(_COLOURS)] = _COLOURS
    return np.concatenate([greys, rest])


def _text(shape: tuple[int, ...], lines: Sequence[tuple[tuple[int, int], str, int]]) -> Picture:
    image = Image.new("L", (shape[1], shape[0]), _BACK)
    pen = ImageDraw.Draw(image)
    for place, line, ink in lines:
        pen.text(place, line, fill=ink, font=_font())
    return np.asarray(image)


@cache
def _font() -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"), 12)
