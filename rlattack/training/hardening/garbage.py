"""Retraining with fooling inputs as one class more, round after round (Nguyen et al. 2015, sec. 3.6).

There the classes are those of pictures; here they are actions, as a teacher chooses them in play, and garbage, which
decides no action and is an alarm.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812  # torch's own convention
from gymnasium.spaces import Box
from torch import Tensor

from rlattack.arrays import Array, FloatArray
from rlattack.attacks.fooling import Inputs
from rlattack.errors import InvalidInput
from rlattack.policies.network import NetworkSpec
from rlattack.specs import Count, Range
from rlattack.training.hardening.courses import Lesson
from rlattack.training.hardening.evolving import Breeding, Round
from rlattack.training.hardening.pupil import Desk, Pupil, Told
from rlattack.training.hardening.regime import Ground
from rlattack.training.hardening.taught import Taught, TaughtConfig

_PLAYED = 4000
"""Fresh states of play by which false alarms are counted."""
_PARTS = 8
"""In which they are asked about."""
_LEAST = 16
"""States that a round needs: eight copies of the game, in two lessons."""


@dataclass(frozen=True, kw_only=True)
class GarbageConfig(TaughtConfig):
    """Parameters of `garbage`."""

    rounds: Annotated[int, Range(least=1, most=100)] = 3
    """Of evolving inputs and learning to call them garbage, in the second half of the run."""
    evolutions: Annotated[int, Range(least=1, most=1000)] = 5
    """Of a round, of every entry, and as many of networks that paint pictures (CPPN); more where they end early."""
    queries: Annotated[int, Range(least=1, most=1_000_000)] = 2000
    """Inputs that an evolution asks about, at most."""
    sure: Annotated[float, Range(above=0, below=1)] = 0.99
    """An evolution ends where the student is so sure of every action; an input fools where it is of one."""
    pool: Count = 4000
    """Inputs of a round that are learned from on, drawn of those that fool, or did so the most till then."""
    waste: Count = 64
    """Inputs of all rounds so far in each step of Adam, beside the states."""


class Garbage(Taught[GarbageConfig]):
    """Teaches a student to choose as a teacher would in play, and to call garbage what evolution finds to fool it."""

    name = "garbage"
    sized: ClassVar[bool] = False
    config_type: ClassVar[type[Any]] = GarbageConfig

    def check(self, ground: Ground) -> None:
        """Refuses a size, since what is no game has none, and a run that is too short for its rounds."""
        super().check(ground)
        recipe, least = ground.recipe, _LEAST * self.config.rounds
        if recipe.eps is not None:
            raise InvalidInput("--eps: --defence garbage stands no size, what is no game has none; leave it out")
        if recipe.steps < least:
            raise InvalidInput(
                f"--steps: expected at least {least} for {self.config.rounds} rounds of --defence garbage, got "
                f"{recipe.steps}"
            )

    def kinds(self, ground: Ground) -> Sequence[str]:
        """Fooling inputs, which no attack in play shows."""
        return ("fooling",)

    def lessons(self, ground: Ground) -> int:
        """At least one a round, and as many before the first."""
        return max(super().lessons(ground), 2 * self.config.rounds)

    def pupil(self, ground: Ground, seed: int, desk: Desk) -> Pupil:
        """A student with a class of garbage."""
        return _Sorter(self, ground, seed, desk)


class _Sorter(Pupil):
    """Who learns what is no game, from what fools it before each round."""

    _regime: Garbage

    def __init__(self, regime: Garbage, ground: Ground, seed: int, desk: Desk) -> None:
        super().__init__(regime, ground, seed, desk)
        self._begins: list[int] = []
        self._rounds: list[Round] = []
        self._pool: Array = np.empty(0)
        self._inputs: Inputs

    def spec(self) -> NetworkSpec:
        """With a class of garbage."""
        return replace(super().spec(), garbage=True)

    def about(self) -> Mapping[str, Any]:
        """The curve over all rounds so far."""
        return {"rounds": [{"round": number, **one.table} for number, one in enumerate(self._rounds)]}

    def restore(self) -> int:
        """The student, and the rounds that it had before."""
        done = super().restore()
        lessons, rounds = done + len(self.ends), self._regime.config.rounds
        first = lessons // 2
        self._begins = [first + number * (lessons - first) // rounds for number in range(rounds)]
        space = self._ground.seat.observation
        assert isinstance(space, Box), "others are refused"
        self._inputs = Inputs.of(space, lambda: self.lesson(_PLAYED, (self._seed, 4), everything=True).obs)
        for number, begin in enumerate(self._begins):
            if begin < done:
                self._add(Round.load(self._round(number)))
        return done

    def attend(self, number: int, states: int) -> None:
        """A lesson, and the round that begins with it."""
        if number in self._begins:
            self._evolve()
        super().attend(number, states)

    def end(self) -> None:
        """Evolves once more, to see what is left."""
        self._evolve()
        self.export()
        super().end()

    def loss(self, done: float, lesson: Lesson, rng: np.random.Generator) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Cross-entropy of what the teacher chooses in play and of garbage, over actions and garbage."""
        student, count = self.policy, len(lesson.obs)
        rows = rng.integers(len(self._pool), size=self._regime.config.waste) if self._rounds else np.empty(0, np.int64)
        seen = np.concatenate([lesson.obs, self._pool[rows]]) if len(rows) else lesson.obs
        hidden = student.network.trunk(self.taken(seen))
        classes = student.classes(hidden)
        garbage = classes.shape[1] - 1
        action = lesson.chosen(classes[:count, :garbage], self._regime.config.clean_accept)
        right = torch.cat([action, action.new_full((len(classes) - count,), garbage)])
        loss = F.cross_entropy(classes, right, reduction="none")
        value = student.value_loss(student.values(hidden[:count]), lesson.values)
        agrees = (classes[:, :garbage].argmax(dim=1) == right)[:count].float().mean()
        called = (classes.argmax(dim=1) == garbage).float()
        told = {"agrees": agrees, "false_alarms": called[:count].mean()}
        if not len(rows):
            return loss.mean() + value, told
        return loss[:count].mean() + loss[count:].mean() + value, told | {"found": called[count:].mean()}

    def said(self, told: Told) -> str:
        """In how many states it does what is right, and how much of the garbage it calls so."""
        found = f", finds {told['found']:.3f} of the garbage" if "found" in told else ""
        return f"agrees in {told['agrees']:.3f}{found}"

    def _add(self, made: Round) -> None:
        """Takes what a round found into what is garbage."""
        self._rounds.append(made)
        self._pool = np.concatenate([one.inputs for one in self._rounds])

    def _evolve(self) -> None:
        """A round, or what is kept of it, where the student was the same."""
        number = len(self._rounds)
        path, config = self._round(number), self._regime.config
        kept = Round.load(path) if path.exists() else None
        if kept is not None and kept.steps == self.num_timesteps:
            self._add(kept)
            return
        said, rng = f", round {number} of {config.rounds}: evolving ", np.random.default_rng((self._seed, 5, number))
        breeding = Breeding(evolutions=config.evolutions, queries=config.queries, enough=config.sure)
        tell = lambda way: self.tell(self.num_timesteps, said + way)  # noqa: E731
        ways, evolved = breeding.fool(self._sure, self._inputs, self._kept, rng, tell)
        inputs = evolved[rng.permutation(len(evolved))[: config.pool]]
        played = self.lesson(_PLAYED, (self._seed, 6, number), led=True)
        with torch.no_grad():
            said_of = torch.cat([self._classes(part) for part in np.array_split(played.obs, _PARTS)])
        called = said_of.argmax(dim=1) == played.chances.shape[1]
        made = Round(self.num_timesteps, ways, float(called.double().mean()), inputs)
        made.save(path)
        self._add(made)
        self._show(number, made)

    @torch.no_grad()
    def _sure(self, obs: Tensor) -> FloatArray:
        """How sure the agent that comes of it would be of each action, of whole observations."""
        scores = self._classes(self.policy.standard.newest(obs)) / self._regime.config.temperature
        found: FloatArray = scores.softmax(dim=1)[:, :-1].numpy(force=True).astype(np.float64)
        return found

    def _kept(self, obs: Tensor) -> Array:
        """The part of observations that it looks at, as lessons have it."""
        kept: Array = self.policy.standard.newest(obs).numpy(force=True)
        return kept.astype(self._ground.seat.observation.dtype)

    def _classes(self, obs: Any) -> Tensor:
        return self.policy.classes(self.policy.network.trunk(self.taken(obs)))

    def _show(self, number: int, made: Round) -> None:
        """Tells a round to the curves, and to who watches."""
        words = []
        for way, one in made.ways.items():
            told = one.table
            words.append(f"{way} {told['best']:.3f} (median {told['median']:.3f}) after {told['queries']:,.0f} queries")
            for name, value in told.items():
                self._desk.curve.add_scalar(f"garbage/{way}_{name}", value, number)
        self._desk.curve.add_scalar("garbage/round_false_alarms", made.false_alarms, number)
        self._desk.watch.note(
            f"seed {self._seed}, round {number} of {self._regime.config.rounds}: sure of evolved {', '.join(words)}; "
            f"{made.false_alarms:.1%} of play is called garbage"
        )

    def _round(self, number: int) -> Path:
        return self._desk.folder / "rounds" / f"{number}.npz"
