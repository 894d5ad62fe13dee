"""A policy as the layers that its scores, its mean action or its values are made by, one after the other."""

import copy
from collections.abc import Iterable, Iterator
from functools import singledispatch
from typing import Literal

import torch
from torch import nn

from rlattack.defences.bounds import BOUNDED, check_zeros_around
from rlattack.defences.defended import Defended
from rlattack.defences.layers import Affine, Clip, Pick, permuted
from rlattack.errors import InvalidInput
from rlattack.policies.channels import ChannelsLast, Picked
from rlattack.policies.gaussian import GaussianNetwork, GaussianPolicy
from rlattack.policies.module import ContinuousPolicy, ModulePolicy
from rlattack.policies.network import Network, with_torch_gradients
from rlattack.policies.normalised import Normalised
from rlattack.policies.policy import Normaliser, Policy

Head = Literal["actions", "values"]
"""What a chain says: scores of discrete actions or means of continuous ones, or what the policy's critic says."""
_TYPES = (nn.Linear, nn.Conv2d, nn.ReLU, nn.Tanh, nn.Flatten, nn.Identity, Affine, Clip, Pick)
_WITHOUT = "bounds: expected {}, got {}, which has no bounds here; bounded are networks of {}"


def chain(policy: Policy, head: Head = "actions") -> nn.Sequential:
    """The layers of a policy, from an observation in the game's own range to what it says.

    Args:
        policy: Without memory, and with no front before it.
        head: What they say.

    Raises:
        InvalidInput: Something of it is not bounded: it is named, with what is.

    >>> import torch
    >>> from rlattack.policies import ModulePolicy
    >>> layers = chain(ModulePolicy(torch.nn.Linear(4, 2), observation=(4,), actions=2))
    >>> [type(layer).__name__ for layer in layers]
    ['Linear']
    """
    layers = list(_plain(_layers(policy, head)))
    for layer in layers:
        _check(layer)
    layers = _merged(layers)
    return nn.Sequential(*layers).requires_grad_(False)


@singledispatch
def _layers(policy: Policy, head: Head) -> list[nn.Module]:
    """Layers of a policy of one kind."""
    raise _refused("a policy made of a network", type(policy).__name__)


@_layers.register
def _defended(policy: Defended, head: Head) -> list[nn.Module]:
    raise _refused("a policy with no front before it", f"the front {policy.front.name}")


@_layers.register
def _module(policy: ModulePolicy, head: Head) -> list[nn.Module]:
    if policy.initial_state(1) is not None:
        raise _refused("a policy without memory", f"{type(policy.module).__name__} with a state")
    if isinstance(policy.module, Network):
        return _network(policy.module, head)
    if head == "values":
        raise _refused("a critic that is known", f"that of {type(policy.module).__name__}")
    return [policy.module]


@_layers.register
def _continuous(policy: ContinuousPolicy, head: Head) -> list[nn.Module]:
    if head == "values":
        raise _refused("a critic that is known", f"that of {type(policy.module).__name__}")
    return [policy.module]


@_layers.register
def _gaussian(policy: GaussianPolicy, head: Head) -> list[nn.Module]:
    network, spec = policy.network, policy.network.spec
    if spec.memory:
        raise _refused("a policy without memory", f"an LSTM of {spec.memory}")
    if any(spec.pictures):
        raise _refused("a policy that sees one thing", "one that sees pictures and numbers at once")
    before = [] if policy.normaliser is None else _normalised(policy.normaliser)
    if head == "values":
        return [*before, *_critic(network)]
    layers = [*before, *_head(network.pi)]
    if spec.largest_mean:
        end = torch.as_tensor(spec.largest_mean)
        layers += [Clip(-end, end)]
    if spec.head in ("squashed", "squashed-point"):
        low, high = (torch.as_tensor(end) for end in (policy.action.low, policy.action.high))  # type: ignore[attr-defined]  # a Box
        layers += [nn.Tanh(), Affine((high - low) / 2, (high + low) / 2)]
    return layers


@_layers.register
def _behind_statistics(policy: Normalised, head: Head) -> list[nn.Module]:
    return [*_normalised(policy.normaliser), *_layers(policy.policy, head)]


@_layers.register
def _picked(policy: Picked, head: Head) -> list[nn.Module]:
    return [Pick(policy._index), *_layers(policy.policy, head)]


@_layers.register
def _channels_last(policy: ChannelsLast, head: Head) -> list[nn.Module]:
    return [permuted(policy.observation, (2, 0, 1)), *_layers(policy.policy, head)]


def _network(network: Network, head: Head) -> list[nn.Module]:
    spec = network.spec
    scale = Affine(torch.as_tensor(1 / spec.scale), torch.zeros(()))
    if head == "values" and spec.head == "actor-critic":
        return [scale, network.critic_trunk or network.trunk, network.critic]
    *hidden, last = network.actor
    assert isinstance(last, nn.Linear), "an actor ends with one"
    return [scale, network.trunk, *hidden, last if spec.head != "quantile" else _mean(last, spec.quantiles)]


def _mean(last: nn.Linear, quantiles: int) -> nn.Linear:
    """The last layer of quantiles as one of their means: a mean is linear."""
    made = nn.Linear(last.in_features, last.out_features // quantiles, device=last.weight.device)
    made.weight.data = last.weight.detach().view(quantiles, -1, last.in_features).mean(dim=0)
    made.bias.data = last.bias.detach().view(quantiles, -1).mean(dim=0)
    return made


def _critic(network: GaussianNetwork) -> list[nn.Module]:
    spec = network.spec
    if spec.head == "q":
        return _head(network.pi)
    if not spec.critics or spec.judges != "states" or (spec.critic_memory != "none" and spec.memory):
        raise _refused("a critic of states", "none" if not spec.critics else f"one of {spec.judges}")
    *hidden, last = _head(network.vf)
    assert isinstance(last, nn.Linear), "a critic ends with one"
    return [*hidden, _mean(last, spec.quantiles), Affine(network.value_std, network.value_mean)]


def _head(head: nn.Module) -> list[nn.Module]:
    """Layers of an actor or a critic that sees numbers."""
    return [head.layers, head.after, head.out]  # type: ignore[list-item]  # modules, of which torch says Any


def _normalised(seen: Normaliser) -> list[nn.Module]:
    """What a policy does with what it sees first, as layers."""
    slope, clip, shift = 1 / seen.deviation, torch.full_like(seen.mean, seen.clip), -seen.mean
    if seen.raw is not None:
        slope, shift = slope.masked_fill(seen.raw, 1.0), shift.masked_fill(seen.raw, 0.0)
        clip = clip.masked_fill(seen.raw, torch.inf)
    # one after the other, as the policy: of a mean of many deviations, one product and sum would leave little
    return [Affine(torch.ones_like(slope), shift), Affine(slope, torch.zeros_like(shift)), Clip(-clip, clip)]


def _plain(layers: Iterable[nn.Module]) -> Iterator[nn.Module]:
    """Layers with those of sequences in their place; the convolutions of frozen networks as torch has them."""
    for layer in layers:
        if type(layer) is nn.Sequential:
            yield from _plain(layer)
        elif isinstance(layer, nn.Conv2d):
            yield with_torch_gradients(layer)
        else:
            yield layer


def _merged(layers: list[nn.Module]) -> list[nn.Module]:
    """The same with the scale of pictures in the weights of the layer after it."""
    match layers:
        case [Affine() as scale, nn.Conv2d() | nn.Linear() as first, *rest] if (
            scale.slope.numel() == 1 and not scale.shift.any()
        ):
            first = copy.deepcopy(first)
            first.weight.data = first.weight.data * scale.slope
            return [first, *rest]
    return layers


def _check(layer: nn.Module) -> None:
    """Refuses a layer that is not of a kind known to the letter: another `forward` makes something else of it."""
    if type(layer) not in _TYPES or layer._forward_hooks or layer._forward_pre_hooks:
        raise _refused(f"layers of {BOUNDED}", f"{type(layer).__name__}{' with hooks' * (type(layer) in _TYPES)}")
    if isinstance(layer, nn.Conv2d):
        check_zeros_around(layer)
    if isinstance(layer, nn.Flatten) and (layer.start_dim, layer.end_dim) != (1, -1):
        raise _refused(f"layers of {BOUNDED}", f"Flatten from {layer.start_dim} to {layer.end_dim}")


def _refused(expected: str, got: str) -> InvalidInput:
    return InvalidInput(_WITHOUT.format(expected, got, BOUNDED))
