"""State dicts of CleanRL (Huang et al. 2022): its PPO, DQN, TD3, DDPG and SAC, of numbers and of Atari."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rlattack.errors import RefusedFile
from rlattack.policies.archive import read_file
from rlattack.policies.folder import AgentCard, AnyNetwork, AnySpec, build
from rlattack.policies.gaussian_spec import GaussianSpec
from rlattack.policies.held import read_tensors
from rlattack.policies.importer import Importer
from rlattack.policies.layers import Layer, check_empty, layer, named, sequential, widths
from rlattack.policies.network import NetworkSpec
from rlattack.policies.normalised import as_they_are, behind_found
from rlattack.policies.tensors import Tensors

_STRIDES = (4, 2, 1)
_FRAME = (84, 84)
Made = tuple[AnySpec, Tensors, str]
"""A network with its tensors, and what trained it."""


def import_cleanrl(source: str, trust: bool = False, normaliser: str = "") -> tuple[AgentCard, AnyNetwork]:
    """Imports what CleanRL's `--save-model` writes, or `torch.save(agent.state_dict(), ...)`.

    Statistics of its wrappers are not in its files: `normaliser` is a pickle of the `RunningMeanStd` that
    `NormalizeObservation` keeps (`env.obs_rms`).

    Raises:
        RefusedFile: Damaged, made to do harm, or another network.
    """
    left, _ = read_tensors(source)
    try:
        made = _made(left)
    except (RefusedFile, IndexError) as error:
        raise RefusedFile(f"{source}: not a network of CleanRL ({error})") from error
    spec, state, algorithm = made
    check_empty(left, source, "a network of CleanRL")
    network: AnyNetwork = build(spec, state, source)
    provenance = {"file": Path(source).name, "file_sha256": hashlib.sha256(read_file(Path(source))).hexdigest()}
    card = AgentCard(game="", role="victim", algorithm=algorithm, network=spec, provenance=provenance)
    return behind_found(card, network, source, normaliser)


def knows(tensors: Mapping[str, Any]) -> bool:
    """Whether these are names of a network of CleanRL."""
    heads = {"actor.0.weight", "actor_mean.0.weight", "network.0.weight", "fc_mu.weight", "0.fc_mu.weight",
             "fc_mean.weight", "0.fc_mean.weight"}  # fmt: skip
    return bool(heads & tensors.keys()) and "atoms" not in tensors


def _made(left: Tensors) -> Made:
    if "network.0.weight" in left:
        return _with_trunk(left)
    if "actor.0.weight" in left:
        return _discrete_ppo(left)
    if "actor_mean.0.weight" in left:
        return _continuous_ppo(left)
    return _with_action_critics(left)


def _discrete_ppo(left: Tensors) -> Made:
    actor, critic = sequential(left, "actor."), sequential(left, "critic.")
    spec = NetworkSpec(
        observation=(actor[0][0].shape[1],), actions=len(actor[-1][1]), head="actor-critic", scale=1.0,
        actor=widths(actor[:-1]), critic=widths(critic[:-1]), activation="tanh",
    )  # fmt: skip
    return spec, named(actor, "actor") | named(critic, "critic"), "ppo"


def _continuous_ppo(left: Tensors) -> Made:
    actor, critic = sequential(left, "actor_mean."), sequential(left, "critic.")
    spec = GaussianSpec(
        observation=(actor[0][0].shape[1],), actions=len(actor[-1][1]), hidden=widths(actor[:-1]),
        critic=widths(critic[:-1]), critics=int(bool(critic)), activation="tanh", clip=0.0,
    )  # fmt: skip
    state = head(actor, "pi") | (head(critic, "vf") if critic else {})
    log_std = left.pop("actor_logstd", torch.zeros(spec.actions)).reshape(-1)
    return spec, state | {"log_std": log_std} | as_they_are(spec.observation[0]), "ppo"


def _with_trunk(left: Tensors) -> Made:
    """DQN, and PPO of Atari, whose actor and critic stand on one trunk."""
    layers = sequential(left, "network.")
    convs = [one for one in layers if one[0].ndim == 4]
    linear = layers[len(convs) :]
    shared = "actor.weight" in left
    heads = [layer(left, "actor"), layer(left, "critic")] if shared else linear[-1:]
    hidden = linear if shared else linear[:-1]
    shape = (convs[0][0].shape[1], *_FRAME) if convs else (layers[0][0].shape[1],)
    spec = NetworkSpec(
        observation=shape, actions=len(heads[0][1]), head="actor-critic" if shared else "q",
        scale=255.0 if convs else 1.0, hidden=widths(hidden), convolutions=tuple(
            (len(bias), weight.shape[-1], stride) for (weight, bias), stride in zip(convs, _STRIDES, strict=False)
        ),
    )  # fmt: skip
    state = named(convs, "trunk") | named(hidden, "trunk", start=2 * len(convs) + 1)  # after a flatten
    for name, one in zip(("actor", "critic"), heads, strict=False):
        state |= named([one], name)
    return spec, state, "ppo" if shared else "dqn"


def _with_action_critics(left: Tensors) -> Made:
    """TD3 and DDPG, whose actor gives actions, and SAC, whose actor gives a distribution."""
    own = "0." if any(name.startswith("0.") for name in left) else ""
    sac = f"{own}fc_mean.weight" in left
    actor = [layer(left, f"{own}{name}") for name in ("fc1", "fc2", "fc_mean" if sac else "fc_mu")]
    scale, bias = (left.pop(f"{own}action_{name}").reshape(-1) for name in ("scale", "bias"))
    critics = [
        [layer(left, f"{number}.{name}") for name in ("fc1", "fc2", "fc3")]
        for number in sorted({name.partition(".")[0] for name in left if name.endswith(".fc3.weight")})
    ]
    entries = actor[0][0].shape[1]
    spec = GaussianSpec(
        observation=(entries,), actions=len(actor[-1][1]), hidden=widths(actor[:-1]), activation="relu", clip=0.0,
        head="squashed" if sac else "squashed-point", deviation="bounded-layer" if sac else "fixed",
        critics=len(critics), judges="actions", critic=widths(critics[0][:-1]) if critics else (),
        low=tuple((bias - scale).tolist()), high=tuple((bias + scale).tolist()),
    )  # fmt: skip
    state = head(actor, "pi") | as_they_are(entries)
    if sac:
        state |= dict(zip(("spread.weight", "spread.bias"), layer(left, f"{own}fc_logstd"), strict=True))
    for number, critic in enumerate(critics):
        state |= head([_of_shares(critic[0], entries, scale, bias), *critic[1:]], f"q.{number}")
    return spec, state, "sac" if sac else "td3" if len(critics) != 1 else "ddpg"


def _of_shares(first: Layer, entries: int, scale: Tensor, bias: Tensor) -> Layer:
    """The first layer of a critic of actions, of actions as shares of their range in [-1, 1]."""
    weight, offset = first
    seen, done = weight[:, :entries], weight[:, entries:]
    return torch.cat([seen, done * scale], dim=1), offset + done @ bias


def head(layers: list[Layer], name: str) -> Tensors:
    """The layers of an actor or a critic by our names."""
    *hidden, (weight, bias) = layers
    return named(hidden, f"{name}.layers") | {f"{name}.out.weight": weight, f"{name}.out.bias": bias}


CLEANRL = Importer(
    reads="a state dict of CleanRL (or of PPO-PyTorch, whose discrete agents are the same networks)",
    knows=lambda held: knows(held.tensors),
    read=import_cleanrl,
)
