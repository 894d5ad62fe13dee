"""Arrays that a run keeps for when it goes on: packed, written whole, and read without running code."""

import io
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from zipfile import ZIP_DEFLATED, BadZipFile, ZipFile

import numpy as np

from rlattack.arrays import Array
from rlattack.errors import RefusedFile
from rlattack.files import write_whole


def save_arrays(path: Path, arrays: Mapping[str, Array]) -> None:
    """Writes arrays by their names, pictures in a small part of their size.

    Raises:
        Unwritable: The disk is full, or the place cannot be written.
    """
    buffer = io.BytesIO()
    with ZipFile(buffer, "w", ZIP_DEFLATED, compresslevel=1) as packed:
        for name, part in arrays.items():
            with packed.open(f"{name}.npy", "w", force_zip64=True) as one:
                np.lib.format.write_array(one, part, allow_pickle=False)
    write_whole(path, buffer.getvalue())


def load_arrays(path: Path, names: Sequence[str], what: str) -> list[Array]:
    """Reads arrays.

    Args:
        path: As it was written.
        names: Of the arrays.
        what: The file is, for messages.

    Raises:
        RefusedFile: It is not there, or damaged.
    """
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as found:
            return [found[name] for name in names]
    except (OSError, ValueError, KeyError, BadZipFile, zlib.error) as error:
        raise RefusedFile(f"{path}: expected {what} of this run, got none that can be read; begin anew") from error
