"""Recorded perturbations: what was shown and what arrived in every step of whole episodes, as a zip of arrays.

`seed`, shape (1,), is that of the run; of each episode `shown.EPISODE`, shape (steps, *observation), is what the game
showed, and `received.EPISODE`, (steps, 4, entries) bytes, what arrived beside it (`rlattack.arrays.packed`).
"""

import hashlib
import io
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from rlattack.arrays import Array, IntArray, finite, packed, unpacked
from rlattack.errors import InvalidInput, RefusedFile
from rlattack.policies.archive import DEFLATE, LARGEST, Archive, add_member, array_bytes, read_file

_SEED = "seed"
_MEMBER = re.compile(r"(shown|received)\.(0|[1-9]\d{0,6})\.npy")
_UNPACKED, _PAGE = 64 * 1024**3, 2 * 1024**3
"""Bytes of all arrays together, and of one, of which no more than two are unpacked at once."""
_MOST = 2000
"""Episodes of one file."""


@dataclass(frozen=True)
class Page:
    """One episode of a seat: what it was shown, shape (steps, *observation), and what arrived, float32, of that shape.

    Attributes:
        shown: In the game's own type.
        received: What the player received in its place.
    """

    shown: Array
    received: npt.NDArray[np.float32]


class Recording:
    """Perturbations of whole episodes, from a file that may be anybody's; its episodes are unpacked one by one.

    Args:
        raw: What is in the file.
        where: What messages call it.

    Raises:
        RefusedFile: It is cut off, damaged, made to do harm, or no recording.
    """

    def __init__(self, raw: bytes, where: str) -> None:
        self._where = where
        self.sha256 = hashlib.sha256(raw).hexdigest()
        """Of the file."""
        self._archive = Archive(raw, self._where, largest=_UNPACKED, ratio=DEFLATE)
        found = [(name, _MEMBER.fullmatch(name)) for name in self._archive.names if name != f"{_SEED}.npy"]
        for name, match in found:
            if match is None:
                raise RefusedFile(f"{where}: {name}: expected a recording: seed, shown.EPISODE and received.EPISODE")
        numbers = sorted(int(match[2]) for _, match in found if match is not None)
        if not numbers or numbers[::2] != numbers[1::2]:
            raise RefusedFile(f"{where}: expected shown and received of each episode, and at least one")
        seed = self._archive.array(_SEED)
        if seed.shape != (1,) or seed.dtype.kind not in "iu" or not 0 <= int(seed[0]) < 2**63:
            raise RefusedFile(f"{where}: seed: expected one whole number, 0 or more")
        self.seed = int(seed[0])
        """Of the run."""
        self.episodes = tuple(numbers[::2])
        """Numbers of the episodes, in order."""

    @classmethod
    def read(cls, path: Path) -> Self:
        """Reads a file; errors as of the class."""
        return cls(read_file(path), str(path))

    def page(self, episode: int) -> Page:
        """Unpacks one episode.

        Raises:
            RefusedFile: Arrays that do not fit each other, or hold what is no finite number.
        """
        shown, planes = (self._archive.array(f"{name}.{episode}", _PAGE) for name in ("shown", "received"))
        like = (len(shown), 4, int(np.prod(shown.shape[1:]))) if shown.ndim > 1 else None
        if planes.shape != like or planes.dtype != np.uint8 or shown.dtype.kind not in "biuf":
            raise RefusedFile(f"{self._where}: episode {episode}: expected numbers, and 4 bytes of each that arrived")
        page = Page(shown, unpacked(planes, shown))
        if not (finite(shown).all() and finite(page.received).all()):
            raise RefusedFile(f"{self._where}: episode {episode}: holds what is no finite number")
        return page


def recording_bytes(seed: int, pages: Mapping[int, Page], largest: int = LARGEST) -> bytes:
    """The file of perturbations: equal ones are equal files.

    Args:
        seed: Of the run.
        pages: Of each episode, by its number; asked for one by one.
        largest: Bytes of the file.

    Raises:
        InvalidInput: More than a file may hold.
    """
    if len(pages) > _MOST:
        raise InvalidInput(f"expected at most {_MOST:,} episodes of perturbations, got {len(pages):,}; play fewer")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        add_member(file, f"{_SEED}.npy", array_bytes(np.asarray([seed], dtype=np.int64)))
        for episode in sorted(pages):
            page = pages[episode]
            planes = [packed(*step) for step in zip(page.received, page.shown, strict=True)]
            add_member(file, f"shown.{episode}.npy", array_bytes(page.shown))
            add_member(file, f"received.{episode}.npy", array_bytes(np.stack(planes)))
        unpacked_size = sum(member.file_size for member in file.infolist())
    if buffer.tell() > largest or unpacked_size > _UNPACKED:
        raise InvalidInput(
            f"perturbations of {buffer.tell():,} bytes ({unpacked_size:,} unpacked): expected at most {largest:,} "
            f"({_UNPACKED:,}); play fewer --episodes or --max-steps, or pixels as whole bytes by --grid"
        )
    return buffer.getvalue()


def steps_of(page: Page) -> IntArray:
    """Numbers of the steps of an episode in which something else arrived than was shown."""
    apart = (page.received != page.shown.astype(np.float32)).reshape(len(page.shown), -1)
    found: IntArray = np.flatnonzero(apart.any(axis=1))
    return found
