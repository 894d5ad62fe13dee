"""Plays the actions of a ledger again, in the game and from the seeds alone, and tells what differs."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium import Space
from gymnasium.spaces import Box, Discrete, MultiDiscrete

from rlattack.arrays import Array, BoolArray, IntArray
from rlattack.benchmark.verify.account import Account
from rlattack.draws import game_seed
from rlattack.errors import RlattackError, said_by
from rlattack.evaluation.episode import Episode
from rlattack.evaluation.slots import Slots
from rlattack.evaluation.tally import Ended, Tally
from rlattack.games.dynamics import Bendable
from rlattack.games.find import make_game
from rlattack.games.game import WAIT, Game, View

_SLOTS = 8


class Replay(Slots):
    """The episodes of an account, played again.

    Args:
        account: What is said to have happened.
        game: In as many slots as one likes: an episode depends on its seed and the actions alone.

    Attributes:
        other: What went otherwise.
        unlike: What was shown otherwise.
    """

    def __init__(self, account: Account, game: Game) -> None:
        numbers = iter(range(len(account.episodes)))
        super().__init__(game.slots, account.seed, lambda slot: next(numbers, None))
        self._account, self._game = account, game
        self.other: list[str] = []
        self.unlike: list[str] = []
        self._tally = Tally(game, account.game.card)
        self._row: IntArray = np.zeros(game.slots, dtype=np.int64)
        self._end: IntArray = np.zeros(game.slots, dtype=np.int64)
        self._over: BoolArray = np.zeros(game.slots, dtype=np.bool_)
        self._sample = dict(zip(account.rows.tolist(), range(len(account.rows)), strict=True))
        self._worlds = account.worlds
        self._actions = [account.array(f"action.{seat}") for seat in range(len(game.seats))]
        self._paid: set[int] = set()
        self._views: tuple[View, ...]

    def _begin(self, started: IntArray, reset: BoolArray, seeds: IntArray) -> None:
        self._row[started] = self._account.begins[self.episode[started]]
        self._end[started] = self._account.begins[self.episode[started] + 1]
        self._tally.begin(started)
        for parameters, values in self._worlds:
            assert isinstance(self._game, Bendable), "its worlds were measured"
            self._game.bend(started, parameters, values[self._row[started]].astype(np.float64))
        self._views = self._game.reset(reset, seeds)

    def _step(self, active: BoolArray) -> BoolArray:
        for slot in np.flatnonzero(active):
            self._look(int(slot))
        rows = np.where(active, self._row, 0)
        step = self._game.step([actions[rows] for actions in self._actions])
        wrong = active & (self._account.array("rewards")[rows] != step.rewards.T).any(axis=1)
        for slot in np.flatnonzero(wrong):
            self._say_once(int(slot), "the game pays something else")
        self._over = self._tally.add([actions[rows] for actions in self._actions], step, active)
        self._views = step.views
        self._row += active
        return self._over | (self._row >= self._end)

    def _finish(self, slot: int) -> Episode:
        said = self._account.episodes[int(self.episode[slot])]
        if not self._over[slot]:
            self._say_once(slot, f"goes on after its {said.length} steps")
        else:
            self.other += _differences(said, self._tally.ended(slot), game_seed(self.seed, said.episode))
        return said

    def _close(self) -> None:
        self._game.close()

    def _look(self, slot: int) -> None:
        """Compares what each seat sees, and whose turn it is."""
        row, episode = int(self._row[slot]), int(self.episode[slot])
        sample = self._sample.get(row)
        for seat, view in enumerate(self._views):
            if bool(view.turn[slot]) != bool(self._account.array(f"acting.{seat}")[row]):
                self._say_once(slot, "another seat is to act")
            if sample is not None and not np.array_equal(view.obs[slot], self._account.array(f"shown.{seat}")[sample]):
                step = row - int(self._account.begins[episode])
                self.unlike.append(f"episode {episode}, step {step}: the game shows something else")

    def _say_once(self, slot: int, what: str) -> None:
        episode = int(self.episode[slot])
        if episode not in self._paid:
            self._paid.add(episode)
            step = int(self._row[slot] - self._account.begins[episode])
            self.other.append(f"episode {episode}, step {step}: {what}")


def replayed(account: Account) -> tuple[list[str], list[str]]:
    """Plays the episodes of an account again; tells what went, and what was shown, otherwise.

    Raises:
        RlattackError: The game cannot be made here.
    """
    game = make_game(account.game, min(_SLOTS, len(account.episodes)))
    names = [seat.name for seat in game.seats]
    if names != list(account.seats):
        game.close()
        return [f"the game has the seats {', '.join(names)}, the ledger {', '.join(account.seats)}"], []
    for seat, kind in enumerate(game.seats):
        if problem := _unfit(kind.action, account.array(f"action.{seat}"), account.array(f"acting.{seat}")):
            game.close()
            return [f"{kind.name}: {problem}"], []
    replay = Replay(account, game)
    try:
        for _ in replay.play():
            pass
    except RlattackError:
        raise
    except Exception as error:  # what a game says of actions that are none
        replay.other.append(f"the game refuses the actions ({said_by(error)})")
    return replay.other, replay.unlike


def _unfit(space: Space[Any], actions: Array, acting: Array) -> str:
    """What is wrong with actions of a space; empty for nothing."""
    if actions.shape[1:] != (space.shape or ()):
        return f"actions of shape {actions.shape[1:]}, expected {space.shape}"
    if isinstance(space, Box):
        return "" if actions.dtype.kind == "f" else "actions that are no numbers"
    assert isinstance(space, Discrete | MultiDiscrete), "there are no other actions"
    if actions.dtype.kind not in "iu":
        return "actions that are no whole numbers"
    most = space.n if isinstance(space, Discrete) else space.nvec
    fit = ((actions >= 0) & (actions < most)).reshape(len(actions), -1).all(axis=1) | ~acting
    waits = (actions == WAIT).reshape(len(actions), -1).all(axis=1)
    return "" if (fit | waits).all() else "an action that the game does not have"


def _differences(said: Episode, ended: Ended, seed: int) -> Sequence[str]:
    """What is otherwise of an episode than it is said to be."""
    told = {
        "seed": (said.seed, seed), "length": (said.length, ended.length), "ending": (said.ending, ended.ending),
        "truncated": (said.truncated, ended.truncated), "stalled": (said.stalled, ended.stalled),
        "return": (tuple(one.score for one in said.seats), ended.scores),
        "outcome": (tuple(one.outcome for one in said.seats), ended.outcomes),
        "trajectory": (said.trajectory, ended.trajectory),
    }  # fmt: skip
    pairs = [(name, *pair) for name, pair in told.items() if pair[0] != pair[1]]
    return [f"episode {said.episode}: {name} {was} in the ledger, {now} played again" for name, was, now in pairs]
