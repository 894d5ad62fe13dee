"""What is certain of a policy wherever an attack may take what it sees: its action, how far that moves, its value.

Bounds are of exact numbers, and a policy plays in float32: what is nearer to a tie than its rounding is not certain.
"""

import itertools
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812  # torch's own convention
from gymnasium.spaces import Box, Discrete, MultiDiscrete
from torch import Tensor, nn

from rlattack.attacks.worst import Bounds
from rlattack.budget import Ball
from rlattack.budget.reach import Reach
from rlattack.defences.bounds import Interval
from rlattack.defences.certificates.chains import chain
from rlattack.defences.certificates.crown import Method, Traced, least, trace
from rlattack.defences.certificates.region import NORMS, Region
from rlattack.errors import InvalidInput
from rlattack.policies.policy import Policy

_HAIR = 1e-5
"""Of the terms of a sum, all taken as positive: what float32 may make of it."""
_HALVINGS = 12
"""Of a radius that is looked for."""


class Certifier:
    """Bounds of what a policy does anywhere within a reach around what the game shows.

    Args:
        policy: Without memory, and with no front before it.
        reach: What an attack may make of what it sees.
        method: By which bounds.

    Attributes:
        discrete: Whether the policy chooses from actions; else it has means, which move.

    Raises:
        InvalidInput: A norm without bounds, or a policy of which something is not bounded.

    >>> import torch
    >>> from gymnasium.spaces import Box
    >>> from rlattack import Budget
    >>> from rlattack.policies import ModulePolicy
    >>> layer = torch.nn.Linear(2, 2, bias=False)
    >>> layer.weight.data = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    >>> reach = Budget(eps=0.2, space="raw").ball(Box(-1, 1, (2,)))
    >>> certifier = Certifier(ModulePolicy(layer, observation=(2,), actions=2), reach)
    >>> certifier.certified(torch.tensor([[0.5, 0.0], [0.5, 0.2]])).tolist()
    [True, False]
    """

    def __init__(self, policy: Policy, reach: Reach, method: Bounds = "auto") -> None:
        if not isinstance(reach, Ball) or reach.kind not in NORMS:
            raise InvalidInput(f"--norm: certificates are of {', '.join(NORMS)}, got {reach.kind}")
        self.policy, self.reach = policy, reach
        self.layers = chain(policy)
        pictures = any(isinstance(layer, nn.Conv2d) for layer in self.layers)
        self.method: Method = method if method != "auto" else "crown-ibp" if pictures else "crown"
        self.discrete = isinstance(policy.action, Discrete | MultiDiscrete)
        self._choices = _choices(policy.action)

    def certified(self, obs: Tensor, legal: Tensor | None = None, share: Tensor | None = None) -> Tensor:
        """Whether the greedy action is certain to stay what it is, bool, shape (n,).

        Args:
            obs: What was shown, float32, shape (n, *observation).
            legal: Legal actions, bool, shape (n, actions), where the game tells.
            share: Part of the radius that counts in each row, shape (n,); all of it by default.
        """
        return self.possible(obs, legal, share).sum(dim=1) == len(self._choices)

    def possible(self, obs: Tensor, legal: Tensor | None = None, share: Tensor | None = None) -> Tensor:
        """Which actions may become the greedy one, bool, shape (n, actions); of several choices, side by side."""
        region = Region.around(obs, self.reach, share)
        hidden, scores = self._said(region)
        hair = _HAIR * _terms(self.layers[-1], hidden, scores).amax(dim=1, keepdim=True)
        scores = scores if legal is None else scores.masked_fill(~legal, -torch.inf)
        traced, found = self._traced(region), torch.ones_like(scores, dtype=torch.bool)
        for own in self._choices:
            best = scores[:, own].argmax(dim=1)
            found[:, own] = ~(self._leads(traced, best, own) > hair)  # 0 of the greedy one; what overflows is open
        return found if legal is None else found & legal

    def leads(self, obs: Tensor) -> Tensor:
        """Least that the score of the greedy action is above each other one, shape (n, actions); 0 of itself."""
        region = Region.around(obs, self.reach)
        scores, traced = self._said(region)[1], self._traced(region)
        return torch.cat([self._leads(traced, scores[:, own].argmax(dim=1), own) for own in self._choices], dim=1)

    def outputs(self, obs: Tensor, share: Tensor | None = None) -> Interval:
        """Ends of scores of discrete actions, or of means of continuous ones, shape (n, outputs)."""
        return self._outputs(Region.around(obs, self.reach, share))

    def moves(self, obs: Tensor, share: Tensor | None = None) -> Tensor:
        """How far the mean of each continuous action may move from where it is, shape (n, entries)."""
        region = Region.around(obs, self.reach, share)
        now, found = self._said(region)[1], self._outputs(region)
        return torch.maximum(found.upper - now, now - found.lower)

    def radius(self, obs: Tensor, legal: Tensor | None = None, tolerance: float | None = None) -> Tensor:
        """Part of the reach within which the action is certain, by bisection, in [0, 1], shape (n,).

        Args:
            obs: What was shown, float32, shape (n, *observation).
            legal: Legal actions, where the game tells.
            tolerance: How far a continuous action may move, as a part of its range; discrete ones stay what they are.
        """
        near, far = torch.zeros(len(obs), device=obs.device), torch.ones(len(obs), device=obs.device)
        near = torch.where(self._holds(obs, legal, far, tolerance), far, near)
        for _ in range(_HALVINGS):
            middle = (near + far) / 2
            holds = self._holds(obs, legal, middle, tolerance)
            near, far = torch.where(holds, middle, near), torch.where(holds, far, middle)
        return near

    def moved(self, obs: Tensor, share: Tensor | None = None) -> Tensor:
        """Largest part of its range by which an entry of a continuous action may move, as the game clips it; (n,)."""
        region = Region.around(obs, self.reach, share)
        now, ends = self._said(region)[1], self._outputs(region)
        return torch.maximum(self.parts(ends.lower, now), self.parts(ends.upper, now))

    def parts(self, actions: Tensor, others: Tensor) -> Tensor:
        """Largest part of its range by which entries of actions differ, as the game clips them; shape (n,).

        Entries without a range count by themselves.
        """
        assert isinstance(self.policy.action, Box), "asked of continuous actions"
        low, high = (
            torch.as_tensor(end, device=actions.device) for end in (self.policy.action.low, self.policy.action.high)
        )
        span = high - low
        apart = (actions.clamp(low, high) - others.clamp(low, high)).abs()
        return (apart / torch.where(span.isfinite(), span, 1.0)).amax(dim=1)

    def _holds(self, obs: Tensor, legal: Tensor | None, share: Tensor, tolerance: float | None) -> Tensor:
        if tolerance is None:
            return self.certified(obs, legal, share)
        return self.moved(obs, share) <= tolerance

    def _traced(self, region: Region) -> Traced:
        with torch.no_grad():
            return trace(list(self.layers), region, self.method)

    def _outputs(self, region: Region) -> Interval:
        return _ends(self._traced(region), self.method)

    def _said(self, region: Region) -> tuple[Tensor, Tensor]:
        """What the last layer takes, and what the policy says of what was shown."""
        first, *rest = self.layers
        with torch.no_grad():
            hidden, said = region.centre, region.said(first)
            for layer in rest:
                hidden, said = said, layer(said)
        return hidden, said

    def _leads(self, traced: Traced, best: Tensor, own: slice) -> Tensor:
        """Least lead of one action of a choice over each of that choice, shape (n, actions of it)."""
        unit = torch.eye(self._choices[-1].stop, device=best.device)[own]
        with torch.no_grad():
            return least(traced, unit[best][:, None] - unit, self.method)


def values(policy: Policy, reach: Ball, obs: Tensor, method: Method = "crown") -> Interval:
    """Ends of what the critic of a policy says anywhere within a reach, shape (n,); of Q values, of the largest.

    Raises:
        InvalidInput: A critic that is not bounded, or none.
    """
    with torch.no_grad():
        found = _ends(trace(list(chain(policy, "values")), Region.around(obs, reach), method), method)
    return found.through(lambda end: end.amax(dim=1))


def _ends(traced: Traced, method: Method) -> Interval:
    """Ends of every output, with room for rounding."""
    said = traced.seen[-1]
    outputs = said.lower[0].numel()
    unit = torch.eye(outputs, device=said.lower.device)
    with torch.no_grad():
        both = least(traced, torch.cat([unit, -unit])[None], method)
    lower, upper = both[:, :outputs], -both[:, outputs:]
    room = torch.maximum(lower.abs(), upper.abs())
    if traced.layers:
        taken = torch.maximum(traced.seen[-2].lower.abs(), traced.seen[-2].upper.abs())
        room = torch.maximum(room, _terms(traced.layers[-1], taken, room))
    room = _HAIR * room
    return Interval(lower - room, upper + room)


def _terms(last: nn.Module, hidden: Tensor, said: Tensor) -> Tensor:
    """Sums of the terms of each output, all taken as positive, shape (n, outputs): what cancels is rounded too.

    Those of earlier layers are not looked at.
    """
    if not isinstance(last, nn.Linear) or hidden.dim() != 2:
        return said.abs()
    with torch.no_grad():
        return F.linear(hidden.abs(), last.weight.abs(), None if last.bias is None else last.bias.abs())


def _choices(action: Any) -> list[slice]:
    """Which outputs are the scores of each choice; of continuous actions, all of them."""
    counts = action.nvec.flatten().tolist() if isinstance(action, MultiDiscrete) else [
        int(action.n) if isinstance(action, Discrete) else int(action.shape[0])
    ]  # fmt: skip
    ends = list(itertools.accumulate(counts))
    return [slice(end - count, end) for count, end in zip(counts, ends, strict=True)]
