"""Rounds of evolution against a student: what fools it as it is, and how far (Nguyen et al. 2015, sec. 2 and 3.6)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rlattack.arrays import Array, FloatArray, IntArray
from rlattack.attacks.fooling import Direct, Encoding, Evolved, Inputs, Painted, evolve
from rlattack.training.hardening.arrays import load_arrays, save_arrays

WAYS = ("entries", "cppn")
"""How inputs are encoded: entry by entry, and of pictures by networks that paint them."""
Sure = Callable[[Tensor], FloatArray]
"""How sure somebody is of each action, float64, shape (n, actions), of inputs, shape (n, *observation)."""


@dataclass(frozen=True)
class Evolutions:
    """How far evolutions of one way came.

    Attributes:
        sure: How sure the student became of each action, float64, shape (evolutions, actions).
        queries: How many inputs each asked about until it was sure of all actions, or gave up, shape (evolutions,).
    """

    sure: FloatArray
    queries: IntArray

    @property
    def table(self) -> dict[str, Any]:
        """As it stands on an agent's card."""
        return {
            "best": float(self.sure.max()), "median": float(np.median(self.sure)), "evolutions": len(self.sure),
            "queries": float(np.median(self.queries)),
        }  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Breeding:
    """How inputs are evolved in a round.

    Attributes:
        evolutions: Of each way, at least; those that end before their time leave it to more of them.
        queries: Inputs that one asks about at most.
        enough: An evolution ends where somebody is so sure of every action.
    """

    evolutions: int
    queries: int
    enough: float

    def fool(
        self, sure: Sure, inputs: Inputs, keep: Callable[[Tensor], Array], rng: np.random.Generator,
        tell: Callable[[str], None],
    ) -> tuple[dict[str, Evolutions], Array]:  # fmt: skip
        """Evolves inputs of which somebody is sure of an action.

        Args:
            sure: Who is to be fooled.
            inputs: What could be shown; of three axes where it is pictures.
            keep: Makes what is kept of inputs.
            rng: Of all draws.
            tell: Told which way it is at, again and again.

        Returns:
            How far each way came; and what is kept of all inputs that fool, by `enough`, and of those of which
            somebody was surer, of an action, than of all before in their evolution, shape (n, ...).
        """
        shape = tuple(inputs.low.shape)
        encodings: dict[str, Encoding[Any]] = {WAYS[0]: Direct(shape)}
        if len(shape) == 3:
            encodings[WAYS[1]] = Painted((shape[0], shape[1], shape[2]), lambda painted: painted)
        found, kept = {}, list[Array]()
        for way, encoding in encodings.items():

            def told(_: int, way: str = way) -> None:
                tell(way)

            runs, left = list[Evolved[Any]](), self.evolutions * self.queries
            while left >= self.queries:
                asking = _Asking(sure, inputs, keep, self.enough)
                runs.append(evolve(encoding, asking, self.enough, self.queries, rng, told))
                left -= runs[-1].queries
                kept += asking.kept
            asked = np.asarray([one.queries for one in runs])
            found[way] = Evolutions(np.stack([one.sure for one in runs]), asked)
        return found, np.concatenate(kept)


class _Asking:
    """Asks how sure somebody is, and keeps what fools, and what was the surest of an action when it was asked about."""

    def __init__(self, sure: Sure, inputs: Inputs, keep: Callable[[Tensor], Array], enough: float) -> None:
        self._sure, self._inputs, self._keep, self._enough = sure, inputs, keep, enough
        self._most: FloatArray | None = None
        self.kept: list[Array] = []

    def __call__(self, shares: Sequence[Array]) -> FloatArray:
        """How sure somebody is of each action, shape (n, actions), of inputs in shares of their range."""
        obs = self._inputs.at(torch.as_tensor(np.stack(shares)))
        found = self._sure(obs)
        least = np.full((1, found.shape[1]), -1.0) if self._most is None else self._most
        most = np.maximum.accumulate(np.concatenate([least, found]), axis=0)
        wanted = ((found > most[:-1]) | (found >= self._enough)).any(axis=1)
        self.kept.append(self._keep(obs[torch.as_tensor(wanted)]))
        self._most = most[-1:]
        return found


@dataclass(frozen=True)
class Round:
    """What came of one round, as it is kept.

    Attributes:
        steps: States that the student had learned from before it.
        ways: How far each way came.
        false_alarms: Share of fresh states of play that the student called garbage before it.
        inputs: What it is to call garbage, the part that it looks at, shape (n, *seen), the game's dtype.
    """

    steps: int
    ways: Mapping[str, Evolutions]
    false_alarms: float
    inputs: Array

    @property
    def table(self) -> dict[str, Any]:
        """As it stands on an agent's card."""
        ways = {way: one.table for way, one in self.ways.items()}
        return {**ways, "false_alarms": self.false_alarms, "inputs": len(self.inputs)}

    def save(self, path: Path) -> None:
        """Writes it; errors as of `save_arrays`."""
        ways: dict[str, Array] = {}
        for way in WAYS:
            one = self.ways.get(way, Evolutions(np.zeros((0, 0)), np.zeros(0, dtype=np.int64)))
            ways |= {f"{way} sure": one.sure, f"{way} queries": one.queries}
        numbers = {"steps": np.asarray(self.steps), "false alarms": np.asarray(self.false_alarms)}
        save_arrays(path, {**numbers, **ways, "inputs": self.inputs})

    @classmethod
    def load(cls, path: Path) -> "Round":
        """Reads it; errors as of `load_arrays`."""
        names = [f"{way} {what}" for way in WAYS for what in ("sure", "queries")]
        steps, alarms, inputs, *numbers = load_arrays(path, ("steps", "false alarms", "inputs", *names), "a round")
        pairs = zip(WAYS, numbers[::2], numbers[1::2], strict=True)
        ways = {way: Evolutions(sure, queries) for way, sure, queries in pairs if len(sure)}
        return cls(int(steps), ways, float(alarms), inputs)
