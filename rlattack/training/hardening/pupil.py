"""Who learns from a teacher: a student with its optimiser, lesson after lesson, from checkpoint to checkpoint."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from gymnasium.vector import VectorEnv
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from rlattack.files import writing_events
from rlattack.policies.folder import AgentCard, save_agent
from rlattack.policies.network import NetworkSpec
from rlattack.training.algorithms import TRUNKS
from rlattack.training.checkpoint import FILE, Checkpoint, load_checkpoint, save_checkpoint
from rlattack.training.hardening.courses import Aggregate, Lesson, attend
from rlattack.training.hardening.regime import Ground
from rlattack.training.hardening.student import Standard, Student
from rlattack.training.watch import Watch

if TYPE_CHECKING:
    from rlattack.training.hardening.taught import Taught

_TOLD = 100
"""Updates between two points of the curves."""
_VECTORS: dict[str, Any] = {"hidden": (64, 64)}
Told = Mapping[str, float]
"""Numbers of an update, by the names of their curves."""


@dataclass(frozen=True)
class Desk:
    """Where a pupil sits.

    Attributes:
        env: Copies of the game, as `courses.attend` takes them.
        folder: Of its seed in the run.
        curve: Where its curves are written.
        watch: Hears how far it is.
        lessons: How many a new run has; one that goes on keeps what it has of each.
    """

    env: VectorEnv[Any, Any, Any]
    folder: Path
    curve: SummaryWriter
    watch: Watch
    lessons: int


class Pupil(ABC):
    """A student of a seed with all that it learns by; to a checkpoint, a learner like those of Stable-Baselines3."""

    def __init__(self, regime: "Taught[Any]", ground: Ground, seed: int, desk: Desk) -> None:
        assert ground.victim is not None
        self._regime, self._ground, self._seed, self._desk = regime, ground, seed, desk
        self._teacher = ground.victim.policy
        self._device = torch.device(ground.recipe.device)
        self._known = Aggregate(regime.config.memory)
        self._note, self.num_timesteps = "", 0
        self.policy: Student

    @abstractmethod
    def loss(self, done: float, lesson: Lesson, rng: np.random.Generator) -> tuple[Tensor, Mapping[str, Tensor]]:
        """What is to be small on a batch of states.

        Args:
            done: Share of the updates that are over.
            lesson: The states, with what the teacher says of them.
            rng: Of the update.

        Returns:
            A scalar, and what curves tell beside it.
        """

    @abstractmethod
    def said(self, told: Told) -> str:
        """How the student does, in words for who watches."""

    def about(self) -> Mapping[str, Any]:
        """What else the agent's card says of its training; nothing by default."""
        return {}

    def get_parameters(self) -> dict[str, Any]:
        """Names of what a checkpoint holds."""
        return {"policy": self.policy, "policy.optimizer": self.policy.optimizer}

    def get_vec_normalize_env(self) -> None:  # noqa: B027  # which nobody is to override
        """Nothing: what it sees is brought to a common size once and for all."""

    def restore(self) -> int:
        """Makes the student by a first look, or as its checkpoint left it; how many lessons it has had."""
        states = self._ground.recipe.steps // self._desk.lessons
        first = self.lesson(states // 10 + 1, (self._seed, 0, 0), everything=True)
        spec = self.spec()
        frames = self._regime.config.frames if len(spec.observation) == 3 else None
        torch.manual_seed(self._seed)
        scale = float(first.values.mean()), float(first.values.std().clamp_min(1e-3))
        seen = torch.as_tensor(first.obs, dtype=torch.float32, device=self._device)
        self.policy = Student(spec, Standard.of(self._ground.seat, seen, frames), scale, states)
        found = load_checkpoint(self._desk.folder)
        if found is None:
            return 0
        found.restore(self, str(self._desk.folder / FILE))  # type: ignore[arg-type]  # as much of a learner as it looks at
        done = int(self.policy.course[1])
        for number in range(done):
            self._learn_of(Lesson.load(self._lesson(number)), number)
        return done

    @property
    def ends(self) -> list[int]:
        """The steps at which each lesson that is left ends; the last one has up to twice as many as others."""
        done, whole, states = self.num_timesteps, self._ground.recipe.steps, max(1, int(self.policy.course[0]))
        return [*range(done + states, whole - states + 1, states), whole] if done < whole else []

    def attend(self, number: int, states: int) -> None:
        """A lesson of so many states, by its number; the first one is the teacher's alone."""
        lesson = self.lesson(states, (self._seed, 1, number), led=number > 0)
        lesson.save(self._lesson(number))
        self._learn_of(lesson, number)
        self.policy.course[1] = number + 1

    def lesson(self, states: int, seed: tuple[int, ...], *, led: bool = False, everything: bool = False) -> Lesson:
        """So many states of play with what the teacher says of them.

        Args:
            states: How many.
            seed: Of the games and all draws.
            led: Whether the student plays, too.
            everything: Whether frames that it does not look at are kept.
        """
        newest = (lambda obs: obs) if everything else self.policy.standard.newest
        return attend(self._desk.env, self._teacher, newest, states, self._leads if led else None, seed)

    def tell(self, steps: int, note: str = "") -> None:
        """Says how far it is.

        Raises:
            KeyboardInterrupt: It is to stop.
        """
        self._desk.watch.steps(steps, self._ground.recipe.steps, f"seed {self._seed}{note or self._note}")
        if self._desk.watch.stops:
            raise KeyboardInterrupt

    def update(self, number: int) -> None:
        """One step on a batch of all lessons that is drawn by its number."""
        config, student = self._regime.config, self.policy
        done = number / config.updates
        for group in student.optimizer.param_groups:
            group["lr"] = config.rate * min(1.0, 3 * (1 - done))
        rng = np.random.default_rng((self._seed, 2, number))
        torch.manual_seed(int(rng.integers(2**63)))
        drawn = self._known.drawn(config.batch, rng)
        lesson = Lesson(drawn.obs, drawn.chances.to(self._device), drawn.values.to(self._device))
        loss, beside = self.loss(done, lesson, rng)
        student.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # of torch
        torch.nn.utils.clip_grad_norm_(student.parameters(), 5.0)
        student.optimizer.step()
        if number % _TOLD == 0:
            told = {name: one.item() for name, one in {"loss": loss, **beside}.items()}
            for name, value in told.items():
                self._desk.curve.add_scalar(f"{self._regime.name}/{name}", value, number)
            self._note = f", {self.said(told)}"

    def taken(self, obs: Any) -> Tensor:
        """What the network takes of the part of observations that is looked at, shape (n, *seen)."""
        return self.policy.standard(torch.as_tensor(obs, device=self._device))

    def save(self, steps: int) -> None:
        """Writes the agent and the checkpoint."""
        self.num_timesteps = steps
        self.export()
        save_checkpoint(self._desk.folder, Checkpoint.of(self), win=None, cut=False)  # type: ignore[arg-type]  # as in `restore`

    def export(self) -> None:
        """Writes the agent."""
        learner = self._ground.learner(self._seed)
        network = self.policy.agent(self._regime.config.temperature)
        about = {**learner.about, **self.about()}
        card = AgentCard(
            game=self._ground.run.card.id, role=self._ground.recipe.role, algorithm=self._regime.name,
            network=network.spec, options=dict(learner.options),
            provenance=self._ground.run.provenance(self.num_timesteps, self._seed, **about),
        )  # fmt: skip
        save_agent(self._desk.folder / "agent", card, network)

    def end(self) -> None:
        """What is done after the last lesson: it says so."""
        self.tell(self._ground.recipe.steps)

    def spec(self) -> NetworkSpec:
        """The agent that comes of it."""
        seen: Any = self._ground.seat.observation
        action: Any = self._ground.seat.action
        pictures = len(seen.shape) == 3
        layers = TRUNKS[self._ground.recipe.network] if pictures else _VECTORS
        return NetworkSpec(
            observation=seen.shape, actions=int(action.n), head="actor-critic", scale=255.0 if pictures else 1.0,
            **layers,
        )  # fmt: skip

    def _learn_of(self, lesson: Lesson, number: int) -> None:
        self._known.add(lesson, (self._seed, 3, number))

    @torch.no_grad()
    def _leads(self, obs: Any) -> Any:
        scores, _ = self.policy(self.taken(self.policy.standard.newest(obs)))
        return scores.argmax(dim=1).numpy(force=True)

    def _lesson(self, number: int) -> Path:
        return self._desk.folder / "lessons" / f"{number}.npz"


@contextmanager
def curves(folder: Path) -> Iterator[SummaryWriter]:
    """Opens the curves of a seed."""
    with writing_events(folder), SummaryWriter(str(folder)) as writer:
        yield writer
