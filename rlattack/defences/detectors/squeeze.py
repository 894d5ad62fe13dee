"""What the victim would do on less (feature squeezing; Xu et al. 2018, sec. 5): fewer bits, smoothed pictures.

An observation on which it acts otherwise than on a squeezed copy is suspicious: what an attack adds is mostly fine.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar

import numpy as np
import torch
from gymnasium.spaces import Box
from torch import Tensor

from rlattack.attacks import Fitted
from rlattack.defences.bits import Bits, BitsConfig
from rlattack.defences.detectors.detector import Clean, Detector, DetectorConfig, Look, distance
from rlattack.defences.front import Front, kind_of
from rlattack.defences.median import Median, MedianConfig
from rlattack.policies.policy import State
from rlattack.specs import Range

_NARROWEST = 1e-6
"""Range of a number that never varied."""


@dataclass(frozen=True, kw_only=True)
class SqueezeConfig(DetectorConfig):
    """Parameters of `squeeze`; the largest distance of all squeezed copies counts."""

    bits: Annotated[int, Range(least=1, most=16)] = 4
    """Of every entry that are left: of pixels over their range, of numbers over what clean play showed. A level of the
    background that lies beside a boundary, as Pong's at 5 bits, magnifies what an attack adds."""
    median: Annotated[int, Range(least=1, most=1000)] = 1
    """Side of the squares of pixels, each of which becomes their median, in another copy; 1 for no such copy, since
    objects of a few pixels, as Pong's ball, are lost in it. Numbers have none."""


class Squeeze(Detector[SqueezeConfig]):
    """The distance of the victim's actions on what it received and on copies behind the fronts `bits` and `median`."""

    name = "squeeze"
    config_type = SqueezeConfig
    asks: ClassVar[bool] = True
    _fronts: list[Front[Any]] | None = None

    def fit(self, clean: Iterator[Clean], say: Callable[[str], None]) -> Fitted:
        """Learns the range of numbers; pictures have one."""
        space = self.seat.observation
        assert isinstance(space, Box), "every seat shows one"
        if self._pictures:
            return Fitted({name: torch.as_tensor(np.asarray(end)) for name, end in _ends(space)})
        low, high = torch.tensor(torch.inf), torch.tensor(-torch.inf)
        for step in clean:
            seen = step.look.obs[torch.as_tensor(step.look.acting)]
            if len(seen):
                low, high = torch.minimum(low, seen.amin(dim=0)), torch.maximum(high, seen.amax(dim=0))
        return Fitted({"low": low, "high": torch.maximum(high, low + _NARROWEST)})

    def score(self, look: Look, memory: State) -> Tensor:
        """The largest distance of a squeezed copy."""
        found = [distance(look.out.actions, look.ask(_through(one, look.obs)).actions) for one in self._squeezers]
        return torch.stack(found).amax(dim=0)

    @property
    def _pictures(self) -> bool:
        return kind_of(self.seat.observation) == "pictures"

    @property
    def _squeezers(self) -> list[Front[Any]]:
        if self._fronts is None:
            low, high = (self.known(name).numpy(force=True).astype(np.float32) for name in ("low", "high"))
            seat = self.seat if self._pictures else replace(self.seat, observation=Box(low, high))
            self._fronts = [Bits(BitsConfig(bits=self.config.bits))]
            if self._pictures and self.config.median > 1:
                self._fronts.append(Median(MedianConfig(window=self.config.median)))
            for front in self._fronts:
                front.check(seat)
        return self._fronts


def _through(front: Front[Any], obs: Tensor) -> Tensor:
    """What a front makes of observations, with a slope, past what has none."""
    return front.seen(obs, None) if front.sloped else obs + (front.seen(obs, None) - obs).detach()


def _ends(space: Box) -> list[tuple[str, Any]]:
    return [("low", space.low), ("high", space.high)]
