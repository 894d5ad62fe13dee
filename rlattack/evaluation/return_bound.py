"""Bounds of what a victim behind noise earns under any attack of a size, and the attacks beside which they stand."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Self

import numpy as np
from scipy import stats

from rlattack.defences.certificates.returns import SmoothedReturns
from rlattack.errors import InvalidInput
from rlattack.evaluation.cell import Cell
from rlattack.evaluation.episode import SeatEpisode
from rlattack.evaluation.observer import Moment, Observer
from rlattack.evaluation.results import Mean, SeatResult
from rlattack.evaluation.smoothed import Probability, smooth_front
from rlattack.games.game import Seat
from rlattack.policies.policy import Policy
from rlattack.specs import Count, Positive, Range

SIZE = "_size"
"""How large a perturbation of a step is beside the noise; a name that begins so is of no column."""
QUANTILE_BOUND, MEAN_BOUND = "bound of return, quantile", "bound of mean return"
"""How the names of bounds begin."""


@dataclass(frozen=True, kw_only=True)
class ReturnBoundConfig:
    """Parameters of `return-bound`."""

    eps: Positive
    """Size of a perturbation of a step, as --eps of --norm l2, in the units of the noise."""
    steps: Count
    """Most steps of an episode: what --max-steps says, or the game."""
    share: Probability = 0.5
    """Which quantile of the return is bounded; .5 is the median."""
    alpha: Annotated[float, Range(above=0, most=0.5)] = 0.05
    """Probability that a bound is wrong, of each; that of Massart for one side holds up to a half."""
    low: float | None = None
    """The least return that the game can give; without it means have no bound."""
    high: float | None = None
    """The most."""

    @property
    def quantile(self) -> str:
        """Name of the bound of a quantile."""
        return f"{QUANTILE_BOUND} {self.share:g}, at l2 {self.eps:g}"

    @property
    def mean(self) -> str:
        """Name of the bound of the mean."""
        return f"{MEAN_BOUND} at l2 {self.eps:g}"

    @property
    def slope(self) -> str:
        """Name of the bound of the mean that its slope gives."""
        return f"{MEAN_BOUND} by its slope at l2 {self.eps:g}"


class ReturnBound(Observer):
    """Least that a victim behind noise earns under any attack of a size: a quantile and the mean, by all episodes."""

    config_type = ReturnBoundConfig

    def __init__(self, seat: int, slots: int, config: ReturnBoundConfig, clean: bool) -> None:
        super().__init__(seat, slots)
        self.config, self._clean, self._size = config, clean, 0.0

    @classmethod
    def of(cls, cell: Cell, seat: int, config: ReturnBoundConfig | None = None) -> Self:
        """Looks where nothing is attacked."""
        assert config is not None, "it has parameters"
        return cls(seat, cell.envs, config, not cell.attacks)

    @classmethod
    def check(cls, config: ReturnBoundConfig, policy: Policy, seat: Seat) -> None:
        """Refuses a victim that sees what is shown without noise."""
        if smooth_front(policy) is None:
            raise InvalidInput(
                "observer return-bound: expected a victim whose first front is noise, as --defence smooth:sigma=0.1"
            )

    def see(self, moment: Moment) -> None:
        """Keeps how large a perturbation of a step is beside the noise: copies of a step are moved alike."""
        if moment.seat != self.seat or self._size or not self._clean:
            return
        assert moment.policy is not None, "play tells who plays"
        assert moment.space is not None, "and what is seen"
        front, entries = smooth_front(moment.policy), math.prod(moment.space.shape or ())
        self._size = self.config.eps * math.sqrt(entries * front.copies) / front.config.sigma

    def collect(self, slot: int) -> Mapping[str, float | None]:
        """What the bound needs to know beside the returns."""
        return {_size(self.config): self._size} if self._clean else {}

    @classmethod
    def over(cls, config: Any, episodes: Sequence[SeatEpisode], lengths: Sequence[int]) -> Mapping[str, Mean]:
        """The bounds, of all episodes together."""
        each = episodes[0].measured.get(_size(config))
        if not each:
            return {}
        if max(lengths) > config.steps:
            raise InvalidInput(
                f"observer return-bound: expected episodes of at most steps={config.steps}, one took {max(lengths)}: "
                "raise steps=, or cut them by --max-steps"
            )
        returns = SmoothedReturns(np.asarray([one.score for one in episodes]), config.alpha, config.low, config.high)
        size = each * math.sqrt(config.steps)
        found = {
            config.quantile: returns.percentile(config.share, size),
            config.mean: returns.expectation(size),
            config.slope: returns.lipschitz(size),
        }
        return {name: Mean(value, (value, value)) for name, value in found.items() if value is not None}


def _size(config: ReturnBoundConfig) -> str:
    """Under what name the size of a perturbation is kept: several bounds may look at one cell."""
    return f"{SIZE} at {config.eps:g}"


def undercut(
    config: ReturnBoundConfig, clean: SeatResult, attacked: SeatResult, episodes: Sequence[SeatEpisode]
) -> str:
    """What is said of an attack that leaves clearly less than a bound allows; empty where it does not.

    Args:
        config: Of the bound, whose size the attack keeps to in episodes of at most its steps.
        clean: What the victim earned without an attack, with its bounds.
        attacked: What the attack left.
        episodes: Those of the attack.
    """
    bounds = {name: one.mean for name, one in clean.observed.items()}
    for name in (config.mean, config.slope):
        if name in bounds and attacked.returns.ci[1] < bounds[name]:
            most = f"a mean return of at most {attacked.returns.ci[1]:g}"
            return f"failed: it leaves {most}, below {bounds[name]:g}, the {name}: the certificate is wrong"
    if config.quantile in bounds:
        least = bounds[config.quantile]
        below = sum(one.score < least for one in episodes)
        share = float(stats.beta.ppf(config.alpha, below, len(episodes) - below + 1)) if below else 0.0
        if share > config.share:
            return (
                f"failed: {below} of {len(episodes)} episodes are left less than {least:g}, the {config.quantile}: "
                "the certificate is wrong"
            )
    return ""
