"""Cells of the games that are known by hand, with all else by default, and their play in this process.

Importing this registers the family `film` (one seat, stacked frames) beside those of `tests.kit.games`.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gymnasium.spaces import Box, Discrete
from torch import Tensor

from rlattack.arrays import Array, BoolArray, IntArray
from rlattack.attacks import parse_attack
from rlattack.budget import Budget
from rlattack.evaluation.cell import AgentRef, AttackRef, Cell
from rlattack.evaluation.episode import Episode, Judgement
from rlattack.evaluation.executor import Beat
from rlattack.evaluation.observer import Moment, Observer
from rlattack.evaluation.play import Play, play_episodes
from rlattack.evaluation.slots import Take
from rlattack.games import Seat, Step, Variant, View, find_game, make_game
from rlattack.games.find import FAMILIES
from rlattack.games.game import NOBODY, OVER, PLAYER, UNDECIDED, always
from rlattack.policies.load import load_agent
from rlattack.policies.policy import Policy
from tests.kit.games import SmallGame


class Film(SmallGame):
    """One seat: saying whether the newest of four frames of 6 x 6 bytes is bright earns 1; over after 5 or 6 steps.

    Frames are grey and drawn from the seed; before the first there are copies of it.
    """

    endings: tuple[str, ...] = OVER

    def __init__(self, variant: Variant, slots: int, threads: int = 1) -> None:
        self.seats = (Seat(PLAYER, Box(0, 255, (4, 6, 6), np.uint8), Discrete(2)),)
        self.variant, self.slots = variant, slots
        self.time, self.length = np.zeros((2, slots), dtype=np.int64)
        self.frames = np.zeros((slots, 10, 6, 6), dtype=np.uint8)

    def reset(self, mask: BoolArray, seeds: IntArray) -> tuple[View, ...]:
        for slot, seed in zip(np.flatnonzero(mask), seeds, strict=True):
            self.frames[slot] = np.random.default_rng(int(seed)).integers(80, 176, (10, 1, 1))
            self.frames[slot, :3] = self.frames[slot, 3]
        self.time[mask], self.length[mask] = 0, 5 + seeds % 2
        return self.views()

    def step(self, actions: Sequence[Array]) -> Step:
        bright = self.frames[np.arange(self.slots), self.time + 3, 0, 0] > 127
        self.time = np.minimum(self.time + 1, 6)
        over = self.time >= self.length
        won = (actions[0] == bright).astype(np.float64)[None]
        return Step(self.views(), won, over, np.zeros_like(over), np.where(over, UNDECIDED, NOBODY), over * 1)

    def views(self) -> tuple[View, ...]:
        return (View(self.frames[np.arange(self.slots)[:, None], self.time[:, None] + range(4)], always(self.slots)),)


FAMILIES.add("film", "tests.kit.cells:Film")


def make_cell(game: str = "pull/any", players: Sequence[str] | None = None, **changes: Any) -> Cell:
    """A cell of six episodes in four slots, with `zero` in every seat and sampled actions.

    Args:
        game: Its id.
        players: Who holds each seat, by what can be loaded.
        changes: Other fields of the cell.
    """
    card = find_game(game)
    made = make_game(card, 1)
    made.close()
    specs = ["zero"] * len(made.seats) if players is None else players
    values: dict[str, Any] = {
        "game": Variant(card), "seats": tuple(seat.name for seat in made.seats),
        "players": tuple(
            AgentRef.of(spec, load_agent(spec, seat, game=card.id), False)
            for spec, seat in zip(specs, made.seats, strict=True)
        ),
        "actions": ("sampled",) * len(made.seats), "seed": 0, "episodes": 6, "envs": 4,
    }  # fmt: skip
    return Cell(**values | changes)


def attack_on(seat: int, text: str = "pgd:steps=3", **changes: Any) -> tuple[AttackRef]:
    """The `attacks` of a cell: one on a seat, of half a unit of the game's own range; `changes` of ref and budget."""
    about = {name: changes.pop(name) for name in ("model", "surrogate", "code") if name in changes}
    sized: dict[str, Any] = {"eps": 0.5, "space": "raw"} | changes
    budget = Budget(**sized)
    return (AttackRef(spec=parse_attack(text), seat=seat, budget=budget, **about),)


def take(cell: Cell) -> Take:
    """Hands out the episodes of a cell as one worker gets them."""
    left = {slot: list(range(slot, cell.episodes, cell.envs)) for slot in range(cell.envs)}
    return lambda slot: left[slot].pop(0) if left[slot] else None


def in_order(episodes: Sequence[Episode]) -> list[Episode]:
    return sorted(episodes, key=lambda episode: episode.episode)


def play(cell: Cell, *policies: Policy, observers: Sequence[Observer] = ()) -> list[Episode]:
    """The episodes of a cell, in order, with policies of the test's own in its seats."""
    played = Play(cell, make_game(cell.game, cell.envs), policies, take(cell), observers)
    return in_order([episode for ended in played.play() for episode in ended])


def load_and_play(cell: Cell, observers: Sequence[Observer] = (), fits: Path | None = None) -> list[Episode]:
    """The episodes of a cell, in order, with whom it names in its seats."""
    played = play_episodes(cell, take(cell), observers, fits=fits)
    return in_order([item for item in played if not isinstance(item, Beat)])


class Received(Observer):
    """Keeps copies of what a seat is shown and receives when it acts, and of its state before, a step each."""

    def __init__(self, seat: int) -> None:
        self.seat = seat
        self.shown: list[Tensor] = []
        self.received: list[Tensor] = []
        self.states: list[Tensor] = []

    def see(self, moment: Moment) -> None:
        if moment.seat == self.seat:
            acting = torch.from_numpy(moment.acting)
            self.shown.append(torch.from_numpy(moment.shown.astype(np.float32))[acting])
            self.received.append(moment.received[acting].clone())
            self.states += [] if moment.before is None else [moment.before[acting].clone()]


def judged(episodes: Sequence[Episode], seat: int = 1) -> list[Judgement]:
    """What the judge found of an attacked seat, an episode each."""
    found = [episode.seats[seat].judged for episode in episodes]
    assert all(one is not None for one in found)
    return [one for one in found if one is not None]
