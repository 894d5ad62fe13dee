"""A denoising autoencoder (Vincent et al. 2008) that learns on the victim's own clean play, as a defence.

It tells the noise and takes it away (Zhang et al. 2017, sec. III), in the place where S-DQN has one (Sun et al. 2024).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

import numpy as np
import torch
from gymnasium.spaces import Box
from torch import Tensor, nn
from torch.nn import functional

from rlattack.arrays import Array
from rlattack.attacks import Fitted
from rlattack.attacks.tuning import APART, FEWEST, Seen
from rlattack.defences.front import Front, Watching, kind_of
from rlattack.defences.pictures import channels_last, images, shown
from rlattack.draws import Draws
from rlattack.errors import InvalidInput
from rlattack.games.game import Seat
from rlattack.policies.policy import State
from rlattack.specs import Count, Range

_BATCH, _STEP, _SIDE = 64, 3e-3, 24
"""States a gradient step, the length of the first one (Adam), which falls to 0, and the side of pictures there."""


@dataclass(frozen=True, kw_only=True)
class DenoiserConfig:
    """Parameters of `denoiser`."""

    sigma: Annotated[float, Range(above=0, most=10)] = 0.05
    """Largest noise that it learns to take away: of pixels over their range, else of standard deviations of play."""
    width: Annotated[int, Range(least=1, most=1024)] = 16
    """Channels of its hidden layers; of numbers, four times as many units."""
    episodes: Annotated[int, Range(least=2, most=10_000)] = 10
    """Tuning episodes that it learns from; every fifth is kept apart, to tell how much noise it takes away."""
    states: Annotated[int, Range(least=4 * FEWEST, most=100_000)] = 1000
    """What is kept of them at most, spread evenly over their steps."""
    epochs: Count | None = None
    """How often it goes through them; by default 30 times, of numbers 100 times, which takes less time."""


class Denoiser(Front[DenoiserConfig]):
    """Takes away what it has learned to be noise, on clean play of the victim; attacks go through it."""

    name = "denoiser"
    sloped = True
    fitted = True
    config_type = DenoiserConfig

    def check(self, seat: Seat) -> None:
        """Takes the range of what is seen."""
        super().check(seat)
        assert isinstance(seat.observation, Box), "checked above"
        self._space, self._pictures = seat.observation, kind_of(seat.observation) == "pictures"
        self._low, self._high = (_numbers(end) for end in (self._space.low, self._space.high))

    def seen(self, obs: Tensor, draws: Draws | None, memory: State = None) -> Tensor:
        """What is left without the noise, within the range."""
        layers = [self.known(f"{kind}{number}") for number in range(3) for kind in ("weight", "bias")]
        clean = self._without(obs, layers, self.known("mean"), self.known("deviation"))
        return torch.minimum(torch.maximum(clean, self._low), self._high)

    def fit(self, watching: Watching) -> Fitted:
        """Learns to tell what was seen from what was seen with noise of up to `sigma`, by least squares.

        Raises:
            InvalidInput: The episodes had too few states.
        """
        learns, tried = self._watched(watching)
        mean, deviation = self._scale(learns)
        generator = torch.Generator("cpu").manual_seed(int(watching.draws.integers(2**31, 1)[0, 0]))
        layers = self._layers(generator)
        optimiser = torch.optim.Adam(layers, lr=_STEP)
        count, epochs = -(-len(learns) // _BATCH), self.config.epochs or (30 if self._pictures else 100)
        for epoch in range(epochs):
            order = torch.randperm(len(learns), generator=generator, device="cpu").numpy()
            for number in range(count):
                optimiser.param_groups[0]["lr"] = _STEP * (1 - (epoch + number / count) / epochs)
                clean = _numbers(self._cut(learns[order[number * _BATCH : (number + 1) * _BATCH]], generator))
                with torch.enable_grad():
                    noisy = clean + self._noise(clean, deviation, generator)
                    found = self._without(noisy, layers, mean, deviation)
                    loss = ((found - clean) / deviation).square().mean()
                optimiser.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]  # torch's own
                optimiser.step()
            watching.say(f"epoch {epoch + 1} of {epochs}, loss {float(loss.detach()):.3g}")
        names = [f"{kind}{number}" for number in range(3) for kind in ("weight", "bias")]
        tensors = dict(zip(names, (layer.detach() for layer in layers), strict=True))
        facts = {"states": len(learns), "held_out": len(tried)} | self._left(tried, layers, mean, deviation, generator)
        return Fitted(tensors | {"mean": mean, "deviation": deviation}, facts)

    def told(self, learned: Fitted) -> str:
        """What is left of the largest noise, and what becomes of none."""
        left, moved = (100 * learned.facts[name] for name in ("noise_left", "clean_moved"))
        return (
            f"leaves {left:.0f} % of noise of sigma={self.config.sigma:g}, and moves what has none by {moved:.0f} % of "
            f"that, in {learned.facts['held_out']} states that it was not shown"
        )

    def _watched(self, watching: Watching) -> tuple[Array, Array]:
        """States to learn from, and states of other episodes."""
        seen = Seen(self.config.states, min(APART, self.config.episodes))
        for step in watching.steps(self.config.episodes):
            arrived = step.received.numpy(force=True)
            kept = arrived.round().astype(np.uint8) if self._space.dtype == np.uint8 else arrived  # a quarter
            seen.add(replace(step, shown=kept))
        learns, tried = seen.of(apart=False)[0], seen.of(apart=True)[0]
        if len(learns) < FEWEST or not len(tried):
            raise InvalidInput(
                f"defence denoiser: expected at least {FEWEST} states to learn from, {self.config.episodes} tuning "
                f"episodes had {len(learns)}; episodes=N watches more"
            )
        return learns, tried

    def _scale(self, learns: Array) -> tuple[Tensor, Tensor]:
        """What is taken for 0, and for 1: of pixels the middle and the whole of their range, else of play itself."""
        if self._pictures and np.isfinite([self._space.low.min(), self._space.high.max()]).all():
            low, high = float(self._space.low.min()), float(self._space.high.max())
            return torch.full((1,), (low + high) / 2), torch.full((1,), high - low)
        over = None if self._pictures else 0
        mean, deviation = (np.atleast_1d(one(axis=over, dtype=np.float64)) for one in (learns.mean, learns.std))
        return _numbers(mean), _numbers(np.where(deviation > 1e-6, deviation, 1.0))

    def _layers(self, generator: torch.Generator) -> list[Tensor]:
        """First weights, drawn as torch does; the last layer tells no noise at first."""
        width, made = self.config.width, []
        if self._pictures:
            channels = images(torch.zeros(1, *self._space.shape), self._space).shape[1]
            shapes: Sequence[tuple[int, ...]] = [(width, channels, 3, 3), (width, width, 3, 3), (channels, width, 3, 3)]
        else:
            entries = math.prod(self._space.shape)
            shapes = [(4 * width, entries), (4 * width, 4 * width), (entries, 4 * width)]
        for number, shape in enumerate(shapes):
            weight = torch.zeros(shape, device="cpu")
            if number < 2:
                nn.init.kaiming_uniform_(weight, a=math.sqrt(5), generator=generator)
            made += [torch.as_tensor(weight).requires_grad_(True), torch.zeros(shape[0], requires_grad=True)]
        return made

    def _cut(self, states: Array, generator: torch.Generator) -> Array:
        """A square of each picture, at the same place: filters know no place, and learn from less faster."""
        if not self._pictures:
            return states
        first = 1 if channels_last(self._space) else 2
        for axis in (first, first + 1):
            room = max(0, states.shape[axis] - _SIDE)
            start = int(torch.randint(room + 1, (1,), generator=generator, device="cpu"))
            states = states.take(range(start, start + min(_SIDE, states.shape[axis])), axis=axis)
        return states

    def _without(self, obs: Tensor, layers: Sequence[Tensor], mean: Tensor, deviation: Tensor) -> Tensor:
        """Observations minus what three layers take for noise."""
        scaled = (obs - mean) / deviation
        hidden = images(scaled, self._space) if self._pictures else scaled.flatten(1)
        for number in range(3):
            weight, bias = layers[2 * number : 2 * number + 2]
            if self._pictures:
                hidden = functional.conv2d(hidden, weight, bias, padding=1)
            else:
                hidden = functional.linear(hidden, weight, bias)
            hidden = hidden.relu() if number < 2 else hidden
        noise = shown(hidden, self._space) if self._pictures else hidden.view_as(obs)
        return obs - noise * (self.config.sigma * deviation)

    def _noise(self, clean: Tensor, deviation: Tensor, generator: torch.Generator, least: float = 0.0) -> Tensor:
        """Gaussian noise, of a size of its own in every row: from `least` times the largest up to that."""
        drawn = torch.randn(clean.shape, generator=generator, device="cpu")
        sizes = torch.rand(len(clean), generator=generator, device="cpu") * (1 - least) + least
        sized = drawn * (self.config.sigma * sizes).view(-1, *[1] * (clean.ndim - 1))
        return torch.as_tensor(sized) * deviation

    def _left(
        self, tried: Array, layers: Sequence[Tensor], mean: Tensor, deviation: Tensor, generator: torch.Generator
    ) -> dict[str, Any]:
        """What is left of the largest noise, and what becomes of none, as shares of that noise."""
        left, moved, rows = 0.0, 0.0, range(0, len(tried), _BATCH)
        with torch.no_grad():
            for at in rows:
                clean = _numbers(tried[at : at + _BATCH])
                noisy = clean + self._noise(clean, deviation, generator, least=1.0)
                for points, from_noise in ((noisy, True), (clean, False)):
                    apart = (self._without(points, layers, mean, deviation) - clean) / deviation
                    size = float(apart.square().sum()) / tried[0].size / len(tried)
                    left, moved = (left + size, moved) if from_noise else (left, moved + size)
        return {"noise_left": math.sqrt(left) / self.config.sigma, "clean_moved": math.sqrt(moved) / self.config.sigma}


def _numbers(values: Array) -> Tensor:
    return torch.as_tensor(values.astype(np.float32))
