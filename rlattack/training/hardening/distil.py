"""Robust distillation: a student that does what its teacher would, wherever in a box around each state it is shown.

Policy distillation (Rusu et al. 2016) on states that the student visits itself (DAgger, Ross et al. 2011), with the
worst-case cross-entropy of interval bounds (Gowal et al. 2018, eq. 9 to 13) or of PGD (Madry et al. 2018, eq. 2.1).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812  # torch's own convention
from torch import Tensor

from rlattack.defences.bounds import lead, propagate
from rlattack.specs import Count, Fraction, Range
from rlattack.training.hardening.courses import Lesson
from rlattack.training.hardening.pupil import Desk, Pupil, Told
from rlattack.training.hardening.ramp import Ramped
from rlattack.training.hardening.regime import Ground
from rlattack.training.hardening.search import ascend
from rlattack.training.hardening.student import Student
from rlattack.training.hardening.taught import Taught, TaughtConfig
from rlattack.training.hardening.vicinity import Vicinity

_ELSE = 1e9
"""By how much an action leads over what is never done."""


@dataclass(frozen=True, kw_only=True)
class DistilConfig(Ramped, TaughtConfig):
    """Parameters of `distil`."""

    start: Annotated[float, Range(least=0, below=1)] = 0.1
    """Share of the run before the size grows."""
    ramp: Annotated[float, Range(least=0, most=1)] = 0.5
    """Share of the run in which it does; 0 for at once."""
    solver: Literal["ibp", "pgd"] = "ibp"
    """Bounds the worst case by intervals, or finds it by gradients."""
    pgd_steps: Count = 3
    """Of pgd."""
    robust: Annotated[float, Range(least=0, most=1)] = 0.5
    """Weight of the worst case; the rest is that of what is shown as it is. 0 for an undefended twin."""
    slack: Annotated[float, Range(least=1, most=2)] = 1.1
    """Trains at this many times the size, so that what is asked for is certified with some room."""
    accept: Fraction = 0.2
    """Actions that the teacher would do at least so likely as its likeliest are all right: the student chooses."""


class Distil(Taught[DistilConfig]):
    """Teaches a student to choose as a teacher would everywhere in the box, on states that the student visits."""

    name = "distil"
    config_type: ClassVar[type[Any]] = DistilConfig

    def kinds(self, ground: Ground) -> Sequence[str]:
        """Its norm; nothing where the worst case has no weight."""
        return super().kinds(ground) if self.config.robust else ()

    def pupil(self, ground: Ground, seed: int, desk: Desk) -> Pupil:
        """A student that is shown the worst case."""
        return _Hardened(self, ground, seed, desk)

    def loss(self, student: Student, vicinity: Vicinity | None, seen: Tensor, lesson: Lesson) -> "Learned":
        """What a student is to make small on a batch of states.

        Args:
            student: Learns.
            vicinity: Of every state, the box in which the worst case lies; None for no worst case.
            seen: What its network takes, shape (n, *seen).
            lesson: What the teacher says of these states.
        """
        scores, values = student(seen)
        weight = 1 - lesson.chances.amin(dim=1) / lesson.chances.amax(dim=1)
        action, clear = (lesson.chosen(scores, share) for share in (self.config.accept, self.config.clean_accept))
        clean = (weight * F.cross_entropy(scores, clear, reduction="none")).mean()
        value = student.value_loss(values, lesson.values)
        agrees = (scores.argmax(dim=1) == action).float().mean()
        if vicinity is None:
            return Learned(clean + value, agrees, agrees)
        worst = self._worst(student, vicinity, seen, action)
        robust = (weight * F.cross_entropy(worst, action, reduction="none")).mean()
        others = worst.scatter(1, action[:, None], -_ELSE).amax(dim=1)
        stands = (others < worst.gather(1, action[:, None]).squeeze(1)).float().mean()
        share = self.config.robust
        return Learned((1 - share) * clean + share * robust + value, agrees, stands)

    def _worst(self, student: Student, vicinity: Vicinity, seen: Tensor, action: Tensor) -> Tensor:
        """Scores at their worst for an action, shape (n, actions): bounds of those of others over its own, or found."""
        if self.config.solver == "ibp":
            led = lead(student.last, propagate(student.network.trunk, vicinity.box(seen)), action)
            return -led
        rows = lambda point: F.cross_entropy(student(point)[0], action, reduction="none")  # noqa: E731
        found: Tensor = student(ascend(rows, seen, vicinity, self.config.pgd_steps))[0]
        return found


@dataclass(frozen=True)
class Learned:
    """What a batch of states came to.

    Attributes:
        loss: Scalar.
        agrees: Share of them in which the student does what is right.
        stands: Share in which it does so everywhere in the box, as far as the solver tells.
    """

    loss: Tensor
    agrees: Tensor
    stands: Tensor


class _Hardened(Pupil):
    """Who learns what the worst case is, as its size grows."""

    _regime: Distil

    def loss(self, done: float, lesson: Lesson, rng: np.random.Generator) -> tuple[Tensor, Mapping[str, Tensor]]:
        """That of the regime, at the size of the hour."""
        config, student = self._regime.config, self.policy
        share = config.slack * config.share(done)
        vicinity = None
        if share > 0 and config.robust > 0:
            of = self._teacher.normaliser
            vicinity = student.standard.vicinity(self._ground.seat, self._ground.budget, of, share)
        made = self._regime.loss(student, vicinity, self.taken(lesson.obs), lesson)
        return made.loss, {"agrees": made.agrees, "stands": made.stands, "size": torch.tensor(share)}

    def said(self, told: Told) -> str:
        """In how many states it does what is right, and does so everywhere in the box."""
        return f"agrees in {told['agrees']:.3f}, stands in {told['stands']:.3f}"
