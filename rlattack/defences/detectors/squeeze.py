"""What the victim would do on less (feature squeezing; Xu et al. 2018, sec. 5): fewer bits, smoothed pictures.

An observation on which it acts otherwise than on a squeezed copy is suspicious: what an attack adds is mostly fine.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
import torch.nn.functional as F  # noqa: N812  # torch's own convention
from gymnasium.spaces import Box
from torch import Tensor

from rlattack.attacks import Fitted
from rlattack.budget.frames import channels_first
from rlattack.defences.detectors.detector import Clean, Detector, DetectorConfig, Look, distance
from rlattack.policies.policy import State
from rlattack.specs import Range


@dataclass(frozen=True, kw_only=True)
class SqueezeConfig(DetectorConfig):
    """Parameters of `squeeze`; the largest distance of all squeezed copies counts."""

    bits: Annotated[int, Range(least=1, most=16)] = 5
    """Of every entry that are left: of pixels over their range, of numbers over what clean play showed."""
    median: Annotated[int, Range(least=1, most=15)] = 2
    """Side of the squares of pixels, each of which becomes their median; 1 leaves pictures as they are. Numbers have
    none."""


class Squeeze(Detector[SqueezeConfig]):
    """The distance of the victim's actions on what it received and on squeezed copies."""

    name = "squeeze"
    config_type = SqueezeConfig
    asks: ClassVar[bool] = True

    @property
    def _pictures(self) -> bool:
        space = self.seat.observation
        return isinstance(space, Box) and channels_first(space)

    def fit(self, clean: Iterator[Clean], say: Callable[[str], None]) -> Fitted:
        """Learns the range of numbers; pictures have one."""
        space = self.seat.observation
        assert isinstance(space, Box), "every seat shows one"
        if self._pictures:
            return Fitted({name: torch.as_tensor(end, dtype=torch.float32) for name, end in _ends(space)})
        low, high = torch.tensor(torch.inf), torch.tensor(-torch.inf)
        for step in clean:
            seen = step.look.obs[torch.as_tensor(step.look.acting)]
            if len(seen):
                low, high = torch.minimum(low, seen.amin(dim=0)), torch.maximum(high, seen.amax(dim=0))
        return Fitted({"low": low, "high": high})

    def score(self, look: Look, memory: State) -> Tensor:
        """The largest distance of a squeezed copy."""
        copies = [
            look.obs + (one - look.obs).detach() for one in self._squeezed(look.obs)
        ]  # a slope past what has none
        return torch.stack([distance(look.out.actions, look.ask(one).actions) for one in copies]).amax(dim=0)

    def _squeezed(self, obs: Tensor) -> Iterator[Tensor]:
        low, high = self.known("low"), self.known("high")
        steps = 2**self.config.bits - 1
        wide = (high - low).clamp_min(1e-12)
        yield ((obs - low) / wide * steps).round() * wide / steps + low
        if self._pictures and self.config.median > 1:
            yield medians(obs, self.config.median)


def medians(frames: Tensor, size: int) -> Tensor:
    """Each pixel as the median of a square of which it is the middle, as near as there is one; edges are mirrored."""
    before = (size - 1) // 2
    after = size - 1 - before
    wide = F.pad(frames, (before, after, before, after), mode="reflect")
    squares = wide.unfold(2, size, 1).unfold(3, size, 1)
    return squares.flatten(4).median(dim=4).values


def _ends(space: Box) -> list[tuple[str, object]]:
    return [("low", space.low), ("high", space.high)]
