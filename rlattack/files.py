"""Files that are whole or absent, whenever the process dies."""

import contextlib
import os
import tempfile
from pathlib import Path

from rlattack.errors import Unwritable

__all__ = ["write_whole"]


def write_whole(path: Path, raw: bytes) -> None:
    """Writes a file beside and renames it; makes its folder where that is missing.

    Raises:
        Unwritable: The disk is full, or the place cannot be written; an older file stays as it was.
    """
    beside = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "wb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(beside, 0o644)
        os.replace(beside, path)
    except BaseException as error:
        if beside is not None:
            with contextlib.suppress(OSError):
                os.unlink(beside)
        if isinstance(error, OSError):
            reason = error.strerror or str(error)
            problem = Unwritable(f"{path}: cannot be written ({reason}); what was finished before is kept")
            problem.strerror = reason
            raise problem from error
        raise
