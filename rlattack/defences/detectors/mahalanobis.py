"""How far activations are from those of clean play, in its own deviations (Lee et al. 2018, eq. 1 and 2).

Normal distributions of one covariance, one for each action that the victim prefers, are fitted to its last hidden
layer. Lee et al. add up all layers and change the input a little first; here it is the layer before the actions.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from torch import Tensor

from rlattack.attacks import Fitted
from rlattack.attacks.tuning import FEWEST
from rlattack.defences.detectors.detector import Clean, Detector, DetectorConfig, Look, Spread, classes, enough
from rlattack.policies.policy import State
from rlattack.specs import Positive, Range

_LEAST_OF_CLASS = 2
"""Steps without which there is no normal distribution of an action."""


@dataclass(frozen=True, kw_only=True)
class ActivationConfig(DetectorConfig):
    """What detectors by activations share."""

    states: Annotated[int, Range(least=2 * FEWEST, most=100_000)] = 5000
    """Clean steps that are learned from at most, spread evenly over the episodes."""


@dataclass(frozen=True, kw_only=True)
class MahalanobisConfig(ActivationConfig):
    """Parameters of `mahalanobis`."""

    ridge: Positive = 1e-3
    """Added to the variance of every direction, as a share of the mean variance: there are some in which clean play
    hardly varies, or which too few steps tell."""


class Mahalanobis(Detector[MahalanobisConfig]):
    """The squared distance of the victim's activations from the nearest usual ones, in their deviations."""

    name = "mahalanobis"
    config_type = MahalanobisConfig
    inside: ClassVar[bool] = True

    def fit(self, clean: Iterator[Clean], say: Callable[[str], None]) -> Fitted:
        """Learns the mean for each action, and the covariance around them."""
        values, action = gathered(clean, self.config.states, self.name, self.config.episodes)
        labels, count = classes(self.seat, action)
        found = [values[labels == number] for number in range(count)]
        found = [rows for rows in found if len(rows) >= _LEAST_OF_CLASS]
        means = torch.stack([rows.mean(dim=0) for rows in found])
        apart = torch.cat([rows - mean for rows, mean in zip(found, means, strict=True)])
        covariance = apart.T @ apart / len(apart)
        variance = covariance.diagonal().mean().clamp_min(1e-12)
        values_of, directions = torch.linalg.eigh(covariance)
        whitening = directions / (values_of.clamp_min(0) + self.config.ridge * variance).sqrt()
        return Fitted({"means": (means @ whitening).contiguous(), "whitening": whitening.contiguous()})

    def score(self, look: Look, memory: State) -> Tensor:
        """The least squared distance from the mean of an action."""
        assert look.out.hidden is not None, "who shows no activations is refused"
        values = look.out.hidden.double() @ self.known("whitening")
        return (values[:, None] - self.known("means")).square().sum(dim=2).amin(dim=1)


def gathered(clean: Iterator[Clean], most: int, name: str, episodes: int) -> tuple[Tensor, Tensor]:
    """Activations of clean steps, float64, (rows, width), on the CPU, with what the victim would most likely do.

    Raises:
        InvalidInput: Fewer steps than anything is learned from.
    """
    kept = Spread(most)
    for step in clean:
        out = step.look.out
        assert out.hidden is not None, "who shows no activations is refused"
        kept.add(step.look.acting, out.hidden, out.actions.greedy)
    enough(len(kept), FEWEST, name, episodes)
    values, action = kept.tensors
    return values.cpu().double(), action.cpu()
