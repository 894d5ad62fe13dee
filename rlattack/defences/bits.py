"""Bit depth of what is seen, reduced (Xu et al. 2018, sec. III-A); with `median` behind it, their feature squeezing."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from gymnasium.spaces import Box
from torch import Tensor

from rlattack.defences.front import Front
from rlattack.draws import Draws
from rlattack.errors import InvalidInput
from rlattack.games.game import Seat
from rlattack.policies.policy import State
from rlattack.specs import Range

_UNBOUNDED = 1e30
"""Environments write the largest float where they mean no bound."""


@dataclass(frozen=True, kw_only=True)
class BitsConfig:
    """Parameters of `bits`."""

    bits: Annotated[int, Range(least=1, most=16)] = 5
    """Of each value, over its range."""


class Bits(Front[BitsConfig]):
    """Rounds each value to one of 2^bits over its range; its gradient is taken to be the identity (BPDA)."""

    name = "bits"
    config_type = BitsConfig

    def check(self, seat: Seat) -> None:
        """Refuses values without a range; takes the range of each."""
        super().check(seat)
        space = seat.observation
        assert isinstance(space, Box), "checked above"
        if max(np.abs(space.low.astype(np.float64)).max(), np.abs(space.high.astype(np.float64)).max()) > _UNBOUNDED:
            raise InvalidInput(
                f"defence bits: expected values that each have a range, {seat.name} sees {space}; "
                "temporal, denoiser and smooth need none"
            )
        self._low = torch.as_tensor(space.low, dtype=torch.float32)
        self._step = (torch.as_tensor(space.high, dtype=torch.float32) - self._low) / (2**self.config.bits - 1)

    def seen(self, obs: Tensor, draws: Draws | None, memory: State = None) -> Tensor:
        """Every value at the nearest of its levels."""
        found: Tensor = self._low + self._step * ((obs - self._low) / self._step).round()
        return found
