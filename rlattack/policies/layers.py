"""Layers of others' networks, found by the names that torch gave them, as those of ours."""

import re
from collections.abc import Sequence

from torch import Tensor

from rlattack.errors import RefusedFile
from rlattack.policies.tensors import Tensors

Layer = tuple[Tensor, Tensor]
"""Weight and bias."""


def sequential(left: Tensors, prefix: str) -> list[Layer]:
    """Takes the layers of a `nn.Sequential` from tensors, in their order; none where there is none of that prefix.

    Raises:
        RefusedFile: A layer without weight or bias.
    """
    pattern = re.compile(re.escape(prefix) + r"(\d{1,3})\.(weight|bias)")
    numbers = sorted({int(match[1]) for name in left if (match := pattern.fullmatch(name))})
    return [layer(left, f"{prefix}{number}") for number in numbers]


def layer(left: Tensors, name: str) -> Layer:
    """Takes one layer from tensors.

    Raises:
        RefusedFile: It is not there, or is none.
    """
    weight, bias = (left.pop(f"{name}.{kind}", None) for kind in ("weight", "bias"))
    if weight is None or bias is None or weight.ndim not in (2, 4) or bias.shape != weight.shape[:1]:
        raise RefusedFile(f"expected a layer {name} with weight and bias")
    return weight, bias


def named(layers: Sequence[Layer], prefix: str, start: int = 0) -> Tensors:
    """Tensors of layers as a `nn.Sequential` of ours names them: `<prefix>.0.weight`, with an activation after each."""
    return {
        f"{prefix}.{start + 2 * place}.{kind}": tensor
        for place, one in enumerate(layers)
        for kind, tensor in zip(("weight", "bias"), one, strict=True)
    }


def widths(layers: Sequence[Layer]) -> tuple[int, ...]:
    """Outputs of each layer."""
    return tuple(len(bias) for _, bias in layers)


def check_empty(left: Tensors, where: str, what: str) -> None:
    """Refuses what found no place in a network.

    Raises:
        RefusedFile: With its names.
    """
    if left:
        names = ", ".join(list(left)[:4]) + (", ..." if len(left) > 4 else "")
        raise RefusedFile(f"{where}: tensors that {what} does not have: {names}")
