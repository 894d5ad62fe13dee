"""Files that are whole or absent, whenever the process dies; and what TensorBoard writes, on a disk that fills."""

import contextlib
import os
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from rlattack.errors import Unwritable


def write_whole(path: Path, raw: bytes) -> None:
    """Writes a file beside and renames it; makes its folder where that is missing.

    Raises:
        Unwritable: The disk is full, or the place cannot be written; an older file stays as it was.
    """
    with writing_whole(path) as file:
        file.buffer.write(raw)  # type: ignore[attr-defined]  # a file of text stands on one of bytes


@contextlib.contextmanager
def writing_whole(path: Path) -> Iterator[IO[str]]:
    """Gives a text file (UTF-8) to write piece by piece, and puts it in its place when all was written.

    Raises:
        Unwritable: The disk is full, or the place cannot be written; an older file stays as it was.
    """
    beside = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(beside, 0o644)
        os.replace(beside, path)
    except BaseException as error:
        if beside is not None:
            with contextlib.suppress(OSError):
                os.unlink(beside)
        if isinstance(error, OSError):
            raise _unwritable(path, error) from error
        raise


@contextlib.contextmanager
def writing_events(run: Path) -> Iterator[None]:
    """Makes one error of a full disk, which TensorBoard meets in a thread, prints there, and lets through here.

    Raises:
        Unwritable: The disk is full.
    """
    before = threading.excepthook

    def hook(args: threading.ExceptHookArgs) -> None:
        if not isinstance(args.exc_value, OSError):
            before(args)

    threading.excepthook = hook
    try:
        yield
    except OSError as error:
        if isinstance(error, Unwritable):
            raise
        raise _unwritable(run, error) from error
    finally:
        threading.excepthook = before


def _unwritable(path: Path, error: OSError) -> Unwritable:
    reason = error.strerror or str(error)
    found = Unwritable(f"{path}: cannot be written ({reason}); what was finished before is kept")
    found.strerror = reason
    return found
