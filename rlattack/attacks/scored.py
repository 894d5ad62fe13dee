"""Attacks in the steps in which something that the victim says of them is high: a gap, a value, how sure it is."""

from abc import abstractmethod
from bisect import insort
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import ClassVar, TypeVar

import torch
from torch import Tensor

from rlattack.arrays import IntArray
from rlattack.attacks.attack import Setting
from rlattack.attacks.schedule import Limited
from rlattack.attacks.target import Target
from rlattack.attacks.tuning import Tuning
from rlattack.attacks.words import Fitted
from rlattack.draws import Draws
from rlattack.errors import InvalidInput
from rlattack.policies.distributions import Actions, Categorical
from rlattack.specs import Fraction

_STATES = 2000
"""Observations of tuning episodes by which the threshold for a share is found."""


@dataclass(frozen=True, kw_only=True)
class ScoreConfig:
    """Either how often, or from what on."""

    share: Fraction | None = None
    """Part of the steps, above 0 and at most 1: then the threshold is found on tuning episodes."""

    limit: ClassVar[str]
    """The parameter that gives the threshold."""

    @property
    def bound(self) -> float | None:
        """The score above which a step is attacked, where it is given."""
        found: float | None = getattr(self, self.limit)
        return found

    def __post_init__(self) -> None:
        if (self.share is None) == (self.bound is None):
            raise InvalidInput(f"expected one of share= and {self.limit}=")


@dataclass(frozen=True, kw_only=True)
class ThresholdConfig(ScoreConfig):
    """Parameters of `timed` and `importance`."""

    threshold: float | None = None
    """The score above which a step is attacked."""

    limit: ClassVar[str] = "threshold"


@dataclass(frozen=True, kw_only=True)
class ValueConfig(ScoreConfig):
    """Parameters of `value`."""

    above: float | None = None
    """The victim's value above which a step is attacked."""

    limit: ClassVar[str] = "above"


@dataclass(frozen=True, kw_only=True)
class EntropyConfig(ScoreConfig):
    """Parameters of `entropy`."""

    below: float | None = None
    """The entropy, in nats, below which a step is attacked."""

    limit: ClassVar[str] = "below"

    @property
    def bound(self) -> float | None:
        """Minus that entropy, as the score is minus the entropy."""
        return None if self.below is None else -self.below


Config = TypeVar("Config", bound=ScoreConfig)


class Scored(Limited[Config]):
    """Steps of a high score: above a threshold, or such that a share of the steps of tuning episodes is above it.

    With a share, never more than that part of an episode's steps so far. Where nothing was learned, as in a wrapper of
    an environment, the threshold is the score that only that share of the episode's steps so far exceed.
    """

    knowledge = "scores"
    unlearned = ("share",)

    def __init__(self, config: Config | None = None) -> None:
        super().__init__(config)
        self._scores: dict[int, list[float]] = defaultdict(list)  # in order of size

    @abstractmethod
    def score(self, victim: Target, obs: Tensor) -> Tensor:
        """The score of each slot, shape (slots,)."""

    @property
    def share(self) -> float:
        """How often it may act at most."""
        return 1.0 if self.config.share is None else self.config.share

    @property
    def control(self) -> str | None:
        """Random timing of the same share; a threshold's share is known only afterwards."""
        return None if self.config.share is None else f"random:share={self.config.share:g}"

    @property
    def learns(self) -> bool:
        """Whether a threshold is to be found."""
        return self.config.share is not None

    def fit(self, tuning: Tuning) -> Fitted:
        """Keeps the scores of states, in which every share finds its threshold."""
        found = []
        for shown in tuning.observations(-(-_STATES // tuning.victim.slots)):
            tuning.begin(shown)
            found.append(self.score(tuning.victim, shown).detach().cpu())
        return Fitted({"scores": torch.cat(found).double()})

    def wanted(self, victim: Target, obs: Tensor, draws: Draws, allowed: Mapping[int, int]) -> Collection[int]:
        """Slots whose score is high enough."""
        scores = self.score(victim, obs).double()
        if self.config.bound is not None:
            return _chosen(scores > self.config.bound, allowed)
        if self.learned.tensors:
            threshold, ties = _cut(self.learned.tensors["scores"].to(scores.device), self.share)
            drawn = draws.uniform(1)[:, 0] < ties
            return _chosen((scores > threshold) | ((scores == threshold) & drawn), allowed)
        told = scores.tolist()
        for slot in allowed:
            insort(self._scores[slot], told[slot])
        return [slot for slot, most in allowed.items() if most and told[slot] >= self._scores[slot][-most]]

    def restart(self, slots: IntArray) -> None:
        """Forgets the scores of the episodes that ended."""
        super().restart(slots)
        for slot in map(int, slots):
            self._scores.pop(slot, None)


class Timed(Scored[ThresholdConfig]):
    """The steps in which the victim prefers one action most clearly (strategically timed; Lin et al. 2017, sec. 3.1).

    The score is the gap between its most and its least likely action (eq. 5 and 6).
    """

    needs: ClassVar[frozenset[type[Actions]]] = frozenset({Categorical})
    config_type = ThresholdConfig

    def score(self, victim: Target, obs: Tensor) -> Tensor:
        """The gap of the probabilities, in [0, 1]."""
        likely = _choice(victim).probabilities
        return likely.amax(dim=1) - likely.amin(dim=1)


class Importance(Scored[ThresholdConfig]):
    """The steps in which it matters most what the victim does (Torrey and Taylor 2013): by its own Q values.

    The score is the largest Q value minus the smallest; of a victim without any, the value of its critic.
    """

    config_type = ThresholdConfig

    def check(self, setting: Setting) -> None:
        """Refuses a victim without Q values and without a critic."""
        _check_critic(setting, self.name)

    def score(self, victim: Target, obs: Tensor) -> Tensor:
        """The range of the Q values."""
        q = victim.clean_output.q
        return victim.estimate("value", obs) if q is None else q.amax(dim=1) - q.amin(dim=1)


class Value(Scored[ValueConfig]):
    """The steps in which the victim thinks that it does well (Kos and Song 2017, sec. 4): by its own critic."""

    config_type = ValueConfig

    def check(self, setting: Setting) -> None:
        """Refuses a victim without a critic."""
        _check_critic(setting, self.name)

    def score(self, victim: Target, obs: Tensor) -> Tensor:
        """The value of what is seen."""
        q = victim.clean_output.q
        return victim.estimate("value", obs) if q is None else q.amax(dim=1)


class Entropy(Scored[EntropyConfig]):
    """The steps in which the victim is surest (Qu et al. 2020, sec. 3): those of least entropy."""

    needs: ClassVar[frozenset[type[Actions]]] = frozenset({Categorical})
    config_type = EntropyConfig

    def score(self, victim: Target, obs: Tensor) -> Tensor:
        """Minus the entropy in nats."""
        scores = _choice(victim).scores
        return (scores.softmax(dim=1) * scores.log_softmax(dim=1)).sum(dim=1)


def _cut(scores: Tensor, share: float) -> tuple[Tensor, Tensor]:
    """The threshold that a share of the scores are above, and how many that are equal to it belong to it, as a share.

    Args:
        scores: In states of tuning episodes, shape (states,).
        share: That share.
    """
    threshold = scores.quantile(1 - share, interpolation="higher")
    equal, above = (scores == threshold).double().mean(), (scores > threshold).double().mean()
    return threshold, ((share - above) / equal).clamp(0, 1)


def _choice(victim: Target) -> Categorical:
    actions = victim.clean_output.actions
    assert isinstance(actions, Categorical), "declared in `needs`"
    return actions


def _check_critic(setting: Setting, name: str) -> None:
    """Refuses a victim that has neither a critic nor Q values."""
    if "value" not in setting.estimates and not setting.rated:
        raise InvalidInput(f"--when {name}: expected a victim with a critic, and this one has none; use random:share=")


def _chosen(high: Tensor, allowed: Mapping[int, int]) -> list[int]:
    told = high.tolist()
    return [slot for slot in allowed if told[slot]]
