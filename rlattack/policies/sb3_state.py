"""Stable-Baselines3 policy tensors, by their names and shapes, as one of our networks."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from rlattack.errors import RefusedFile
from rlattack.policies.network import NATURE, Convolution, NetworkSpec

State = dict[str, Tensor]
_LAYER = re.compile(r"(?:[a-z_.]+\.\d{1,3}|action_net|value_net)\.(weight|bias)")
_EXTRACTOR = re.compile(r"(cnn|linear|layers)\.(\d+)\.(weight|bias)")
_AXES = {"weight": (2, 4), "bias": (1,)}
_HEADS = {"action_net.weight", "action_net.bias", "value_net.weight", "value_net.bias"}


@dataclass(frozen=True, kw_only=True)
class Sb3Architecture:
    """What the tensors of an SB3 policy do not say themselves."""

    observation: tuple[int, ...]
    scale: float
    activation: Literal["relu", "tanh"]
    strides: tuple[int, ...] = tuple(stride for _, _, stride in NATURE)
    quantiles: int = 1
    algorithm: str = ""


def convert(state: Mapping[str, Tensor], arch: Sb3Architecture) -> tuple[NetworkSpec, State]:
    """Renames the tensors of an SB3 policy (PPO, A2C, DQN, QRDQN) to ours; every tensor must find its place.

    Args:
        state: `policy.state_dict()`.
        arch: Observation shape, input scale, activation of the heads, strides of the convolutions.

    Raises:
        RefusedFile: Tensors that none of these algorithms has.
    """
    if any(name.startswith("mlp_extractor.shared_net.") for name in state):
        raise RefusedFile("actor and critic share layers (`shared_net`, Stable-Baselines3 before 1.8)")
    for name, tensor in state.items():
        if not (match := _LAYER.fullmatch(name)) or tensor.ndim not in _AXES[match[1]]:
            raise RefusedFile(f"{name} {tuple(tensor.shape)} is no tensor of a PPO, A2C, DQN or QRDQN policy")
    if any(name.startswith("quantile_net.") for name in state):
        return _value_based(state, arch, "quantile_net", "quantile")
    if any(name.startswith("q_net.") for name in state):
        return _value_based(state, arch, "q_net", "q")
    if state.keys() >= _HEADS:
        return _actor_critic(state, arch)
    raise RefusedFile(f"expected the tensors of a PPO, A2C, DQN or QRDQN policy, got {_some(state)}")


def _value_based(
    state: Mapping[str, Tensor], arch: Sb3Architecture, root: str, head: Literal["q", "quantile"]
) -> tuple[NetworkSpec, State]:
    own = _below(root + ".", state)
    trunk, convs, hidden = _trunk(own, "features_extractor.", arch)
    layers = _below(root + ".", own)
    *actor, outputs = _widths(layers)
    _refuse_rest(own, ("features_extractor.", root + "."))
    _refuse_rest(state, (root + ".", root + "_target."))
    spec = NetworkSpec(
        observation=arch.observation, actions=outputs // arch.quantiles, head=head, scale=arch.scale,
        convolutions=convs, hidden=hidden, actor=tuple(actor), activation=arch.activation, quantiles=arch.quantiles,
    )  # fmt: skip
    return spec, {**_named("trunk", trunk), **_named("actor", layers)}


def _actor_critic(state: Mapping[str, Tensor], arch: Sb3Architecture) -> tuple[NetworkSpec, State]:
    trunk, convs, hidden = _trunk(state, "features_extractor.", arch)
    policy_trunk, _, _ = _trunk(state, "pi_features_extractor.", arch)
    value_trunk, _, _ = _trunk(state, "vf_features_extractor.", arch)
    policy_trunk, value_trunk = policy_trunk or trunk, value_trunk or trunk
    shared = policy_trunk.keys() == value_trunk.keys() and all(
        tensor.equal(value_trunk[name]) for name, tensor in policy_trunk.items()
    )
    actor = _append(_below("mlp_extractor.policy_net.", state), state, "action_net")
    critic = _append(_below("mlp_extractor.value_net.", state), state, "value_net")
    _refuse_rest(
        state,
        ("features_extractor.", "pi_features_extractor.", "vf_features_extractor.", "mlp_extractor.policy_net.",
         "mlp_extractor.value_net.", "action_net.", "value_net."),
    )  # fmt: skip
    *widths, actions = _widths(actor)
    spec = NetworkSpec(
        observation=arch.observation, actions=actions, head="actor-critic", scale=arch.scale, convolutions=convs,
        hidden=hidden, actor=tuple(widths), critic=_widths(critic)[:-1], activation=arch.activation, shared=shared,
    )  # fmt: skip
    ours = {**_named("trunk", policy_trunk), **_named("actor", actor), **_named("critic", critic)}
    return spec, ours if shared else {**ours, **_named("critic_trunk", value_trunk)}


def _trunk(
    state: Mapping[str, Tensor], prefix: str, arch: Sb3Architecture
) -> tuple[State, tuple[Convolution, ...], tuple[int, ...]]:
    """Collects NatureCNN (`cnn`, `linear`) or our extractor (`layers`) under the indices of `Network.trunk`."""
    own = _below(prefix, state)
    kernels = [tensor for tensor in own.values() if tensor.ndim == 4]
    if len(kernels) > len(arch.strides):
        raise RefusedFile(f"expected at most {len(arch.strides)} convolutions, got {len(kernels)}")
    convs = tuple((t.shape[0], t.shape[2], stride) for t, stride in zip(kernels, arch.strides, strict=False))
    linear = [t for t in own.values() if t.ndim == 2]
    trunk: State = {}
    for name, tensor in own.items():
        if not (match := _EXTRACTOR.fullmatch(name)):
            raise RefusedFile(f"a features extractor that is not Stable-Baselines3's own: {prefix}{name}")
        after = 2 * len(convs) + 1 if match[1] == "linear" else 0  # the convolutions, their ReLU and the flatten
        trunk[f"{int(match[2]) + after}.{match[3]}"] = tensor
    return trunk, convs, tuple(t.shape[0] for t in linear)


def _below(prefix: str, state: Mapping[str, Tensor]) -> State:
    return {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}


def _append(layers: State, state: Mapping[str, Tensor], name: str) -> State:
    index = 2 * sum(key.endswith("weight") for key in layers)
    return layers | {f"{index}.{kind}": state[f"{name}.{kind}"] for kind in ("weight", "bias")}


def _widths(layers: State) -> tuple[int, ...]:
    """Outputs of each layer; the last are those of the network."""
    found = tuple(len(tensor) for name, tensor in layers.items() if name.endswith("bias"))
    if not found:
        raise RefusedFile("expected output layers, found none")
    return found


def _named(prefix: str, layers: State) -> State:
    return {f"{prefix}.{name}": tensor for name, tensor in layers.items()}


def _refuse_rest(state: Mapping[str, Tensor], known: tuple[str, ...]) -> None:
    rest = [name for name in state if not name.startswith(known)]
    if rest:
        raise RefusedFile(f"tensors that no PPO, A2C, DQN or QRDQN policy has: {_some(rest)}")


def _some(names: Iterable[str]) -> str:
    listed = list(names)
    return ", ".join(listed[:4]) + (", ..." if len(listed) > 4 else "")
