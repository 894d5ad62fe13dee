"""Regimes of students: who learns from a teacher, lesson after lesson, on states that it visits itself.

Policy distillation (Rusu et al. 2016) in the way of DAgger (Ross et al. 2011).
"""

from abc import abstractmethod
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Generic, TypeVar

from gymnasium.spaces import Box

from rlattack.errors import InvalidInput, RefusedFile
from rlattack.games import training_env
from rlattack.specs import Count, Fraction, Positive
from rlattack.training.checkpoint import FILE, load_checkpoint
from rlattack.training.hardening.pupil import Desk, Pupil, curves
from rlattack.training.hardening.regime import Ground, Regime
from rlattack.training.learner import check_longer
from rlattack.training.recipes import TrainDefended
from rlattack.training.recipes.recipe import flag
from rlattack.training.watch import Trained, Watch

_COPIES = 8
"""Games at once: few, so that a lesson holds whole ones."""
_LESSON = 20_000
"""States between two checkpoints, at most; at each, games begin anew."""
_OTHERS = {
    "algo": "which learns by itself", "learning_rate": "whose own is its parameter rate",
    "envs": f"whose lessons are of {_COPIES} copies",
}  # fmt: skip
"""Options of learners, which students are none of, and what students have in place of them."""


@dataclass(frozen=True, kw_only=True)
class TaughtConfig:
    """Parameters of regimes of students."""

    updates: Count = 6000
    """Steps of Adam."""
    memory: Count = 60_000
    """States of past lessons that it goes on learning from."""
    batch: Count = 128
    """States of each."""
    rate: Positive = 1e-3
    """The learning rate, which falls to 0 in the last third."""
    clean_accept: Fraction = 0.9
    """Of what is shown as it is, actions that the teacher would do at least so likely as its likeliest are all right:
    the student chooses."""
    frames: Count = 2
    """Of pictures: looks at so many, the newest of the stack."""
    temperature: Positive = 0.7
    """Divides scores in the end: the smaller, the nearer is sampled play to greedy play, which in a game without chance
    may lose one round for ever as it lost it first; no certificate depends on it."""


Config = TypeVar("Config", bound=TaughtConfig)


class Taught(Regime[Config], Generic[Config]):
    """Lets a student learn from a teacher; whoever inherits says what it is to make small."""

    algorithms: ClassVar[tuple[str, ...]] = ()
    actions = ("discrete",)
    needs_victim = True

    def check(self, ground: Ground) -> None:
        """Refuses options of learners, a teacher with a memory, what is no array, and more frames than are shown."""
        super().check(ground)
        assert ground.victim is not None
        told, seen, teacher = f"--defence {self.name}", ground.seat.observation, ground.victim
        for option, instead in _OTHERS.items():
            if getattr(ground.recipe, option) != getattr(TrainDefended, option):
                raise InvalidInput(f"{flag(option)}: changes nothing of {told}, {instead}; leave it out")
        if not isinstance(seen, Box) or len(seen.shape) not in (1, 3):
            raise InvalidInput(f"{told}: expected pictures or numbers in a row to see, got {seen}")
        if teacher.policy.initial_state(1) is not None:
            raise InvalidInput(f"{told}: expected a teacher without a memory, {teacher.name} has one")
        if len(seen.shape) == 3 and self.config.frames > seen.shape[0]:
            raise InvalidInput(f"{told}: frames: {seen.shape[0]} are shown, got {self.config.frames}")

    def begin(self, ground: Ground) -> None:
        """Opens the run."""
        recipe = ground.recipe
        ground.run.check((recipe.id, recipe.folder))
        for seed in recipe.seeds:
            folder = _folder(ground, seed)
            found = load_checkpoint(folder)
            check_longer(ground.run, folder, found)
            if found is not None and "course" not in found.policy:
                raise RefusedFile(
                    f"{folder / FILE}: expected what its lessons are, which versions of before did not keep, got none; "
                    "begin anew, in another --run"
                )
        ground.run.open()

    def learn(self, ground: Ground, seed: int, watch: Watch) -> Trained:
        """Learns lesson after lesson; after each a checkpoint, from which it goes on as if nothing had been.

        Raises:
            KeyboardInterrupt: Ctrl-C; the last checkpoint stands.
        """
        folder, steps, updates = _folder(ground, seed), ground.recipe.steps, self.config.updates
        with (
            closing(training_env(ground.run.card, _COPIES, ground.recipe.threads or 1)) as env,
            curves(folder) as curve,
        ):
            pupil = self.pupil(ground, seed, Desk(env, folder, curve, watch, self.lessons(ground)))
            done = pupil.restore()
            for number, end in enumerate(pupil.ends, done):
                begin = pupil.num_timesteps
                pupil.attend(number, end - begin)
                for update in range(begin * updates // steps, end * updates // steps):
                    pupil.tell(update * steps // updates)
                    pupil.update(update)
                pupil.save(end)
            pupil.end()
        return Trained(seed=seed, steps=steps, folder=folder / "agent")

    def lessons(self, ground: Ground) -> int:
        """How many a new run has, at least."""
        return -(-ground.recipe.steps // min(_LESSON, ground.recipe.checkpoint_every))

    @abstractmethod
    def pupil(self, ground: Ground, seed: int, desk: Desk) -> Pupil:
        """Who learns with a seed."""


def _folder(ground: Ground, seed: int) -> Path:
    return ground.recipe.folder / f"seed-{seed}"
