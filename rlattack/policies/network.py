"""The feed-forward networks an agent folder can hold: a trunk, then an actor and a critic, Q values or quantiles."""

import copy
import itertools
import math
from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F  # noqa: N812  # torch's own convention
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from rlattack.errors import ContentError

Convolution = tuple[int, int, int]
"""Output channels, kernel size, stride."""
NATURE: tuple[Convolution, ...] = ((32, 8, 4), (64, 4, 2), (64, 3, 1))
"""Mnih et al. 2015, followed by a hidden layer of 512."""
SMALL: tuple[Convolution, ...] = ((16, 8, 4), (32, 4, 2), (32, 3, 1))
"""Half the channels of `NATURE`, followed by a hidden layer of 256: a third of the work."""
TINY: tuple[Convolution, ...] = ((16, 8, 4), (32, 4, 2))
"""Mnih et al. 2013, followed by a hidden layer of 128, half of theirs: shallow, so that its bounds are tight."""

_ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh}
_LARGEST_SIZE = 1_000_000
_MOST_SIZES = 100


@dataclass(frozen=True, kw_only=True)
class NetworkSpec:
    """The `[network]` table of an agent card: enough to rebuild the network before its tensors are read."""

    observation: tuple[int, ...]
    """Shape of one observation: (frames, height, width) or (features,)."""
    actions: int
    head: Literal["actor-critic", "q", "quantile"]
    scale: float = 255.0
    """The input is divided by this; 1 for state vectors."""
    convolutions: tuple[Convolution, ...] = ()
    hidden: tuple[int, ...] = ()
    """Layers shared by both heads, after the convolutions; always ReLU."""
    actor: tuple[int, ...] = ()
    """Hidden layers of the actor alone (or of the Q function)."""
    critic: tuple[int, ...] = ()
    activation: Literal["relu", "tanh"] = "relu"
    """Activation of the actor's and critic's own hidden layers."""
    quantiles: int = 1
    shared: bool = True
    """Whether actor and critic stand on one trunk."""
    garbage: bool = False
    """Whether the actor has one class more than there are actions, of what is no game."""

    def __post_init__(self) -> None:
        """Checks what the types cannot say.

        Raises:
            ContentError: A size or scale outside its range.
        """
        layers = (*self.hidden, *self.actor, *self.critic, *(size for layer in self.convolutions for size in layer))
        sizes = (*self.observation, self.actions, self.quantiles, *layers)
        if not self.observation or min(sizes) < 1 or max(sizes) > _LARGEST_SIZE:
            wrong = next((size for size in sizes if not 1 <= size <= _LARGEST_SIZE), "an empty observation")
            raise ContentError(f"network: expected sizes from 1 to {_LARGEST_SIZE:,}, got {wrong}")
        if len(layers) > _MOST_SIZES:
            raise ContentError(f"network: expected at most {_MOST_SIZES} sizes of layers, got {len(layers)}")
        if not 0 < self.scale < math.inf:
            raise ContentError(f"network: expected a scale above 0, got {self.scale}")
        if self.garbage and self.head != "actor-critic":
            raise ContentError(f"network: a class of garbage stands beside scores of an actor, not {self.head}")
        if self.convolutions and len(self.observation) != 3:
            raise ContentError(f"network: convolutions need (frames, height, width), got {self.observation}")


class Network(nn.Module):
    """A trunk with its heads.

    Args:
        spec: Sizes of all layers.

    Raises:
        ContentError: The convolutions do not fit the observation.
    """

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        self.spec = spec
        self.trunk, width = _trunk(spec)
        outputs = spec.actions * spec.quantiles
        self.actor = _mlp((width, *spec.actor, outputs), spec.activation)
        if spec.head == "actor-critic":
            self.critic_trunk = None if spec.shared else _trunk(spec)[0]
            self.critic = _mlp((width, *spec.critic, 1), spec.activation)
        self.garbage = nn.Linear((width, *spec.actor)[-1], 1) if spec.garbage else None

    def forward(self, obs: Tensor) -> tuple[Tensor, Tensor | None, None, Tensor, Tensor | None]:
        """Maps observations (n, *observation), float32 in the game's own range, to outputs.

        Returns:
            Logits or Q values (n, actions), values (n,) where the network has a critic, no state, the last hidden
            layer of the actor (n, width), and the logit of garbage (n,) where the network has that class.
        """
        scaled = obs / self.spec.scale
        features = hidden = self.trunk(scaled)
        *before, last = self.actor
        for layer in before:
            hidden = layer(hidden)
        out = last(hidden)
        if self.spec.head == "quantile":
            out = out.view(-1, self.spec.quantiles, self.spec.actions).mean(dim=1)
        if self.spec.head != "actor-critic":
            return out, None, None, hidden, None
        if self.critic_trunk is not None:
            features = self.critic_trunk(scaled)
        garbage = None if self.garbage is None else self.garbage(hidden).squeeze(1)
        return out, self.critic(features).squeeze(1), None, hidden, garbage


def convolutions(spec: tuple[Convolution, ...], channels: int) -> list[nn.Module]:
    """Builds convolutions with ReLU and a final flatten (channels, height, width order)."""
    layers: list[nn.Module] = []
    for out, kernel, stride in spec:
        layers += [_Strided(channels, out, kernel, stride), nn.ReLU()]
        channels = out
    return [*layers, nn.Flatten()]


class _Strided(nn.Conv2d):
    """A convolution whose gradient with respect to its input is faster where it is large: in the first layer.

    With a kernel of whole strides, the transposed convolution falls apart into one without a stride for each place
    within a stride. Only for frozen weights; a network in training goes torch's own way.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Convolves as torch does, with that faster gradient where it can."""
        stride = self.stride[0]
        whole = self.kernel_size[0] % stride == 0 and all(side % stride == 0 for side in input.shape[2:])
        if stride < 4 or not whole or not input.requires_grad or self.weight.requires_grad:
            return super().forward(input)
        made: Tensor = _FrozenConvolution.apply(input, self.weight, self.bias, stride)  # type: ignore[no-untyped-call]
        return made


def with_torch_gradients(module: nn.Module) -> nn.Module:
    """Returns a copy whose gradients torch computes alone, to compare with."""
    module = copy.deepcopy(module)
    for part in module.modules():
        if isinstance(part, _Strided):
            part.__class__ = nn.Conv2d  # type: ignore[assignment]  # which has the same fields
    return module


class _FrozenConvolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, input: Tensor, weight: Tensor, bias: Tensor | None, stride: int) -> Tensor:
        ctx.save_for_backward(weight)
        ctx.stride = stride
        return F.conv2d(input, weight, bias, stride)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None]:
        (weight,), stride = ctx.saved_tensors, ctx.stride
        out, channels, kernel, _ = weight.shape
        steps = kernel // stride
        apart = weight.view(out, channels, steps, stride, steps, stride).permute(0, 1, 3, 5, 2, 4)
        by_place = F.conv_transpose2d(
            grad.contiguous(memory_format=torch.channels_last),
            apart.reshape(out, channels * stride**2, steps, steps),
        )
        return F.pixel_shuffle(by_place, stride).contiguous(), None, None, None


def _trunk(spec: NetworkSpec) -> tuple[nn.Sequential, int]:
    channels, *size = spec.observation
    for _, kernel, stride in spec.convolutions:
        size = [(side - kernel) // stride + 1 for side in size]
        if min(size) < 1:
            raise ContentError(f"network: {spec.convolutions} does not fit observations of {spec.observation}")
    layers = convolutions(spec.convolutions, channels)
    width = (spec.convolutions[-1][0] if spec.convolutions else channels) * math.prod(size)
    for hidden in spec.hidden:
        layers += [nn.Linear(width, hidden), nn.ReLU()]
        width = hidden
    return nn.Sequential(*layers), width


def _mlp(sizes: tuple[int, ...], activation: str) -> nn.Sequential:
    layers: list[nn.Module] = []
    for i, (before, after) in enumerate(itertools.pairwise(sizes)):
        layers += [nn.Linear(before, after)]
        if i < len(sizes) - 2:
            layers += [_ACTIVATIONS[activation]()]
    return nn.Sequential(*layers)
