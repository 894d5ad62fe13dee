"""Agent folders: `agent.toml` and `policy.safetensors`, written whole or not at all, read without running code."""

import dataclasses
import hashlib
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, overload

import tomli_w
import torch
from gymnasium.spaces import Box
from safetensors.torch import save as save_tensors

from rlattack.content import find_card, iterate_cards, read_card
from rlattack.errors import ContentError, RefusedFile
from rlattack.files import write_whole
from rlattack.games.table import parse_table
from rlattack.policies.archive import read_file
from rlattack.policies.gaussian import GaussianNetwork, GaussianPolicy
from rlattack.policies.gaussian_spec import GaussianSpec
from rlattack.policies.module import ModulePolicy
from rlattack.policies.network import Network, NetworkSpec
from rlattack.policies.policy import Policy
from rlattack.policies.tensors import Tensors, load_safetensors

AnyNetwork = Network | GaussianNetwork
AnySpec = NetworkSpec | GaussianSpec
SCHEMA = "rlattack/agent/1"
WEIGHTS = "policy.safetensors"
_OF_DICTS = ("keys", "shapes", "pictures", "scale", "raw")
"""What networks of numbers say of themselves where they see a Dict."""


@dataclass(frozen=True, kw_only=True)
class AgentCard:
    """What `agent.toml` says: which game, which network, where it comes from, how well it plays."""

    game: str
    role: str
    algorithm: str
    network: AnySpec
    seat: str = ""
    """The seat it was trained for, in a game of several; any of them where it says none."""
    sha256: str = ""
    """Digest of `policy.safetensors`."""
    temperature: float = 1.0
    """Temperature of the softmax that turns Q values into a distribution."""
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
    shape = table.get("network")
    kind = GaussianSpec if isinstance(shape, dict) and shape.get("kind") == "gaussian" else NetworkSpec
    network = parse_table(kind, shape, f"{path}: [network]")
    values = {key: value for key, value in table.items() if key != "schema"}
    card = parse_table(AgentCard, values | {"network": network}, str(path))
    if card.temperature <= 0:
        raise ContentError(f"{path}: temperature expects a number above 0, got {card.temperature}")
    _check_score(card.score, f"{path}: [score]")
    return card


def _check_score(score: dict[str, Any], where: str) -> None:
    """Refuses what could not be listed; more may stand there."""
    win = score.get("win", {"rate": 0.0})
    if not isinstance(win, dict):
        raise ContentError(f"{where}: win expects a table, got {win!r}")
    for name, number in (("mean", score.get("mean", 0.0)), ("win.rate", win.get("rate"))):
        too_long = isinstance(number, int) and abs(number) > sys.float_info.max  # which no float holds
        if isinstance(number, bool) or not isinstance(number, int | float) or too_long:
            raise ContentError(f"{where}: {name} expects a number, got {number!r}")


def policy_of(card: AgentCard, network: AnyNetwork, action: Box | None = None) -> Policy:
    """Makes a policy of an agent's network, which is frozen by it.

    Args:
        card: Tells the temperature of Q values.
        network: As `read_agent` gives it.
        action: One action of the game, for a network of continuous actions; without bounds where none is given.
    """
    if isinstance(network, GaussianNetwork):
        return GaussianPolicy(network, action, card.temperature)
    return ModulePolicy.of(network, card.temperature)


def read_agent(folder: Path) -> tuple[AgentCard, AnyNetwork]:
    """Reads an agent folder: checks the digest, builds the network, fills it strictly.

    Raises:
        ContentError: The card is wrong.
        RefusedFile: The weights are missing, damaged, not finite, or of another network.
    """
    card = read_agent_card(folder)
    path = folder / WEIGHTS
    raw = read_file(path)
    digest = hashlib.sha256(raw).hexdigest()
    if card.sha256 not in ("", digest):
        raise RefusedFile(f"{path}: sha256 is {digest[:12]}, the card says {card.sha256[:12]}: damaged or replaced")
    state, _ = load_safetensors(raw, str(path))
    return dataclasses.replace(card, sha256=digest), build(card.network, state, str(path))


@overload
def build(spec: NetworkSpec, state: Tensors, where: str) -> Network: ...
@overload
def build(spec: GaussianSpec, state: Tensors, where: str) -> GaussianNetwork: ...
def build(spec: AnySpec, state: Tensors, where: str) -> AnyNetwork:
    """Builds a network and fills it strictly; takes no memory before the tensors proved to be those of `spec`.

    Raises:
        ContentError: The layers do not fit the observation.
        RefusedFile: Tensors that are missing, left over, of another shape or not finite.
    """
    try:
        with torch.device("meta"):
            network = GaussianNetwork(spec) if isinstance(spec, GaussianSpec) else Network(spec)
    except (RuntimeError, OverflowError) as error:
        raise ContentError(f"{where}: a network of absurd size ({error})") from error
    expected = network.state_dict()
    for name in sorted(expected.keys() | state.keys()):
        want = tuple(expected[name].shape) if name in expected else "none"
        got = tuple(state[name].shape) if name in state else "none"
        if got != want:
            raise RefusedFile(f"{where}: tensor {name}: expected shape {want}, got {got}")
        if not torch.isfinite(state[name]).all():
            raise RefusedFile(f"{where}: tensor {name} holds values that are not finite")
        if name in ("obs_std", "value_std") and not (state[name] > 0).all():
            raise RefusedFile(f"{where}: tensor {name}: expected values above 0")
    network.to_empty(device="cpu").load_state_dict(state, strict=True)
    return network.eval().requires_grad_(False)


def save_agent(folder: Path, card: AgentCard, network: AnyNetwork, *, half: bool = True) -> AgentCard:
    """Writes an agent folder: both files beside, then renamed; weights first, in half precision by default.

    Gaussian networks are always written in full: observation statistics do not fit half precision.

    Returns:
        The card as written, with the digest of the weights.

    Raises:
        Unwritable: The folder cannot be written.
    """
    half = half and isinstance(network, Network)
    tensors = {name: (t.half() if half else t).contiguous() for name, t in network.state_dict().items()}
    raw = save_tensors(tensors)
    card = dataclasses.replace(card, network=network.spec, sha256=hashlib.sha256(raw).hexdigest())
    values = {key: value for key, value in dataclasses.asdict(card).items() if value not in ({}, "")}
    left_out = _OF_DICTS if isinstance(network, GaussianNetwork) and not network.spec.keys else ()
    values["network"] = {
        key: value for key, value in values["network"].items() if value is not None and key not in left_out
    }
    table = {"schema": SCHEMA} | values
    write_whole(folder / WEIGHTS, raw)
    write_whole(folder / "agent.toml", tomli_w.dumps(table).encode())
    return card


def find_agent(name: str) -> Path | None:
    """Returns the folder of the agent with that id, or None."""
    hit = find_card("agents", "agent.toml", SCHEMA, name)
    return hit[0].parent if hit else None


def agent_cards() -> list[tuple[str, AgentCard]]:
    """Returns (id, card) of every agent that can be named."""
    return [(name, read_agent_card(path.parent)) for name, path, _ in iterate_cards("agents", "agent.toml", SCHEMA)]
