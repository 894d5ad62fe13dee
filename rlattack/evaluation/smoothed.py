"""What noise before a victim makes certain: radii of its smoothed actions."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, Self

import numpy as np
import torch
from gymnasium import Space
from gymnasium.spaces import Box, Discrete
from torch import Tensor

from rlattack.arrays import BoolArray
from rlattack.budget import Budget, Unit
from rlattack.budget.change import is_picture
from rlattack.defences import Defended
from rlattack.defences.certificates.smoothed import Smoothed, Vote
from rlattack.defences.smooth import span_of
from rlattack.draws import Streams, seat_seed
from rlattack.errors import InvalidInput
from rlattack.evaluation.cell import Cell
from rlattack.evaluation.measured import CERTIFIED, RADIUS, Measured
from rlattack.evaluation.observer import Moment, Observer
from rlattack.games.game import Seat
from rlattack.policies.policy import Policy
from rlattack.specs import Count, Positive, Range

Probability = Annotated[float, Range(above=0, below=1)]
_DRAWS = 100_000
"""In place of a seat's number, of the streams of this observer."""
SMOOTH = "smooth"
"""The front that puts noise before a victim."""


@dataclass(frozen=True, kw_only=True)
class SmoothedConfig:
    """Parameters of `smoothed`."""

    sigma: Positive | None = None
    """Standard deviation of the noise, in units of the space; by default that of the victim's front `smooth`."""
    eps: Positive | None = None
    """Size, as --eps of --norm l2, at which states are certain or not, and continuous actions move."""
    space: Unit | None = None
    """unit, raw or sigma; by default unit for pictures, else sigma where the victim has statistics."""
    noises: Annotated[int, Range(least=100, most=1_000_000)] = 1_000
    """Copies of each state."""
    alpha: Probability = 0.05
    """Probability that the certificate of a state is wrong."""
    vote: Vote | None = None
    """What copies say together: majority (Cohen et al. 2019) or mean (LoAct of CROP); of continuous actions, median. By
    default what the victim's own front takes, else the first of them."""
    low: float | None = None
    """With vote=mean, the end below which Q values are clipped; probabilities are taken where none is given."""
    high: float | None = None
    """The other end."""
    every: Count = 10
    """Looks at every so many-th step of an episode."""

    def __post_init__(self) -> None:
        """Checks what a single range cannot say."""
        if (self.low is None) != (self.high is None):
            raise InvalidInput("low and high: expected both ends of Q values, or none")

    def of(self, policy: Policy, space: Space[Any]) -> tuple[Smoothed, float]:
        """The policy as it is smoothed, and the noise in units of the space.

        Raises:
            InvalidInput: It cannot be, or not so.
        """
        if not isinstance(policy.action, Discrete | Box):
            raise InvalidInput(f"expected one action to choose, or continuous ones, got {policy.action}")
        fitting: tuple[Vote, ...] = ("median",) if isinstance(policy.action, Box) else ("majority", "mean")
        front = smooth_front(policy) if self.sigma is None else None
        vote = self.vote or (fitting[0] if front is None else front.config.vote)
        if vote not in fitting:
            raise InvalidInput(f"vote: expected {' or '.join(fitting)} of {policy.action}, got {vote}")
        ends = None if self.low is None or self.high is None else (self.low, self.high)
        if front is None:
            sigma, name = self._noise(policy, space)
            span = span_of(space) if isinstance(space, Box) else None
            return Smoothed(policy, sigma, self.noises, self.alpha, vote, ends, span), name
        assert isinstance(policy, Defended), "it has that front"
        own = front.config.space or ("unit" if is_picture(space) else "sigma")
        if self.space not in (None, own):
            raise InvalidInput(f"space: the noise before the victim is counted in {own}, got {self.space}")
        if vote != front.config.vote:
            raise InvalidInput(f"vote: copies before the victim vote by {front.config.vote}, got {vote}")
        found = Smoothed(policy.policy, front.size, self.noises, self.alpha, vote, ends, front.span)
        if vote == "mean" and ends is None and found.rated:
            raise InvalidInput(
                "vote: a mean of Q values is certain only between ends of theirs: put vote=majority before the victim, "
                "or give the observer low= and high="
            )
        return found, front.config.sigma

    def _noise(self, policy: Policy, space: Space[Any]) -> tuple[Tensor, float]:
        """Deviations of noise that no front puts before a policy, and their size in units of the space."""
        if self.sigma is None:
            raise InvalidInput("sigma: expected noise above 0, as sigma=0.1, or a victim behind --defence smooth")
        usual: Unit = "unit" if is_picture(space) else "raw" if policy.normaliser is None else "sigma"
        deviation = None if policy.normaliser is None else policy.normaliser.unit
        budget = Budget(norm="l2", eps=self.eps or self.sigma, space=self.space or usual)
        return self.sigma * budget.ball(space, deviation=deviation).scale, self.sigma


def smooth_front(policy: Policy) -> Any:
    """The front `smooth` through which a policy sees, the first of all; None where there is no such."""
    return policy.front if isinstance(policy, Defended) and policy.front.name == SMOOTH else None


class SmoothedActions(Observer):
    """How far what is seen may be moved, in l2, before the victim behind noise might do something else.

    States are those that the victim itself comes to, without an attack.
    """

    config_type = SmoothedConfig

    def __init__(self, seat: int, slots: int, config: SmoothedConfig, run: int, clean: bool) -> None:
        super().__init__(seat, slots)
        self.config, self._run, self._clean = config, run, clean
        self._draws = Streams(slots)
        self._smoothed: Smoothed | None = None
        self._entries, self._sigma = 1, 0.0
        self._step = np.zeros(slots, dtype=np.int64)
        self._looked = np.zeros(slots)
        self._sums: dict[str, Any] = {}

    @classmethod
    def of(cls, cell: Cell, seat: int, config: SmoothedConfig | None = None) -> Self:
        """Looks where nothing is attacked."""
        assert config is not None, "it has parameters"
        return cls(seat, cell.envs, config, cell.seed, not cell.attacks)

    @classmethod
    def check(cls, config: SmoothedConfig, policy: Policy, seat: Seat) -> None:
        """Refuses a victim that cannot be smoothed so."""
        try:
            config.of(policy, seat.observation)
        except InvalidInput as error:
            raise InvalidInput(f"observer smoothed: {error}") from error

    def begin(self, slots: Any, episodes: Any) -> None:
        """Gives each episode noise of its own."""
        for slot, episode in zip(slots.tolist(), episodes.tolist(), strict=True):
            self._draws.restart(slot, seat_seed(self._run, episode, _DRAWS + self.seat))

    def see(self, moment: Moment) -> None:
        """Looks at one step."""
        if moment.seat != self.seat or not self._clean:
            return
        now: BoolArray = moment.acting & (self._step % self.config.every == 0)
        self._step += moment.acting
        if not now.any():
            return
        if self._smoothed is None:
            assert moment.policy is not None, "play tells who plays"
            assert moment.space is not None, "and what is seen"
            self._smoothed, self._sigma = self.config.of(moment.policy, moment.space)
            self._entries = math.prod(moment.space.shape or ())
        self._looked += now
        self._draws.active = now
        shown = torch.as_tensor(moment.shown).to(torch.float32)
        for name, values in self._found(self._smoothed, shown).items():
            kept = self._sums.setdefault(name, np.zeros(self.slots))
            kept += np.where(now, values.numpy(force=True), 0.0)

    def collect(self, slot: int) -> Mapping[str, float | None]:
        """Means of the episode that ended in a slot."""
        looked = self._looked[slot]
        found = {name: float(values[slot]) / looked if looked else None for name, values in self._sums.items()}
        self._step[slot] = self._looked[slot] = 0
        for values in self._sums.values():
            values[slot] = 0.0
        return found

    def _found(self, smoothed: Smoothed, shown: Tensor) -> dict[str, Tensor]:
        """What is measured of every slot, shape (slots,) each."""
        config, each = self.config, self._sigma / math.sqrt(self._entries)
        at = f"at sigma {self._sigma:g}{f' by {config.vote}' if config.vote else ''}"
        if smoothed.vote != "median":
            radius = smoothed.radius(shown, self._draws)[1] * each
            if config.eps is None:
                return {f"smoothed radius {at}": radius}
            of = Measured(CERTIFIED, "l2", config.eps, f"{SMOOTH}-{self._sigma:g}{'-mean' * (smoothed.vote == 'mean')}")
            return {of.name: radius >= config.eps, replace(of, what=RADIUS).name: radius}
        size = 0.0 if config.eps is None else config.eps / each
        middle, lower, upper = smoothed.moves(shown, self._draws, size)
        farthest = torch.maximum(upper - middle, middle - lower).amax(dim=1)
        return {f"smoothed action may move {at}, l2 {config.eps or 0:g}": farthest}
