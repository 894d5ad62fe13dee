"""Torch modules as policies: our own networks, and anybody's that map observations to scores or to actions."""

from typing import Any

import torch
from gymnasium import Space
from gymnasium.spaces import Box, Discrete
from torch import Tensor, nn
from torch.distributions import Independent

from rlattack.draws import Draws
from rlattack.games.card import ActionMode
from rlattack.games.game import Part
from rlattack.policies.distributions import Categorical, Normal, Point
from rlattack.policies.network import Network
from rlattack.policies.policy import Differentiable, Normaliser, Output, State


class ModulePolicy(Differentiable):
    """A torch module as a policy of discrete actions.

    Args:
        module: Maps (n, *observation) to scores (n, actions), or to a tuple that begins as (scores, values, state,
            hidden, garbage), of which all but the scores may be None; `garbage` (n,) is the score of what is no game,
            beside those of actions. Observations are in the game's own range (0..255 for pixels), as in `Policy`. With
            `state_shape` it is called as `module(obs, state)` and must return the state too. Frozen by this.
        observation: Shape of one observation.
        actions: Number of actions.
        value_based: Scores are Q values: the policy acts greedily by them.
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
        self.action: Space[Any] = Discrete(actions)
        self.acts: ActionMode | None = "greedy" if value_based else None
        self.normaliser: Normaliser | None = None
        self.parts: tuple[Part, ...] = ()
        self.temperature = temperature
        self._value_based, self._state_shape = value_based, state_shape

    @classmethod
    def of(cls, network: Network, temperature: float = 1.0) -> "ModulePolicy":
        """Wraps one of our own networks."""
        spec = network.spec
        q = spec.head != "actor-critic"
        return cls(network, spec.observation, spec.actions, value_based=q, temperature=temperature)

    def __call__(self, obs: Tensor, state: State = None, draws: Draws | None = None) -> Output:
        """Asks the module; Q values over the temperature become scores, and the largest of them the value."""
        out = self.module(obs) if self._state_shape is None else self.module(obs, state)
        whole = (*(out if isinstance(out, tuple) else (out,)), *[None] * 4)
        scores, values, after, hidden, garbage = whole[:5]
        if not self._value_based:
            odds = None if garbage is None else garbage - scores.logsumexp(dim=1)
            return Output(Categorical(scores), values=values, hidden=hidden, state=after, garbage=odds)
        values = scores.amax(dim=1) if values is None else values
        return Output(Categorical(scores / self.temperature), values=values, q=scores, hidden=hidden, state=after)

    def value(self, obs: Tensor, action: Tensor | None = None, state: State = None) -> Tensor | None:
        """Q of the given actions, int64, shape (n,); else what the critic says, None where the module has none."""
        out = self(obs, state)
        if out.q is None or action is None:
            return out.values
        return out.q.gather(1, action[:, None]).squeeze(1)

    def initial_state(self, n: int) -> State:
        """Zeros, shape (n, *state_shape); None for a module without memory."""
        return None if self._state_shape is None else torch.zeros(n, *self._state_shape)


class ContinuousPolicy(Differentiable):
    """A torch module as a policy of continuous actions.

    Args:
        module: Maps (n, *observation) to actions (n, entries), to a `torch.distributions.Normal` over them (or an
            `Independent` of one), or to a tuple whose first part is either. Observations are in the game's own range.
            Frozen by this.
        observation: Shape of one observation.
        action: One action of the game, of one axis.
    """

    acts: ActionMode | None = None
    normaliser: Normaliser | None = None

    def __init__(self, module: nn.Module, observation: tuple[int, ...], action: Box) -> None:
        self.module = module.eval().requires_grad_(False)
        self.observation = observation
        self.action: Space[Any] = action
        self._low, self._high = (torch.as_tensor(end, dtype=torch.float32) for end in (action.low, action.high))

    def __call__(self, obs: Tensor, state: State = None, draws: Draws | None = None) -> Output:
        """Asks the module."""
        out = self.module(obs)
        done = out[0] if isinstance(out, tuple) else out
        done = done.base_dist if isinstance(done, Independent) else done
        if isinstance(done, torch.distributions.Normal):
            return Output(Normal(done.mean, self._low, self._high, done.stddev))
        return Output(Point(done, self._low, self._high))

    def value(self, obs: Tensor, action: Tensor | None = None, state: State = None) -> Tensor | None:
        """None: nothing says what a module's other outputs are."""
        return None

    def initial_state(self, n: int) -> State:
        """None: it remembers nothing."""
        return None
