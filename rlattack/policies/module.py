"""Torch modules as policies of discrete actions: our own networks, and anybody's that map observations to scores."""

from typing import Any

import torch
from gymnasium import Space
from gymnasium.spaces import Discrete
from torch import Tensor, nn

from rlattack.draws import Draws
from rlattack.games.card import ActionMode
from rlattack.policies.distributions import Categorical
from rlattack.policies.network import Network
from rlattack.policies.policy import Differentiable, Normaliser, Output, State


class ModulePolicy(Differentiable):
    """A torch module as a policy of discrete actions.

    Args:
        module: Maps (n, *observation) to scores (n, actions), or to a tuple (scores, values), (scores, values, state)
            or (scores, values, state, hidden), of which all but the scores may be None. Observations are in the game's
            own range (0..255 for pixels), as in `Policy`. With `state_shape` it is called as `module(obs, state)` and
            must return the state too. Frozen by this.
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
        scores, values, after, hidden = (*out, None, None, None)[:4] if isinstance(out, tuple) else (out, *[None] * 3)
        if not self._value_based:
            return Output(Categorical(scores), values=values, hidden=hidden, state=after)
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
