"""Several players for one seat of a game in slots: whom a slot meets is drawn when its episode starts."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rlattack.budget import Draws
from rlattack.games.batch import BoolArray
from rlattack.games.opponent import Opponent

__all__ = ["Pool"]


class Pool:
    """An opponent that is one of several, uniformly drawn, for the whole of an episode.

    The recurrent state of a row is the key of its player, then that player's own state: so whoever clears the state
    when an episode starts also draws the opponent, and a row keeps its player while others start anew.

    Args:
        seed: Of the draws.
        players: Key and player, as `serve` takes them.
    """

    def __init__(self, seed: int, players: Sequence[tuple[int, Opponent]] = ()) -> None:
        self._generator = torch.Generator().manual_seed(seed)
        self._players: dict[int, Opponent] = {}
        self._served: list[int] = []
        self._held: set[int] = set()
        self._width = 0
        self.serve(players)

    def serve(self, players: Sequence[tuple[int, Opponent]]) -> None:
        """Lets episodes that start from now on meet these; the others are kept until nobody plays them any more.

        Args:
            players: Keys (whole numbers) and players, some perhaps more than once. Those that come later have no
                larger states than the first ones.
        """
        wanted = self._held | set(self._served)  # drawn since they last acted
        self._players = {key: one for key, one in self._players.items() if key in wanted} | dict(players)
        self._served = [key for key, _ in players]
        states = [one.initial_state(1) for _, one in players]
        self._width = max([self._width, *(0 if state is None else state.shape[1] for state in states)])

    @property
    def keys(self) -> set[int]:
        """Of all players that are kept."""
        return set(self._players)

    def initial_state(self, n: int) -> Tensor:
        """Draws a player a row; shape (n, 1 + its state), float64, which holds keys and float32 states exactly."""
        drawn = torch.zeros(n, 1 + self._width, dtype=torch.float64)
        if not self._served:  # before the first one is known
            return drawn
        served = torch.tensor(self._served, dtype=torch.float64)
        drawn[:, 0] = served[torch.randint(len(served), (n,), generator=self._generator)]
        for key in set(self._served):
            start = self._players[key].initial_state(n)
            if start is not None:
                mine = drawn[:, 0] == key
                drawn[mine, 1 : 1 + start.shape[1]] = start[mine].double()
        return drawn

    def act(
        self, obs: npt.NDArray[np.generic], state: Tensor | None, draws: Draws, *, legal: BoolArray | None = None,
        greedy: bool = False,
    ) -> tuple[npt.NDArray[np.generic], Tensor]:  # fmt: skip
        """Lets every row's player act; see `Player`."""
        assert state is not None, "initial_state comes first"
        keys, after = state[:, 0].long(), state.clone()
        self._held = set(keys.tolist())
        actions: npt.NDArray[np.generic] | None = None
        for key in sorted(self._held):
            player, rows = self._players[key], (keys == key).numpy()
            start = player.initial_state(1)
            own = None if start is None else state[rows, 1 : 1 + start.shape[1]].float()
            mine = None if legal is None else legal[rows]
            chosen, new = player.act(obs[rows], own, _Rows(draws, rows), legal=mine, greedy=greedy)
            if actions is None:
                actions = np.zeros((len(obs), *chosen.shape[1:]), dtype=chosen.dtype)
            actions[rows] = chosen
            if new is not None:
                after[rows, 1 : 1 + new.shape[1]] = new.double()
        assert actions is not None, "there are rows"
        return actions, after


class _Rows:
    """Random numbers of some rows; all rows draw, so that what one gets does not depend on who else is there."""

    def __init__(self, draws: Draws, rows: BoolArray) -> None:
        self._draws, self._rows = draws, torch.from_numpy(rows)

    def uniform(self, *shape: int) -> Tensor:
        """Uniform in [0, 1)."""
        return self._draws.uniform(*shape)[self._rows]

    def normal(self, *shape: int) -> Tensor:
        """Standard normal."""
        return self._draws.normal(*shape)[self._rows]

    def laplace(self, *shape: int) -> Tensor:
        """Standard Laplace."""
        return self._draws.laplace(*shape)[self._rows]

    def signs(self, *shape: int) -> Tensor:
        """-1 or 1."""
        return self._draws.signs(*shape)[self._rows]
