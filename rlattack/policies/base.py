"""What attacks and evaluations need of a policy: outputs for a batch, and gradients with respect to what it sees."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol, Self, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from rlattack.policies.network import Network

__all__ = ["ILLEGAL", "Loss", "ModulePolicy", "Output", "Policy", "State", "sample"]

ILLEGAL = -1e30
"""Score of what the game does not allow now: probability 0, and a number, so that divergences stay numbers."""

State = Tensor | None
"""Recurrent state, first axis the batch; None for a policy without memory."""


@dataclass(frozen=True)
class Output:
    """What a policy says about a batch of observations.

    Attributes:
        scores: Log-probabilities up to a constant a row, shape (n, actions), float32: the logits of a policy, or Q / T.
        values: Estimated returns, shape (n,), where the policy has a critic.
        q: Q values, shape (n, actions), for policies that act by them.
        state: Recurrent state after this step.
    """

    scores: Tensor
    values: Tensor | None = None
    q: Tensor | None = None
    state: State = None

    @property
    def probabilities(self) -> Tensor:
        """Action distribution, shape (n, actions)."""
        return self.scores.softmax(dim=1)

    @property
    def greedy(self) -> Tensor:
        """Most likely action, shape (n,), int64; the lowest number among equals."""
        return self.scores.argmax(dim=1)

    def divergence(self, clean: "Output") -> Tensor:
        """Kullback-Leibler divergence of this distribution from the clean one, KL(clean || this), shape (n,)."""
        before, now = clean.scores.log_softmax(dim=1), self.scores.log_softmax(dim=1)
        return (before.exp() * (before - now)).sum(dim=1)

    def among(self, legal: Tensor | None) -> "Output":
        """The same with no more than the legal actions of each row, (n, actions); as it is where none is given."""
        if legal is None:
            return self
        return replace(self, scores=self.scores.masked_fill(~legal, ILLEGAL))

    def detach(self) -> "Output":
        """The same without its graph."""
        return Output(*(None if t is None else t.detach() for t in (self.scores, self.values, self.q, self.state)))  # type: ignore[arg-type]  # scores is a tensor


Loss = Callable[[Output], Tensor]
"""Maps an output to a scalar: the sum over the batch, so that rows do not mix."""


class Policy(Protocol):
    """A frozen player of a game with discrete actions.

    Observations come as float32 tensors in the game's own range (0..255 for pixels), shape (n, *observation).
    """

    observation: tuple[int, ...]
    """Shape of one observation."""
    actions: int
    """Number of actions."""
    value_based: bool
    """Whether it acts by Q values: `scores` are Q over a temperature, and sampling from them is not its own way."""

    def __call__(self, obs: Tensor, state: State = None) -> Output:
        """Outputs for a batch; differentiable with respect to `obs` where gradients are enabled."""

    def gradient(self, obs: Tensor, loss: Loss, state: State = None) -> tuple[Tensor, Output]:
        """Gradient of `loss(output)` with respect to `obs`, same shape, and the (detached) output it came from."""

    def initial_state(self, n: int) -> State:
        """Recurrent state at the start of n episodes."""


class ModulePolicy:
    """A torch module as a policy: ours, or anybody's that maps observations to logits or Q values.

    Args:
        module: Maps (n, *observation) to scores (n, actions), or to a tuple (scores, values) or
            (scores, values, state). Observations are in the game's own range (0..255 for pixels), as in `Policy`. With
            `state_shape` it is called as `module(obs, state)` and must return the tuple of three.
        observation: Shape of one observation.
        actions: Number of actions.
        value_based: Scores are Q values.
        temperature: Of the softmax over Q values; above 0.
        state_shape: Shape of one row of the recurrent state; None for none. States start at zero.
    """

    def __init__(
        self,
        module: nn.Module,
        observation: tuple[int, ...],
        actions: int,
        *,
        value_based: bool = False,
        temperature: float = 1.0,
        state_shape: tuple[int, ...] | None = None,
    ) -> None:
        self.module = module.eval().requires_grad_(False)
        self.observation = observation
        self.actions = actions
        self.value_based = value_based
        self.temperature = temperature
        self._state_shape = state_shape

    @classmethod
    def of(cls, network: Network, temperature: float = 1.0) -> "ModulePolicy":
        """Wraps one of our own networks."""
        spec = network.spec
        return cls(
            network, spec.observation, spec.actions, value_based=spec.head != "actor-critic", temperature=temperature
        )

    def __call__(self, obs: Tensor, state: State = None) -> Output:
        """See `Policy`."""
        out = self.module(obs) if self._state_shape is None else self.module(obs, state)
        scores, values, after = (*out, None, None)[:3] if isinstance(out, tuple) else (out, None, None)
        if not self.value_based:
            return Output(scores, values, None, after)
        return Output(scores / self.temperature, scores.amax(dim=1) if values is None else values, scores, after)

    def gradient(self, obs: Tensor, loss: Loss, state: State = None) -> tuple[Tensor, Output]:
        """See `Policy`."""
        return gradient(self, obs, loss, state)

    def initial_state(self, n: int) -> State:
        """See `Policy`."""
        return None if self._state_shape is None else torch.zeros(n, *self._state_shape)


class _Detachable(Protocol):
    def detach(self) -> Self:
        """The same without its graph."""


Out = TypeVar("Out", bound=_Detachable)


def gradient(
    policy: Callable[[Tensor, State], Out], obs: Tensor, loss: Callable[[Out], Tensor], state: State
) -> tuple[Tensor, Out]:
    """Back-propagates through a differentiable policy to its observation."""
    point = obs.detach().requires_grad_(True)
    with torch.enable_grad():
        out = policy(point, state)
        (grad,) = torch.autograd.grad(loss(out), point)
    return grad, out.detach()


def sample(out: Output, uniform: Tensor) -> Tensor:
    """Draws actions by inverting the distribution function.

    Args:
        out: Outputs for n observations.
        uniform: One number in [0, 1) a row, shape (n,), float32 or float64.

    Returns:
        Actions, shape (n,), int64.
    """
    scores = out.scores.numpy(force=True).astype(np.float64)  # numpy: a tenth of torch's time for so few numbers
    cumulative = np.exp(scores - scores.max(axis=1, keepdims=True)).cumsum(axis=1)
    drawn = (cumulative <= uniform.numpy(force=True)[:, None] * cumulative[:, -1:]).sum(axis=1)
    return torch.from_numpy(np.minimum(drawn, cumulative.shape[1] - 1))
