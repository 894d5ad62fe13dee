"""The search for inputs that make an agent sure of something: noise, ascent of the gradient, evolution."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rlattack.arrays import Array, BoolArray, FloatArray, IntArray
from rlattack.attacks.fooling import Encoding, Evolved, Inputs, evolve
from rlattack.evaluation.estimates import Rate
from rlattack.evaluation.statistics import wilson
from rlattack.inspect.kinds import Fooling
from rlattack.inspect.subject import Subject, batches
from rlattack.inspect.targets import Targets
from rlattack.policies.policy import Output
from rlattack.report.values import Value

_AT_ONCE = 200
"""Inputs of noise that are asked about at once."""


@dataclass
class Fooled:
    """What one way of looking for fooling inputs found.

    Attributes:
        reached: Steps or queries until each target was sure enough, -1 where it never was, shape (runs, targets).
        sure: How sure the agent became of each, shape (runs, targets).
        best: Its input of each target, in the game's own range, shape (targets, *observation).
        top: How sure it is of each of these, shape (targets,).
        unit: What `reached` counts.
    """

    reached: IntArray
    sure: FloatArray
    best: Tensor
    top: FloatArray
    unit: str

    def value(self, target: int) -> Value:
        """How often and how soon a target was reached, or how sure the agent became of it."""
        runs = self.reached[:, target]
        there = runs[runs >= 0]
        if not len(there):
            return Value(f"never, {self.sure[:, target].max():.3f}")
        return Value(f"{len(there)} of {len(runs)}", f"after {np.median(there):g}", float(len(there)))

    def numbers(self, target: int) -> dict[str, Any]:
        """The same as JSON, with the share of runs that got there and its interval."""
        runs = self.reached[:, target]
        there = runs[runs >= 0]
        return {
            "reached": Rate(len(there) / len(runs), wilson(len(there), len(runs))), "runs": len(runs),
            "after": float(np.median(there)) if len(there) else None, "unit": self.unit,
            "sure": float(self.sure[:, target].max()),
        }  # fmt: skip

    @property
    def got(self) -> BoolArray:
        """Targets that were reached in any run, bool, shape (targets,)."""
        return np.asarray((self.reached >= 0).any(axis=0), dtype=np.bool_)


@dataclass
class Search:
    """Looks for inputs that fool one agent.

    Attributes:
        subject: The agent.
        options: As they were typed.
        inputs: What it could be shown.
        targets: What it is to be sure of.
    """

    subject: Subject
    options: Fooling
    inputs: Inputs
    targets: Targets
    rng: np.random.Generator = field(init=False)

    def __post_init__(self) -> None:
        """Makes the draws."""
        self.rng = np.random.default_rng(self.options.seed)

    def ask(self, shares: Sequence[Array] | Array) -> FloatArray:
        """How sure the agent is of each target, shape (n, targets), of inputs in shares of their range."""
        return self.sure(self.inputs.at(torch.as_tensor(np.asarray(shares, dtype=np.float32))))

    def sure(self, obs: Tensor) -> FloatArray:
        """The same of inputs as they are shown."""
        said = self.subject.numbers(obs, garbage=True)
        found: FloatArray = self.targets.sure(said).numpy(force=True).astype(np.float64)
        return found

    def noise(self, count: int) -> tuple[Fooled, Rate]:
        """Asks about noise alone, each entry by itself.

        Returns:
            What was found, and the share of all inputs that make the agent sure of any one action.
        """
        targets, enough = len(self.targets.sets), self.options.sure
        best, top = self.inputs.noise(targets, self.rng), np.full(targets, -1.0)
        reached, fooled = np.full(targets, -1), 0
        for start in range(0, count, _AT_ONCE):
            self.subject.tell("asking about noise", start, count)
            shares = self.inputs.noise(min(_AT_ONCE, count - start), self.rng)
            sure = self.ask(shares)
            for target in np.flatnonzero(sure.max(axis=0) > top):
                best[target], top[target] = shares[sure[:, target].argmax()], sure[:, target].max()
            there = sure >= enough
            first = (reached < 0) & there.any(axis=0)
            reached[first] = start + 1 + there.argmax(axis=0)[first]
            fooled += int(there[:, : self.targets.single].any(axis=1).sum())
        inputs = self.inputs.at(torch.as_tensor(best))
        return Fooled(reached[None], top[None], inputs, top, "queries"), Rate(fooled / count, wilson(fooled, count))

    def ascent(self) -> Fooled:
        """Climbs from noise by steps along the sign of the gradient, for every target from every start."""
        count, starts = len(self.targets.sets), self.options.starts
        rows = torch.as_tensor(np.tile(np.arange(count), starts))
        shares = torch.as_tensor(self.inputs.noise(starts, self.rng).repeat(count, axis=0))
        reached, sure = np.full(len(rows), -1), self._own(shares, rows)
        reached[sure >= self.options.sure] = 0
        best, top = shares.clone(), sure.copy()
        for step in range(1, self.options.steps + 1):
            self.subject.tell("climbing from noise", step, self.options.steps)
            shares = (shares + self.options.size * self._slopes(shares, rows).sign()).clamp(0, 1)
            sure = self._own(shares, rows)
            reached[(reached < 0) & (sure >= self.options.sure)] = step
            better = torch.as_tensor(sure > top)
            best[better], top = shares[better], np.maximum(top, sure)
            if (reached >= 0).all():
                break
        of = top.reshape(starts, count)
        chosen = of.argmax(axis=0) * count + np.arange(count)
        inputs = self.inputs.at(best[torch.as_tensor(chosen)])
        return Fooled(reached.reshape(starts, count), of, inputs, of.max(axis=0), "steps")

    def evolved(self, encoding: Encoding[Any], what: str) -> Fooled:
        """Evolves several times."""
        runs: list[Evolved[Any]] = []
        for run in range(self.options.repeats):
            words = f"evolving {what}, run {run + 1} of {self.options.repeats}"
            tell = lambda done, words=words: self.subject.tell(words, done, self.options.queries)  # noqa: E731
            runs.append(evolve(encoding, self.ask, self.options.sure, self.options.queries, self.rng, tell))
        sure = np.stack([one.sure for one in runs])
        best = np.stack([runs[run].best[target] for target, run in enumerate(sure.argmax(axis=0))])
        reached = np.stack([one.reached for one in runs])
        return Fooled(reached, sure, self.inputs.at(torch.as_tensor(best)), sure.max(axis=0), "queries")

    def _own(self, shares: Tensor, rows: Tensor) -> FloatArray:
        """How sure the agent is of each row's own target."""
        sure = self.sure(self.inputs.at(shares))
        own: FloatArray = sure[np.arange(len(rows)), rows.numpy(force=True)]
        return own

    def _slopes(self, shares: Tensor, rows: Tensor) -> Tensor:
        found, at = [], 0
        for obs, _ in batches(self.inputs.at(shares)):
            of = rows[at : at + len(obs)]
            at += len(obs)

            def climbed(out: Output, of: Tensor = of) -> Tensor:
                return self.targets.climbed(self.subject.certainty.numbers(out.actions, out.garbage), of).sum()

            found.append(self.subject.policy.gradient(obs, climbed)[0])
        return torch.cat(found)
