"""The one shape in which every game is played: n seats in a fixed number of slots, each slot reset by its own seed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, get_args, runtime_checkable

import numpy as np
from gymnasium import Space

from rlattack.arrays import Array, BoolArray, FloatArray, IntArray
from rlattack.errors import InvalidInput
from rlattack.games.screen import Screen

Mask = Literal["initial", "zero", "noise"]
"""How the other player is hidden from a seat (Gleave et al. 2019): as at the scene's start, all zero, or noised."""
MASKS: tuple[Mask, ...] = get_args(Mask)

NOBODY = -1
"""In place of the winner's seat: a tie, or a game that goes on."""
UNDECIDED = -2
"""In place of the winner's seat: the game has no winner of its own, and its card's rule reads the return."""
WAIT = -1
"""In place of an action, in games of turns: the slot stays as it is, and earns nothing."""
PLAYER = "player"
"""Name of the seat of games that have one."""
OVER = ("", "over", "time")
"""Endings of games that say no more of their end: it goes on, it is over by the rules, it was cut."""


class SlotFault(InvalidInput):
    """A copy of a game fails; whoever knows which episode it plays names that.

    Args:
        slot: Of the copy.
        said: What is wrong, as `fails in step: ValueError: ...`.
    """

    def __init__(self, slot: int, said: str) -> None:
        super().__init__(said)
        self.slot = slot


@dataclass(frozen=True)
class Part:
    """A part of an observation that is shown flattened: a key of a Dict, an item of a Tuple.

    Attributes:
        name: The key; those of a Dict in a Dict are joined by a dot.
        start: Its first entry in the flattened observation.
        entries: How many it has.
        shape: Of the part by itself.
        numbers: Whether it holds numbers that may be a little larger or smaller; a choice, 0 and 1s, does not.
    """

    name: str
    start: int
    entries: int
    shape: tuple[int, ...]
    numbers: bool


@dataclass(frozen=True)
class Seat:
    """A place at a game: what its player sees and can do.

    Attributes:
        name: As the game's card calls it; `player` in games of one seat.
        observation: One observation.
        action: One action.
        features: Names of the entries of an observation, where the game tells them.
        parts: What a flattened observation is made of, in order; empty where it is one array by itself.
        stacked: How many observations of the game one is, as `--frame-stack` says.
        screen: How the picture of an emulator becomes what is seen; None where nothing is seen by one.
        bodies: Names of the bodies of the world, where a physics engine moves them.
    """

    name: str
    observation: Space[Any]
    action: Space[Any]
    features: tuple[str, ...] = ()
    parts: tuple[Part, ...] = ()
    stacked: int = 1
    screen: Screen | None = None
    bodies: tuple[str, ...] = ()


@dataclass(frozen=True)
class View:
    """What one seat sees before it acts.

    Attributes:
        obs: Observations, shape (slots, *observation), the space's dtype. A new array each time: keep it as you like.
        turn: Whether the seat is to act, shape (slots,); where it is not, its action is not looked at.
        legal: Legal actions, shape (slots, actions), where the game tells.
        pictures: What the screen showed in the frames of which the newest of `obs` is made, as `Screen.space`, of a
            game that was made with `screens`; a new array each time.
    """

    obs: Array
    turn: BoolArray
    legal: BoolArray | None = None
    pictures: Array | None = None


@dataclass(frozen=True)
class Step:
    """What one step of every slot brought.

    Attributes:
        views: What each seat sees next.
        rewards: The game's own, unclipped rewards, shape (seats, slots).
        terminated: Slots whose episode ended by the rules, shape (slots,).
        truncated: Slots that were cut: by the time limit, or because the simulation broke down.
        winner: The seat that won, NOBODY, or UNDECIDED, shape (slots,).
        ending: Number of the way the episode ended, an index into the game's `endings`, shape (slots,).
        sparse: The part of the rewards that came for the end of the game, shape (seats, slots), where the game tells.
    """

    views: tuple[View, ...]
    rewards: FloatArray
    terminated: BoolArray
    truncated: BoolArray
    winner: IntArray
    ending: IntArray
    sparse: FloatArray | None = None


class Game(Protocol):
    """A game in `slots` copies. An episode depends on its seed and the actions alone.

    A slot whose episode has ended, or that was never reset, is idle: it takes any action, and what it returns has the
    right shape and means nothing.
    """

    slots: int
    seats: tuple[Seat, ...]
    endings: tuple[str, ...]
    """Names of the ways an episode can end; "" first, for one that goes on."""

    def reset(self, mask: BoolArray, seeds: IntArray) -> tuple[View, ...]:
        """Starts new episodes in the slots of `mask` with `seeds` (one a set slot); returns all views.

        The other slots stay as they are.

        Raises:
            InvalidInput: A seed outside 0..2^31-1, or another number of seeds than of set slots.
        """

    def step(self, actions: Sequence[Array]) -> Step:
        """Plays one action a seat and slot, each of shape (slots, *action); in games of turns, slots can WAIT."""

    def close(self) -> None:
        """Frees what the game holds."""


@runtime_checkable
class Forkable(Game, Protocol):
    """A game that can be played on from where another one of the same variant stands: what looking ahead takes."""

    def save(self, slots: IntArray) -> list[object]:
        """The whole state of each of these slots, whose games go on; it stays as it is."""

    def restore(self, slots: IntArray, states: Sequence[object]) -> None:
        """Goes on in these slots from what was saved in any; what they show is what was shown there."""


def always(slots: int) -> BoolArray:
    """Makes the `turn` of a seat that acts in every step: True, shape (slots,), read-only."""
    turn: BoolArray = np.ones(slots, dtype=np.bool_)
    turn.flags.writeable = False
    return turn


def one_seat_step(view: View, rewards: Array, terminated: BoolArray, truncated: BoolArray) -> Step:
    """Makes the step of a game of one seat whose endings are `OVER`; who wins when it ends is UNDECIDED."""
    over = terminated | truncated
    return Step(
        views=(view,), rewards=rewards[None].astype(np.float64), terminated=terminated, truncated=truncated,
        winner=np.where(over, UNDECIDED, NOBODY), ending=np.where(terminated, 1, 2 * truncated),
    )  # fmt: skip


def check_seeds(mask: BoolArray, seeds: IntArray) -> IntArray:
    """Returns the seeds as int64 after checking what ale-py takes silently as "unseeded".

    Raises:
        InvalidInput: A seed outside 0..2^31-1, or another number of seeds than of set slots.
    """
    seeds = np.asarray(seeds, dtype=np.int64)
    if seeds.shape != (int(mask.sum()),):
        raise InvalidInput(f"expected one seed for each of {int(mask.sum())} slots, got shape {seeds.shape}")
    if seeds.size and not (seeds.min() >= 0 and seeds.max() < 2**31):
        raise InvalidInput(f"expected seeds in 0..2^31-1, got {seeds.min()}..{seeds.max()}")
    return seeds
