"""The `.model` files of SA-PPO (Zhang et al. 2020) and its family: ATLA, RADIAL, PA-ATLA, WocaR; read as data."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import torch

from rlattack.errors import InvalidInput, RefusedFile
from rlattack.policies.archive import read_file
from rlattack.policies.folder import AgentCard, AnyNetwork, build
from rlattack.policies.gaussian import GaussianNetwork
from rlattack.policies.gaussian_spec import GaussianSpec
from rlattack.policies.held import table
from rlattack.policies.importer import Importer
from rlattack.policies.normalised import behind_found
from rlattack.policies.pickled import Record
from rlattack.policies.policy import Normaliser
from rlattack.policies.statistics import statistics_of
from rlattack.policies.tensors import Tensors
from rlattack.policies.torch_file import TorchFile

Who = Literal["victim", "adversary"]
_LSTM = "lstm.weight_ih_l0"
_TASKS = ("ant", "half_cheetah", "hopper", "humanoid", "inverted_pendulum", "reacher", "swimmer", "walker2d")
"""Last parts of the modules of Gym's tasks, whose ids have no underscores."""


def import_sa_ppo(source: str, trust: bool = False, normaliser: str = "") -> tuple[AgentCard, AnyNetwork]:
    """Imports who plays in a file of SA-PPO's family, with the statistics that lie in it.

    Raises:
        InvalidInput: `trust`, of which there is no need.
        RefusedFile: Damaged, made to do harm, or a file of another kind.
    """
    if trust:
        raise InvalidInput("an import of sa-ppo runs no code: leave out --trust")
    card, network = load_sa_ppo(Path(source))
    if normaliser in ("", "none") or network.spec.clip:  # it has its own
        return card, network
    return behind_found(card, network, source, normaliser)


def load_sa_ppo(path: Path, who: Who = "victim") -> tuple[AgentCard, GaussianNetwork]:
    """Loads who plays in a file, or the adversary that perturbs what it sees.

    Args:
        path: The file.
        who: The agent, or the adversary that was trained against it and lies in the same file.

    Returns:
        A card with the game that the file was trained in, empty where it tells none of ours; and the network.

    Raises:
        RefusedFile: Damaged, made to do harm, or a file of another kind.
    """
    raw, where = read_file(path), str(path)
    file = TorchFile(raw, where)
    content = table(file.content)
    prefix = "adversary_" if who == "adversary" else ""
    if f"{prefix}policy_model" not in content or "envs" not in content:
        held = ", ".join(list(content)[:6]) or type(file.content).__name__
        raise RefusedFile(f"{where}: expected {prefix}policy_model and envs as SA-PPO's family writes them, got {held}")
    actor = file.tensors(content[f"{prefix}policy_model"])
    critic = file.tensors(content[f"{prefix}val_model"]) if f"{prefix}val_model" in content else {}
    seen = next((one for one in _records(content["envs"]) if one.name.endswith(".ZFilter")), None)
    told = None if seen is None else statistics_of(seen, where)
    statistics = told if isinstance(told, Normaliser) else None
    spec, state = _converted(actor, critic, statistics, where)
    network = build(spec, state, where)
    game = next((found for one in _records(content["envs"]) if (found := _game(one.name))), "")
    provenance = {"file": path.name, "file_sha256": hashlib.sha256(raw).hexdigest()}
    role = "victim" if who == "victim" else "adversary"
    return AgentCard(game=game, role=role, algorithm="ppo", network=spec, provenance=provenance), network


def _converted(
    actor: Tensors, critic: Tensors, statistics: Normaliser | None, where: str
) -> tuple[GaussianSpec, Tensors]:
    """Names and sizes as ours; the critic is left out where it is not built as the actor is."""
    memory = actor[_LSTM].shape[0] // 4 if _LSTM in actor and actor[_LSTM].ndim == 2 else 0
    alike = (_LSTM in critic) == bool(memory)
    try:
        pi = _head(actor, "output_layer" if memory else "final_mean")
        vf = _head(critic, "final") if alike and critic else {}
        entries = pi["memory.weight_ih" if memory else "layers.0.weight"].shape[1]
        spec = GaussianSpec(
            observation=(entries,), actions=len(pi["out.bias"]), memory=memory, hidden=_sizes(pi), activation="tanh",
            critic=_sizes(vf) if vf else (), critics=1 if vf else 0, clip=statistics.clip if statistics else 0.0,
        )  # fmt: skip
        state = {f"pi.{name}": tensor for name, tensor in pi.items()}
        state |= {f"vf.{name}": tensor for name, tensor in vf.items()} | {"log_std": actor["log_stdev"].reshape(-1)}
    except (KeyError, RuntimeError, IndexError, ValueError) as error:
        raise RefusedFile(f"{where}: not a network of SA-PPO's family: {', '.join(actor)}") from error
    mean, deviation = (torch.zeros(entries), torch.ones(entries)) if statistics is None else (
        statistics.mean, statistics.deviation
    )  # fmt: skip
    state |= {"obs_mean": mean, "obs_std": deviation, "value_mean": torch.zeros(()), "value_std": torch.ones(())}
    return spec, state


def _head(tensors: Tensors, out: str) -> Tensors:
    """An actor or a critic by our names; what an LSTM does not go through is left out.

    The linear layer before an LSTM has no activation, so the two are one: W (E x + e) + b = (W E) x + (W e + b).
    """
    found = {f"out.{kind}": tensors[f"{out}.{kind}"] for kind in ("weight", "bias")}
    if _LSTM in tensors:
        into, embedding = tensors[_LSTM].double(), tensors["embedding_layer.weight"].double()
        offset = into @ tensors["embedding_layer.bias"].double() + tensors["lstm.bias_ih_l0"].double()
        own = {"memory.weight_hh": tensors["lstm.weight_hh_l0"], "memory.bias_hh": tensors["lstm.bias_hh_l0"]}
        return found | own | {"memory.weight_ih": (into @ embedding).float(), "memory.bias_ih": offset.float()}
    for name, tensor in tensors.items():
        if name.startswith("affine_layers."):
            _, number, kind = name.split(".")
            found[f"layers.{2 * int(number)}.{kind}"] = tensor
    return found


def _sizes(head: Tensors) -> tuple[int, ...]:
    return tuple(len(tensor) for name, tensor in head.items() if name.startswith("layers.") and name.endswith("bias"))


def _records(thing: Any, depth: int = 0) -> Iterator[Record]:
    """All records in what a pickle holds, the outer ones first; a pickle can refer to itself, so no deeper than ten."""
    if depth > 10:
        return
    if isinstance(thing, Record):
        yield thing
        inside: Any = thing.fields.values()
    else:
        inside = thing.values() if isinstance(thing, dict) else thing if isinstance(thing, list | tuple) else ()
    for one in inside:
        yield from _records(one, depth + 1)


def _game(name: str) -> str:
    """Id of the game whose class in Gym has this name; empty for none of ours."""
    module = name.rpartition(".")[0].rpartition(".")[2]
    task = next((task for task in _TASKS if task == module.removesuffix("_v3").removesuffix("_v4")), "")
    return f"mujoco/{task.replace('_', '-')}" if task else ""


SA_PPO = Importer(
    reads="a .model of SA-PPO's family (SA-PPO, ATLA, RADIAL, PA-ATLA, WocaR)",
    knows=lambda held: {"policy_model", "envs"} <= set(held.keys),
    read=import_sa_ppo,
)
