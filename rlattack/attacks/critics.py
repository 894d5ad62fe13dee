"""Critics of continuous actions, many at once, learned on roll-outs so that their slopes are small where nobody acted.

Robust Sarsa (Zhang et al. 2020, sec. 3.5 and app. E): on-policy temporal differences, and for every action the largest
change of its value in a box around it, squared and weighted.
"""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from rlattack.arrays import Array
from rlattack.attacks.tuning import TuningStep
from rlattack.draws import Draws

_DISCOUNT = 0.99
_HIDDEN = 64
_BATCH, _RATE = 256, 1e-3
_STILL, _FAR = 1e-6, 10.0
"""What hardly changes at all is left as it is; what is seen is clipped to so many deviations."""
_SEEN = ("mean", "deviation")
"""Of what critics see, which is the same for all."""


@dataclass(frozen=True)
class RollOuts:
    """Steps of a victim of which the next one is known, or after which there is none.

    Attributes:
        seen: What was shown, flat, and what was done, each step's and the next one's: (2, steps, numbers), float32.
        reward: Of each step, shape (steps,).
        goes_on: 0 where the game's rules ended the episode, else 1, shape (steps,).
        earned: The discounted rewards from there on, as far as they are known, shape (steps,).
        actions: How many of the numbers are what was done.
    """

    seen: Tensor
    reward: Tensor
    goes_on: Tensor
    earned: Tensor
    actions: int

    @classmethod
    def of(cls, steps: Sequence[TuningStep]) -> "RollOuts":
        """Puts steps of slots in a row that all were active; at least two."""

        def of_all(name: str) -> Array:
            return np.stack([getattr(one, name) for one in steps])

        shown, done = of_all("shown"), np.stack([one.action.numpy(force=True) for one in steps])
        seen = np.concatenate([shown.reshape(*done.shape[:2], -1), done], axis=2).astype(np.float32)
        reward, ended, over = of_all("reward"), of_all("ended"), of_all("terminated")
        earned = np.zeros_like(reward)
        for step in reversed(range(len(steps))):
            after = earned[step + 1] if step + 1 < len(steps) else 0.0
            earned[step] = reward[step] + _DISCOUNT * np.where(ended[step], 0.0, after)
        known = over | ~ended
        known[-1] = over[-1]
        pairs = np.stack([seen, np.roll(seen, -1, axis=0)])[:, known]
        paid, goes_on, later = (torch.as_tensor(part[known].astype(np.float32)) for part in (reward, ~over, earned))
        return cls(torch.as_tensor(pairs), paid, goes_on, later, done.shape[2])


class Critics:
    """Networks of two hidden layers that say what it is worth to do something where something is shown.

    Args:
        tensors: Their weights, the networks along the first axis, and the `mean` and `deviation` of what they see.
    """

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        self.tensors = dict(tensors)

    @classmethod
    def drawn(cls, count: int, data: RollOuts, draws: Draws) -> "Critics":
        """As many as are asked for, alike and before they learn."""
        seen = data.seen[0]
        deviation = seen.std(dim=0, unbiased=False)
        tensors = {"mean": seen.mean(dim=0), "deviation": torch.where(deviation > _STILL, deviation, 1.0)}
        widths = (seen.shape[1], _HIDDEN, _HIDDEN, 1)
        for layer, (wide, narrow) in enumerate(itertools.pairwise(widths)):
            drawn = draws.normal(wide, narrow)[0] / math.sqrt(wide)
            tensors[f"weight{layer}"] = drawn.repeat(count, 1, 1)
            tensors[f"bias{layer}"] = torch.zeros(count, 1, narrow)
        return cls(tensors)

    def __call__(self, shown: Tensor, done: Tensor) -> Tensor:
        """What each says of each row, in deviations of what was earned, shape (networks, rows).

        Args:
            shown: Shape (networks or 1, rows, numbers).
            done: Shape (networks or 1, rows, actions).
        """
        return self.of(self.scaled(torch.cat([shown, done], dim=2)))

    def scaled(self, seen: Tensor) -> Tensor:
        """What is shown and done in the units that the networks see."""
        return ((seen - self.tensors["mean"]) / self.tensors["deviation"]).clamp(-_FAR, _FAR)

    def of(self, scaled: Tensor) -> Tensor:
        """The same as a call, of what is scaled already, shape (networks, rows, numbers)."""
        for layer in (0, 1):
            scaled = (scaled @ self.tensors[f"weight{layer}"] + self.tensors[f"bias{layer}"]).tanh()
        return (scaled @ self.tensors["weight2"] + self.tensors["bias2"]).squeeze(2)

    def __getitem__(self, numbers: Tensor) -> "Critics":
        """Some of them, by their numbers, in that order."""
        known = self.tensors
        return Critics({name: part if name in _SEEN else part[numbers] for name, part in known.items()})

    def each(self, shown: Tensor, done: Tensor) -> Tensor:
        """What the only one, or a network of its own, says of each row, shape (rows,); of (rows, numbers) both."""
        if len(self) == 1:
            return self(shown[None], done[None])[0]
        return self(shown[:, None], done[:, None])[:, 0]

    def __len__(self) -> int:
        return len(self.tensors["weight0"])

    @classmethod
    def joined(cls, several: Sequence["Critics"]) -> "Critics":
        """All of several that see the same, in that order."""
        known = several[0].tensors
        parts = {name: torch.cat([one.tensors[name] for one in several]) for name in known if name not in _SEEN}
        return cls(known | parts)

    @property
    def weights(self) -> list[Tensor]:
        """What is learned."""
        return [part for name, part in self.tensors.items() if name not in _SEEN]


def learn(
    data: RollOuts, boxes: Tensor, regularisers: Tensor, draws: Draws, updates: Sequence[int]
) -> Iterator[Critics]:
    """Critics that learned on roll-outs, as they are after so many updates each.

    Args:
        data: The roll-outs.
        boxes: How far each critic looks around an action, shape (critics, actions), in the game's own units.
        regularisers: What a change there costs, beside the temporal difference, shape (critics,).
        draws: The first weights, and the steps of each update.
        updates: Numbers of updates, increasing.
    """
    critics = Critics.drawn(len(boxes), data, draws)
    known, width = critics.tensors, data.seen.shape[2] - data.actions
    scaled = critics.scaled(data.seen)
    box = torch.cat([torch.zeros(len(boxes), width), boxes / known["deviation"][width:]], dim=1)[:, None]
    optimiser = torch.optim.Adam([weight.requires_grad_(True) for weight in critics.weights], lr=_RATE)
    middle, spread = data.earned.mean(), data.earned.std(unbiased=False).clamp_min(_STILL)
    for number in range(1, updates[-1] + 1):
        rows = draws.integers(len(data.reward), _BATCH)[0]
        now, after = (one[rows].expand(len(boxes), -1, -1) for one in scaled)
        with torch.no_grad():
            worth = middle + spread * critics.of(after)
            wanted = (data.reward[rows] + _DISCOUNT * data.goes_on[rows] * worth - middle) / spread
        said, apart = _robust(critics, now, box)
        loss = (said - wanted).square().mean(dim=1) + regularisers * apart.mean(dim=1)
        optimiser.zero_grad()
        loss.sum().backward()  # type: ignore[no-untyped-call]  # torch's own
        optimiser.step()
        if number in updates:
            yield Critics({name: part.detach().clone() for name, part in known.items()})


def _robust(critics: Critics, scaled: Tensor, box: Tensor) -> tuple[Tensor, Tensor]:
    """What critics say, and the square of how far that goes up or down in the box, to first order, at its corners."""
    point = scaled.clone().requires_grad_(True)
    (slope,) = torch.autograd.grad(critics.of(point).sum(), point)
    way = slope.sign() * box
    said, above, below = critics.of(torch.cat([scaled, scaled + way, scaled - way], dim=1)).chunk(3, dim=1)
    return said, torch.maximum((above - said).square(), (below - said).square())
