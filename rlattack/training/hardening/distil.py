"""Robust distillation: a student that does what its teacher would, wherever in a box around each state it is shown.

Policy distillation (Rusu et al. 2016) on states that the student visits itself (DAgger, Ross et al. 2011), with the
worst-case cross-entropy of interval bounds (Gowal et al. 2018, eq. 9 to 13) or of PGD (Madry et al. 2018, eq. 2.1).
"""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import torch.nn.functional as F  # noqa: N812  # torch's own convention
from gymnasium.spaces import Box
from torch import Tensor

from rlattack.defences.bounds import lead, propagate
from rlattack.errors import InvalidInput
from rlattack.games import training_env
from rlattack.specs import Count, Fraction, Positive, Range
from rlattack.training.hardening.courses import Lesson
from rlattack.training.hardening.pupil import Pupil, curves
from rlattack.training.hardening.ramp import Ramped
from rlattack.training.hardening.regime import Ground, Regime
from rlattack.training.hardening.search import ascend
from rlattack.training.hardening.student import Student
from rlattack.training.hardening.vicinity import Vicinity
from rlattack.training.watch import Trained, Watch

_COPIES = 8
"""Games at once: few, so that a lesson holds whole ones."""
_LESSON = 20_000
"""States between two checkpoints, at most; at each, games begin anew."""
_ELSE = 1e9
"""By how much an action leads over what is never done."""


@dataclass(frozen=True, kw_only=True)
class DistilConfig(Ramped):
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
    updates: Count = 6000
    """Steps of Adam."""
    memory: Count = 60_000
    """States of past lessons that it goes on learning from."""
    batch: Count = 128
    """States of each."""
    rate: Positive = 1e-3
    """The learning rate, which falls to 0 in the last third."""
    accept: Fraction = 0.2
    """Actions that the teacher would do at least so likely as its likeliest are all right: the student chooses."""
    clean_accept: Fraction = 0.9
    """The same of what is shown as it is, where no bound asks for room."""
    frames: Count = 2
    """Of pictures: looks at so many, the newest of the stack."""
    temperature: Positive = 0.7
    """Divides scores in the end: the smaller, the nearer is sampled play to greedy play, which in a game without chance
    may lose one round for ever as it lost it first; no certificate depends on it."""


class Distil(Regime[DistilConfig]):
    """Teaches a student to choose as a teacher would everywhere in the box, on states that the student visits."""

    name = "distil"
    algorithms: ClassVar[tuple[str, ...]] = ()
    actions = ("discrete",)
    needs_victim = True
    config_type: ClassVar[type[Any]] = DistilConfig

    def check(self, ground: Ground) -> None:
        """Refuses a teacher with a memory, what is no array, and a button that is none."""
        super().check(ground)
        assert ground.victim is not None
        seen, teacher = ground.seat.observation, ground.victim
        if not isinstance(seen, Box) or len(seen.shape) not in (1, 3):
            raise InvalidInput(f"--defence distil: expected pictures or numbers in a row to see, got {seen}")
        if teacher.policy.initial_state(1) is not None:
            raise InvalidInput(f"--defence distil: expected a teacher without a memory, {teacher.name} has one")
        if len(seen.shape) == 3 and self.config.frames > seen.shape[0]:
            raise InvalidInput(f"--defence distil: frames: {seen.shape[0]} are shown, got {self.config.frames}")

    def kinds(self, ground: Ground) -> Sequence[str]:
        """Its norm; nothing where the worst case has no weight."""
        return super().kinds(ground) if self.config.robust else ()

    def begin(self, ground: Ground) -> None:
        """Opens the run."""
        recipe = ground.recipe
        ground.run.check((recipe.id, recipe.folder))
        ground.run.open()

    def learn(self, ground: Ground, seed: int, watch: Watch) -> Trained:
        """Learns lesson after lesson; after each a checkpoint, from which it goes on as if nothing had been.

        Raises:
            KeyboardInterrupt: Ctrl-C; the last checkpoint stands.
        """
        recipe, folder = ground.recipe, ground.recipe.folder / f"seed-{seed}"
        lessons = -(-recipe.steps // min(_LESSON, recipe.checkpoint_every))
        states, updates, steps = (-(-recipe.steps // lessons), self.config.updates, recipe.steps)
        pupil = Pupil(self, ground, seed)
        with closing(training_env(ground.run.card, _COPIES, recipe.threads or 1)) as env, curves(folder) as curve:
            done = pupil.restore(env, folder, states)
            for number in range(done, lessons):
                pupil.attend(env, folder, number, states)
                for update in range(number * updates // lessons, (number + 1) * updates // lessons):
                    watch.steps(update * steps // updates, steps, f"seed {seed}{pupil.note}")
                    if watch.stops:
                        raise KeyboardInterrupt
                    pupil.update(update, curve)
                pupil.save(folder, (number + 1) * steps // lessons)
            watch.steps(steps, steps, f"seed {seed}{pupil.note}")
        return Trained(seed=seed, steps=recipe.steps, folder=folder / "agent")

    def loss(self, student: Student, vicinity: Vicinity | None, seen: Tensor, lesson: Lesson) -> "Learned":
        """What a student is to make small on a batch of states.

        Args:
            student: Learns.
            vicinity: Of every state, the box in which the worst case lies; None for no worst case.
            seen: What its network takes, shape (n, *seen).
            lesson: What the teacher says of these states.
        """
        scores, values = student(seen)
        chances, best = lesson.chances, lesson.chances.amax(dim=1)
        weight = 1 - chances.amin(dim=1) / best

        def chosen(accept: float) -> Tensor:
            wrong = chances < accept * best[:, None]
            found: Tensor = scores.detach().masked_fill(wrong, -_ELSE).argmax(dim=1)
            return found

        action = chosen(self.config.accept)
        clean = (weight * F.cross_entropy(scores, chosen(self.config.clean_accept), reduction="none")).mean()
        low, high = student.value_scale
        value = F.smooth_l1_loss(values, (lesson.values - low) / high)
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
