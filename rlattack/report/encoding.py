"""Films for browsers: H.264 where the `video` extra is there, else an animated GIF, and never a large one."""

import base64
import io
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from PIL import Image

from rlattack.arrays import IntArray
from rlattack.games.camera import Picture

LIMIT = 1_900_000
"""Bytes of a film; a page with several stays small enough to send."""
_MIMES = {".mp4": "video/mp4", ".gif": "image/gif"}
"""What film files hold, by their endings."""


@dataclass(frozen=True)
class Film:
    """An encoded film, and the ending of its file."""

    data: bytes
    suffix: str

    @property
    def mime(self) -> str:
        """What a browser is told that it holds."""
        return _MIMES[self.suffix]

    @property
    def moves(self) -> bool:
        """Whether it is a video, with controls, and not a picture that moves."""
        return self.mime.startswith("video/")

    @property
    def src(self) -> str:
        """An address that holds it."""
        return data_url(self.data, self.mime)


def data_url(raw: bytes, mime: str) -> str:
    """An address that holds what stands there."""
    return f"data:{mime};base64,{base64.b64encode(raw).decode()}"


def find_film(folder: Path, cell: str) -> Path | None:
    """The film of a cell in a folder of films, or None."""
    return next((path for suffix in _MIMES if (path := folder / f"{cell}{suffix}").is_file()), None)


def encode(
    total: int,
    fps: int,
    draw: Callable[[IntArray], Iterable[Picture]],
    options: Mapping[str, str] = MappingProxyType({}),
    limit: int = LIMIT,
) -> Film:
    """Makes a film: H.264 with the `video` extra, else an animated GIF.

    Pictures are left out, evenly, until the film is not larger than the limit; each that stays is shown longer.

    Args:
        total: Number of pictures.
        fps: Pictures a second.
        draw: Gives those of some numbers, each of shape (height, width, 3) with even sides.
        options: Of the H.264 encoder.
        limit: Bytes.
    """
    try:
        import av  # noqa: F401  # only whether it is there
    except ImportError:
        suffix, make = ".gif", _gif
    else:
        suffix, make = ".mp4", partial(_mp4, options={"preset": "veryfast", "threads": "1", **options})
    stride = 1
    while True:
        data = make(draw(np.arange(0, total, stride)), Fraction(fps, stride))
        if len(data) <= limit or stride >= total:
            return Film(data, suffix)
        stride *= math.ceil(len(data) / limit)


def _mp4(pictures: Iterable[Picture], rate: Fraction, *, options: dict[str, str]) -> bytes:
    import av

    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=rate, options=options)
        stream.pix_fmt = "yuv420p"
        for number, picture in enumerate(pictures):
            if number == 0:
                stream.height, stream.width = picture.shape[:2]
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return file.getvalue()


def _gif(pictures: Iterable[Picture], rate: Fraction) -> bytes:
    images = [Image.fromarray(picture).quantize(dither=Image.Dither.NONE) for picture in pictures]
    file = io.BytesIO()
    options: dict[str, Any] = {"append_images": images[1:], "duration": int(1000 / rate), "loop": 0}
    images[0].save(file, "GIF", save_all=True, optimize=False, **options)
    return file.getvalue()
