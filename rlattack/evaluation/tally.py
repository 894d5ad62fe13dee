"""What is counted of running episodes: scores, lengths, how they end; the same at play and when it is played again."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rlattack.arrays import Array, BoolArray, IntArray
from rlattack.evaluation.episode import CUT
from rlattack.games.card import GameCard, Outcome
from rlattack.games.game import NOBODY, UNDECIDED, Game, Step

_WEIGHTS = np.random.default_rng(0).integers(2**63, size=1024, dtype=np.uint64) * np.uint64(2) + np.uint64(1)


@dataclass(frozen=True, kw_only=True)
class Ended:
    """An episode that ended, as the game alone tells it; fields as those of `Episode`."""

    length: int
    ending: str
    truncated: bool
    stalled: bool
    trajectory: str
    scores: tuple[float, ...]
    """Of each seat."""
    outcomes: tuple[Outcome | None, ...]
    """Of each seat, by the game's rules; None where they do not say."""


class Tally:
    """Counts the episodes that run in the slots of a game.

    Args:
        game: What is played.
        card: Its card, which may end episodes that stall, or that last too long.

    Attributes:
        last: The step that was added last.
    """

    last: Step

    def __init__(self, game: Game, card: GameCard) -> None:
        slots, self._game, self._card = game.slots, game, card
        self._scores = np.zeros((len(game.seats), slots))
        self._length = np.zeros(slots, dtype=np.int64)
        self._since_reward = np.zeros(slots, dtype=np.int64)
        self._digest = np.zeros(slots, dtype=np.uint64)
        self._stalled: BoolArray = np.zeros(slots, dtype=np.bool_)
        self._cut: BoolArray = np.zeros(slots, dtype=np.bool_)

    def begin(self, started: IntArray) -> None:
        """Counts anew in the slots `started`."""
        self._scores[:, started] = 0.0
        self._length[started] = self._since_reward[started] = self._digest[started] = 0

    def add(self, actions: Sequence[Array], step: Step, active: BoolArray) -> BoolArray:
        """Adds a step of the slots `active`; returns where an episode is over, shape (slots,)."""
        self.last = step
        self._scores += np.where(active, step.rewards, 0.0)
        self._length += active
        self._digest = _mixed(self._digest, (*actions, step.rewards.T))
        ended = step.terminated | step.truncated
        self._stalled = self._stall(step.rewards) & ~ended
        over: BoolArray = ended | self._stalled
        most = self._card.max_steps
        self._cut = (self._length >= most) & ~over if most else self._cut
        return over | self._cut

    def ended(self, slot: int) -> Ended:
        """The episode that the last step ended in a slot."""
        winner, stalled, cut = int(self.last.winner[slot]), bool(self._stalled[slot]), bool(self._cut[slot])
        ending = "stalled" if stalled else CUT if cut else self._game.endings[int(self.last.ending[slot])]
        seats = range(len(self._game.seats))
        return Ended(
            length=int(self._length[slot]), ending=ending, stalled=stalled,
            truncated=cut or bool(self.last.truncated[slot] and not self.last.terminated[slot]),
            trajectory=f"{int(self._digest[slot]):016x}",
            scores=tuple(float(self._scores[seat, slot]) for seat in seats),
            outcomes=tuple(None if stalled or cut else _outcome(winner, seat) for seat in seats),
        )  # fmt: skip

    def _stall(self, rewards: npt.NDArray[np.float64]) -> BoolArray:
        """Slots that had no reward for as long as the card allows."""
        stall = self._card.stall
        if stall is None:
            return np.zeros(self._game.slots, dtype=np.bool_)
        self._since_reward = np.where((rewards != 0).any(axis=0), 0, self._since_reward + 1)
        return self._since_reward >= stall.steps


def _outcome(winner: int, seat: int) -> Outcome | None:
    if winner == UNDECIDED:
        return None
    return "tie" if winner == NOBODY else "win" if winner == seat else "loss"


def _mixed(digest: npt.NDArray[np.uint64], parts: tuple[Array, ...]) -> npt.NDArray[np.uint64]:
    """The digest of each slot after one more step, of which `parts` have a row a slot."""
    rows = np.concatenate([part.reshape(len(digest), -1).astype(np.float64) for part in parts], axis=1)
    bits = rows.view(np.uint64)
    sums = ((bits ^ (bits >> np.uint64(32))) * np.resize(_WEIGHTS, bits.shape[1])).sum(axis=1, dtype=np.uint64)
    found: npt.NDArray[np.uint64] = (digest ^ sums ^ (sums >> np.uint64(29))) * np.uint64(0x100000001B3)
    return found + np.uint64(0x9E3779B97F4A7C15)
