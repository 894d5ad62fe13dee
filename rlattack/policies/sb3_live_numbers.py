"""Stable-Baselines3 policies in memory that act by numbers, or by several choices at once."""

from collections.abc import Callable
from typing import Any

import torch
from gymnasium import Space
from gymnasium.spaces import Box, Dict, Discrete, MultiDiscrete
from stable_baselines3.common.policies import BasePolicy
from torch import Tensor

from rlattack.draws import Draws
from rlattack.errors import InvalidInput
from rlattack.games.card import ActionMode
from rlattack.games.game import Part
from rlattack.games.gymnasium_spaces import parts_of
from rlattack.policies.distributions import Actions, Choices, Normal, Point, SquashedNormal
from rlattack.policies.policy import Differentiable, Normaliser, Output, State


class LivePolicy(Differentiable):
    """A policy of PPO, A2C, TRPO, RecurrentPPO, SAC, TQC, TD3, DDPG or ARS as it is; the model may go on learning.

    The recurrent state of a row is the actor's hidden and cell state, then the critic's where it has one of its own,
    (2 or 4, layers, units).

    Args:
        policy: Its actions are a Box of one axis or a MultiDiscrete.
        shown: Shape of one observation, by default of what the policy sees.
        seen: What the policy sees of a batch of them; by default themselves.

    Raises:
        InvalidInput: A policy of another kind.
    """

    normaliser: Normaliser | None = None
    parts: tuple[Part, ...] = ()

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
            told, values, after = recurrent(self._policy, obs, state)
            return Output(self._of(told), values=values, state=after)
        if self._soft:
            return Output(self._of_soft(obs))
        return Output(self._of_certain(obs) if self._certain else self._of(self._policy.get_distribution(obs)))

    def value(self, obs: Tensor, action: Tensor | None = None, state: State = None) -> Tensor | None:
        """What the critic of states says, or the least that critics of actions say; None without any."""
        policy = self._policy
        policy.set_training_mode(False)
        if hasattr(policy, "lstm_actor"):
            obs = obs if self._seen is None else self._seen(obs)
            return recurrent(policy, obs, state)[1]
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
        shape = state_shape(self._policy)
        return None if shape is None else torch.zeros(n, *shape)

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


def state_shape(policy: Any) -> tuple[int, ...] | None:
    """Shape of one row of a policy's recurrent state; None for one without memory."""
    lstm = getattr(policy, "lstm_actor", None)
    if lstm is None:
        return None
    return 4 if getattr(policy, "lstm_critic", None) is not None else 2, lstm.num_layers, lstm.hidden_size


def recurrent(policy: Any, obs: Any, state: State) -> tuple[Any, Tensor, Tensor]:
    """Asks a policy of RecurrentPPO, and its critic.

    Args:
        policy: Who is asked.
        obs: What it sees: a batch, or one by keys.
        state: Shape (n, *state_shape); None starts anew.

    Returns:
        Its distribution, values of shape (n,), and the state after.
    """
    if state is None:
        rows = next(iter(obs.values())) if isinstance(obs, dict) else obs
        state = torch.zeros(len(rows), *(state_shape(policy) or ()))
    halves = torch.split(state.permute(1, 2, 0, 3).contiguous(), 2)
    (own, *rest), starts = [tuple(half) for half in halves], torch.zeros(len(state))
    told, after = policy.get_distribution(obs, own, starts)
    memory = policy.lstm_critic if rest else policy.lstm_actor if policy.shared_lstm else None
    if memory is None:
        return told, policy.predict_values(obs, own, starts).squeeze(1), torch.stack(after).permute(2, 0, 1, 3)
    # theirs lets no slope through a memory that both read
    features = policy.extract_features(obs, policy.vf_features_extractor)
    latent, critics = policy._process_sequence(features, rest[0] if rest else own, starts, memory)
    values = policy.value_net(policy.mlp_extractor.forward_critic(latent)).squeeze(1)
    return told, values, torch.stack((*after, *critics) if rest else after).permute(2, 0, 1, 3)


def divided(space: Dict, obs: Tensor) -> dict[str, Tensor]:
    """What a policy sees of a flattened Dict, shape (n, entries): its keys, choices as numbers."""
    found: dict[str, Tensor] = {}
    for (name, one), part in zip(space.spaces.items(), parts_of(space), strict=True):
        rows = obs[:, part.start : part.start + part.entries]
        if isinstance(one, Discrete):
            found[name] = rows.argmax(dim=1)
        elif isinstance(one, MultiDiscrete):
            sizes = one.nvec.ravel().tolist()
            found[name] = torch.stack([choice.argmax(dim=1) for choice in torch.split(rows, sizes, dim=1)], dim=1)
        else:
            found[name] = rows.reshape(-1, *part.shape)
    return found
