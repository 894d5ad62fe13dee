"""Stable-Baselines3 policies in memory that act by numbers, or by several choices at once."""

from collections.abc import Callable
from typing import Any

import torch
from gymnasium import Space
from gymnasium.spaces import Box
from stable_baselines3.common.policies import BasePolicy
from torch import Tensor

from rlattack.draws import Draws
from rlattack.errors import InvalidInput
from rlattack.games.card import ActionMode
from rlattack.policies.distributions import Actions, Choices, Normal, Point, SquashedNormal
from rlattack.policies.policy import Differentiable, Normaliser, Output, State


class LivePolicy(Differentiable):
    """A policy of PPO, A2C, TRPO, RecurrentPPO, SAC, TQC, TD3, DDPG or ARS as it is; the model may go on learning.

    The recurrent state of a row is the actor's hidden and cell state, (2, layers, units).

    Args:
        policy: Its actions are a Box of one axis or a MultiDiscrete.
        shown: Shape of one observation, by default of what the policy sees.
        seen: What the policy sees of a batch of them; by default themselves.

    Raises:
        InvalidInput: A policy of another kind.
    """

    normaliser: Normaliser | None = None

    def __init__(
        self, policy: BasePolicy, shown: tuple[int, ...] | None = None, seen: Callable[[Tensor], Any] | None = None
    ) -> None:
        self._policy: Any = policy  # each kind has methods that only its own policies have
        self._seen = seen
        self.observation = tuple(policy.observation_space.shape or ()) if shown is None else shown
        self.action: Space[Any] = policy.action_space
        box = policy.action_space if isinstance(policy.action_space, Box) else Box(-1.0, 1.0)  # of choices: not asked
        self._low, self._high = (torch.as_tensor(end, dtype=torch.float32) for end in (box.low, box.high))
        soft = hasattr(policy, "actor") and hasattr(policy.actor, "get_action_dist_params")
        self._soft, self._certain = soft, not soft and not hasattr(policy, "get_distribution")
        if self._certain and not (hasattr(policy, "actor") or hasattr(policy, "action_net")):
            raise InvalidInput(f"{type(policy).__name__}: expected a policy with an actor or a distribution")
        self.acts: ActionMode | None = "greedy" if self._certain else None

    def __call__(self, obs: Tensor, state: State = None, draws: Draws | None = None) -> Output:
        """Asks the policy in evaluation mode."""
        self._policy.set_training_mode(False)
        obs = obs if self._seen is None else self._seen(obs)
        if hasattr(self._policy, "lstm_actor"):
            return self._with_memory(obs, self.initial_state(len(obs)) if state is None else state)
        if self._soft:
            return Output(self._of_soft(obs))
        return Output(self._of_certain(obs) if self._certain else self._of(self._policy.get_distribution(obs)))

    def value(self, obs: Tensor, action: Tensor | None = None, state: State = None) -> Tensor | None:
        """What the critic of states says, or the least that critics of actions say; None without any."""
        policy = self._policy
        policy.set_training_mode(False)
        if hasattr(policy, "lstm_actor"):
            return None
        own = self(obs).actions.greedy if action is None and self._low.ndim else action
        obs = obs if self._seen is None else self._seen(obs)
        if hasattr(policy, "predict_values"):
            values: Tensor = policy.predict_values(obs).squeeze(1)
            return values
        if getattr(policy, "critic", None) is None or own is None:
            return None
        told = policy.critic(obs, 2 * (own - self._low) / (self._high - self._low) - 1)
        rows = told.mean(dim=2) if isinstance(told, Tensor) else torch.cat(told, dim=1)  # quantiles, or one a critic
        return rows.amin(dim=1)

    def initial_state(self, n: int) -> State:
        """Zeros; None for a policy without memory."""
        lstm = getattr(self._policy, "lstm_actor", None)
        return None if lstm is None else torch.zeros(n, 2, lstm.num_layers, lstm.hidden_size)

    def _with_memory(self, obs: Tensor, state: Any) -> Output:
        hidden, cell = state.permute(1, 2, 0, 3).contiguous()
        told, after = self._policy.get_distribution(obs, (hidden, cell), torch.zeros(len(obs)))
        return Output(self._of(told), state=torch.stack(after).permute(2, 0, 1, 3))

    def _of(self, told: Any) -> Actions:
        """Our distribution of one of theirs."""
        one = told.distribution
        if isinstance(one, list):
            return Choices(torch.cat([part.logits for part in one], dim=1), tuple(part.logits.shape[1] for part in one))
        squashed = getattr(told, "bijector", None) is not None
        return (SquashedNormal if squashed else Normal)(one.mean, self._low, self._high, one.stddev)

    def _of_soft(self, obs: Tensor) -> Actions:
        mean, log_std, more = self._policy.actor.get_action_dist_params(obs)
        one = self._policy.actor.action_dist.proba_distribution(mean, log_std, **more).distribution
        return SquashedNormal(one.mean, self._low, self._high, one.stddev)

    def _of_certain(self, obs: Tensor) -> Actions:
        done = self._policy.actor(obs) if hasattr(self._policy, "actor") else self._policy(obs)
        low, high = self._low, self._high
        return Point(low + (high - low) * (done + 1) / 2 if self._policy.squash_output else done, low, high)
