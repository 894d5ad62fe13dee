"""What holds a seat: a policy gives, for a batch of observations, distributions of actions, and gradients of them."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
from gymnasium import Space
from torch import Tensor

from rlattack.draws import Draws
from rlattack.games.card import ActionMode
from rlattack.policies.distributions import Actions

State = Tensor | None
"""Recurrent state, first axis the batch; None for a policy without memory."""


@dataclass(frozen=True)
class Output:
    """What a policy says about a batch of n observations.

    Attributes:
        actions: Distributions of actions.
        values: Estimated returns, shape (n,), where the policy has a critic that is asked with the actor.
        q: Q values, shape (n, actions), of a policy of discrete actions that acts by them.
        hidden: Activations of the last hidden layer, shape (n, width), where the policy tells.
        state: Recurrent state after this step.
        garbage: Log-odds that it is no game at all, against all actions together, shape (n,), where the policy has
            that class (Nguyen et al. 2015, sec. 3.6); it decides no action.
    """

    actions: Actions
    values: Tensor | None = None
    q: Tensor | None = None
    hidden: Tensor | None = None
    state: State = None
    garbage: Tensor | None = None

    def among(self, legal: Tensor | None) -> "Output":
        """The same with no more than the legal actions of each row, bool, (n, actions); itself where none is given."""
        return self if legal is None else replace(self, actions=self.actions.among(legal))

    def detach(self) -> "Output":
        """The same without its graph."""
        others = (self.values, self.q, self.hidden, self.state, self.garbage)
        return Output(self.actions.detach(), *(None if one is None else one.detach() for one in others))


Loss = Callable[[Output], Tensor]
"""Maps an output to a scalar: the sum over the batch, so that rows do not mix."""


@dataclass(frozen=True)
class Normaliser:
    """Statistics of what a policy saw in training, part of its play: seen = clip((obs - mean) / deviation).

    Attributes:
        mean: Of each entry, the shape of one observation, float32.
        deviation: Standard deviation of each entry, above 0: the unit of budgets in `sigma`.
        clip: Largest normalised size.
        raw: Entries that are seen as they are, bool, the shape of one observation; None where all are normalised.
    """

    mean: Tensor
    deviation: Tensor
    clip: float
    raw: Tensor | None = None

    def __call__(self, obs: Tensor) -> Tensor:
        """What the policy sees of observations, shape (n, *observation)."""
        seen = ((obs - self.mean) / self.deviation).clamp(-self.clip, self.clip)
        return seen if self.raw is None else torch.where(self.raw, obs, seen)

    @property
    def unit(self) -> Tensor:
        """The unit of budgets in `sigma`: the deviation, which is no number for entries that are seen as they are."""
        return self.deviation if self.raw is None else self.deviation.masked_fill(self.raw, torch.nan)


class Policy(Protocol):
    """A frozen player of one seat, in n slots at once.

    Observations come as float32 tensors in the game's own range (0..255 for pixels), shape (n, *observation).

    >>> import torch
    >>> from rlattack import Policy
    >>> from rlattack.policies import ModulePolicy  # one that is made of a network
    >>> policy: Policy = ModulePolicy(torch.nn.Linear(4, 2), observation=(4,), actions=2)
    >>> policy.gradient(torch.zeros(3, 4), lambda out: out.actions.scores.sum())[0].shape
    torch.Size([3, 4])
    """

    @property
    def observation(self) -> tuple[int, ...]:
        """Shape of one observation."""

    @property
    def action(self) -> Space[Any]:
        """One action: Discrete, or a Box of one axis."""

    @property
    def acts(self) -> ActionMode | None:
        """How it acts whatever the game's card says: `greedy` for one that acts by Q values, `sampled` for chance."""

    @property
    def normaliser(self) -> Normaliser | None:
        """Statistics of what it saw in training, where it has some."""

    def __call__(self, obs: Tensor, state: State = None, draws: Draws | None = None) -> Output:
        """Outputs for a batch; differentiable with respect to `obs` where gradients are enabled.

        Args:
            obs: Shape (n, *observation).
            state: Recurrent state before; None starts anew.
            draws: Random numbers, a row each, for a policy that is random in itself.
        """

    def gradient(
        self, obs: Tensor, loss: Loss, state: State = None, draws: Draws | None = None
    ) -> tuple[Tensor, Output]:
        """Gradient of `loss(output)` with respect to `obs`, same shape, and the (detached) output it came from."""

    def value(self, obs: Tensor, action: Tensor | None = None, state: State = None) -> Tensor | None:
        """Estimated returns, shape (n,), or Q of the given actions; None without a critic."""

    def initial_state(self, n: int) -> State:
        """Recurrent state at the start of n episodes."""


class Differentiable:
    """A policy that torch can differentiate."""

    def gradient(
        self: Policy, obs: Tensor, loss: Loss, state: State = None, draws: Draws | None = None
    ) -> tuple[Tensor, Output]:
        """Back-propagates through the policy to its observation."""
        point = obs.detach().requires_grad_(True)
        with torch.enable_grad():
            out = self(point, state, draws)
            (grad,) = torch.autograd.grad(loss(out), point)
        return grad, out.detach()


def judged(policy: Policy) -> Policy:
    """The policy whose state holds its critic's memory too, so that `value` can be asked; itself without such a one."""
    own: Policy = getattr(policy, "judged", policy)
    return own


def choose(actions: Actions, mode: ActionMode, draws: Draws) -> Tensor:
    """The action of each row, greedy or drawn."""
    return actions.greedy if mode == "greedy" else actions.sample(draws)
