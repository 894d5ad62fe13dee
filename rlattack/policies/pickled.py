"""Pickles read as data: a pickle is a program, and of this one no class or function is ever looked up or called.

Whatever a pickle names becomes a `Record` of that name with what it would have been called with and given. Who reads
a file picks the few numbers that it knows out of the records.
"""

import io
import math
import pickle
import re
import struct
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from rlattack.errors import RefusedFile, one_line

_MOST = 64 * 2**20
"""Bytes of a pickle; those that hold statistics have thousands."""
_DTYPE = re.compile(r"[biuf][1248]")
"""Dtypes of plain numbers."""
_ANYTHING = re.compile(r".*", re.DOTALL)
_NUMPY = re.compile(r"numpy\.(_?core\.(multiarray|numeric)\.\w+|ndarray|dtype)|_codecs\.encode")
"""What pickles of arrays name."""


class Record:
    """Something that a pickle names, and that was not made.

    Attributes:
        name: Module and name, as `numpy.ndarray`; of the class, since pickles tell objects of a class from a call.
        args: What it would have been called with.
        state: What it would have been given afterwards.
        items: What would have been appended to it, or set in it.
    """

    name: ClassVar[str] = ""

    args: tuple[Any, ...]
    state: Any
    items: list[Any]

    def __new__(cls, *args: Any, **_: Any) -> "Record":
        """Makes one, whether the pickle calls it or has it made without a call."""
        made = super().__new__(cls)
        made.args, made.state, made.items = args, None, []
        return made

    def __init__(self, *_: Any, **__: Any) -> None:
        """Does nothing: it is made already."""

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def __setitem__(self, key: Any, value: Any) -> None:
        self.items.append((key, value))

    def append(self, item: Any) -> None:
        """Takes what would have been appended."""
        self.items.append(item)

    @property
    def fields(self) -> dict[str, Any]:
        """The named fields of its state; none where it has none."""
        parts = self.state if isinstance(self.state, tuple) else (self.state,)
        return {str(key): value for part in parts if isinstance(part, dict) for key, value in part.items()}


class _Reader(pickle._Unpickler):
    """The standard library's own reader in Python, whose memory a crafted file cannot blow up by a number in it."""

    def __init__(self, stream: io.BytesIO, stored: Callable[[Any], Any], only: re.Pattern[str]) -> None:
        super().__init__(stream, encoding="latin-1")
        self._stored, self._only = stored, only

    def find_class(self, module: str, name: str) -> type[Record]:
        """Makes a stand-in, and looks nothing up."""
        if not self._only.fullmatch(f"{module}.{name}"):
            raise RefusedFile(f"expected an array of numbers, got {module}.{name}; nothing in it was run")
        return type(name, (Record,), {"name": f"{module}.{name}"})

    def persistent_load(self, pid: Any) -> Any:
        """Hands out what lies beside the pickle."""
        return self._stored(pid)

    def _bytearray(self) -> None:
        """Takes as many bytes as there are: the standard one makes as many as it is told."""
        reader: Any = self  # whose stubs leave out what it reads with
        (size,) = struct.unpack("<Q", reader.read(8))
        reader.append(reader.read(min(size, _MOST)))

    dispatch: ClassVar[dict[int, Any]] = {**pickle._Unpickler.dispatch, pickle.BYTEARRAY8[0]: _bytearray}


def read_pickle(
    raw: bytes | io.BytesIO, where: str, stored: Callable[[Any], Any] | None = None,
    only: re.Pattern[str] = _ANYTHING,
) -> Any:  # fmt: skip
    """Reads a pickle without running anything in it.

    Args:
        raw: The whole pickle, or a stream that stands at one and is left behind it.
        where: What messages call it.
        stored: Finds what lies beside it, by its persistent id; none is known by default.
        only: What may be named in it.

    Returns:
        Numbers, strings, lists, tuples and dicts as they are; a `Record` for everything else.

    Raises:
        RefusedFile: Damaged, or larger than any that holds statistics.
    """

    def nothing(pid: Any) -> Any:
        raise RefusedFile("refers to what is not in it")

    stream = raw if isinstance(raw, io.BytesIO) else io.BytesIO(raw)
    if (size := stream.getbuffer().nbytes) > _MOST:
        raise RefusedFile(f"{where}: expected at most {_MOST:,} bytes, got {size:,}")
    try:
        return _Reader(stream, stored or nothing, only).load()
    except RefusedFile as error:
        raise RefusedFile(f"{where}: {error}") from error
    except (Exception, RecursionError) as error:  # whatever a crafted file provokes
        raise RefusedFile(f"{where}: not a pickle, or a damaged one ({one_line(error)})") from error


def array(thing: Any, where: str) -> npt.NDArray[Any]:
    """The numbers of an array or of a number, as a pickle holds them.

    Raises:
        RefusedFile: It holds anything else, or not as many as it says.
    """
    if isinstance(thing, np.ndarray):
        return thing
    if isinstance(thing, int | float):
        return np.asarray(thing)
    name, args = (thing.name, thing.args) if isinstance(thing, Record) else (type(thing).__name__, ())
    state = getattr(thing, "state", None)
    if name.endswith("multiarray._reconstruct") and isinstance(state, tuple) and len(state) == 5:
        _, shape, dtype, fortran, data = state
    elif name.endswith("numeric._frombuffer") and len(args) == 4:
        data, dtype, shape, order = args
        fortran = order == "F"
    elif name.endswith("multiarray.scalar") and len(args) == 2:
        (dtype, data), shape, fortran = args, (), False
    else:
        raise RefusedFile(f"{where}: expected an array of numbers, got {name}")
    kind = _dtype(dtype, where)
    data = _bytes(data)
    sizes = isinstance(shape, tuple) and all(isinstance(side, int) and side >= 0 for side in shape)
    if not sizes or not isinstance(data, bytes) or len(data) != kind.itemsize * math.prod(shape):
        raise RefusedFile(f"{where}: an array that does not hold what it says")
    return np.frombuffer(data, dtype=kind).reshape(shape, order="F" if fortran else "C").copy()


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
    stream = io.BytesIO(raw)
    found = array(read_pickle(stream, where, only=_NUMPY), where)
    if rest := len(stream.read()):
        raise RefusedFile(f"{where}: {rest} bytes after the end of the pickle")
    if found.dtype != np.dtype("<f4") or found.ndim != 1:
        raise RefusedFile(
            f"{where}: expected the pickle of one float32 array of one axis, got {found.dtype} of shape {found.shape}"
        )
    if not np.isfinite(found).all():
        raise RefusedFile(f"{where}: holds values that are not finite")
    return found.astype(np.float32)


def _bytes(thing: Any) -> Any:
    """Bytes, which the protocols of Python 2 write as text, or as a call that encodes it."""
    if isinstance(thing, Record) and thing.name in ("_codecs.encode", "__builtin__.bytes"):
        thing = thing.args[0] if thing.args else b""
    return thing.encode("latin-1", "replace") if isinstance(thing, str) else thing


def _dtype(thing: Any, where: str) -> np.dtype[Any]:
    words = getattr(thing, "args", ())
    name = words[0] if words else ""
    if not isinstance(name, str) or not _DTYPE.fullmatch(name):
        raise RefusedFile(f"{where}: expected an array of numbers, got one of {str(name)[:20] or 'something else'}")
    state = getattr(thing, "state", None)
    order = state[1] if isinstance(state, tuple) and len(state) > 1 and state[1] in ("<", ">") else "="
    return np.dtype(f"{order}{name}")
