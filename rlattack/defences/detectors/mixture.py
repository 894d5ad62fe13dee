"""How unlikely activations are by a Gaussian mixture of those of clean play (Gleave et al. 2019, sec. 5.2)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from torch import Tensor

from rlattack.attacks import Fitted
from rlattack.defences.detectors.detector import Clean, Detector, Look
from rlattack.defences.detectors.mahalanobis import ActivationConfig, gathered
from rlattack.defences.mixture import Mixture
from rlattack.policies.policy import State
from rlattack.specs import Count, Range

_NEEDS = 'detector mixture needs scikit-learn: pip install "rlattack[analysis]"; mahalanobis does without'
_SEED = 0


@dataclass(frozen=True, kw_only=True)
class MixtureConfig(ActivationConfig):
    """Parameters of `mixture`."""

    components: Annotated[int, Range(least=1, most=100)] = 10
    """Normal distributions, each with a covariance of its own."""
    directions: Count = 32
    """Principal directions of the activations in which it looks, and beside them how far a step is from all of them: a
    covariance of all entries has more numbers than there are steps."""


class MixtureDetector(Detector[MixtureConfig]):
    """Minus the log-likelihood of the victim's activations by a mixture that was fitted to clean play."""

    name = "mixture"
    config_type = MixtureConfig
    inside: ClassVar[bool] = True

    def fit(self, clean: Iterator[Clean], say: Callable[[str], None]) -> Fitted:
        """Learns the principal directions, and the mixture in them."""
        values, _ = gathered(clean, self.config.states, self.name, self.config.episodes)
        mean = values.mean(dim=0)
        _, _, directions = torch.linalg.svd(values - mean, full_matrices=False)
        basis = directions[: self.config.directions].T.contiguous()
        usual = {"mean": mean, "basis": basis, "scale": torch.ones(1, dtype=torch.float64, device="cpu")}
        usual["scale"] = _placed(values, usual).std(dim=0).clamp_min(1e-6)
        found = Mixture.fit(_placed(values, usual).numpy(), self.config.components, _SEED, _NEEDS)
        return Fitted(usual | {f"mixture {name}": tensor for name, tensor in found.tensors.items()})

    def score(self, look: Look, memory: State) -> Tensor:
        """How unlikely it is, in nats."""
        assert look.out.hidden is not None, "who shows no activations is refused"
        learned = {name: self.known(name) for name in ("mean", "basis", "scale")}
        mixture = Mixture(*(self.known(f"mixture {name}") for name in ("weight", "mean", "whitening")))
        return -mixture.likelihood(_placed(look.out.hidden.double(), learned))


def _placed(values: Tensor, usual: dict[str, Tensor]) -> Tensor:
    """Activations in the principal directions, and how far they are from all of them, each in its deviation."""
    apart = values - usual["mean"]
    along = apart @ usual["basis"]
    beside = (apart - along @ usual["basis"].T).square().sum(dim=1, keepdim=True)
    return torch.cat([along, (beside + 1e-12).sqrt()], dim=1) / usual["scale"]
