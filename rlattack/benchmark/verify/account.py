"""The ledger of a cell as a verifier reads it: whole, of one shape throughout, and of the cell that it names."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from pydantic import TypeAdapter, ValidationError

from rlattack.arrays import Array, BoolArray, IntArray, unpacked
from rlattack.errors import RefusedFile, one_line
from rlattack.evaluation.episode import Episode
from rlattack.evaluation.keys import digest, game_identity
from rlattack.evaluation.ledger import SHARE, Ledger, most_sampled, of_samples, sampled_steps
from rlattack.games.card import ActionMode, AtariOptions, GymnasiumOptions, Variant
from rlattack.games.dynamics import Parameter, Region, parse_region
from rlattack.games.mujoco.task import Task

_OPTIONS: tuple[tuple[str, Any], ...] = (
    ("atari", AtariOptions), ("gymnasium", GymnasiumOptions), ("task", Task), ("max_steps", int),
)  # fmt: skip
"""What a command changes of a card."""


@dataclass(frozen=True)
class Account:
    """What a ledger says, typed as far as a verifier needs it.

    Attributes:
        ledger: Its arrays and words.
        game: What was played.
        episodes: As the player counted them.
    """

    ledger: Ledger
    game: Variant
    episodes: tuple[Episode, ...]

    @classmethod
    def of(cls, ledger: Ledger) -> "Account":
        """Reads a ledger.

        Raises:
            RefusedFile: It does not hold what it must.
        """
        try:
            episodes = TypeAdapter(tuple[Episode, ...]).validate_python(ledger.said["episodes"])
            made = cls(ledger, _game(ledger.said["identity"]["game"]), episodes)
            made.check_attacks()
            made.check_shapes()
        except (KeyError, TypeError, ValueError, IndexError, AttributeError, ValidationError) as error:
            raise RefusedFile(f"ledger: does not hold what it must ({one_line(error)[:200]})") from error
        return made

    @property
    def key(self) -> str:
        """Of the cell."""
        return str(self.ledger.said["key"])

    @property
    def identity(self) -> Mapping[str, Any]:
        """All that decides its play."""
        found: Mapping[str, Any] = self.ledger.said["identity"]
        return found

    @property
    def about(self) -> Mapping[str, Any]:
        """Names, and what decides no play."""
        found: Mapping[str, Any] = self.ledger.said["about"]
        return found

    @property
    def seats(self) -> Sequence[str]:
        """Names of the seats."""
        found: Sequence[str] = self.about["seats"]
        return found

    @property
    def seed(self) -> int:
        """Of the run."""
        return int(self.identity["seed"])

    @property
    def attacks(self) -> list[tuple[int, Mapping[str, Any]]]:
        """Every attack with its number."""
        return list(enumerate(self.identity["attacks"]))

    @property
    def worlds(self) -> list[tuple[tuple[Parameter, ...], Array]]:
        """What was otherwise of worlds, and how it was in every step, shape (steps, parameters)."""
        made = [number for number, one in enumerate(self.about["attacks"]) if one["access"] == "dynamics"]
        refs = [self.attacks[number][1] for number in made]
        return [(region_of(ref).parameters, self.array(f"world.{ref['seat']}")) for ref in refs]

    def mode(self, seat: int) -> ActionMode:
        """How the player of a seat chooses."""
        return "greedy" if self.identity["actions"][seat] == "greedy" else "sampled"

    def array(self, name: str) -> Array:
        """An array by name."""
        found: Array = self.ledger.arrays[name]
        return found

    def has(self, name: str) -> bool:
        """Whether there is an array of that name."""
        return name in self.ledger.arrays

    @cached_property
    def begins(self) -> IntArray:
        """The first row of each episode, and the number of all."""
        return np.concatenate([[0], np.cumsum([one.length for one in self.episodes])]).astype(np.int64)

    @cached_property
    def rows(self) -> IntArray:
        """The row of every sampled step among all steps."""
        sampled = self.array("sampled")
        rows: IntArray = self.begins[sampled[:, 0]] + sampled[:, 1]
        return rows

    def acting(self, seat: int) -> BoolArray:
        """The sampled steps in which a seat was to act."""
        found: BoolArray = self.array(f"acting.{seat}")[self.rows]
        return found

    def received(self, seat: int) -> Array:
        """What arrived in the sampled steps, float32."""
        return unpacked(self.array(f"received.{seat}"), self.array(f"shown.{seat}"))

    def check_attacks(self) -> None:
        """Checks that what is said of every attack fits what was played: on a screen less can be measured.

        Raises:
            ValueError: It does not.
        """
        for (number, played), told in zip(self.attacks, self.about["attacks"], strict=True):
            if told["access"] == "screen" != played["model"]:
                raise ValueError(f"attack {number} changes the screen and was played in the model {played['model']}")

    def check_shapes(self) -> None:
        """Checks that arrays have a row for each step, or sampled step, and hold numbers alone.

        Raises:
            ValueError: They do not.
        """
        steps, samples = int(self.begins[-1]), len(self.array("sampled"))
        if any((one.episode, one.cell) != (number, self.key) for number, one in enumerate(self.episodes)):
            raise ValueError("episodes that are not those of the cell, in order")
        if len(self.array("rewards")) != steps or self.array("rewards").shape[1] != len(self.seats):
            raise ValueError("rewards of another number of steps or seats")
        for name, values in self.ledger.arrays.items():
            if len(values) != (samples if of_samples(name) else steps):
                raise ValueError(f"{name} of another number of steps")
            if values.dtype.kind not in "biuf" or (values.dtype.kind == "f" and not np.isfinite(values).all()):
                raise ValueError(f"{name} holds what is no finite number")
        if any(values.shape[1:] != (len(parameters),) for parameters, values in self.worlds):
            raise ValueError("worlds of another number of parameters")
        if samples and not all(np.isfinite(self.received(seat)).all() for seat in range(len(self.seats))):
            raise ValueError("received holds what is no finite number")

    def problems(self, key: str) -> list[str]:
        """What is wrong with it as the ledger of a cell of that key."""
        wrong = []
        if key != self.key:
            wrong.append(f"is of cell {self.key}")
        if digest(self.identity) != self.key:
            wrong.append(f"what it says was played has the key {digest(self.identity)}, not {self.key}")
        if self.ledger.said.get("share") != SHARE:
            wrong.append(f"samples {self.ledger.said.get('share')} of steps, expected {SHARE}")
        sampled = self.array("sampled")
        seen = [self.array(f"shown.{seat}")[0].size for seat in range(len(self.seats)) if len(sampled)]
        most = most_sampled(max([1, *seen]))
        for one in self.episodes:
            own = sampled[sampled[:, 0] == one.episode, 1]
            if not np.array_equal(own, sampled_steps(self.seed, one.episode, one.length, most)):
                wrong.append(f"episode {one.episode}: other steps are sampled than the seed draws")
        seats = {int(attack["seat"]) for _, attack in self.attacks}
        return wrong + [said for seat in range(len(self.seats)) for said in self._misjudged(seat, seat in seats)]

    def _misjudged(self, seat: int, attacked: bool) -> list[str]:
        """The episodes of which the judge says otherwise than of their steps."""
        wrong = []
        for one in self.episodes:
            judged, rows = one.seats[seat].judged, slice(*self.begins[one.episode : one.episode + 2].tolist())
            if (judged is not None) != attacked:
                wrong.append(f"episode {one.episode}: {self.seats[seat]} is judged where it is not attacked, or not")
            if judged is None:
                continue
            acting = self.array(f"acting.{seat}")[rows]
            sizes, moved = (self.array(f"{name}.{seat}")[rows][acting] for name in ("sizes", "moved"))
            legal, changed = (self.array(f"{name}.{seat}")[rows][acting] for name in ("legal", "changed"))
            counts = (judged.steps, judged.attacked, judged.broken)
            largest = sizes.max(axis=0, initial=0.0)
            same = np.allclose(list(judged.sizes.values()), largest, rtol=1e-6, atol=1e-9)
            same &= bool(np.isclose(judged.changed, moved.sum(dtype=np.float64), rtol=1e-5))
            if counts != (acting.sum(), changed.sum(), (~legal).sum()) or not same:
                wrong.append(f"episode {one.episode}: the judge says otherwise than its steps")
        return wrong


def region_of(attack: Mapping[str, Any]) -> Region:
    """The worlds that an attack of an identity may make: of one that is named, those on the way to it."""
    parameters = attack["spec"]["parameters"]
    return parse_region(parameters["box"] if "box" in parameters else parameters["at"])


def _game(told: Mapping[str, Any]) -> Variant:
    """The game that an identity names: its card as it is here, with the options that a command changes."""
    from rlattack.games import find_game

    card = find_game(told["id"])
    options: dict[str, Any] = {
        name: None if told[name] is None else TypeAdapter(kind).validate_python(told[name]) for name, kind in _OPTIONS
    }
    protocol = dataclasses.replace(card.protocol, sticky=told["sticky"])
    card = dataclasses.replace(card, **options, protocol=protocol)
    game = Variant(card, tuple((int(seat), mode) for seat, mode in told["hidden"]))
    if json.loads(json.dumps(game_identity(game))) != told:
        raise ValueError(f"the card of {card.id} here is another one than was played by")
    return game
