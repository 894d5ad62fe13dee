"""Plays the episodes of a duel in slots: attack, both players, then the game; batched at every step."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from rlattack.attacks.streams import Streams
from rlattack.evaluation.duels.cell import DuelCell
from rlattack.evaluation.duels.seat_attack import Measured, SeatAttack, policy_of, seat_attacker
from rlattack.evaluation.seeds import game_seed, seat_seed
from rlattack.evaluation.slots import Slots, Take
from rlattack.games.batch import BoolArray, IntArray
from rlattack.games.duel import NOBODY, DuelGame, DuelStep, Sight
from rlattack.games.find import make_duel
from rlattack.games.opponent import renewed
from rlattack.policies.base import State
from rlattack.policies.player import Player, load_player

__all__ = ["DuelEpisode", "DuelRollout", "Outcome", "Watch", "take_seats"]

Array = npt.NDArray[Any]
Outcome = Literal["win", "tie", "loss"]
Watch = Callable[[int, IntArray, Array, State], None]
"""Called before a seat acts, with the seat, the episode of each slot (-1 where it is idle or not to act), the
observations that it receives and its recurrent state: enough to ask a policy what it thinks."""
_WEIGHTS = np.random.default_rng(0).integers(2**63, size=1024, dtype=np.uint64) * np.uint64(2) + np.uint64(1)


@dataclass(frozen=True, kw_only=True)
class DuelEpisode:
    """One finished game."""

    cell: str
    episode: int
    seed: int
    """The game was reset with it."""
    returns: tuple[float, float]
    """Undiscounted sum of the game's own rewards, of seat 0 and seat 1."""
    outcome: Outcome
    """Of seat 0."""
    ending: str
    """How it ended, in the game's own word."""
    length: int
    truncated: bool
    """Cut by a time limit, or because the simulation broke down."""
    trajectory: str
    """Digest of actions and rewards: equal for games that went alike."""
    measured: Measured | None = None
    """What an attack did to what a seat saw."""


class DuelRollout(Slots[DuelEpisode]):
    """A duel at play. An episode draws all it needs from (run seed, its number), each seat from its own stream.

    Args:
        cell: What to play.
        game: In `cell.envs` slots; closed at the end.
        players: Of seat 0 and seat 1.
        take: Where episodes come from.
        watch: See `Watch`.

    Raises:
        RlattackError: The cell's attack does not fit.
    """

    def __init__(
        self,
        cell: DuelCell,
        game: DuelGame,
        players: tuple[Player, Player],
        take: Take,
        watch: Watch | None = None,
    ) -> None:
        super().__init__(cell.envs, cell.seed, take)
        self.cell = cell
        self.game = game
        self.players, self._watch = players, watch
        self._attack = self._make_attack()
        self._streams = (Streams(self.slots), Streams(self.slots))
        self._states: list[State] = [player.initial_state(self.slots) for player in players]
        self._returns = np.zeros((2, self.slots))
        self._length = np.zeros(self.slots, dtype=np.int64)
        self._digest = np.zeros(self.slots, dtype=np.uint64)
        self._sight: Sight
        self._last: DuelStep

    def _make_attack(self) -> SeatAttack | None:
        cell, seat = self.cell, self.cell.attacked
        if cell.budget is None or seat is None:
            return None
        policy = policy_of(self.players[seat], cell.players[seat].name)
        space = self.game.observation_spaces[seat]
        return SeatAttack(seat_attacker(cell.attack, cell.budget, policy, space, self.slots), policy, cell.seed)

    def _begin(self, started: IntArray, reset: BoolArray, seeds: IntArray) -> None:
        fresh = np.zeros(self.slots, dtype=np.bool_)
        fresh[started] = True
        for seat, player in enumerate(self.players):
            for slot in started:
                seed = seat_seed(self._seed, int(self._episode[slot]), seat)
                self._streams[seat].restart(int(slot), seed)
            self._states[seat] = renewed(fresh, player.initial_state(self.slots), self._states[seat])
        if self._attack is not None:
            self._attack.restart(started, self._episode[started])
        self._returns[:, started] = 0.0
        self._length[started] = self._digest[started] = 0
        self._sight = self.game.reset(reset, seeds)

    def _step(self, active: BoolArray) -> BoolArray:
        actions = (self._act(0, active), self._act(1, active))
        step = self._last = self.game.step(actions)
        self._sight = step.sight
        self._returns += np.where(active, step.rewards, 0.0)
        self._length += active
        self._digest = _mixed(self._digest, (*actions, step.rewards.T))
        return step.terminated | step.truncated

    def _act(self, seat: int, active: BoolArray) -> Array:
        """Asks a player for the whole batch; its state and its draws go on only where it is to act."""
        sight, player, before = self._sight, self.players[seat], self._states[seat]
        acting = active & sight.turn[seat]
        self._streams[seat].active = acting
        legal = None if sight.legal is None else sight.legal[seat]
        if legal is not None:  # nothing is legal where a game is over, or the other one is to act
            legal = legal | ~legal.any(axis=1, keepdims=True)
        obs = sight.obs[seat]
        if self._attack is not None and seat == self.cell.attacked:
            obs = self._attack(obs, before, acting, legal)
        if self._watch is not None:
            self._watch(seat, np.where(acting, self._episode, -1), obs, before)
        greedy = self.cell.actions == "greedy"
        actions, after = player.act(obs, before, self._streams[seat], legal=legal, greedy=greedy)
        self._states[seat] = renewed(acting, after, before)
        return actions

    def _finish(self, slot: int) -> DuelEpisode:
        episode, winner = int(self._episode[slot]), int(self._last.winner[slot])
        return DuelEpisode(
            cell=self.cell.key, episode=episode, seed=game_seed(self._seed, episode),
            returns=(float(self._returns[0, slot]), float(self._returns[1, slot])),
            outcome="tie" if winner == NOBODY else "win" if winner == 0 else "loss",
            ending=self.game.endings[int(self._last.ending[slot])], length=int(self._length[slot]),
            truncated=bool(self._last.truncated[slot]), trajectory=f"{int(self._digest[slot]):016x}",
            measured=None if self._attack is None else self._attack.collect(slot),
        )  # fmt: skip

    def _close(self) -> None:
        self.game.close()


def take_seats(cell: DuelCell, take: Take, watch: Watch | None = None) -> DuelRollout:
    """Makes the game of a cell and lets its players take their seats.

    Raises:
        RefusedFile: A player that is not the one that was planned with.
        RlattackError: See `make_duel` and `load_player`.
    """
    game = make_duel(cell.game, cell.envs, masks=cell.masks)

    def seat(number: int) -> Player:
        ref = cell.players[number]
        seen, done = game.observation_spaces[number], game.action_spaces[number]
        loaded = load_player(ref.spec, cell.game.id, cell.seats[number], seen, done, trust=ref.trust)
        ref.check(loaded.identity)
        return loaded.player

    return DuelRollout(cell, game, (seat(0), seat(1)), take, watch)


def _mixed(digest: npt.NDArray[np.uint64], parts: tuple[Array, ...]) -> npt.NDArray[np.uint64]:
    """The digest of each slot after one more step, of which `parts` have a row a slot."""
    rows = np.concatenate([part.reshape(len(digest), -1).astype(np.float64) for part in parts], axis=1)
    bits = rows.view(np.uint64)
    sums = ((bits ^ (bits >> np.uint64(32))) * np.resize(_WEIGHTS, bits.shape[1])).sum(axis=1, dtype=np.uint64)
    found: npt.NDArray[np.uint64] = (digest ^ sums ^ (sums >> np.uint64(29))) * np.uint64(0x100000001B3)
    return found + np.uint64(0x9E3779B97F4A7C15)
