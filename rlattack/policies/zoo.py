"""The agent zoo of Bansal et al. 2018 (Emergent Complexity via Multi-Agent Competition): names, checksums, download."""

import hashlib
import http.client
import os
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
_FILES = (
    (
        "kick-and-defend/keeper",
        "kick-and-defend/defender/agent2_parameters-v{}.pkl",
        "525689ed9bf5e0bd99b84624781760f2de7faa41638c82bab674322bd85093ed",
        "5d0f271fe18d7a7f713af5827ad014ff0bd49d93149932f3eb052001b18f9182",
        "1e6975eede302adf254c2c61e4b16673bdece4c64fcd8f15481a54c702dba558",
    ),
    (
        "kick-and-defend/kicker",
        "kick-and-defend/kicker/agent1_parameters-v{}.pkl",
        "4f3f79909cc13960637672e8065fa3c6f38a68ee23703741f5dda6dbc0548fef",
        "4bdbda77beec972c534781cd0b7b6ed4f35b29b7a6dcb351a8da1c278f2a3e30",
        "f2decea19d00a9f7952c9e1c47c73e5af719ecc1c41b1545cff33286dcc0f9c3",
    ),
    (
        "run-to-goal-ants/left",
        "run-to-goal/ants/agent2_parameters-v{}.pkl",
        "a4993568758d7eb48317a5051c87df242cc6e37f205319a32535250f4a950785",
    ),
    (
        "run-to-goal-ants/right",
        "run-to-goal/ants/agent1_parameters-v{}.pkl",
        "a4952a461f762fa55973a113b42f1a797e6e2a3e45183b7eabc5181d9a90bc1c",
    ),
    (
        "run-to-goal-humans/left",
        "run-to-goal/humans/agent2_parameters-v{}.pkl",
        "c7f30c19a2cdc05942572ff006d68003832f8680acea77504d5fc5fa9311423e",
    ),
    (
        "run-to-goal-humans/right",
        "run-to-goal/humans/agent1_parameters-v{}.pkl",
        "bb68dfeaf4b51872ca63c8e0e5d9c0594e9296e5f869a2a2f741a5cb4d3cd5d8",
    ),
    (
        "sumo-ants/agent",
        "sumo/ants/agent_parameters-v{}.pkl",
        "c7c6d3104506bbd7ee69abe94746646f2bd9a377c168a6136b05a1e61cf00881",
        "10a6357fd1854e7ee390acff9c7fe9501c68aba64cc17efd15d78929bf3e7050",
        "a4ecc6a75b25e9dce8dbd555f557dc8b4811eafd0e96b752a62eb3e4f890279d",
        "5c79b84f30bd8b783e1b217d8b90c9f460d64a1a1174d075ccb204e66935eda1",
    ),
    (
        "sumo-humans/agent",
        "sumo/humans/agent_parameters-v{}.pkl",
        "cf2d4f4e67e0d50bdfcd7e053c2791362600255fc95b4a50b13177973cc63083",
        "ceb4716093db34ea3889af7f577888bb7420749bae41ac8c7042d10c13cbc8da",
        "e56d0b452f873a0a1f1ae27c07fe1709a246729731f0f1a0182d651784bbae7e",
    ),
    (
        "you-shall-not-pass/blocker",
        "you-shall-not-pass/agent1_parameters-v{}pkl",
        "eba00a1165b7b17f32b33d3e1062da1a0b2c4b822b76718db4f207cbcef64b7e",
    ),
    (
        "you-shall-not-pass/runner",
        "you-shall-not-pass/agent2_parameters-v{}.pkl",
        "4918ddfca5828c2455c75e7b9def6a801567abc5b68cad34e038c22c2fbfdf6a",
    ),
)
"""Game and seat (`agent` for either), path, and the sha256 of version 1, 2, ..."""


class ZooFile(NamedTuple):
    """A file of the zoo."""

    path: str
    """Below `agent-zoo/`."""
    sha256: str


ZOO = {
    f"{seat}-v{version}": ZooFile(path.format(version), digest)
    for seat, path, *digests in _FILES
    for version, digest in enumerate(digests, start=1)
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
        raw = download(address)
        place = urlsplit(address).path
        _check(raw, address, place)
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


def _check(raw: bytes, address: str, place: str) -> None:
    """Holds a download against the zoo's file of that place; another place promises nothing."""
    digest = hashlib.sha256(raw).hexdigest()
    for file in ZOO.values():
        if place.endswith(f"/{file.path}") and digest != file.sha256:
            raise RefusedFile(
                f"{address}: sha256 is {digest[:12]}, of the zoo's file {file.sha256[:12]}: damaged or replaced"
            )


def _too_large(where: str) -> RefusedFile:
    return RefusedFile(f"{where}: more than {LARGEST // 1024**2} MB, no agent of the zoo has so many")
