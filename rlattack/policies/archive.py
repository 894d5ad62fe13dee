"""Files that strangers wrote: read whole but bounded, and zips opened only after every name and size was checked."""

import io
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np

from rlattack.arrays import Array
from rlattack.errors import RefusedFile

LARGEST = 512 * 1024**2
"""Bytes of a file, and of everything in a zip together when unpacked."""
_MOST_MEMBERS = 4096
_LARGEST_RATIO = 200
"""Weights and JSON compress by less; deflate alone reaches 1000, so a bomb is far above."""
DEFLATE = 1100
"""More than deflate can shrink anything: the ratio of what may be nothing but zeros."""
_RATIO_FROM = 1024**2
"""Bytes below which no ratio does harm."""
_ENTRY = b"PK\x01\x02"
_DAMAGED = (
    zipfile.BadZipFile, zlib.error, struct.error, NotImplementedError, RuntimeError, ValueError, OSError, EOFError,
)  # fmt: skip


def read_file(path: Path) -> bytes:
    """Reads a file that may be anybody's.

    Raises:
        RefusedFile: Not a regular file, larger than `LARGEST`, or unreadable.
    """
    try:
        if not path.is_file():
            raise RefusedFile(f"{path}: expected a file, {'this is a folder' if path.is_dir() else 'there is none'}")
        if (size := path.stat().st_size) > LARGEST:
            raise RefusedFile(f"{path}: {_mb(size)}, expected at most {_mb(LARGEST)}")
        return path.read_bytes()
    except OSError as error:
        raise RefusedFile(f"{path}: cannot be read ({error.strerror})") from error


class Archive:
    """A zip in memory whose members have harmless names and sizes, read one by one and never unpacked to disk.

    Args:
        raw: The whole zip.
        where: What messages call it.
        largest: Bytes of everything in it together; `LARGEST` by default.
        ratio: By how much its members may grow.

    Raises:
        RefusedFile: Not a zip, damaged, encrypted, or made to do harm.
    """

    def __init__(self, raw: bytes, where: str, *, largest: int | None = None, ratio: int = _LARGEST_RATIO) -> None:
        self._where, self._ratio = where, ratio
        self._largest = largest = LARGEST if largest is None else largest
        if raw.count(_ENTRY) > _MOST_MEMBERS:  # before zipfile makes an object of each
            raise RefusedFile(f"{where}: more than {_MOST_MEMBERS} members, no agent has so many")
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(raw))
        except _DAMAGED as error:
            raise RefusedFile(f"{where}: not a zip, or a truncated one ({error})") from error
        members = self._zip.infolist()
        if min((member.header_offset for member in members), default=0) > 0:  # the directory of a zip within the zip
            raise RefusedFile(f"{where}: truncated, or something stands before the zip")
        self.names = [member.filename for member in members]
        """Names of all members, in the order of the zip."""
        for member in members:
            self._check(member)
        if len(set(self.names)) < len(members):
            raise RefusedFile(f"{where}: two members of the same name")
        if (total := sum(member.file_size for member in members)) > largest:
            raise RefusedFile(f"{where}: {_mb(total)} when unpacked, expected at most {_mb(largest)}")

    def read(self, name: str, largest: int | None = None) -> bytes:
        """Reads one member, no more than it declared, and checks its checksum.

        Raises:
            RefusedFile: No such member, larger than `largest`, damaged, or not of the declared size.
        """
        largest = self._largest if largest is None else largest
        if name not in self.names:
            raise RefusedFile(f"{self._where}: expected a member {name!r}, got {', '.join(self.names[:6]) or 'none'}")
        member = self._zip.getinfo(name)
        if member.file_size > largest:
            raise RefusedFile(f"{self._where}: {name} has {_mb(member.file_size)}, expected at most {_mb(largest)}")
        try:
            with self._zip.open(member) as file:
                raw = file.read(member.file_size + 1)
        except _DAMAGED as error:
            raise RefusedFile(f"{self._where}: {name} is damaged ({error})") from error
        if len(raw) != member.file_size:
            raise RefusedFile(f"{self._where}: {name} has {len(raw)} bytes, its header says {member.file_size}")
        return raw

    def array(self, name: str, largest: int | None = None) -> Array:
        """Reads the array NAME.npy.

        Raises:
            RefusedFile: As of `read`, or it is no array of numbers.
        """
        try:
            return np.lib.format.read_array(io.BytesIO(self.read(f"{name}.npy", largest)), allow_pickle=False)
        except (ValueError, EOFError, OSError, SyntaxError, MemoryError, OverflowError) as error:
            raise RefusedFile(f"{self._where}: {name}.npy is no array ({error})") from error

    def _check(self, member: zipfile.ZipInfo) -> None:
        name = member.orig_filename  # as written: zipfile cuts `filename` at a null byte
        if name.startswith("/") or ".." in name.split("/") or any(c in name for c in "\\:\0") or not name:
            raise RefusedFile(f"{self._where}: member {name!r} points outside the zip")
        if member.flag_bits & 1:
            raise RefusedFile(f"{self._where}: member {name!r} is encrypted")
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise RefusedFile(f"{self._where}: member {name!r} is packed by method {member.compress_type}, not deflate")
        if member.file_size > max(_RATIO_FROM, self._ratio * member.compress_size):
            raise RefusedFile(
                f"{self._where}: member {name!r} grows from {member.compress_size} bytes to {_mb(member.file_size)}: "
                "a zip bomb"
            )


def add_member(file: zipfile.ZipFile, name: str, raw: bytes) -> None:
    """Adds a member without a date, so that equal zips are equal files."""
    member = zipfile.ZipInfo(name)
    member.compress_type = zipfile.ZIP_DEFLATED
    file.writestr(member, raw)


def array_bytes(values: Array) -> bytes:
    """An array in NumPy's own form, which `Archive.array` reads as NAME.npy."""
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.ascontiguousarray(values), allow_pickle=False)
    return buffer.getvalue()


def _mb(size: int) -> str:
    return f"{size / 1024**2:,.1f} MB"
