"""The play loop: view, attack, policy, action, game, observers; batched over slots at every step."""

import re
import time
import traceback
from collections.abc import Generator, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from rlattack.arrays import Array, BoolArray, IntArray, finite
from rlattack.attacks import ATTACKS, Fitted
from rlattack.device import CPU, on
from rlattack.draws import game_seed
from rlattack.errors import InvalidInput, RefusedFile, RlattackError, said_by
from rlattack.evaluation.cell import Cell
from rlattack.evaluation.code import check_code
from rlattack.evaluation.detecting import Watch, alarms_of, evaded_by
from rlattack.evaluation.episode import Episode, SeatEpisode
from rlattack.evaluation.executor import Beat, cores
from rlattack.evaluation.fits import read_fit
from rlattack.evaluation.loading import load_player, surrogates_of
from rlattack.evaluation.observer import Observer
from rlattack.evaluation.player import Learned, Player, foreseen, lend_worlds
from rlattack.evaluation.slots import Slots, Take
from rlattack.evaluation.tally import Tally
from rlattack.games.find import FAMILIES, make_game
from rlattack.games.game import Game, SlotFault, View
from rlattack.policies.policy import Policy

_PATIENCE = 2.0
"""Seconds without a word of a cell that is being played."""


class Play(Slots):
    """A cell at play. An episode draws all it needs from (run seed, its number), each seat from its own stream.

    Args:
        cell: What to play.
        game: In `cell.envs` slots; closed at the end.
        policies: Who holds each seat.
        take: Where episodes come from.
        observers: Who looks on, beside the judges.
        surrogates: What each attack of the cell is crafted on; None for the victim itself. All so by default.
        learned: What each attack of the cell and its schedule learned on tuning episodes; nothing by default.

    Raises:
        RlattackError: An attack of the cell does not fit.
    """

    def __init__(
        self, cell: Cell, game: Game, policies: Sequence[Policy], take: Take, observers: Sequence[Observer] = (),
        surrogates: Sequence[Policy | None] = (), learned: Sequence[Learned] = (),
    ) -> None:  # fmt: skip
        super().__init__(cell.envs, cell.seed, take)
        self.cell, self.game, self.policies = cell, game, tuple(policies)
        with on(cell.device):
            self._players = self._seated(surrogates, learned)
        lend_worlds(game, self._players)
        self._lookahead = foreseen(cell, game, self._players)
        judges = [player.judge for player in self._players if player.judge is not None]
        self._observers: list[Observer] = [*judges, *observers]
        self._seen_by = observers
        self._tally = Tally(game, cell.game.card)
        self._views: tuple[View, ...]

    def _seated(self, surrogates: Sequence[Policy | None], learned: Sequence[Learned]) -> list[Player]:
        sitting = zip(self.game.seats, self.policies, self.cell.actions, strict=True)
        players = [Player(number, *one, self.slots) for number, one in enumerate(sitting)]
        count = len(self.cell.attacks)
        crafted_on, fits = surrogates or [None] * count, learned or [(None, None)] * count
        for number, ref in enumerate(self.cell.attacks):
            players[ref.seat].attack(number, ref, crafted_on[number], fits[number])
        return players

    def evade(self, number: int, watch: Watch) -> None:
        """Lets the attack of a number evade a detector."""
        self._players[self.cell.attacks[number].seat].evade(number, watch)

    def play(self) -> Generator[list[Episode], None, None]:
        """Plays step by step, until no episode is left; yields the episodes that the step ended.

        Raises:
            InvalidInput: Code of others fails: an agent, an attack, a front, an observer or an environment.
        """
        try:
            yield from super().play()
        except SlotFault as fault:
            raise self._fault(fault.slot, str(fault)) from fault
        except (RlattackError, GeneratorExit):
            raise
        except Exception as error:
            others = _at_fault(error, _of_others(self.cell, self._seen_by))
            if not others:
                raise
            raise InvalidInput(f"{' or '.join(others)}: fails in play: {said_by(error)}") from error

    def _begin(self, started: IntArray, reset: BoolArray, seeds: IntArray) -> None:
        episodes = self.episode[started]
        with on(self.cell.device):
            for player in self._players:
                player.begin(self.seed, started, episodes)
        for observer in self._observers:
            observer.begin(started, episodes)
        self._tally.begin(started)
        self._views = self.game.reset(reset, seeds)

    def _step(self, active: BoolArray) -> BoolArray:
        actions = []
        with on(self.cell.device), torch.no_grad():
            if self._lookahead is not None:
                self._lookahead.stands[:] = [
                    one.here(view) for one, view in zip(self._players, self._views, strict=True)
                ]
            for player, view in zip(self._players, self._views, strict=True):
                if view.obs.dtype.kind == "f":
                    self._check_finite(view.obs, active & view.turn, "shows")
                moment = player.act(view, active, self.episode)
                actions.append(moment.action.numpy(force=True).copy())  # what others look at may be written to
                for observer in self._observers:
                    observer.see(moment)
        step = self.game.step(actions)
        self._views = step.views
        self._check_finite(step.rewards.T, active, "pays")
        over = self._tally.add(actions, step, active)
        for observer in self._observers:
            observer.after(step)
        return over

    def _check_finite(self, values: Array, slots: BoolArray, does: str) -> None:
        """Refuses what is no number, or one that float32 does not hold, in any row of `slots`."""
        if finite(values[slots]).all():
            return
        wrong = ~finite(values.reshape(self.slots, -1)).all(axis=1) & slots
        raise self._fault(int(np.flatnonzero(wrong)[0]), f"{does} what is no finite number of 32 bits")

    def _fault(self, slot: int, said: str) -> InvalidInput:
        """The error of a game that went wrong in a slot: it names the episode and how to meet it again."""
        episode = int(self.episode[slot])
        where = f"episode {episode} (seed {game_seed(self.seed, episode)})" if episode >= 0 else "its first reset"
        return InvalidInput(f"game {self.cell.game.card.id}, {where}: {said}; finished cells are kept")

    def _finish(self, slot: int) -> Episode:
        traced = [(observer.seat, observer.trace(slot)) for observer in self._seen_by]
        measured = [(observer.seat, observer.collect(slot)) for observer in self._seen_by]
        ended = self._tally.ended(slot)
        seats = tuple(
            SeatEpisode(
                score=ended.scores[seat],
                outcome=ended.outcomes[seat],
                judged=None if player.judge is None else player.judge.judgement(slot),
                measured={name: value for of, found in measured if of == seat for name, value in found.items()},
                traces={name: values for of, found in traced if of == seat for name, values in found.items()},
            )
            for seat, player in enumerate(self._players)
        )
        episode = int(self.episode[slot])
        return Episode(
            cell=self.cell.key, episode=episode, seed=game_seed(self.seed, episode), length=ended.length,
            ending=ended.ending, truncated=ended.truncated, stalled=ended.stalled, trajectory=ended.trajectory,
            seats=seats,
        )  # fmt: skip

    def _close(self) -> None:
        self.game.close()
        if self._lookahead is not None:
            self._lookahead.close()


def open_play(
    cell: Cell, take: Take, observers: Sequence[Observer] = (), *, camera: bool = False, fits: Path | None = None,
    screens: bool = False,
) -> Play:  # fmt: skip
    """Makes the game of a cell and lets its players take their seats.

    Args:
        cell: What to play.
        take: Where episodes come from.
        observers: Who looks on.
        camera: Whether the game is to be filmed.
        fits: Folder of what attacks and fronts learned; needed where one of the cell learned something.
        screens: Whether the game is to show its screen, whatever is attacked in the cell.

    Raises:
        RefusedFile: A player, or code of others, that is not what was planned with.
        RlattackError: The game cannot be made, or a player not be loaded.
    """
    check_code(cell)
    threads = 1 if cell.device == CPU else cores()  # elsewhere there is one process, which has them all
    screens |= any(ref.access == "screen" for ref in cell.attacks)
    game = make_game(cell.game, cell.envs, threads=threads, camera=camera, forks=cell.looks_ahead, screens=screens)
    policies = [load_player(ref, seat, cell, fits) for ref, seat in zip(cell.players, game.seats, strict=True)]
    keys = [(ref.fit, ref.timing) for ref in cell.attacks] if fits is not None else []
    learned = [(_read(fits, attack), _read(fits, schedule)) for attack, schedule in keys]
    watching = [*observers, *alarms_of(cell, game.seats, fits)]
    play = Play(cell, game, policies, take, watching, surrogates_of(cell, game, fits), learned)
    for number, watch in evaded_by(cell, game.seats, fits):
        play.evade(number, watch)
    return play


def _read(fits: Path | None, key: str | None) -> Fitted | None:
    return None if fits is None or key is None else read_fit(fits, key)


def play_episodes(
    cell: Cell, take: Take, observers: Sequence[Observer] = (), *, fits: Path | None = None
) -> Iterator[Episode | Beat]:
    """Plays the episodes of a cell that `take` gives, and tells now and then that it goes on; see `open_play`.

    Raises:
        RefusedFile: There are fronts that learned, and no folder of fits.
        InvalidInput: Code of others fails in play: an agent, an attack, a front, an observer or an environment.
    """
    if fits is None and any(key for player in cell.players for key in player.fits):
        raise RefusedFile("--defence: what a front learned is in a folder of fits, which was not given")
    heard, play = time.monotonic(), open_play(cell, take, observers, fits=fits)
    for ended in play.play():
        if ended:
            heard = time.monotonic()
            yield from ended
        elif time.monotonic() - heard >= _PATIENCE:
            heard = time.monotonic()
            yield Beat(cell.key, play.steps)


def _of_others(cell: Cell, observers: Sequence[Observer]) -> dict[str, str]:
    """What plays in a cell and is not the project's own code, and the package that it stands in."""
    family, attacks = cell.game.card.family, [ref for ref in cell.attacks if ref.code]
    surrogates = [ref.surrogate for ref in cell.attacks if ref.surrogate is not None]
    made = FAMILIES.get(family).__module__
    found = {
        **{ref.spec: ref.spec for ref in (*cell.players, *surrogates) if ref.foreign},
        **{f"attack {ref.spec.name}": ATTACKS.get(ref.spec.name).__module__ for ref in attacks},
        **{f"observer {type(one).__name__}": type(one).__module__ for one in observers},
        f"game {cell.game.card.id}": "" if family in ("gymnasium", "pettingzoo") else made,
    }
    return {name: re.split(r"[.:]", module)[0] for name, module in found.items() if not module.startswith("rlattack.")}


def _at_fault(error: Exception, others: Mapping[str, str]) -> list[str]:
    """Those of others through whose package an error came; all where none of it is ours; none where we raised it."""
    frames = [frame.f_globals.get("__name__", "") for frame, _ in traceback.walk_tb(error.__traceback__)]
    packages = [name.partition(".")[0] for name in frames]
    found = [name for name, package in others.items() if package in packages]
    return found or ([] if packages[-1] == "rlattack" else list(others))
