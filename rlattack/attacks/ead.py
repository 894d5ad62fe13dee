"""EAD, the elastic-net attack (Chen et al. 2018, alg. 1): a change of few entries that changes what a victim does."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from rlattack.attacks.weighted import HingedConfig, Trade, Weighted
from rlattack.specs import NotNegative


@dataclass(frozen=True, kw_only=True)
class EADConfig(HingedConfig):
    """Parameters of `ead`; its authors take 1,000 steps for each of 9 weights, and shrink by 0.001 too."""

    shrink: NotNegative = 1e-3
    """What every entry of a perturbation loses in a step, in units of the space; beta in the paper."""


class EAD(Weighted[EADConfig]):
    """Minimises squared size, mean size and a weighted hinge of the scores by shrinking steps (FISTA)."""

    name = "ead"
    title = "EAD"
    reaches: ClassVar[tuple[str, ...]] = ("l1",)
    config_type = EADConfig

    def minimise(self, trade: Trade) -> Tensor:
        """Takes steps whose length falls to 0, each from a point ahead; the smallest in l1 counts (the L1 rule)."""
        config, obs, reach = self.config, trade.obs, trade.reach
        low, high = ((end - obs) / reach.scale for end in (reach.low, reach.high))
        point = ahead = torch.zeros_like(obs)
        enough = torch.zeros_like(trade.searching)
        for step in range(config.steps):
            grad, _, _ = trade.slope(obs + ahead * reach.scale, trade.hinge)
            length = config.step * (1 - step / config.steps) ** 0.5
            moved = ahead - length * (grad + 2 * ahead)
            last, point = point, _shrunk(moved, config.shrink).maximum(low).minimum(high)
            ahead = point + step / (step + 3) * (point - last)
            shown = reach.settle(obs + point * reach.scale, obs)
            enough = enough | trade.offer(shown, trade.turn.victim(shown, only=trade.searching))
        return enough


def _shrunk(values: Tensor, by: float) -> Tensor:
    """Every value nearer to 0, or 0."""
    return values.sign() * (values.abs() - by).clamp_min(0)
