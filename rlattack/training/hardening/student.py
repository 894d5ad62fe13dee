"""Students: small networks that see the last frames alone, standardised; in the end they are agents like any other."""

from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812  # torch's own convention
from stable_baselines3.common.preprocessing import is_image_space
from torch import Tensor, nn

from rlattack.budget import Budget
from rlattack.games.game import Seat
from rlattack.policies.network import Network, NetworkSpec
from rlattack.policies.policy import Normaliser
from rlattack.training.hardening.vicinity import Vicinity

_BRIGHTNESS, _CONTRAST = 0.34 * 255, 255 / 3
"""About the mean of a game's grey levels, and a third of their range."""
_STILL = 1e-3
"""Deviation of a number that hardly changes."""


@dataclass(frozen=True)
class Standard:
    """How what a student sees is brought to a common size: (obs - centre) / spread of its last `frames`.

    Attributes:
        frames: Of the stack, the newest ones; None for observations that are none.
        centre: Shape (1,) of pictures, or (entries,).
        spread: The same, above 0.
    """

    frames: int | None
    centre: Tensor
    spread: Tensor

    @classmethod
    def of(cls, seat: Seat, obs: Tensor, frames: int | None) -> "Standard":
        """That of pictures, or of the numbers that were seen, shape (n, entries)."""
        if is_image_space(seat.observation):
            centre, spread = torch.tensor([[_BRIGHTNESS], [_CONTRAST]], device=obs.device)
            return cls(frames, centre, spread)
        return cls(None, obs.mean(dim=0), obs.std(dim=0).clamp_min(_STILL))

    def newest(self, obs: Any) -> Any:
        """The part that is looked at, of tensors or arrays (n, *observation)."""
        return obs if self.frames is None else obs[:, -self.frames :]

    def __call__(self, newest: Tensor) -> Tensor:
        """What the network takes of that part, float32."""
        return (newest.float() - self.centre) / self.spread

    def vicinity(self, seat: Seat, budget: Budget, normaliser: Normaliser | None, share: float) -> Vicinity:
        """The box of a share of a budget, in the numbers that the network takes."""
        space: Any = seat.observation
        pictures, device = is_image_space(space), self.centre.device
        size = torch.full((1,), budget.size * (255.0 if pictures and budget.space == "unit" else 1.0), device=device)
        if budget.space == "sigma" and normaliser is not None:
            size = size * normaliser.deviation.to(device)
        ends = (0.0, 255.0) if pictures else (space.low, space.high)
        low, high = ((torch.as_tensor(end, device=device).float() - self.centre) / self.spread for end in ends)
        return Vicinity(share * size / self.spread, low, high)


class Student(nn.Module):
    """A network of an agent's sizes that learns from standardised observations.

    What it takes of them, what its critic learns and where it is in its course are buffers, so that checkpoints hold
    what its weights were learned with.

    Args:
        spec: The agent that comes of it: an actor and a critic on one trunk, without layers of their own.
        standard: What it takes of observations.
        values: Mean and deviation of what its critic learns.
        states: Of a lesson.

    Attributes:
        centre: That of `standard`.
        spread: That of `standard`.
        value_scale: Mean and deviation of what its critic learns, float32, shape (2,).
        course: States of a lesson, and how many lessons it has had, float64, shape (2,).
    """

    centre: Tensor
    spread: Tensor
    value_scale: Tensor
    course: Tensor

    def __init__(self, spec: NetworkSpec, standard: Standard, values: tuple[float, float], states: int = 1) -> None:
        super().__init__()
        seen = spec.observation if standard.frames is None else (standard.frames, *spec.observation[1:])
        self.spec, self._frames, device = spec, standard.frames, standard.centre.device
        self.register_buffer("centre", standard.centre.clone())
        self.register_buffer("spread", standard.spread.clone())
        self.register_buffer("value_scale", torch.tensor(values, device=device))
        self.register_buffer("course", torch.tensor((states, 0), dtype=torch.float64, device=device))
        self.network = Network(replace(spec, observation=seen, scale=1.0)).to(device)
        self.optimizer = torch.optim.Adam(self.parameters(), 1e-3)

    @property
    def standard(self) -> Standard:
        """What it takes of observations."""
        return Standard(self._frames, self.centre, self.spread)

    @property
    def last(self) -> nn.Linear:
        """Makes scores of the last hidden layer."""
        last = self.network.actor[-1]
        assert isinstance(last, nn.Linear)
        return last

    def forward(self, taken: Tensor) -> tuple[Tensor, Tensor]:
        """Scores (n, actions) and standardised values (n,)."""
        hidden = self.network.trunk(taken)
        return self.last(hidden), self.values(hidden)

    def values(self, hidden: Tensor) -> Tensor:
        """Standardised values (n,) of what its trunk makes, which does not learn from them."""
        found: Tensor = self.network.critic(hidden.detach()).squeeze(1)
        return found

    def classes(self, hidden: Tensor) -> Tensor:
        """Scores of actions, and behind them that of garbage, (n, actions + 1), of what its trunk makes."""
        assert self.network.garbage is not None, "who sorts has that class"
        return torch.cat([self.last(hidden), self.network.garbage(hidden)], dim=1)

    def value_loss(self, values: Tensor, expected: Tensor) -> Tensor:
        """How far what its critic says is from what a teacher expects, a scalar; both of shape (n,)."""
        mean, deviation = self.value_scale
        return F.smooth_l1_loss(values, (expected - mean) / deviation)

    def agent(self, temperature: float) -> Network:
        """The same as the network of an agent, which takes what the game shows.

        What is done to observations goes into the first layer; frames that are not looked at have no weight.

        Args:
            temperature: Scores, that of garbage too, are divided by it; this changes no greedy action and no
                certificate.
        """
        network = Network(self.spec)
        state = {name: tensor.clone() for name, tensor in self.network.state_dict().items()}
        first = next(name for name in state if name.startswith("trunk.")).split(".")[1]
        weight, standard = state[f"trunk.{first}.weight"], self.standard
        state[f"trunk.{first}.bias"] -= (weight * (standard.centre / standard.spread)).flatten(1).sum(dim=1)
        whole = weight.new_zeros(network.state_dict()[f"trunk.{first}.weight"].shape)
        standard.newest(whole)[:] = weight * (self.spec.scale / standard.spread)
        state[f"trunk.{first}.weight"] = whole
        for name in (f"actor.{len(self.network.actor) - 1}", *(["garbage"] if self.spec.garbage else [])):
            state[f"{name}.weight"] /= temperature
            state[f"{name}.bias"] /= temperature
        critic = len(self.network.critic) - 1
        mean, deviation = self.value_scale
        state[f"critic.{critic}.weight"] *= deviation
        state[f"critic.{critic}.bias"] = state[f"critic.{critic}.bias"] * deviation + mean
        network.load_state_dict(state)
        return network
