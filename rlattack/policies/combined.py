"""What Stable-Baselines3's CombinedExtractor makes of a Dict: features of pictures, all else as it is."""

import math

import torch
from torch import Tensor, nn

from rlattack.errors import ContentError
from rlattack.policies.gaussian_spec import GaussianSpec
from rlattack.policies.network import NATURE, convolutions


class Combined(nn.Module):
    """Maps what is seen of a Dict, flattened, shape (n, entries), to features, shape (n, `spec.features`).

    Args:
        spec: Keys, their shapes, and which of them are pictures.

    Raises:
        ContentError: Pictures that are too small for a NatureCNN.
    """

    def __init__(self, spec: GaussianSpec) -> None:
        super().__init__()
        self._scale, self._shapes, self._sizes = spec.scale, spec.shapes, [part.entries for part in spec.parts]
        self.keys = nn.ModuleList(
            _nature(shape, features) if features else nn.Identity()
            for shape, features in zip(spec.shapes, spec.pictures, strict=True)
        )

    def forward(self, seen: Tensor) -> Tensor:
        """Looks at each key by itself."""
        found = []
        for part, shape, network in zip(torch.split(seen, self._sizes, dim=1), self._shapes, self.keys, strict=True):
            plain = isinstance(network, nn.Identity)
            found.append(part if plain else network(part.reshape(-1, *shape) / self._scale))
        return torch.cat(found, dim=1)


def _nature(shape: tuple[int, ...], features: int) -> nn.Sequential:
    channels, *sides = shape
    for _, kernel, stride in NATURE:
        sides = [(side - kernel) // stride + 1 for side in sides]
    if min(sides) < 1:
        raise ContentError(f"network: pictures of {shape} are too small for a NatureCNN")
    width = NATURE[-1][0] * math.prod(sides)
    return nn.Sequential(*convolutions(NATURE, channels), nn.Linear(width, features), nn.ReLU())
