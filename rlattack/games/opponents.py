"""Who holds the other seats of a game: frozen policies, each with its memory and one stream of random numbers."""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from rlattack.arrays import Array, BoolArray, renewed
from rlattack.draws import Draws
from rlattack.errors import InvalidInput
from rlattack.games.card import ActionMode
from rlattack.games.game import WAIT, View


class _Output(Protocol):
    @property
    def actions(self) -> Any: ...
    @property
    def state(self) -> Tensor | None: ...
    def among(self, legal: Tensor | None) -> "_Output": ...


class Opponent(Protocol):
    """What is needed of a `Policy` of `rlattack.policies`, which stands above games, to hold another seat."""

    @property
    def acts(self) -> ActionMode | None:
        """How it acts whatever is asked for."""

    def __call__(self, obs: Tensor, state: Tensor | None = None, draws: Draws | None = None) -> _Output:
        """Distributions of actions for observations (n, *observation), float32, and the state after."""

    def initial_state(self, n: int) -> Tensor | None:
        """Recurrent state at the start of n episodes."""


Opponents = Opponent | Mapping[int, Opponent]
"""One policy for all other seats, or one for each, by the seat's number."""


class Others:
    """Lets the opponents of a learner act.

    Args:
        opponents: Who holds which seat.
        seats: Number of seats of the game.
        seat: The learner's.
        slots: Number of slots.
        greedy: Whether they play their most likely actions instead of sampling.

    Raises:
        InvalidInput: A seat that there is none of, or a seat without an opponent.
    """

    def __init__(self, opponents: Opponents, seats: int, seat: int, slots: int, *, greedy: bool) -> None:
        if seat not in range(seats):
            raise InvalidInput(f"expected seat {' or '.join(map(str, range(seats)))}, got {seat}")
        others = [other for other in range(seats) if other != seat]
        if not isinstance(opponents, Mapping):
            opponents = dict.fromkeys(others, opponents)
        if sorted(opponents) != others:
            raise InvalidInput(f"expected an opponent for each of the seats {others}, got one for {sorted(opponents)}")
        self._opponents = {other: opponents[other] for other in others}
        self._seat, self._slots, self._greedy = seat, slots, greedy
        self._states = {other: opponent.initial_state(slots) for other, opponent in self._opponents.items()}

    def restart(self, mask: BoolArray) -> None:
        """Clears what they remember in the slots of `mask`."""
        if not self._opponents:
            return
        fresh = torch.tensor(mask)  # which may be read-only
        for seat, opponent in self._opponents.items():
            self._states[seat] = renewed(fresh, opponent.initial_state(self._slots), self._states[seat])

    def act(self, views: tuple[View, ...], mask: BoolArray, draws: Draws) -> dict[int, Array]:
        """The actions of each other seat, where it is to act and `mask` is set; in games of turns the rest waits."""
        turns = not views[self._seat].turn.all()
        return {seat: self._act(seat, views[seat], mask, draws, turns=turns) for seat in self._opponents}

    def _act(self, seat: int, view: View, mask: BoolArray, draws: Draws, *, turns: bool) -> Array:
        acting, opponent = mask & view.turn, self._opponents[seat]
        if not acting.any():
            return np.full(self._slots, WAIT)
        # where nobody is to act, perhaps nothing is legal
        legal = None if view.legal is None else torch.from_numpy(view.legal | ~acting[:, None])
        with torch.no_grad():
            seen = torch.from_numpy(np.ascontiguousarray(view.obs, dtype=np.float32))
            out = opponent(seen, self._states[seat], draws).among(legal)
            greedy = self._greedy if opponent.acts is None else opponent.acts == "greedy"
            chosen: Array = (out.actions.greedy if greedy else out.actions.sample(draws)).numpy(force=True)
        self._states[seat] = renewed(torch.from_numpy(acting), out.state, self._states[seat])
        return np.where(acting, chosen, WAIT) if turns else chosen
