"""The ledger of a cell: what others need to check it without the attack, in one file; its form, read and written.

A ledger is a zip: `ledger.json` says what was played and what came of it; every other member is an array in NumPy's
own form, `NAME.npy`, of which each step, or each sampled step, of the episodes in order has a row:

- `rewards` (seats,); of every seat s `action.s`, as the game was given it, and `acting.s`, whether it was its turn;
- of a seat whose world is attacked `world.s` (parameters,), what the engine's numbers say of them, float32;
- of an attacked seat `sizes.s` (the sizes of all its attacks in order, float32), `legal.s`, `changed.s`, `moved.s`;
- of sampled steps `sampled` (episode, step), and of every seat `shown.s`, `received.s`, `chosen.s`, `said.s.FIELD` (its
  distribution), and where there is such `allowed.s` (legal actions) and `before.s` (the memory of who plays).

`received.s` is (4, entries) bytes: those of each float32, exclusive-or those of what was shown, so that what is not
changed is 0. No step depends on how many workers played.
"""

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rlattack.arrays import Array, IntArray
from rlattack.draws import ledger_seed
from rlattack.errors import ContentError, RefusedFile
from rlattack.files import write_whole
from rlattack.policies.archive import DEFLATE, Archive, add_member, array_bytes, read_file

SCHEMA = "rlattack/ledger/1"
SHARE = 0.02
"""Of steps that are sampled."""
_ROOM = 1024**2
"""Bytes of what one seat receives in the sampled steps of an episode, at most; one step at least."""
_SAID = "ledger.json"
_LARGEST = 4 * 1024**3
Arrays = dict[str, Array]


@dataclass(frozen=True)
class Ledger:
    """The ledger of a cell.

    Attributes:
        said: What stands in `ledger.json`: `key`, `identity` (of which the key is the digest), `about` (names, and what
            decides no play), `share` and `most` (of sampled steps), and `episodes` as they are kept.
        arrays: By name.
    """

    said: Mapping[str, Any]
    arrays: Mapping[str, Array]

    @property
    def lengths(self) -> list[int]:
        """Steps of each episode."""
        return [int(one["length"]) for one in self.said["episodes"]]

    def only(self, count: int) -> "Ledger":
        """The first episodes of it, so many."""
        if count >= len(self.lengths):
            return self
        steps, rows = sum(self.lengths[:count]), int((self.arrays["sampled"][:, 0] < count).sum())
        there = {name: values[: rows if of_samples(name) else steps] for name, values in self.arrays.items()}
        return Ledger({**self.said, "episodes": self.said["episodes"][:count]}, there)


def of_samples(name: str) -> bool:
    """Whether an array has a row a sampled step, and not a row a step."""
    return name.partition(".")[0] in ("sampled", "shown", "received", "chosen", "said", "allowed", "before")


def most_sampled(entries: int) -> int:
    """How many steps of an episode are sampled at most, of seats that see so many entries."""
    return max(1, _ROOM // (4 * entries))


def sampled_steps(seed: int, episode: int, length: int, most: int) -> IntArray:
    """The steps of an episode that are sampled, at least one: each by its own draw, of too many the smallest.

    Args:
        seed: Of the run.
        episode: Its number.
        length: Its steps.
        most: As `most_sampled` says.
    """
    drawn = chances(seed, episode).random(length)
    count = min(most, max(1, int((drawn < SHARE).sum())))
    return np.sort(np.argsort(drawn, kind="stable")[:count])


def chances(seed: int, episode: int) -> np.random.Generator:
    """What draws a number a step of an episode of a run; one below `SHARE` samples the step."""
    return np.random.default_rng(ledger_seed(seed, episode))


def write_ledger(path: Path, ledger: Ledger) -> None:
    """Writes a ledger whole; equal ones are equal files.

    Raises:
        Unwritable: The folder cannot be written.
    """
    said = {"schema": SCHEMA, **{name: value for name, value in ledger.said.items() if name != "schema"}}
    said["checksum"] = checksum(said, ledger.arrays)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        add_member(file, _SAID, json.dumps(said, allow_nan=False).encode())
        for name, values in sorted(ledger.arrays.items()):
            add_member(file, f"{name}.npy", array_bytes(values))
    write_whole(path, buffer.getvalue())


def read_ledger(path: Path) -> Ledger:
    """Reads a ledger that may be anybody's.

    Raises:
        RefusedFile: Cut off, damaged, made to do harm, or of another checksum than it says.
        ContentError: Of a schema that nobody reads.
    """
    archive = Archive(read_file(path), str(path), largest=_LARGEST, ratio=DEFLATE)
    try:
        said = json.loads(archive.read(_SAID), parse_constant=_refuse)
        schema = said["schema"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise RefusedFile(f"{path}: {_SAID} cannot be read ({error}); play the cell again with --ledger") from error
    if schema != SCHEMA:
        raise ContentError(f"{path}: expected schema {SCHEMA!r}, got {schema!r}: a ledger of another version")
    arrays: Arrays = {}
    for name in archive.names:
        if name != _SAID:
            arrays[name.removesuffix(".npy")] = archive.array(name.removesuffix(".npy"))
    if said.get("checksum") != checksum(said, arrays):
        raise RefusedFile(f"{path}: another checksum than it says: damaged, or edited")
    return Ledger(said, arrays)


def checksum(said: Mapping[str, Any], arrays: Mapping[str, Array]) -> str:
    """Digest of all that a ledger holds, but the checksum itself."""
    found = hashlib.sha256()
    told = {name: value for name, value in said.items() if name != "checksum"}
    found.update(json.dumps(told, sort_keys=True).encode())
    for name, values in sorted(arrays.items()):
        found.update(name.encode() + array_bytes(values))
    return found.hexdigest()


def joined(parts: list[Mapping[str, Array]]) -> Arrays:
    """The arrays of episodes one after another."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def write_part(path: Path, arrays: Mapping[str, Array]) -> None:
    """Keeps the arrays of one episode until its cell ends."""
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    write_whole(path, buffer.getvalue())


def read_part(path: Path) -> Arrays:
    """The arrays of one episode."""
    with np.load(path, allow_pickle=False) as file:
        return dict(file)


def _refuse(constant: str) -> object:
    raise ValueError(f"{constant} is no JSON")
