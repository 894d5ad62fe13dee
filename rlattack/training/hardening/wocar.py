"""Worst-case-aware robustness: WocaR-PPO and WocaR-DQN (Liang et al. 2022, sec. 4).

A second critic learns what comes of the worst actions that a bounded adversary can lead the policy to; the policy rises
by it beside its own advantages, and is kept still where that matters most.
"""

import copy
import itertools
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
import torch
from gymnasium.spaces import Box
from stable_baselines3.common.base_class import BaseAlgorithm
from torch import Tensor, nn

from rlattack.arrays import Array
from rlattack.defences.bounds import Interval
from rlattack.specs import Count, Fraction, NotNegative, Positive, Range
from rlattack.training.hardening.actor import Actor, taken
from rlattack.training.hardening.learners import HardenedDQN, HardenedPPO, Minibatch, Transitions
from rlattack.training.hardening.loss import LossRegime
from rlattack.training.hardening.ramp import Ramped
from rlattack.training.hardening.regime import Ground
from rlattack.training.hardening.search import langevin
from rlattack.training.hardening.vicinity import Vicinity

_HIDDEN, _PART = 64, 256
"""Width of both hidden layers of the critic, and transitions of a step of it."""
_MARGIN = 1.0
"""By how much the best value is to lead over others, up to which it is pressed for, as in SA-DQN."""


@dataclass(frozen=True, kw_only=True)
class WocaRConfig(Ramped):
    """Parameters of `wocar`."""

    weight: NotNegative = 0.8
    """Of the worst-attack value beside the advantage, once the size is whole; it grows with it."""
    kappa: NotNegative = 0.1
    """Weight of the regulariser, which states count in by how much is at stake."""
    steps: Count = 10
    """Gradient steps to the worst change of what is seen, and to the worst action."""
    temperature: NotNegative = 1e-5
    """Of the noise in the former."""
    critic_rate: Positive = 4e-4
    """Learning rate of the critic."""
    critic_passes: Count = 4
    """Times that the critic learns from a rollout."""
    tau: Fraction = 0.005
    """Share of itself by which the critic's target goes after it in each step."""
    gamma: Annotated[float, Range(least=0, below=1)] = 0.99
    """Discount of the critic."""
    rho: Annotated[float, Range(least=0, most=1)] = 0.05
    """Of dqn: weight of the worst-attack value beside the value, by which the action ahead is chosen."""


class WocaR(LossRegime[WocaRConfig]):
    """Learns what the worst bounded attack leaves, and raises that too: WocaR-PPO and -DQN (Liang et al. 2022)."""

    name = "wocar"
    algorithms: ClassVar[tuple[str, ...]] = ("ppo", "dqn")
    config_type: ClassVar[type[Any]] = WocaRConfig

    def harden(self, model: BaseAlgorithm, ground: Ground) -> None:
        """Adds the critic, whose weights are part of the policy's and its optimiser of the learner's."""
        super().harden(model, ground)
        assert isinstance(model, HardenedPPO | HardenedDQN)
        self.critic = WorstCritic(Actor.of(model), model.action_space, model.observation_space.shape or ())
        model.policy.beside = self.critic.nets.to(model.device)
        self.optimizer = torch.optim.Adam(self.critic.nets["now"].parameters(), lr=self.config.critic_rate)
        model.beside_optimizer = self.optimizer
        if isinstance(model, HardenedPPO):
            model.collected = lambda: self._raise(model, ground)
        else:
            model.ahead = lambda seen: self._ahead(model, seen)

    def policy(self, actor: Actor, vicinity: Vicinity, batch: Minibatch) -> Tensor:
        """Adds SA's regulariser, of which each state counts by what the critic says is at stake there."""
        config, clean = self.config, actor(batch.seen)
        fixed = clean.detach()
        moved = langevin(
            lambda point: actor.divergence(fixed, actor(point)), batch.seen, vicinity, config.steps, config.temperature
        )
        stake = self.critic.stake(batch.seen, vicinity, config.steps)
        far = actor.divergence(clean, actor(moved))
        return batch.surrogate(batch.log_prob).mean() + config.kappa * (stake * far).mean()

    def values(self, actor: Actor, vicinity: Vicinity, batch: Transitions) -> Tensor:
        """Adds SA's regulariser in the same way, and lets the critic learn from the batch."""
        config, best = self.config, batch.q.detach().argmax(dim=1)
        with torch.no_grad():
            features = self.critic.features(batch.seen)
        after = self.critic.worst("target", batch.after, vicinity, config.steps)
        target = batch.reward + config.gamma * (1 - batch.over) * after
        self.critic.step(features, batch.action, target, config.tau, self.optimizer)
        lead = actor.least_lead(vicinity.box(batch.seen), best)
        stake = self.critic.stake(batch.seen, vicinity, config.steps)
        return batch.error(batch.chosen).mean() + config.kappa * (stake * (-lead).clamp(min=-_MARGIN)).mean()

    def _raise(self, model: HardenedPPO, ground: Ground) -> None:
        """Lets the critic learn from a rollout, and adds what it says of it to the advantages (sec. 4.2)."""
        share, rollout, buffer = self.config.share(model.done), Rollout.of(model), model.rollout_buffer
        self.critic.learn(rollout, Vicinity.of(model, ground.budget, share), self.config, self.optimizer)
        with torch.no_grad():
            worst = self.critic.value("now", self.critic.features(rollout.seen), rollout.action)
        added = _standard(worst.view(buffer.advantages.shape).numpy(force=True))
        buffer.advantages = (_standard(buffer.advantages) + self.config.weight * share * added).astype(np.float32)

    def _ahead(self, model: HardenedDQN, seen: Tensor) -> Tensor:
        """The target network's value of the action that is best by it and by the critic, shape (n,)."""
        q, worst = Actor.of_target(model)(seen), self.critic.nets["target"](self.critic.features(seen))
        chosen = ((1 - self.config.rho) * q + self.config.rho * worst).argmax(dim=1, keepdim=True)
        return q.gather(1, chosen).squeeze(1)


@dataclass(frozen=True)
class Rollout:
    """Transitions of a rollout, flat.

    Attributes:
        seen: What the network takes, shape (n, *observation).
        ahead: The same a step later, where the episode goes on.
        action: int64, shape (n,), or float32, shape (n, actions).
        reward: As the learner is paid, shape (n,).
        over: Whether the episode ended, shape (n,), float32.
    """

    seen: Tensor
    ahead: Tensor
    action: Tensor
    reward: Tensor
    over: Tensor

    @classmethod
    def of(cls, model: HardenedPPO) -> "Rollout":
        """The rollout that a learner has just collected."""
        kept, device = model.rollout_buffer, model.device
        last, started = model._last_obs, model._last_episode_starts  # there is no other way to them
        assert isinstance(last, np.ndarray)
        assert started is not None
        ahead = np.concatenate([kept.observations[1:], last[None].astype(kept.observations.dtype)])
        over = np.concatenate([kept.episode_starts[1:], started[None].astype(np.float32)])

        def flat(values: Array) -> Tensor:
            return torch.as_tensor(values.reshape(-1, *values.shape[2:]), device=device)

        action = flat(kept.actions)
        if not isinstance(model.action_space, Box):
            action = action.long().flatten()
        seen, after = (taken(model, flat(one)) for one in (kept.observations, ahead))
        return cls(seen, after, action, flat(kept.rewards), flat(over))


class WorstCritic:
    """What comes of an action when every later one is the worst that an adversary can lead to.

    Args:
        actor: The policy's network.
        action: One action of the game.
        observation: Shape of one observation.
    """

    def __init__(self, actor: Actor, action: Any, observation: tuple[int, ...]) -> None:
        self._actor = actor
        self._box = action if isinstance(action, Box) else None
        seen = observation[0] if len(observation) == 1 else actor.last.in_features
        ends = (seen + action.shape[0], 1) if self._box is not None else (seen, int(action.n))
        sizes = (ends[0], _HIDDEN, _HIDDEN, ends[1])
        layers = [part for pair in itertools.pairwise(sizes) for part in (nn.Linear(*pair), nn.Tanh())]
        now = nn.Sequential(*layers[:-1])
        self.nets = nn.ModuleDict({"now": now, "target": copy.deepcopy(now)})
        self.nets["target"].requires_grad_(False)

    def value(self, which: str, features: Tensor, action: Tensor) -> Tensor:
        """The value of actions, shape (n,), by the net as it is `now` or by its `target`."""
        net = self.nets[which]
        if self._box is None:
            return net(features).gather(1, action[:, None]).squeeze(1)  # type: ignore[no-any-return]  # a Tensor
        return net(torch.cat([features, action], dim=1)).squeeze(1)  # type: ignore[no-any-return]  # a Tensor

    def worst(self, which: str, seen: Tensor, vicinity: Vicinity, steps: int) -> Tensor:
        """The value of the worst action that the policy can be led to (sec. 4.1), shape (n,), without a graph.

        Args:
            which: `now` or `target`.
            seen: What the network takes, shape (n, *observation).
            vicinity: What may be shown in place of it.
            steps: Gradient steps to the worst of continuous actions.
        """
        with torch.no_grad():
            features = self.features(seen)
            if self._box is None:
                values = self.nets[which](features)
                best = self._actor(seen).argmax(dim=1)
                may = self._actor.least_leads(vicinity.box(seen), best) <= 0  # of itself 0
                found: Tensor = values.masked_fill(~may, torch.inf).amin(dim=1)
                return found
            reach = self._actor.bounds(vicinity.box(seen))
        action = self._lowest(which, features, reach, steps)
        return self.value(which, features, action).detach()

    def stake(self, seen: Tensor, vicinity: Vicinity, steps: int) -> Tensor:
        """How much worse the worst action is than what the policy does, on the whole 1 (sec. 4.3), shape (n,)."""
        with torch.no_grad():
            said = self._actor(seen)
            done = said if self._box is not None else said.argmax(dim=1)
            own = self.value("now", self.features(seen), done)
        lost = (own - self.worst("now", seen, vicinity, steps)).clamp(min=0)
        mean = lost.mean()
        return lost / mean if mean > 0 else torch.ones_like(lost)

    def features(self, seen: Tensor) -> Tensor:
        """What it takes of what the network takes: numbers as they are, of pictures the policy's last hidden layer."""
        return seen if seen.ndim == 2 else self._actor.hidden(seen)

    def learn(
        self, rollout: Rollout, vicinity: Vicinity, config: WocaRConfig, optimizer: torch.optim.Optimizer
    ) -> None:  # fmt: skip
        """Learns from a rollout by the worst-attack Bellman operator (eq. 2)."""
        parts = torch.split(rollout.ahead, _PART)
        after = torch.cat([self.worst("target", part, vicinity, config.steps) for part in parts])
        target = rollout.reward + config.gamma * (1 - rollout.over) * after
        with torch.no_grad():
            features = self.features(rollout.seen)
        for _ in range(config.critic_passes):
            for rows in torch.split(torch.randperm(len(target)).to(target.device), _PART):
                self.step(features[rows], rollout.action[rows], target[rows], config.tau, optimizer)

    def step(
        self, features: Tensor, action: Tensor, target: Tensor, tau: float, optimizer: torch.optim.Optimizer
    ) -> None:  # fmt: skip
        """One step towards targets, each of shape (n,), after which the target net goes by a share `tau`."""
        optimizer.zero_grad()
        (self.value("now", features, action) - target).square().mean().backward()  # type: ignore[no-untyped-call]  # of torch
        optimizer.step()
        optimizer.zero_grad()  # the policy's own step is clipped by all gradients that it finds
        with torch.no_grad():
            for kept, one in zip(self.nets["target"].parameters(), self.nets["now"].parameters(), strict=True):
                kept.lerp_(one, tau)

    def _lowest(self, which: str, features: Tensor, reach: Interval, steps: int) -> Tensor:
        """Descends to the worst action between two ends."""
        action = reach.centre
        for step in range(steps):
            point = action.detach().requires_grad_(True)
            with torch.enable_grad():
                (slope,) = torch.autograd.grad(self.value(which, features, point).sum(), point)
            moved = point - (1 - step / steps) * reach.radius * slope.sign()
            action = torch.maximum(torch.minimum(moved, reach.upper), reach.lower)
        return action.detach()


def _standard(values: Array) -> Array:
    standard: Array = (values - values.mean()) / (values.std() + 1e-8)
    return standard
