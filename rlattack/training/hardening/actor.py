"""The network by which a learner acts, as attacks on it and bounds of it need it."""

import math
from dataclasses import dataclass
from typing import Any

import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.preprocessing import preprocess_obs
from torch import Tensor, nn

from rlattack.defences.bounds import Interval, lead, propagate
from rlattack.training.extractor import ConvolutionalExtractor

_HALF_LOG_TAU = math.log(2 * math.pi) / 2


@dataclass(frozen=True)
class Actor:
    """From what a network takes to scores of actions, Q values, or means: the learner's own layers, in float32.

    Attributes:
        layers: All but the last.
        last: Makes what it says.
        log_std: Logarithm of the deviations of continuous actions, shape (actions,); None of discrete ones.
    """

    layers: tuple[nn.Module, ...]
    last: nn.Linear
    log_std: Tensor | None = None

    @classmethod
    def of(cls, model: BaseAlgorithm) -> "Actor":
        """That of a PPO, or the Q network of a DQN."""
        policy: Any = model.policy
        if hasattr(policy, "q_net"):
            *hidden, last = policy.q_net.q_net
            return cls((*_features(policy.q_net.features_extractor), *hidden), last)
        layers = *_features(policy.pi_features_extractor), *policy.mlp_extractor.policy_net
        return cls(layers, policy.action_net, getattr(policy, "log_std", None))

    @classmethod
    def of_target(cls, model: Any) -> "Actor":
        """The target network of a DQN."""
        *hidden, last = model.q_net_target.q_net
        return cls((*_features(model.q_net_target.features_extractor), *hidden), last)

    def __call__(self, taken: Tensor) -> Tensor:
        """What it says, shape (n, actions), of what the network takes, shape (n, *observation)."""
        return self.last(self.hidden(taken))  # type: ignore[no-any-return]  # a Tensor

    def hidden(self, taken: Tensor) -> Tensor:
        """Activations of the last hidden layer, shape (n, width)."""
        for layer in self.layers:
            taken = layer(taken)
        return taken

    def bounds(self, box: Interval) -> Interval:
        """Between what it says of everything in a box, each of shape (n, actions)."""
        return propagate((*self.layers, self.last), box)

    def divergence(self, clean: Tensor, said: Tensor) -> Tensor:
        """KL(clean || said) of distributions by what was said, shape (n,)."""
        if self.log_std is None:
            before, now = clean.log_softmax(dim=1), said.log_softmax(dim=1)
            return (before.exp() * (before - now)).sum(dim=1)
        return ((said - clean) / self.log_std.exp()).square().sum(dim=1) / 2

    def largest_divergence(self, clean: Tensor, box: Interval) -> Tensor:
        """What KL(clean || said) is at most in a box, shape (n,), by interval bounds.

        Args:
            clean: What is said of the centre, shape (n, actions).
            box: What may be shown.
        """
        return self.divergence_within(clean, self._log_probabilities(box) if self.log_std is None else self.bounds(box))

    def divergence_within(self, clean: Tensor, found: Interval) -> Tensor:
        """What KL(clean || said) is at most, shape (n,), where bounds of what is said are known.

        Args:
            clean: What is said of the centre, shape (n, actions).
            found: Between which the logarithms of probabilities lie, or means; shape (n, actions).
        """
        if self.log_std is None:
            before = clean.log_softmax(dim=1)
            return (before.exp() * (before - found.lower)).sum(dim=1)
        far = torch.maximum((found.upper - clean).abs(), (found.lower - clean).abs())
        return (far / self.log_std.exp()).square().sum(dim=1) / 2

    def log_prob(self, said: Tensor, action: Tensor) -> Tensor:
        """Logarithm of the probability, or density, of an action, shape (n,).

        Args:
            said: Shape (n, actions).
            action: What was done: int64, shape (n,), or float32, shape (n, actions).
        """
        if self.log_std is None:
            return said.log_softmax(dim=1).gather(1, action[:, None]).squeeze(1)
        apart = ((action - said) / self.log_std.exp()).square() / 2
        return -(apart + self.log_std + _HALF_LOG_TAU).sum(dim=1)

    def log_prob_bounds(self, box: Interval, action: Tensor) -> Interval:
        """Between which `log_prob` lies in a box, each of shape (n,), by interval bounds (Oikarinen et al. 2021)."""
        if self.log_std is None:
            found = self._log_probabilities(box)
            return Interval(*(end.gather(1, action[:, None]).squeeze(1) for end in (found.lower, found.upper)))
        found = self.bounds(box)
        ends = (action - found.lower).abs() > (action - found.upper).abs()
        far = torch.where(ends, found.lower, found.upper)
        near = torch.maximum(torch.minimum(action, found.upper), found.lower)
        return Interval(self.log_prob(far, action), self.log_prob(near, action))

    def lead(self, taken: Tensor, action: Tensor) -> Tensor:
        """How far the score of an action lies above the best other one, shape (n,).

        Args:
            taken: What the network takes, shape (n, *observation).
            action: Whose score, int64, shape (n,).
        """
        said = self(taken)
        own = said.gather(1, action[:, None])
        return own.squeeze(1) - said.scatter(1, action[:, None], -torch.inf).amax(dim=1)

    def least_lead(self, box: Interval, action: Tensor) -> Tensor:
        """What `lead` is at least in a box, shape (n,), by interval bounds."""
        return self.least_leads(box, action).scatter(1, action[:, None], torch.inf).amin(dim=1)

    def least_leads(self, box: Interval, action: Tensor) -> Tensor:
        """How far the score of an action lies at least above each other one's in a box, shape (n, actions)."""
        return lead(self.last, propagate(self.layers, box), action)

    def _log_probabilities(self, box: Interval) -> Interval:
        """Between which the logarithm of every action's probability lies, each of shape (n, actions).

        log p(a) = -log sum over b of exp(z_b - z_a), of which every difference is bounded by itself.
        """
        hidden = propagate(self.layers, box)
        middle = Interval(hidden.centre, hidden.centre)
        rows, lower, upper = len(hidden.lower), [], []
        for number in range(self.last.out_features):
            action = torch.full((rows,), number, device=hidden.lower.device)
            least, mean = lead(self.last, hidden, action), lead(self.last, middle, action)
            lower.append(-torch.logsumexp(-least, dim=1))
            upper.append(-torch.logsumexp(least - 2 * mean, dim=1))
        return Interval(torch.stack(lower, dim=1), torch.stack(upper, dim=1))


def taken(model: BaseAlgorithm, obs: Tensor) -> Tensor:
    """What the network takes of observations as the learner keeps them: pictures over 255."""
    made = preprocess_obs(obs, model.observation_space, normalize_images=model.policy.normalize_images)
    assert isinstance(made, Tensor)
    return made


def _features(extractor: nn.Module) -> tuple[nn.Module, ...]:
    return tuple(extractor.layers) if isinstance(extractor, ConvolutionalExtractor) else (nn.Flatten(),)
