"""An attacked episode as a picture or a short film: clean, perturbation, attacked, and what the victim does."""

import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from functools import cache, cached_property
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

    @cached_property
    def magnification(self) -> float:
        """By how much a perturbation is enlarged to be seen: a round number that brings large ones to full contrast."""
        delta = np.abs(self.attacked - self.clean)
        delta = delta[delta > 0]
        if not delta.size:
            return 1.0
        wanted = 127.5 / float(np.percentile(delta, 99)) * 1.01  # floats: 0.255 grey levels are rarely 0.255
        power = 10.0 ** math.floor(math.log10(wanted))
        return max(step * power for step in (1, 2, 5) if step * power <= wanted)


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


def still(frames: Frames, names: Sequence[str] | None = None, step: int | None = None) -> bytes:
    """Draws one step as a PNG.

    Args:
        frames: The episode.
        names: A name an action; numbers without.
        step: Which step; by default the first in which the attack changes the most likely action.
    """
    file = io.BytesIO()
    image = Image.fromarray(_draw(frames, names, frames.turning_point if step is None else step))
    image.save(file, "PNG", optimize=True)
    return file.getvalue()


def render(frames: Frames, names: Sequence[str] | None = None, limit: int = LIMIT) -> Film:
    """Draws the episode as a film of at most `limit` bytes; steps are left out of one that would be larger."""

    def pictures(steps: IntArray) -> Iterator[Picture]:
        return (_draw(frames, names, int(step)) for step in steps)

    return encode(len(frames.clean), FPS, pictures, _H264, limit)


def _draw(frames: Frames, names: Sequence[str] | None, step: int) -> Picture:
    """Draws a step, shape (height, width, 3); both sides are even, as H.264 wants them."""
    height, width = frames.clean.shape[1:]
    scale = max(1, _PANEL // max(height, width))
    height, width = height * scale, width * scale
    left = [_EDGE + panel * (width + _EDGE) for panel in range(4)]
    size = (left[3] + _CHART + _EDGE, _HEAD + max(height, _PANEL) + _HEAD)
    canvas = Image.new("L", (size[0] + size[0] % 2, size[1] + size[1] % 2), _BACK)
    pen = ImageDraw.Draw(canvas)
    pen.font = _font()
    clean, attacked, factor = frames.clean[step], frames.attacked[step], frames.magnification
    panels = {
        "clean": clean,
        f"perturbation × {factor:g}": 127.5 + factor * (attacked - clean),
        "attacked: what the victim sees": attacked,
    }
    for x, (caption, image) in zip(left, panels.items(), strict=False):
        pen.text((x, 8), caption, _INK)
        grey = np.rint(np.clip(image, 0, 255) * ((_GREYS - 1) / 255)).astype(np.uint8)
        canvas.paste(Image.fromarray(grey.repeat(scale, axis=0).repeat(scale, axis=1)), (x, _HEAD))
    line = f"step {step + 1}     return {np.cumsum(frames.rewards)[step]:g}"
    pen.text((_EDGE, canvas.height - _HEAD + 8), line, _MUTED)
    if frames.probabilities is None:
        _entries(pen, left[3], frames, step)
    else:
        _chart(pen, left[3], frames, names, step)
    drawn: Picture = _palette()[np.asarray(canvas)]
    return drawn


def _chart(pen: ImageDraw.ImageDraw, left: int, frames: Frames, names: Sequence[str] | None, step: int) -> None:
    """Draws two bars an action, clean above attacked, and a mark at the action that was played."""
    assert frames.probabilities is not None
    assert frames.probabilities_clean is not None
    count = frames.probabilities.shape[1]
    shown = np.sort(np.argsort(-frames.probabilities.max(axis=0), kind="stable")[:_MOST_ACTIONS])
    pitch = min(34, _PANEL // len(shown))
    bar, start, length = max(3, pitch // 3), left + 92, _CHART - 92
    words = [str(action) for action in range(count)] if names is None or len(names) != count else names
    pen.text((left, 8), "action", _INK)
    for x, word, colour in ((start, "clean", _CLEAN), (start + 56, "attacked", _ATTACKED)):
        pen.rectangle((x, 12, x + 7, 19), colour)
        pen.text((x + 12, 8), word, _MUTED)
    for row, action in enumerate(shown):
        pen.text((left + 14, _HEAD + row * pitch + pitch // 2 - 7), words[action][:12], _INK)
        top = _HEAD + row * pitch + (pitch - 2 * bar) // 2
        for y, chances, colour in (
            (top, frames.probabilities_clean, _CLEAN),
            (top + bar, frames.probabilities, _ATTACKED),
        ):
            pen.rectangle((start, y, start + length - 1, y + bar - 1), _TRACK)
            if (filled := np.rint(chances[step, action] * length)) > 0:
                pen.rectangle((start, y, start + filled - 1, y + bar - 1), colour)
        if frames.actions[step] == action:
            for column in range(6):  # a triangle that points at the name
                x = left + 2 + column
                pen.line((x, top + bar - 6 + column, x, top + bar + 5 - column), _PLAYED)


def _entries(pen: ImageDraw.ImageDraw, left: int, frames: Frames, step: int) -> None:
    """Writes a continuous action, a line an entry: on the clean frame, on the attacked one, and as it was played."""
    assert frames.greedy_attacked is not None
    columns = {"clean": frames.greedy, "attacked": frames.greedy_attacked, "played": frames.actions}
    pen.text((left, 8), "action", _INK)
    for entry in range(min(frames.greedy[step].size, _MOST_ACTIONS)):
        pen.text((left, _HEAD + 14 * entry), str(entry), _INK)
    for x, (word, values) in zip((50, 115, 185), columns.items(), strict=True):
        pen.text((left + x, 8), word, _MUTED)
        for entry, value in enumerate(values[step].reshape(-1)[:_MOST_ACTIONS]):
            pen.text((left + x, _HEAD + 14 * entry), f"{float(value):+.2f}", _MUTED)


@cache
def _palette() -> Picture:
    greys = np.rint(np.arange(_GREYS) * (255 / (_GREYS - 1))).astype(np.uint8)[:, None].repeat(3, axis=1)
    return np.concatenate([greys, np.asarray(_COLOURS, dtype=np.uint8)])


@cache
def _font() -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"), 12)
