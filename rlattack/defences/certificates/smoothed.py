"""Certificates of smoothed policies: what is said of many noised copies of what is seen holds in an l2 ball.

By Cohen et al. 2019 (the share of copies that choose an action, by Clopper and Pearson) and by LoAct of CROP (Wu et al.
2022, theorem 1: means of values by Hoeffding); of continuous actions by medians (Chiang et al. 2020, lemma 1).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import torch
from gymnasium.spaces import Box, Discrete
from scipy import stats
from torch import Tensor, nn

from rlattack.defences.certificates.chains import chain
from rlattack.draws import Draws
from rlattack.errors import InvalidInput
from rlattack.policies.policy import Policy

Vote = Literal["majority", "mean", "median"]
"""What copies of discrete actions say together: the most frequent choice, or the largest mean; of continuous ones the
median."""
_AT_ONCE, _FEWEST = 2**18, 256
"""Numbers of noised copies that are held at once, as many as stay near the processor, and how many copies at least."""


@dataclass(frozen=True)
class Smoothed:
    """A policy that is asked about noised copies of what it sees: what all that there could be say, not some of them.

    Attributes:
        policy: Who is asked; without memory.
        sigma: Standard deviation of the noise, in the game's own units, as it broadcasts over (n, *observation).
        noises: Copies of each state.
        alpha: Probability that a certificate is wrong, of each state.
        vote: What they say together.
        ends: Ends to which Q values are clipped, of `mean`; probabilities, which lie in (0, 1), where there are none.
        span: Ends within which copies are brought before the policy sees them, as they broadcast over observations.

    Raises:
        InvalidInput: A noise of nothing, a probability outside (0, 1), or a policy with a memory.
    """

    policy: Policy
    sigma: Tensor
    noises: int = 10_000
    alpha: float = 0.05
    vote: Vote = "majority"
    ends: tuple[float, float] | None = None
    span: tuple[Tensor, Tensor] | None = None

    def __post_init__(self) -> None:
        if not bool((self.sigma >= 0).all() & (self.sigma > 0).any()):
            raise InvalidInput(f"sigma: expected noise above 0, got {float(self.sigma.max()):g}")
        if not 0 < self.alpha < 1:
            raise InvalidInput(f"alpha: expected a probability above 0 and below 1, got {self.alpha:g}")
        if self.ends is not None and not self.ends[0] < self.ends[1]:
            raise InvalidInput(
                f"ends: expected a lower end below the upper one, got {self.ends[0]:g} and {self.ends[1]:g}"
            )
        if self.policy.initial_state(1) is not None:
            raise InvalidInput("smoothed certificates: expected a policy without memory, got one with a state")

    def radius(self, obs: Tensor, draws: Draws) -> tuple[Tensor, Tensor]:
        """The smoothed action of each state, and within how much of the noise it is certain.

        Args:
            obs: Shape (n, *observation).
            draws: Random numbers, a stream a row.

        Returns:
            Actions, int64, shape (n,), and l2 radii as a part of sigma, shape (n,): 0 where nothing is certain.
        """
        if not isinstance(self.policy.action, Discrete):
            raise InvalidInput("smoothed certificates: expected discrete actions for a majority or a mean")
        return self._by_votes(obs, draws) if self.vote == "majority" else self._by_means(obs, draws)

    def moves(self, obs: Tensor, draws: Draws, size: float) -> tuple[Tensor, Tensor, Tensor]:
        """The median of continuous actions, and the ends of it within a ball, shape (n, entries) each.

        Args:
            obs: Shape (n, *observation).
            draws: Random numbers, a stream a row.
            size: Radius of the ball as a part of sigma.
        """
        if not isinstance(self.policy.action, Box):
            raise InvalidInput("smoothed certificates: expected continuous actions for a median")
        said = torch.cat(
            [self._actions(copies).view(len(obs), -1, self._entries) for copies in self._copies(obs, draws)], 1
        )
        ordered = said.sort(dim=1).values
        low, high = _ranks(self.noises, size, self.alpha / (2 * self._entries))
        nowhere = torch.full_like(ordered[:, 0], torch.inf)
        lower = -nowhere if low is None else ordered[:, low]
        return ordered.median(dim=1).values, lower, nowhere if high is None else ordered[:, high]

    def _by_votes(self, obs: Tensor, draws: Draws) -> tuple[Tensor, Tensor]:
        """Cohen et al. 2019, algorithm CERTIFY: a hundredth of the copies chooses the action, all others count it."""
        first = max(1, self.noises // 100)
        best = self._votes(obs, draws, first).argmax(dim=1)
        counted = self._votes(obs, draws, self.noises).gather(1, best[:, None]).squeeze(1).numpy(force=True)
        least = np.where(counted > 0, stats.beta.ppf(self.alpha, counted, self.noises - counted + 1), 0.0)
        radius = np.where(least > 0.5, stats.norm.ppf(np.maximum(least, 0.5)), 0.0)
        return best, torch.as_tensor(radius, dtype=torch.float32, device=obs.device)

    def _by_means(self, obs: Tensor, draws: Draws) -> tuple[Tensor, Tensor]:
        """CROP's LoAct, with both errors of every action in alpha together, which the paper leaves out."""
        total = torch.zeros(len(obs), self._count, dtype=torch.float64, device=obs.device)
        for copies in self._copies(obs, draws):
            total += self._values(copies).view(len(obs), -1, self._count).sum(dim=1, dtype=torch.float64)
        means = total / self.noises
        error = float(np.sqrt(np.log(2 * self._count / self.alpha) / (2 * self.noises)))
        (first, second), (best, _) = means.topk(2, dim=1).values.unbind(1), means.topk(2, dim=1).indices.unbind(1)
        ends = [stats.norm.ppf(np.clip(one.numpy(force=True), 0, 1)) for one in (first - error, second + error)]
        radius = np.nan_to_num(np.maximum((ends[0] - ends[1]) / 2, 0.0), nan=0.0, posinf=0.0)
        return best, torch.as_tensor(radius, dtype=torch.float32, device=obs.device)

    def _votes(self, obs: Tensor, draws: Draws, count: int) -> Tensor:
        """How many of so many copies choose each action, shape (n, actions)."""
        votes = torch.zeros(len(obs), self._count, dtype=torch.int64, device=obs.device)
        for copies in self._copies(obs, draws, count):
            chosen = self._ranked(copies).argmax(dim=1).view(len(obs), -1)
            votes.scatter_add_(1, chosen, torch.ones_like(chosen))
        return votes

    def _copies(self, obs: Tensor, draws: Draws, count: int | None = None) -> Iterator[Tensor]:
        """Noised copies, those of a row one after the other, shape (n * some, *observation)."""
        left, most = count or self.noises, max(1, _FEWEST // len(obs), _AT_ONCE // obs.numel())
        while left > 0:
            some = min(left, most)
            noise = draws.normal(some, *obs.shape[1:]).to(obs.device)
            copies = obs[:, None] + self.sigma * noise
            yield (copies if self.span is None else copies.clamp(*self.span)).flatten(0, 1)
            left -= some

    @cached_property
    def _layers(self) -> nn.Sequential | None:
        """What the policy's actions are made by alone, without a critic; None where it is no chain of layers."""
        try:
            return chain(self.policy)
        except InvalidInput:
            return None

    @cached_property
    def rated(self) -> bool:
        """Whether the policy acts by Q values, of which its scores are a multiple."""
        with torch.no_grad():
            return self.policy(torch.zeros(1, *self.policy.observation, device=self.sigma.device)).q is not None

    def _ranked(self, copies: Tensor) -> Tensor:
        """Scores, or Q values where there are some: the largest is that of the greedy action."""
        with torch.no_grad():
            if self._layers is not None:
                found: Tensor = self._layers(copies)
                return found
            out = self.policy(copies)
        scores: Tensor = out.actions.scores if out.q is None else out.q  # type: ignore[attr-defined]  # discrete
        return scores

    def _values(self, copies: Tensor) -> Tensor:
        """Of each action, from 0 to 1."""
        if self.ends is not None:
            if not self.rated:
                raise InvalidInput("smoothed certificates: ends= are of Q values, which the policy has not")
            low, high = self.ends
            return ((self._ranked(copies) - low) / (high - low)).clamp(0, 1)
        if not self.rated:
            return self._ranked(copies).softmax(dim=1)
        with torch.no_grad():
            return self.policy(copies).actions.scores.softmax(dim=1)  # type: ignore[attr-defined,no-any-return]  # discrete

    def _actions(self, copies: Tensor) -> Tensor:
        with torch.no_grad():
            return self.policy(copies).actions.greedy if self._layers is None else self._layers(copies)

    @property
    def _count(self) -> int:
        return int(self.policy.action.n)  # type: ignore[attr-defined]  # Discrete

    @property
    def _entries(self) -> int:
        return int(self.policy.action.shape[0])  # type: ignore[index]  # a Box


def _ranks(noises: int, size: float, alpha: float) -> tuple[int | None, int | None]:
    """Between which of ordered copies the median lies anywhere in a ball; None where there are too few to say."""
    low, high = stats.norm.cdf(-size), stats.norm.cdf(size)
    lower = int(stats.binom.ppf(alpha, noises, low)) - 1  # fewer than that lie below the quantile, at most alpha often
    upper = int(stats.binom.ppf(1 - alpha, noises, high))
    return (lower if lower >= 0 else None), (upper if upper < noises else None)
