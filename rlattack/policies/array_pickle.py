"""The pickle of one array, read as data: a pickle is a program, and this runs none of it."""

import pickletools
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from rlattack.errors import RefusedFile

_PROGRAM = (
    "GLOBAL numpy.core.multiarray _reconstruct", "GLOBAL numpy ndarray", "INT 0", "TUPLE1", "BYTES b", "TUPLE3",
    "REDUCE", "MARK", "INT 1", "INT *", "TUPLE1", "GLOBAL numpy dtype", "TEXT f4", "INT 0", "INT 1", "TUPLE3",
    "REDUCE", "MARK", "INT 3", "TEXT <", "NONE", "NONE", "NONE", "INT -1", "INT -1", "INT 0", "TUPLE", "BUILD",
    "INT 0", "BYTES *", "TUPLE", "BUILD", "STOP",
)  # fmt: skip
"""All that numpy writes (protocol 3) for one axis of little-endian float32; its length and its bytes are left open."""
_KINDS = {
    "BININT": "INT", "BININT1": "INT", "BININT2": "INT", "NEWFALSE": "INT", "NEWTRUE": "INT",
    "SHORT_BINBYTES": "BYTES", "BINBYTES": "BYTES", "BINUNICODE": "TEXT",
}  # fmt: skip
_SILENT = ("PROTO", "BINPUT", "LONG_BINPUT")
"""What leaves the stack as it is; nothing here reads what the last two remember."""
_SHOWN = 40


def read_array(raw: bytes, where: str) -> npt.NDArray[np.float32]:
    """Reads the pickle of one float32 array of one axis.

    Args:
        raw: The whole file.
        where: What messages call it.

    Returns:
        Shape (entries,).

    Raises:
        RefusedFile: The pickle of anything else, damaged, or with values that are not finite.
    """
    steps = _steps(raw, where)
    count, data, end = 0, b"", 0
    for expected in _PROGRAM:
        kind, value, end = next(steps)
        if expected == "INT *" and kind == "INT" and isinstance(value, int):
            count = value
        elif expected == "BYTES *" and kind == "BYTES" and isinstance(value, bytes):
            data = value
        elif (got := _text(kind, value)) != expected:
            raise RefusedFile(
                f"{where}: expected the pickle of one float32 array, got {got!r} at byte {end}; nothing in it was run"
            )
    if len(raw) > end + 1:
        raise RefusedFile(f"{where}: {len(raw) - end - 1} bytes after the end of the pickle")
    if len(data) != 4 * count:
        raise RefusedFile(f"{where}: expected {count} floats, got {len(data)} bytes")
    array = np.frombuffer(data, dtype="<f4").astype(np.float32)
    if not np.isfinite(array).all():
        raise RefusedFile(f"{where}: holds values that are not finite")
    return array


def _steps(raw: bytes, where: str) -> Iterator[tuple[str, object, int]]:
    """Steps of the program: kind, argument, and the byte where it stands."""
    try:
        for opcode, argument, place in pickletools.genops(raw):
            if opcode.name not in _SILENT:
                value = {"NEWFALSE": 0, "NEWTRUE": 1}.get(opcode.name, argument)
                yield _KINDS.get(opcode.name, opcode.name), value, place or 0
    except Exception as error:  # whatever a crafted file provokes in the tokeniser
        raise RefusedFile(f"{where}: not a pickle, or a truncated one ({error})") from error


def _text(kind: str, value: object) -> str:
    """A step in one line; numpy 2 gives another name to the module that a file of 2018 calls `numpy.core`."""
    if isinstance(value, bytes | str):
        text = value if isinstance(value, str) else value[:_SHOWN].decode("latin-1")
        value = text[:_SHOWN].replace("numpy._core.", "numpy.core.")
    return kind if value is None else f"{kind} {value}"
