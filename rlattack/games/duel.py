"""The one shape in which every two-player game is played: two seats, many slots, each slot reset by its own seed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol, get_args

import numpy.typing as npt
from gymnasium import Space

from rlattack.games.batch import BoolArray, FloatArray, IntArray

__all__ = ["MASKS", "NOBODY", "WAIT", "DuelGame", "DuelStep", "Mask", "Masks", "Sight"]

Mask = Literal["initial", "zero", "noise"]
"""How the other player is hidden from a seat (Gleave et al. 2019): as at the scene's start, all zero, or noised."""
MASKS: tuple[Mask, ...] = get_args(Mask)
Masks = Mapping[int, Mask]
"""Seats from which the other player is hidden."""

NOBODY = -1
"""In place of the winner's seat: a tie, or a game that goes on."""
WAIT = -1
"""In place of an action, in games of turns: the slot stays as it is, and earns nothing."""


@dataclass(frozen=True)
class Sight:
    """What both seats see before they act.

    Attributes:
        obs: Observations of a seat, each of shape (slots, *observation); new arrays each time.
        turn: Whether a seat is to act, shape (2, slots); the other one's action is not looked at.
        legal: Legal actions of a seat, shape (slots, actions), where the game tells.
    """

    obs: tuple[npt.NDArray[Any], npt.NDArray[Any]]
    turn: BoolArray
    legal: tuple[BoolArray, BoolArray] | None = None


@dataclass(frozen=True)
class DuelStep:
    """What one step of every slot brought.

    Attributes:
        sight: What comes next.
        rewards: All that each seat earned, shape (2, slots).
        sparse: The part that came for the end of the game, shape (2, slots).
        terminated: Slots whose game ended by its rules, shape (slots,).
        truncated: Slots that were cut: by the time limit, or because the simulation broke down.
        winner: Seat that won, or NOBODY, shape (slots,).
        ending: Number of the way it ended, an index into the game's `endings`, shape (slots,).
    """

    sight: Sight
    rewards: FloatArray
    sparse: FloatArray
    terminated: BoolArray
    truncated: BoolArray
    winner: IntArray
    ending: IntArray


class DuelGame(Protocol):
    """A two-player game in `slots` copies. An episode depends on its seed and the actions alone."""

    slots: int
    seats: tuple[str, str]
    endings: tuple[str, ...]
    """Names of the ways a game can end; "" first, for a game that goes on."""
    observation_spaces: tuple[Space[Any], Space[Any]]
    action_spaces: tuple[Space[Any], Space[Any]]

    def reset(self, mask: BoolArray, seeds: IntArray) -> Sight:
        """Starts new episodes in the slots of `mask` with `seeds` (one a set slot); the other slots stay."""

    def step(self, actions: tuple[npt.NDArray[Any], npt.NDArray[Any]]) -> DuelStep:
        """Plays one action a seat and slot, each of shape (slots, *action); in games of turns, slots can WAIT."""

    def close(self) -> None:
        """Frees what the game holds."""
