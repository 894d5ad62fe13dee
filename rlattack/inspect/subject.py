"""Whom an inspection looks into: an agent in its seat, and what it sees in play."""

import dataclasses
import itertools
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from gymnasium.spaces import Box
from torch import Tensor

from rlattack.arrays import Array, BoolArray, FloatArray, IntArray
from rlattack.attacks.fooling import Inputs
from rlattack.defences import pictures
from rlattack.device import CPU
from rlattack.evaluation.cell import Cell
from rlattack.evaluation.estimates import Mean, Rate
from rlattack.evaluation.observer import Moment, Observer
from rlattack.evaluation.play import open_play
from rlattack.evaluation.statistics import ratio, wilson
from rlattack.inspect.certainty import Certainty
from rlattack.policies.policy import Policy, State

ROWS = 256
"""Observations that a policy is asked about at once."""
_RESAMPLES = 9999
_SEEN = 200
"""Observations of play from which the range of entries without bounds is taken."""
Tell = Callable[[str, int, int], None]
"""Called with what is being done, and how much of how much of it is; 0 of 0 where that cannot be counted."""
Reading = Callable[[Tensor], Tensor]
"""What is made of the numbers that a policy says, shape (n, numbers), before they are read."""


def as_said(numbers: Tensor) -> Tensor:
    """The reading that changes nothing."""
    return numbers


@dataclass(frozen=True)
class States:
    """Observations of a seat, as it received them in play.

    Attributes:
        obs: Shape (n, *observation), the game's own dtype.
        before: Recurrent state before each, first axis n; None of a policy without memory.
        episode: Of each, shape (n,).
    """

    obs: Array
    before: State
    episode: IntArray

    def __len__(self) -> int:
        return len(self.obs)

    def of(self, row: int, copies: int) -> State:
        """The recurrent state of one row, for so many observations in its place."""
        return None if self.before is None else self.before[row : row + 1].expand(copies, *self.before.shape[1:])

    def mean(self, values: FloatArray) -> Mean:
        """The mean of a number a state, shape (n,), with its interval over episodes (BCa)."""
        _, rows = np.unique(self.episode, return_inverse=True)
        return ratio(np.bincount(rows, weights=values).astype(np.float64), np.bincount(rows).astype(np.float64))

    def ratio(self, values: FloatArray, below: FloatArray) -> Mean | None:
        """One sum over another, with the interval of a bootstrap over episodes (percentiles); None where that is 0.

        Args:
            values: What is summed above, a number a state, at least 0, shape (n,).
            below: What is summed below.
        """
        if not below.sum():
            return None
        _, rows = np.unique(self.episode, return_inverse=True)
        sums = [np.bincount(rows, weights=one) for one in (values, below)]
        count = len(sums[0])
        drawn = np.random.default_rng(0).multinomial(count, np.full(count, 1 / count), _RESAMPLES)
        above, under = (drawn @ one for one in sums)
        low, high = np.percentile(above[under > 0] / under[under > 0], (2.5, 97.5))
        return Mean(float(values.sum() / below.sum()), (float(low), float(high)), count == 1)

    def share(self, marked: BoolArray) -> Rate:
        """The share of cells that are marked, bool, shape (n, cells), with its interval over episodes."""
        found, episodes = self.mean(marked.mean(axis=1).astype(np.float64)), len(np.unique(self.episode))
        if found.mean in (0.0, 1.0):  # of which resamples tell nothing
            return Rate(found.mean, wilson(round(found.mean * episodes), episodes))
        return Rate(found.mean, found.ci)


class Subject:
    """An agent in its seat, opened to be looked into.

    Args:
        cell: Who plays what; nobody is attacked.
        fits: Folder of what fronts learned.
        tell: Told how far it is.

    Attributes:
        policy: The victim with its fronts.
        seat: What it sees and does.
        certainty: How what it says is read.
        action_names: Of its actions, where the game gives some.

    Raises:
        RlattackError: The game cannot be made, or the agent not be loaded.
    """

    def __init__(self, cell: Cell, fits: Path | None = None, tell: Tell = lambda *_: None) -> None:
        self.cell, self.fits, self.tell, self.number = cell, fits, tell, cell.victim
        play = open_play(cell, lambda slot: None, fits=fits)
        self.policy: Policy = play.policies[self.number]
        self.seat = play.game.seats[self.number]
        self.action_names: list[str] | None = getattr(play.game, "action_names", None)
        self.certainty = Certainty.of(self.seat, self.action_names)
        play.game.close()

    @property
    def name(self) -> str:
        """Who it is."""
        return self.cell.players[self.number].name

    @cached_property
    def pictures(self) -> bool:
        """Whether it sees pictures of bytes: (height, width), with frames or colours before or behind."""
        space = self.seat.observation
        return isinstance(space, Box) and space.dtype == np.uint8 and len(space.shape) in (2, 3)

    @property
    def sides(self) -> tuple[int, int]:
        """Height and width of its pictures."""
        space = self._box
        height, width = space.shape if len(space.shape) == 2 else pictures.sides(space)
        return height, width

    def frames(self, obs: Tensor) -> Tensor:
        """Its pictures, (n, *observation), as (n, channels, height, width): frames, oldest first, or colours."""
        return obs[:, None] if len(self._box.shape) == 2 else pictures.images(obs, self._box)

    def laid(self, frames: Tensor) -> Tensor:
        """The way back from `frames`."""
        return frames[:, 0] if len(self._box.shape) == 2 else pictures.shown(frames, self._box)

    @cached_property
    def inputs(self) -> Inputs:
        """What it could be shown."""
        return Inputs.of(self._box, lambda: self.states(_SEEN, 4).obs)

    @property
    def _box(self) -> Box:
        space = self.seat.observation
        assert isinstance(space, Box), "games show what else there is flattened"
        return space

    def states(self, count: int, every: int, *, alone: bool = False, seed: int = 0) -> States:
        """What it received in clean play.

        Args:
            count: How many observations; fewer where no more comes.
            every: So many times it acts from one to the next.
            alone: Of the first slot alone, one after another.
            seed: Added to the run's: another one is other episodes.
        """
        cell = dataclasses.replace(self.cell, seed=self.cell.seed + seed)
        looking, numbers = _Looking(self.number, cell.envs, every, alone), itertools.count()
        with torch.device(CPU):  # on which agents are loaded; play puts what it needs on its own
            play = open_play(cell, lambda slot: next(numbers), [looking], fits=self.fits)
        with closing(play.play()) as steps:
            for _ in steps:
                if looking.count >= count:
                    break
        return looking.states(count)

    def numbers(
        self, obs: Tensor | Array, before: State = None, policy: Policy | None = None, *, garbage: bool = False
    ) -> Tensor:
        """What a policy says of observations, shape (n, ...), as `Certainty.numbers`; no gradient.

        Args:
            obs: Shape (n, *observation).
            before: Recurrent state before each.
            policy: The victim by default.
            garbage: With the log-odds of garbage, of who has that class.
        """
        asked = policy or self.policy
        with torch.no_grad():
            outs = [asked(batch, state) for batch, state in batches(torch.as_tensor(obs), before)]
        return torch.cat([self.certainty.numbers(out.actions, out.garbage if garbage else None) for out in outs])

    def rescaling(self, obs: Tensor | Array, twin: Policy, before: State = None) -> "Rescaling":
        """How what another network says of observations is scaled: to the agent's mean, and to differ as much."""
        own, other = (self.numbers(obs, before, policy) for policy in (self.policy, twin))
        apart = [self.certainty.variation(one) for one in (own, other)]
        return Rescaling(apart[0] / apart[1] if apart[1] else 1.0, other.mean(dim=0), own.mean(dim=0))


@dataclass(frozen=True)
class Rescaling:
    """A reading that scales numbers about a mean, and moves that to another one.

    Attributes:
        factor: Of what is apart from the mean.
        mean: Before, shape (numbers,).
        to: After, shape (numbers,).
    """

    factor: float
    mean: Tensor
    to: Tensor

    def __call__(self, numbers: Tensor) -> Tensor:
        """Numbers, shape (n, numbers), scaled."""
        return self.to + self.factor * (numbers - self.mean)


def batches(obs: Tensor, before: State = None) -> Iterator[tuple[Tensor, State]]:
    """Cuts observations, shape (n, *observation), and recurrent states into what is asked at once, as float32."""
    for start in range(0, len(obs), ROWS):
        state = None if before is None else before[start : start + ROWS]
        yield obs[start : start + ROWS].to(torch.float32), state


class _Looking(Observer):
    """Keeps what a seat received, every so many times that it acted in a slot."""

    def __init__(self, seat: int, slots: int, every: int, alone: bool) -> None:
        super().__init__(seat, slots)
        self._every, self._alone, self.count = every, alone, 0
        self._acted: IntArray = np.zeros(slots, dtype=np.int64)
        self._rows: list[tuple[Array, Tensor | None, IntArray]] = []

    def see(self, moment: Moment) -> None:
        """Keeps a row of every slot that acts."""
        if moment.seat != self.seat:
            return
        self._acted += moment.acting
        kept = np.flatnonzero(moment.acting & (self._acted % self._every == 0))
        kept = kept[kept == 0] if self._alone else kept
        if not len(kept):
            return
        rows = torch.as_tensor(kept)
        before = None if moment.before is None else moment.before[rows].clone()
        received = moment.received[rows].numpy(force=True).astype(moment.shown.dtype)
        self._rows.append((received, before, moment.episode[kept].copy()))
        self.count += len(kept)

    def states(self, count: int) -> States:
        """The first of them."""
        obs, before, episode = zip(*self._rows, strict=True)
        there = [one for one in before if one is not None]
        return States(
            np.concatenate(obs)[:count], torch.cat(there)[:count] if there else None, np.concatenate(episode)[:count]
        )
