"""How sure a policy is of an action, as one number in [0, 1], whatever the kind of its actions."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812  # torch's own convention
from gymnasium.spaces import Discrete, MultiDiscrete
from torch import Tensor

from rlattack.errors import InvalidInput
from rlattack.games.game import Seat
from rlattack.policies.distributions import Actions, Categorical, Choices


@dataclass(frozen=True)
class Certainty:
    """Reads what a policy says: its numbers, and from them how sure it is of each target.

    A target is an action, or a choice of one of several; of continuous actions an end of the range of an entry, and
    how sure is how far the likeliest action is towards it, as a share of the range.

    Attributes:
        names: Of the targets.
        counts: Actions of each choice; empty for continuous actions.
        low: Smallest action, shape (entries,); None for discrete ones.
        high: Largest action.
    """

    names: tuple[str, ...]
    counts: tuple[int, ...] = ()
    low: Tensor | None = None
    high: Tensor | None = None

    @classmethod
    def of(cls, seat: Seat, names: list[str] | None = None) -> "Certainty":
        """How sure who holds a seat is.

        Args:
            seat: What it does.
            names: Of its actions, where the game gives some.
        """
        space = seat.action
        if isinstance(space, Discrete):
            count = int(space.n)
            return cls(tuple(names) if names and len(names) == count else tuple(map(str, range(count))), (count,))
        if isinstance(space, MultiDiscrete):
            counts = tuple(int(one) for one in space.nvec)
            return cls(tuple(f"{entry}: {one}" for entry, of in enumerate(counts) for one in range(of)), counts)
        ends = [f"{entry} {end}" for end in ("low", "high") for entry in range(space.shape[0])]  # type: ignore[index]
        low, high = (torch.as_tensor(getattr(space, end), dtype=torch.float32) for end in ("low", "high"))
        return cls(tuple(ends), (), low, high)

    @property
    def discrete(self) -> bool:
        """Whether actions are chosen, and not continuous."""
        return bool(self.counts)

    def numbers(self, actions: Actions, garbage: Tensor | None = None) -> Tensor:
        """What a policy says, by which it acts: scores (n, actions), or the likeliest action (n, entries).

        Args:
            actions: Its distributions.
            garbage: Log-odds of that class, shape (n,), which stand behind the scores; so it is less sure of actions.
        """
        if not isinstance(actions, Categorical | Choices):
            return actions.greedy
        return actions.scores if garbage is None else torch.cat([actions.scores, garbage[:, None]], dim=1)

    def choices(self, numbers: Tensor) -> tuple[Tensor, ...]:
        """What is said of each choice, shape (n, actions of it) each, of discrete actions."""
        return torch.split(numbers[:, : sum(self.counts)], list(self.counts), dim=1)

    def log(self, numbers: Tensor) -> Tensor:
        """What is climbed to make it surer of each target, shape (n, targets): log-probability, or how far."""
        if not self.discrete:
            return self(numbers)
        no_garbage = F.logsigmoid(-numbers[:, sum(self.counts) :]).sum(dim=1, keepdim=True)
        return torch.cat([one.log_softmax(dim=1) for one in self.choices(numbers)], dim=1) + no_garbage

    def __call__(self, numbers: Tensor) -> Tensor:
        """How sure it is of each target, shape (n, targets), in [0, 1]; those of a choice, and garbage, add up to 1.

        Raises:
            InvalidInput: A continuous action without bounds.
        """
        if self.discrete:
            return self.log(numbers).exp()
        assert self.low is not None
        assert self.high is not None
        reach = self.high.to(numbers.device) - self.low.to(numbers.device)
        if not torch.isfinite(reach).all():
            raise InvalidInput("continuous actions without bounds: expected a range, towards whose ends one could go")
        share = ((numbers - self.low.to(numbers.device)) / reach).clamp(0, 1)
        return torch.cat([1 - share, share], dim=1)

    def fall(self, before: Tensor, after: Tensor) -> Tensor:
        """How much less sure it became of what it would have done, shape (n,), in [0, 1].

        The fall of the probability of the likeliest action, at least 0, in the mean over choices; of continuous
        actions the mean share of the range by which they moved.

        Args:
            before: Numbers, shape (n, ...).
            after: Those of something else.
        """
        if not self.discrete:
            return (self(after) - self(before)).abs().mean(dim=1)
        pairs = zip(self.choices(before), self.choices(after), strict=True)
        falls = []
        for was, now in pairs:
            likeliest = was.argmax(dim=1, keepdim=True)
            falls.append(was.softmax(dim=1).gather(1, likeliest) - now.softmax(dim=1).gather(1, likeliest))
        return torch.cat(falls, dim=1).clamp(min=0).mean(dim=1)

    def variation(self, numbers: Tensor) -> float:
        """How much what it says differs between observations: the standard deviation over rows, of scores centred."""
        if self.discrete:
            numbers = torch.cat([one - one.mean(dim=1, keepdim=True) for one in self.choices(numbers)], dim=1)
        return float(numbers.double().std(dim=0, correction=0).mean())
