"""What an input is to make an agent sure of: an action, or several whose names mean nearly the same."""

import contextlib
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from gymnasium.spaces import Discrete
from torch import Tensor

from rlattack.arrays import BoolArray, FloatArray, IntArray
from rlattack.draws import game_seed
from rlattack.errors import InvalidInput, UnknownName, nearest
from rlattack.games.forks import make_forkable
from rlattack.games.game import Forkable, SlotFault
from rlattack.inspect.certainty import Certainty
from rlattack.inspect.subject import Subject

NONE = "none"
ALIKE = 0.05
"""Names are alike where what is shown next differs in no larger share of states."""
_SLOTS, _TIMES, _APART = 8, 16, 12


@dataclass(frozen=True)
class Targets:
    """Sets of what an agent can be sure of, each with how sure it is of any in it.

    Attributes:
        certainty: How what an agent says is read.
        sets: Numbers of `certainty.names`: first each alone, then those that mean nearly the same.
    """

    certainty: Certainty
    sets: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, certainty: Certainty, alike: Sequence[Sequence[int]] = ()) -> "Targets":
        """Each name alone, then the sets of those that are alike."""
        return cls(certainty, (*((one,) for one in range(len(certainty.names))), *map(tuple, alike)))

    @property
    def names(self) -> list[str]:
        """What each is called."""
        return [" + ".join(self.certainty.names[one] for one in members) for members in self.sets]

    @property
    def single(self) -> int:
        """How many are one name."""
        return len(self.certainty.names)

    def sure(self, numbers: Tensor) -> Tensor:
        """How sure it is of each, shape (n, targets), of the numbers that it says."""
        return self.certainty(numbers) @ self._members.T.to(torch.float32)

    def climbed(self, numbers: Tensor, of: Tensor) -> Tensor:
        """What is climbed to make each row surer of its own target `of`, int64, shape (n,); shape (n,)."""
        own, each = self._members[of], self.certainty.log(numbers)
        if not self.certainty.discrete:
            return (own * each).sum(dim=1)
        return each.masked_fill(~own, -torch.inf).logsumexp(dim=1)

    @property
    def _members(self) -> Tensor:
        """Which names each target holds, bool, shape (targets, names)."""
        return torch.as_tensor([[name in members for name in range(self.single)] for members in self.sets])


def named_alike(certainty: Certainty, texts: Sequence[str]) -> list[list[int]]:
    """Reads sets of names, as `RIGHT+RIGHTFIRE`.

    Raises:
        UnknownName: No such action.
        InvalidInput: One name alone, or one in two sets.
    """
    sets = []
    for text in texts:
        names = text.split("+")
        for name in names:
            if name not in certainty.names:
                known = ", ".join(certainty.names)
                raise UnknownName(f"--same: expected {known}, got {name!r}{nearest(name, certainty.names)}")
        sets.append([certainty.names.index(name) for name in names])
    every = [one for of in sets for one in of]
    if any(len(of) < 2 for of in sets) or len(set(every)) < len(every):
        raise InvalidInput(f"--same: expected names joined by +, each once, got {' '.join(texts)}")
    return sets


def measured_alike(subject: Subject) -> tuple[list[list[int]], FloatArray] | None:
    """Finds actions after which a game shows nearly always the same, by playing each in copies of the game.

    Returns:
        Sets of at least two actions, and not of all; and the share of states in which what is shown differs, shape
        (actions, actions). None where the game cannot be copied, others play too, or actions are not chosen.
    """
    if len(subject.cell.seats) > 1 or not isinstance(subject.seat.action, Discrete):
        return None
    try:
        with contextlib.closing(make_forkable(subject.cell.game, _SLOTS)) as game:
            apart = _apart(subject, game)
    except (InvalidInput, SlotFault):
        return None
    sets: list[list[int]] = []
    for action in range(len(apart)):
        for of in sets:
            if apart[of, action].max() <= ALIKE:
                of.append(action)
                break
        else:
            sets.append([action])
    return [of for of in sets if 1 < len(of) < len(apart)], apart  # of all of them anybody is sure


def _apart(subject: Subject, game: Forkable) -> FloatArray:
    """The share of states of the agent's greedy play in which what is shown after two actions differs."""
    slots, policy, run = np.arange(_SLOTS), subject.policy, subject.cell.seed
    episodes = itertools.count()
    state = policy.initial_state(_SLOTS)
    (view,) = game.reset(np.ones(_SLOTS, dtype=np.bool_), _seeds(run, episodes, _SLOTS))
    differs: list[BoolArray] = []
    with contextlib.closing(make_forkable(subject.cell.game, _SLOTS)) as spare:
        for step in range(_TIMES * _APART):
            subject.tell("looking which actions are nearly the same", step, _TIMES * _APART)
            if step % _APART == _APART - 1:
                differs.append(_differ(game.save(slots), spare, len(subject.certainty.names)))
            with torch.no_grad():
                out = policy(torch.as_tensor(view.obs).to(torch.float32), state)
            played = game.step([out.actions.greedy.numpy(force=True)])
            (view,), state, over = played.views, out.state, played.terminated | played.truncated
            if over.any():
                (view,) = game.reset(over, _seeds(run, episodes, int(over.sum())))
    shares: FloatArray = np.mean(differs, axis=(0, 3), dtype=np.float64)
    return shares


def _differ(saved: Sequence[object], spare: Forkable, actions: int) -> BoolArray:
    """Whether two actions lead to other views, bool, shape (actions, actions, slots)."""
    after = []
    for action in range(actions):
        spare.restore(np.arange(_SLOTS), saved)
        after.append(spare.step([np.full(_SLOTS, action)]).views[0].obs.reshape(_SLOTS, -1))
    shown = np.stack(after)
    return np.asarray([(one != shown).any(axis=2) for one in shown])


def _seeds(run: int, episodes: Iterator[int], count: int) -> IntArray:
    return np.asarray([game_seed(run, next(episodes)) for _ in range(count)])
