"""The network of a surrogate that learns by imitation: from what a seat shows to what may be done there."""

import math
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812  # torch's own convention
from gymnasium.spaces import Box, Discrete, MultiDiscrete
from torch import Tensor, nn

from rlattack.arrays import Array, FloatArray
from rlattack.budget.change import is_colour
from rlattack.budget.frames import channels_first
from rlattack.games.game import Seat
from rlattack.policies.network import NATURE, Network, NetworkSpec

_SMALLEST = 36
"""Side of the smallest picture that the convolutions of Mnih et al. 2015 take."""
_AT_ONCE = 64
"""Observations that are asked about at once."""


class Student(nn.Module):
    """A network that maps what a seat shows, normalised, to scores of actions, or to actions.

    Args:
        seat: What it sees and does.
    """

    mean: Tensor
    deviation: Tensor
    usual: Tensor
    spread: Tensor

    def __init__(self, seat: Seat) -> None:
        super().__init__()
        space, action = seat.observation, seat.action
        assert isinstance(space, Box), "every seat shows one"
        self.action = action
        if isinstance(action, Discrete):
            self.outputs = int(action.n)
        elif isinstance(action, MultiDiscrete):
            self.outputs = int(action.nvec.sum())
        else:
            self.outputs = math.prod(action.shape or ())
        self.last = not channels_first(space) and is_colour(space)
        shape = (space.shape[2], *space.shape[:2]) if self.last else space.shape
        pictures = len(shape) == 3 and min(shape[1:]) >= _SMALLEST
        about: dict[str, Any] = {"observation": shape, "actions": self.outputs, "head": "q", "scale": 1.0}
        layers: dict[str, Any] = {"convolutions": NATURE, "hidden": (512,)} if pictures else {"actor": (128, 128)}
        with torch.device("cpu"), torch.random.fork_rng(devices=[]):  # first weights are drawn in `begin`
            made = Network(NetworkSpec(**about, **layers))
        self.layers = made.to(torch.get_default_device())
        self.pictures = pictures
        size = (1,) if pictures else shape
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("deviation", torch.ones(size))
        self.register_buffer("usual", torch.zeros(self.outputs))  # of what is done, where that is continuous
        self.register_buffer("spread", torch.ones(self.outputs))

    def forward(self, obs: Tensor) -> Tensor:
        """Maps (n, *observation), in the game's own range, to scores or actions (n, outputs)."""
        obs = obs.permute(0, 3, 1, 2) if self.last else obs
        found: Tensor = self.layers((obs - self.mean) / self.deviation)[0]
        return self.usual + self.spread * found if isinstance(self.action, Box) else found

    def begin(self, shown: Array, done: Array, seed: int) -> None:
        """Draws first weights as torch does, and takes the statistics of what it is to see and do, a row a state."""
        generator = torch.Generator("cpu").manual_seed(seed)
        with torch.no_grad():
            for tensor in self.parameters():
                drawn = torch.zeros(tensor.shape, device="cpu")
                if tensor.ndim > 1:
                    nn.init.kaiming_uniform_(drawn, a=math.sqrt(5), generator=generator)
                tensor.copy_(torch.as_tensor(drawn))
            mean, deviation = _statistics(shown, whole=self.pictures)
            for kept, found in ((self.mean, mean), (self.deviation, deviation)):
                kept.copy_(torch.as_tensor(found if self.pictures or not self.last else np.moveaxis(found, 2, 0)))
            if isinstance(self.action, Box):
                for kept, found in zip((self.usual, self.spread), _statistics(done, whole=False), strict=True):
                    kept.copy_(torch.as_tensor(found.reshape(-1)))

    def loss(self, out: Tensor, did: Tensor) -> Tensor:
        """How far outputs are from what was done, on the mean; continuous actions are counted in their deviations."""
        if isinstance(self.action, Box):
            return ((out - did.view_as(out)) / self.spread).square().mean()
        pairs = zip(self._apart(out), did.view(len(did), -1).unbind(dim=1), strict=True)
        return torch.stack([F.cross_entropy(one, of) for one, of in pairs]).mean()

    def agreement(self, shown: Array, done: Array, among: Array) -> tuple[float, float]:
        """How well it does what was done, and how well who looks at nothing does it.

        The share of actions that are the same, beside that of the one that is most frequent `among` others; of
        continuous actions, the share of their variance that it tells, beside 0.
        """
        with torch.no_grad():
            out = torch.cat([self(numbers(shown[at : at + _AT_ONCE])) for at in range(0, len(shown), _AT_ONCE)])
        if isinstance(self.action, Box):
            did = done.reshape(len(done), -1).astype(np.float64)
            error = np.square(out.numpy(force=True) - did).sum()
            spread = np.square(did - did.mean(axis=0)).sum()
            return max(0.0, float(1 - error / spread)) if spread > 0 else float(error == 0), 0.0
        chosen = np.stack([one.argmax(dim=1).numpy(force=True) for one in self._apart(out)], axis=1)
        did, before = done.reshape(len(done), -1), among.reshape(len(among), -1)
        usual = [np.bincount(column).argmax() for column in before.T]
        return float((chosen == did).mean()), float((did == usual).mean())

    def _apart(self, out: Tensor) -> tuple[Tensor, ...]:
        """The scores of each choice."""
        counts = self.action.nvec.tolist() if isinstance(self.action, MultiDiscrete) else [self.outputs]
        return torch.split(out, counts, dim=1)


def numbers(shown: Array) -> Tensor:
    """What was shown, as networks take it."""
    return torch.as_tensor(shown.astype(np.float32))


def _statistics(values: Array, *, whole: bool) -> tuple[FloatArray, FloatArray]:
    """Mean and standard deviation of each entry, or of all as one, float32; a deviation of 1 of what never varies."""
    if whole:  # pictures, whose sum a copy would be of gigabytes
        mean = np.asarray([values.mean(dtype=np.float64)])
        deviation = np.asarray([values[:: max(1, len(values) // 500)].std(dtype=np.float64)])
    else:
        mean, deviation = values.mean(axis=0, dtype=np.float64), values.std(axis=0, dtype=np.float64)
    found: FloatArray = np.where(deviation > 1e-6, deviation, 1.0).astype(np.float32)
    return mean.astype(np.float32), found
