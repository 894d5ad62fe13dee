"""The Atari network of a2c-ppo-acktr (Kostrikov 2018) and its relatives, as published with many attack papers."""

import hashlib
from pathlib import Path
from typing import Any

import torch

from rlattack.errors import InvalidInput, RefusedFile
from rlattack.games.find import game_of
from rlattack.policies.archive import read_file
from rlattack.policies.folder import AgentCard, build
from rlattack.policies.held import of_torch
from rlattack.policies.importer import Importer
from rlattack.policies.network import Network, NetworkSpec
from rlattack.policies.tensors import Tensors, load_safetensors
from rlattack.policies.torch_file import TorchFile

_PLACES = {
    "conv1": "trunk.0", "conv2": "trunk.2", "conv3": "trunk.4", "fc": "trunk.7",
    "actor": "actor.0", "critic": "critic.0",
    "base.main.0": "trunk.0", "base.main.2": "trunk.2", "base.main.4": "trunk.4", "base.main.7": "trunk.7",
    "dist.linear": "actor.0", "base.critic_linear": "critic.0", "critic_linear": "critic.0",
    "main.0": "trunk.0", "main.2": "trunk.2", "main.4": "trunk.4", "main.7": "trunk.7",
}  # fmt: skip
"""Plain names, and those of a2c-ppo-acktr's own `Policy`, to ours."""
_STRIDES = (4, 2, 1)
_FRAME = (84, 84)


def import_a2c_ppo_acktr(source: str, trust: bool, normaliser: str = "") -> tuple[AgentCard, Network]:
    """Imports the network from safetensors, whose metadata (env, algo, source, license) is kept, or a state dict.

    Args:
        source: A `.safetensors`, or a `.pt`/`.pth` that holds a state dict.
        trust: Unpickles a `.pt`/`.pth` of which only its own code can make tensors; its classes must be importable.
        normaliser: Of no use: pictures are not normalised.

    Returns:
        A card, whose game is empty where the metadata do not say which, and the network.

    Raises:
        RefusedFile: Damaged, made to do harm, or another network.
    """
    path = Path(source)
    raw = read_file(path)
    if path.suffix == ".safetensors":
        tensors, metadata = load_safetensors(raw, source)
    else:
        tensors, metadata = (_unpickled(path) if trust else of_torch(TorchFile(raw, source))), {}
        tensors = {name.removeprefix("0."): tensor for name, tensor in tensors.items()}
    if normaliser not in ("", "none"):
        raise InvalidInput(f"{source}: sees pictures, which are not normalised: leave out --normaliser")
    state: Tensors = {}
    for name, tensor in tensors.items():
        layer, _, kind = name.rpartition(".")
        if layer not in _PLACES:
            raise RefusedFile(f"{path}: tensor {name}: expected conv1 to conv3, fc, actor and critic, or base.main.*")
        state[f"{_PLACES[layer]}.{kind}"] = tensor
    spec = _spec(state, path)
    card = AgentCard(
        game=game_of(metadata.get("env", "")),
        role="victim",
        algorithm=metadata.get("algo", "a2c-ppo-acktr"),
        network=spec,
        provenance=dict(sorted(metadata.items())) | {"file": path.name, "file_sha256": hashlib.sha256(raw).hexdigest()},
    )
    return card, build(spec, state, source)


def _spec(state: Tensors, path: Path) -> NetworkSpec:
    shapes = {name: tuple(tensor.shape) for name, tensor in state.items() if name.endswith("weight")}
    kernels = [shapes.get(f"trunk.{place}.weight", ()) for place in (0, 2, 4)]
    linear = [shapes.get(name + ".weight", ()) for name in ("trunk.7", "actor.0")]
    if any(len(shape) != 4 for shape in kernels) or any(len(shape) != 2 for shape in linear):
        raise RefusedFile(f"{path}: expected three convolutions, a hidden layer and an actor, got {sorted(state)}")
    return NetworkSpec(
        observation=(kernels[0][1], *_FRAME),
        actions=linear[1][0],
        head="actor-critic",
        convolutions=tuple((shape[0], shape[2], stride) for shape, stride in zip(kernels, _STRIDES, strict=True)),
        hidden=(linear[0][0],),
    )


def _unpickled(path: Path) -> Tensors:
    """Runs the code in a checkpoint: `[actor_critic, observation statistics]`, the module, or its state dict."""
    try:
        found: Any = torch.load(path, map_location="cpu", weights_only=False)
        module = found[0] if isinstance(found, list | tuple) else found
        state = module if isinstance(module, dict) else module.state_dict()
        return {str(name): tensor.detach().float() for name, tensor in state.items()}
    except Exception as error:  # code of the checkpoint: anything
        raise RefusedFile(f"{path}: cannot be loaded ({type(error).__name__}: {error})") from error


A2C_PPO_ACKTR = Importer(
    reads="an Atari network of a2c-ppo-acktr",
    knows=lambda held: "trunk.0" in {_PLACES.get(name.removeprefix("0.").rpartition(".")[0]) for name in held.tensors},
    read=import_a2c_ppo_acktr,
)
