"""A small network that predicts what a seat sees next, from what it saw and did (after Oh et al. 2015).

Pictures are cut into blocks, whose pixels are channels, so that three small convolutions see far; they see how frames
differ, and what is predicted is how the next one differs from the newest. Numbers are predicted by layers alone.
"""

import itertools
import math

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812  # torch's own convention
from gymnasium.spaces import Box, Discrete, MultiDiscrete
from torch import Tensor, nn

from rlattack.budget.frames import channels_first, is_stack
from rlattack.errors import InvalidInput
from rlattack.games.game import Seat

_BLOCK, _CHANNELS, _WIDTH = 4, 32, 128
"""Side of a block at most, channels of the convolutions, and width of the layers of who sees numbers."""


class Predictor(nn.Module):
    """Maps what was seen and done to what is seen next.

    Args:
        seat: What is seen and done.

    Raises:
        InvalidInput: It sees pictures of colours that stand last, or something else that is neither numbers nor frames.
    """

    mean: Tensor
    deviation: Tensor
    change: Tensor
    low: Tensor
    high: Tensor

    def __init__(self, seat: Seat) -> None:
        super().__init__()
        space = seat.observation
        assert isinstance(space, Box), "every seat shows one"
        if len(space.shape) != 1 and not channels_first(space):
            raise InvalidInput(
                f"detector foresight: expected stacked frames or numbers, {seat.name} sees {space}; squeeze takes all"
            )
        self._action = seat.action
        self.pictures, self.stacked = len(space.shape) == 3, is_stack(space)
        """Whether only the newest frame is to be predicted."""
        self.block = math.gcd(_BLOCK, *space.shape[1:]) if self.pictures else 1
        frames = space.shape[0]
        predicted = 1 if self.stacked else frames
        if self.pictures:
            area = self.block**2
            sizes = (frames * area + self.acted, _CHANNELS, _CHANNELS, predicted * area)
            made: list[nn.Module] = [nn.Conv2d(a, b, 3, padding=1) for a, b in itertools.pairwise(sizes)]
        else:
            sizes = (frames + self.acted, _WIDTH, _WIDTH, frames)
            made = [nn.Linear(a, b) for a, b in itertools.pairwise(sizes)]
        self.layers = nn.Sequential(made[0], nn.ReLU(), made[1], nn.ReLU(), made[2])
        unit = () if self.pictures else space.shape
        for name, size, value in (("mean", space.shape, 0.0), ("deviation", unit, 1.0), ("change", unit, 1.0)):
            self.register_buffer(name, torch.full(size, value))
        self.register_buffer("low", torch.as_tensor(space.low, dtype=torch.float32))
        self.register_buffer("high", torch.as_tensor(space.high, dtype=torch.float32))

    @property
    def acted(self) -> int:
        """Numbers that an action is written in."""
        if isinstance(self._action, Discrete):
            return int(self._action.n)
        if isinstance(self._action, MultiDiscrete):
            return int(self._action.nvec.sum())
        return math.prod(self._action.shape or ())

    def begin(self, before: Tensor, after: Tensor, seed: int) -> None:
        """Draws first weights, and takes the statistics of what is seen."""
        generator = torch.Generator("cpu").manual_seed(seed)
        with torch.no_grad():
            for layer in self.layers:
                if isinstance(layer, nn.Conv2d | nn.Linear):
                    drawn = torch.zeros(layer.weight.shape, device="cpu")
                    nn.init.kaiming_normal_(drawn, generator=generator)
                    layer.weight.copy_(torch.as_tensor(drawn) * (layer is not self.layers[-1]))  # no change at first
                    if layer.bias is not None:
                        nn.init.zeros_(layer.bias)
            whole = slice(-1, None) if self.stacked else slice(None)
            moved = after[:, whole].float() - before[:, whole].float()
            over = tuple(range(before.ndim)) if self.pictures else 0
            self.mean.copy_(before.float().mean(dim=0))
            self.deviation.copy_((before.float() - self.mean).square().mean(dim=over).sqrt().clamp_min(1e-6))
            self.change.copy_(moved.square().mean(dim=over).sqrt().clamp_min(1e-6))

    def forward(self, obs: Tensor, action: Tensor) -> Tensor:
        """What is seen next, shape (n, *observation), within what can be seen; of a stack, with the older frames."""
        newest = obs[:, -1:] if self.stacked else obs
        predicted = newest + self.change * self._moved((obs - self.mean) / self.deviation, self._written(action))
        whole = torch.cat([obs[:, 1:], predicted], dim=1) if self.stacked else predicted
        return whole.clamp(self.low, self.high)

    def loss(self, before: Tensor, action: Tensor, after: Tensor) -> Tensor:
        """Mean squared error of what is new, in the unit of changes."""
        predicted: Tensor = self(before, action)
        if self.stacked:
            predicted, after = predicted[:, -1], after[:, -1]
        return ((predicted - after) / self.change).square().mean()

    def _moved(self, seen: Tensor, action: Tensor) -> Tensor:
        if not self.pictures:
            found: Tensor = self.layers(torch.cat([seen, action], dim=1))
            return found
        if self.stacked:
            seen = torch.cat([seen.diff(dim=1), seen[:, -1:]], dim=1)
        blocks = F.pixel_unshuffle(seen, self.block)
        planes = action[:, :, None, None].expand(-1, -1, *blocks.shape[2:])
        changes: Tensor = self.layers(torch.cat([blocks, planes], dim=1))
        return F.pixel_shuffle(changes, self.block)

    def _written(self, action: Tensor) -> Tensor:
        """Actions as numbers, shape (n, acted)."""
        if isinstance(self._action, Discrete):
            return F.one_hot(action.long(), int(self._action.n)).float()
        if isinstance(self._action, MultiDiscrete):
            counts = self._action.nvec.tolist()
            parts = zip(action.long().unbind(dim=1), counts, strict=True)
            return torch.cat([F.one_hot(*part) for part in parts], dim=1).float()
        low, high = (torch.as_tensor(np.asarray(end), dtype=torch.float32) for end in _ends(self._action))
        return action.flatten(1).clamp(low.flatten(), high.flatten())


def _ends(action: object) -> tuple[object, object]:
    assert isinstance(action, Box), "there are no other actions"
    return action.low, action.high
