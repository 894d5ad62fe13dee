"""Learners whose loss a regime may change: PPO and DQN of Stable-Baselines3, else step for step as they are there."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812  # torch's own convention
from gymnasium.spaces import Discrete
from stable_baselines3 import DQN, PPO
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.utils import explained_variance
from torch import Tensor

from rlattack.training.hardening.actor import taken


@dataclass(frozen=True, kw_only=True)
class Minibatch:
    """What a step of PPO learns from.

    Attributes:
        seen: What the network takes, shape (n, *observation).
        action: What was done: int64, shape (n,), or float32, shape (n, actions).
        log_prob: Its log-probability by the policy as it is, with its graph, shape (n,).
        old_log_prob: The same when it was done.
        advantages: Normalised, shape (n,).
        clip: Of the ratio.
        values: Of the critic as it is, shape (n,).
        returns: What it is to learn.
    """

    seen: Tensor
    action: Tensor
    log_prob: Tensor
    old_log_prob: Tensor
    advantages: Tensor
    clip: float
    values: Tensor
    returns: Tensor

    def surrogate(self, log_prob: Tensor) -> Tensor:
        """The clipped loss of each row (Schulman et al. 2017, eq. 7) of other log-probabilities, shape (n,)."""
        ratio = (log_prob - self.old_log_prob).exp()
        clipped = ratio.clamp(1 - self.clip, 1 + self.clip)
        return -torch.min(self.advantages * ratio, self.advantages * clipped)


class Hardened(BaseAlgorithm):
    """What a regime finds in every learner, whose run is learned part by part.

    Attributes:
        whole: Steps of the whole run, over which schedules fall.
        partner: Who learns in turns with it; checkpoints hold both.
        beside_optimizer: Of a network that learns beside the policy, as its `beside`; checkpoints hold both.
    """

    whole: int | None = None
    partner: BaseAlgorithm | None = None
    beside_optimizer: torch.optim.Optimizer | None = None

    @property
    def done(self) -> float:
        """Share of the run that is learned, up to the last rollout."""
        return min(1.0, self.num_timesteps / self.whole) if self.whole else 0.0

    def _update_current_progress_remaining(self, num_timesteps: int, total_timesteps: int) -> None:
        super()._update_current_progress_remaining(num_timesteps, self.whole or total_timesteps)

    def _get_torch_save_params(self) -> tuple[list[str], list[str]]:
        states, variables = super()._get_torch_save_params()
        return states + ["beside_optimizer"] * (self.beside_optimizer is not None), variables


class HardenedPPO(Hardened, PPO):
    """PPO whose loss of the policy a regime writes.

    Attributes:
        objective: The loss of the policy, a scalar; by default PPO's own.
        begins: Called before a rollout.
        collected: Called when a rollout is complete, before it is learned from.
    """

    objective: Callable[[Minibatch], Tensor] = staticmethod(lambda batch: batch.surrogate(batch.log_prob).mean())
    begins: Callable[[], None] | None = None
    collected: Callable[[], None] | None = None

    def collect_rollouts(self, *given: Any, **named: Any) -> bool:
        """Collects a rollout, after whatever is to be done before."""
        if self.begins is not None:
            self.begins()
        return super().collect_rollouts(*given, **named)

    def train(self) -> None:
        """Learns from the rollout; as `PPO.train`, but for `objective`."""
        self.policy.set_training_mode(True)
        self._update_learning_rate(self.policy.optimizer)
        schedule: Any = self.clip_range  # by now
        clip: float = schedule(self._current_progress_remaining)
        if self.collected is not None:
            self.collected()
        told: dict[str, list[Tensor]] = {name: [] for name in _CURVES}
        for _ in range(self.n_epochs):
            for data in self.rollout_buffer.get(self.batch_size):
                actions = data.actions
                if isinstance(self.action_space, Discrete):
                    actions = actions.long().flatten()
                values, log_prob, entropy = self.policy.evaluate_actions(data.observations, actions)
                values = values.flatten()
                advantages = data.advantages
                if self.normalize_advantage and len(advantages) > 1:
                    advantages = (advantages - advantages.mean()) / (advantages.std() + 1e-8)
                batch = Minibatch(
                    seen=taken(self, data.observations), action=actions, log_prob=log_prob,
                    old_log_prob=data.old_log_prob, advantages=advantages, clip=clip, values=values,
                    returns=data.returns,
                )  # fmt: skip
                policy_loss = self.objective(batch)
                value_loss = F.mse_loss(data.returns, values)
                entropy_loss = -torch.mean(-log_prob if entropy is None else entropy)
                loss = policy_loss + self.ent_coef * entropy_loss + self.vf_coef * value_loss
                self.policy.optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]  # of torch
                torch.nn.utils.clip_grad_norm_(self.policy.parameters(), self.max_grad_norm)
                self.policy.optimizer.step()
                plain = batch.surrogate(log_prob).mean()
                parts = policy_loss, policy_loss - plain, value_loss, entropy_loss, loss
                for name, one in zip(_CURVES, parts, strict=True):
                    told[name].append(one.detach())
            self._n_updates += 1
        for name, found in told.items():
            self.logger.record(f"train/{name}", torch.stack(found).mean().item())
        explained = explained_variance(self.rollout_buffer.values.flatten(), self.rollout_buffer.returns.flatten())
        self.logger.record("train/explained_variance", explained)
        if hasattr(self.policy, "log_std"):
            self.logger.record("train/std", self.policy.log_std.exp().mean().item())


_CURVES = ("policy_gradient_loss", "robustness", "value_loss", "entropy_loss", "loss")


@dataclass(frozen=True, kw_only=True)
class Transitions:
    """What a step of DQN learns from.

    Attributes:
        seen: What the network takes, shape (n, *observation).
        action: What was done, int64, shape (n,).
        q: Of all actions by the network as it is, with their graph, shape (n, actions).
        target: Of the action that was done, shape (n,).
        after: What the network takes a step later.
        reward: What was paid for the step, shape (n,).
        over: Whether the episode ended with it, shape (n,), float32.
    """

    seen: Tensor
    action: Tensor
    q: Tensor
    target: Tensor
    after: Tensor
    reward: Tensor
    over: Tensor

    def error(self, q: Tensor) -> Tensor:
        """Huber's loss of values of the action that was done, shape (n,)."""
        return F.smooth_l1_loss(q, self.target, reduction="none")

    @property
    def chosen(self) -> Tensor:
        """Q of the action that was done, shape (n,)."""
        return self.q.gather(1, self.action[:, None]).squeeze(1)


class HardenedDQN(Hardened, DQN):
    """DQN whose loss a regime writes.

    Attributes:
        objective: The loss, a scalar; by default DQN's own.
        ahead: What is expected of what the network takes in the step after, shape (n,); by default the most that the
            target network says.
    """

    objective: Callable[[Transitions], Tensor] = staticmethod(lambda batch: batch.error(batch.chosen).mean())
    ahead: Callable[[Tensor], Tensor] | None = None

    def train(self, gradient_steps: int, batch_size: int = 100) -> None:
        """Learns from the replay; as `DQN.train`, but for `objective`."""
        self.policy.set_training_mode(True)
        self._update_learning_rate(self.policy.optimizer)
        losses, added = [], []
        for _ in range(gradient_steps):
            data: Any = self.replay_buffer.sample(batch_size, env=self._vec_normalize_env)  # type: ignore[union-attr]  # made by now
            with torch.no_grad():
                after = taken(self, data.next_observations)
                if self.ahead is None:
                    ahead = self.q_net_target(data.next_observations).max(dim=1).values
                else:
                    ahead = self.ahead(after)
                target = data.rewards + (1 - data.dones) * self.gamma * ahead.reshape(-1, 1)
            batch = Transitions(
                seen=taken(self, data.observations), action=data.actions.long().flatten(),
                q=self.q_net(data.observations), target=target.flatten(), after=after, reward=data.rewards.flatten(),
                over=data.dones.flatten(),
            )  # fmt: skip
            loss = self.objective(batch)
            self.policy.optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # of torch
            torch.nn.utils.clip_grad_norm_(self.policy.parameters(), self.max_grad_norm)
            self.policy.optimizer.step()
            losses.append(loss.detach())
            added.append((loss - batch.error(batch.chosen).mean()).detach())
        self._n_updates += gradient_steps
        self.logger.record("train/n_updates", self._n_updates, exclude="tensorboard")
        if losses:
            self.logger.record("train/loss", np.mean([float(one) for one in losses]))
            self.logger.record("train/robustness", np.mean([float(one) for one in added]))


LEARNERS: dict[str, type[Any]] = {"ppo": HardenedPPO, "dqn": HardenedDQN}
"""By the name of the algorithm."""
