"""Agent folders: `agent.toml` and `policy.safetensors`, written whole or not at all, read without running code."""

import dataclasses
import hashlib
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tomli_w
import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from rlattack.content import find_card, iterate_cards, read_card
from rlattack.errors import ContentError, RefusedFile, Unwritable
from rlattack.games.card import parse_table
from rlattack.policies.network import Network, NetworkSpec

__all__ = ["SCHEMA", "AgentCard", "agent_cards", "find_agent", "load_agent", "read_agent_card", "save_agent"]

SCHEMA = "rlattack/agent/1"
WEIGHTS = "policy.safetensors"
_LARGEST = 512 * 1024**2


@dataclass(frozen=True, kw_only=True)
class AgentCard:
    """What `agent.toml` says: which game, which network, where it comes from, how well it plays."""

    game: str
    role: str
    algorithm: str
    network: NetworkSpec
    sha256: str = ""
    """Of `policy.safetensors`."""
    temperature: float = 1.0
    """Of the softmax that turns Q values into a distribution."""
    options: dict[str, Any] = field(default_factory=dict)
    """The `[game_options]` this agent was trained with, where they differ from the game's card."""
    provenance: dict[str, Any] = field(default_factory=dict)
    """Command, seed, versions, source, licence: whatever says where the weights come from."""
    score: dict[str, Any] = field(default_factory=dict)
    """Mean return with interval, episodes, protocol and command."""


def read_agent_card(folder: Path) -> AgentCard:
    """Reads the card of an agent folder.

    Raises:
        ContentError: No card, or one that does not hold what it must.
    """
    path = folder / "agent.toml"
    if not path.is_file():
        raise ContentError(f"{folder}: expected an agent folder with agent.toml and {WEIGHTS}")
    table = read_card(path, SCHEMA)
    if table is None:
        raise ContentError(f"{path}: expected schema = {SCHEMA!r}")
    table = {key: value for key, value in table.items() if key != "schema"}
    network = table.pop("network", None)
    if isinstance(network, dict) and isinstance(network.get("convolutions"), list):
        network = network | {"convolutions": tuple(tuple(layer) for layer in network["convolutions"])}
    tables = {name: table.pop(name, {}) for name in ("options", "provenance", "score")}
    known = {f.name for f in dataclasses.fields(AgentCard)}
    unknown = [key for key in table if key not in known]
    missing = [key for key in ("game", "role", "algorithm") if not isinstance(table.get(key), str)]
    if unknown or missing:
        raise ContentError(f"{path}: " + (f"unknown key {unknown[0]!r}" if unknown else f"{missing[0]} is missing"))
    return AgentCard(network=parse_table(NetworkSpec, network, f"{path}: [network]"), **table, **tables)


def load_agent(folder: Path) -> tuple[AgentCard, Network]:
    """Loads an agent folder: checks the digest, builds the network, fills it strictly.

    Raises:
        ContentError: The card is wrong.
        RefusedFile: The weights are missing, damaged, not finite, or of another network.
    """
    card = read_agent_card(folder)
    path = folder / WEIGHTS
    try:
        if path.stat().st_size > _LARGEST:
            raise RefusedFile(f"{path}: larger than 512 MB, no agent of ours is")
        raw = path.read_bytes()
    except OSError as error:
        raise RefusedFile(f"{path}: cannot be read ({error.strerror})") from error
    if card.sha256 and (digest := hashlib.sha256(raw).hexdigest()) != card.sha256:
        raise RefusedFile(f"{path}: sha256 is {digest[:12]}..., the card says {card.sha256[:12]}...: damaged or replaced")
    try:
        state = {name: tensor.float() for name, tensor in load_tensors(raw).items()}
    except SafetensorError as error:
        raise RefusedFile(f"{path}: not a readable safetensors file ({error})") from error
    return card, build(card.network, state, str(path))


def build(spec: NetworkSpec, state: dict[str, torch.Tensor], where: str) -> Network:
    """Builds a network and fills it strictly.

    Raises:
        RefusedFile: Tensors that are missing, left over, of another shape or not finite.
    """
    network = Network(spec)
    expected = network.state_dict()
    for name in expected.keys() | state.keys():
        got = tuple(state[name].shape) if name in state else None
        want = tuple(expected[name].shape) if name in expected else None
        if got != want:
            raise RefusedFile(f"{where}: tensor {name}: expected shape {want}, got {got}")
        if not torch.isfinite(state[name]).all():
            raise RefusedFile(f"{where}: tensor {name} holds values that are not finite")
    network.load_state_dict(state, strict=True)
    return network.eval().requires_grad_(False)


def save_agent(folder: Path, card: AgentCard, network: Network, *, half: bool = True) -> AgentCard:
    """Writes an agent folder: both files beside, then renamed; weights first, in half precision by default.

    Returns:
        The card as written, with the digest of the weights.

    Raises:
        Unwritable: The folder cannot be written.
    """
    tensors = {name: (t.half() if half else t).contiguous() for name, t in network.state_dict().items()}
    raw = save_tensors(tensors)
    card = dataclasses.replace(card, network=network.spec, sha256=hashlib.sha256(raw).hexdigest())
    table = {"schema": SCHEMA} | {key: value for key, value in dataclasses.asdict(card).items() if value not in ({}, "")}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / WEIGHTS, raw)
        write_whole(folder / "agent.toml", tomli_w.dumps(table).encode())
    except OSError as error:
        raise Unwritable(f"{folder}: cannot be written ({error.strerror}); choose another folder") from error
    return card


def write_whole(path: Path, raw: bytes) -> None:
    """Writes a file beside and renames it, so that it is whole or absent whenever the process dies."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def find_agent(name: str) -> Path | None:
    """Returns the folder of the agent with that id, or None."""
    hit = find_card("agents", "agent.toml", SCHEMA, name)
    return hit[0].parent if hit else None


def agent_cards() -> list[tuple[str, AgentCard]]:
    """Returns (id, card) of every agent that can be named."""
    return [(name, read_agent_card(path.parent)) for name, path, _ in iterate_cards("agents", "agent.toml", SCHEMA)]
