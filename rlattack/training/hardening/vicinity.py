"""What a learner may be shown in place of what it sees: a box around it, in the numbers that its network takes."""

from dataclasses import dataclass
from typing import Any

import torch
from gymnasium.spaces import Box
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.preprocessing import is_image_space
from torch import Tensor

from rlattack.budget import Budget
from rlattack.defences.bounds import Interval

_PIXEL = 255.0


@dataclass(frozen=True)
class Vicinity:
    """The box in which attacks of a size move what a network takes: pictures over 255, numbers as it normalises them.

    Attributes:
        radius: How far each entry may move, shape (1,) or (1, *observation).
        low: The smallest values that there are, of the same shape.
        high: The largest ones.
        share: What the radius is of that which there will be.
    """

    radius: Tensor
    low: Tensor
    high: Tensor
    share: float = 1.0

    @classmethod
    def of(cls, model: BaseAlgorithm, budget: Budget, share: float = 1.0) -> "Vicinity":
        """The box of a budget, or of a share of its size, around what a learner sees now.

        Args:
            model: The learner, whose statistics of what it saw say what a standard deviation is.
            budget: Of the norm linf, in a space that it has.
            share: In [0, 1].
        """
        space, normal = model.observation_space, model.get_vec_normalize_env()
        assert isinstance(space, Box)
        size = torch.full((1,), share * budget.size, device=model.device)
        if is_image_space(space):
            ends = torch.zeros_like(size), torch.ones_like(size)
            return cls(size if budget.space == "unit" else size / _PIXEL, *ends, share)
        if normal is None or not normal.norm_obs:
            low, high = (torch.as_tensor(end[None], device=model.device) for end in (space.low, space.high))
            return cls(size, low.float(), high.float(), share)
        if budget.space == "raw":
            seen: Any = normal.obs_rms
            deviation = torch.as_tensor(seen.var + normal.epsilon, device=model.device).sqrt().float()
            size = size / deviation[None]
        return cls(size, torch.full_like(size, -normal.clip_obs), torch.full_like(size, normal.clip_obs), share)

    def box(self, seen: Tensor) -> Interval:
        """Everything that may be shown in place of each row, shape (n, *observation)."""
        lower, upper = seen - self.radius, seen + self.radius
        return Interval(self.nearest(lower, seen), self.nearest(upper, seen))

    def nearest(self, point: Tensor, seen: Tensor) -> Tensor:
        """The point of the box around each row that is nearest to another point; values beyond the range stay so."""
        point = torch.maximum(torch.minimum(point, seen + self.radius), seen - self.radius)
        return torch.maximum(torch.minimum(point, torch.maximum(self.high, seen)), torch.minimum(self.low, seen))
