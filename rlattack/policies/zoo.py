"""The agent zoo of Bansal et al. 2018 (Emergent Complexity via Multi-Agent Competition): names, checksums, download."""

import hashlib
import http.client
import os
import tomllib
import urllib.request
from pathlib import Path
from typing import NamedTuple
from urllib.error import HTTPError
from urllib.parse import urlsplit

from rlattack.errors import InvalidInput, RefusedFile, UnknownName, nearest
from rlattack.policies.archive import read_file

REPOSITORY = "github.com/openai/multiagent-competition"
ADDRESS = "https://raw.githubusercontent.com/openai/multiagent-competition/master/agent-zoo"
LARGEST = 4 * 1024**2
"""Bytes; the largest file of the zoo has 1.5 MB."""
_PATIENCE = 30.0


class ZooFile(NamedTuple):
    """A file of the zoo."""

    path: str
    """Below `agent-zoo/`."""
    sha256: str


ZOO = {
    f"{seat}-v{version}": ZooFile(about["path"].format(version), digest)
    for seat, about in tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8")).items()
    for version, digest in enumerate(about["sha256"], start=1)
}
"""`you-shall-not-pass/runner-v1` and so on."""


def fetch(source: str, base: str = ADDRESS) -> tuple[str, bytes]:
    """Reads a file, or downloads it into memory.

    Args:
        source: A path, an http(s) address, or a name in `ZOO`.
        base: Where the zoo's files lie.

    Returns:
        Name of the file, without folders, and what it holds.

    Raises:
        UnknownName: Neither a file nor an agent of the zoo.
        InvalidInput: It cannot be downloaded.
        RefusedFile: Too large, unreadable, or not the file of the zoo that the name or the address promises.
    """
    address = source
    if source in ZOO and not os.path.isfile(source):
        address = f"{base}/{ZOO[source].path}"
    if address.startswith(("http://", "https://")):
        raw, place = download(address), urlsplit(address).path
        digest = hashlib.sha256(raw).hexdigest()
        for file in ZOO.values():  # another place promises nothing
            if place.endswith(f"/{file.path}") and digest != file.sha256:
                raise RefusedFile(
                    f"{address}: sha256 is {digest[:12]}, of the zoo's file {file.sha256[:12]}: damaged or replaced"
                )
        return Path(place).name, raw
    if not os.path.exists(source):  # unlike Path, false too for what no system takes as a path
        hint = nearest(source, ZOO) or ", such as you-shall-not-pass/runner-v1"
        raise UnknownName(f"no file and no agent of the zoo {source[:60]!r}{hint}")
    path = Path(source)
    raw = read_file(path)
    if len(raw) > LARGEST:
        raise _too_large(source)
    return path.name, raw


def zoo_name(raw: bytes) -> str:
    """Returns the name of a file of the zoo, told by its checksum; empty for any other."""
    digest = hashlib.sha256(raw).hexdigest()
    return next((name for name, file in ZOO.items() if file.sha256 == digest), "")


def download(address: str, patience: float = _PATIENCE) -> bytes:
    """Returns what lies at an http(s) address.

    Args:
        address: Where.
        patience: Seconds to wait for an answer, and for each next piece of it.

    Raises:
        InvalidInput: It cannot be had.
        RefusedFile: Larger than `LARGEST`.
    """
    try:
        with urllib.request.urlopen(address, timeout=patience) as response:
            raw: bytes = response.read(LARGEST + 1)
    except HTTPError as error:
        error.close()
        raise InvalidInput(f"{address}: cannot be downloaded (HTTP {error.code} {error.reason})") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = str(getattr(error, "reason", error)) or type(error).__name__
        raise InvalidInput(f"{address}: cannot be downloaded ({reason}); name a file of yours by its path") from error
    if len(raw) > LARGEST:
        raise _too_large(address)
    return raw


def _too_large(where: str) -> RefusedFile:
    return RefusedFile(f"{where}: more than {LARGEST // 1024**2} MB, no agent of the zoo has so many")
