"""Who learns from a teacher: a student with its optimiser, lesson after lesson, from checkpoint to checkpoint."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.utils.tensorboard import SummaryWriter

from rlattack.files import writing_events
from rlattack.policies.folder import AgentCard, save_agent
from rlattack.policies.network import NetworkSpec
from rlattack.training.algorithms import TRUNKS
from rlattack.training.checkpoint import FILE, Checkpoint, load_checkpoint, save_checkpoint
from rlattack.training.hardening.courses import Aggregate, Lesson, attend
from rlattack.training.hardening.regime import Ground
from rlattack.training.hardening.student import Standard, Student

if TYPE_CHECKING:
    from rlattack.training.hardening.distil import Distil

_TOLD = 100
"""Updates between two points of the curves."""
_VECTORS: dict[str, Any] = {"hidden": (64, 64)}


class Pupil:
    """A student of a seed with all that it learns by; to a checkpoint, a learner like those of Stable-Baselines3."""

    def __init__(self, regime: "Distil", ground: Ground, seed: int) -> None:
        assert ground.victim is not None
        self._regime, self._ground, self._seed = regime, ground, seed
        self._teacher = ground.victim.policy
        self._device = torch.device(ground.recipe.device)
        self._known = Aggregate(regime.config.memory)
        self.note, self.num_timesteps = "", 0
        self.policy: Student

    def get_parameters(self) -> dict[str, Any]:
        """Names of what a checkpoint holds."""
        return {"policy": self.policy, "policy.optimizer": self.policy.optimizer}

    def get_vec_normalize_env(self) -> None:
        """Nothing: what it sees is brought to a common size once and for all."""

    def restore(self, env: Any, folder: Path, states: int) -> int:
        """Makes the student by the first lesson, as a checkpoint left it where there is one; how many it has had."""
        first = attend(env, self._teacher, lambda obs: obs, states // 10 + 1, None, (self._seed, 0, 0))
        spec = self._spec()
        frames = self._regime.config.frames if len(spec.observation) == 3 else None
        torch.manual_seed(self._seed)
        scale = float(first.values.mean()), float(first.values.std().clamp_min(1e-3))
        seen = torch.as_tensor(first.obs, dtype=torch.float32, device=self._device)
        standard = Standard.of(self._ground.seat, seen, frames)
        self.policy = Student(spec, standard, scale)
        found = load_checkpoint(folder)
        if found is None:
            return 0
        found.restore(self, str(folder / FILE))  # type: ignore[arg-type]  # as much of a learner as it looks at
        done = round(found.steps / states)
        for number in range(done):
            self._learn_of(Lesson.load(_lesson(folder, number)), number)
        return done

    def attend(self, env: Any, folder: Path, number: int, states: int) -> None:
        """A lesson, by its number; the first one is the teacher's alone."""
        standard = self.policy.standard
        leads = None if number == 0 else self._leads
        lesson = attend(env, self._teacher, standard.newest, states, leads, (self._seed, 1, number))
        lesson.save(_lesson(folder, number))
        self._learn_of(lesson, number)

    def update(self, number: int, curve: SummaryWriter) -> None:
        """One step on a batch of all lessons that is drawn by its number."""
        config, student = self._regime.config, self.policy
        done = number / config.updates
        share = config.slack * config.share(done)
        for group in student.optimizer.param_groups:
            group["lr"] = config.rate * min(1.0, 3 * (1 - done))
        rng = np.random.default_rng((self._seed, 2, number))
        torch.manual_seed(int(rng.integers(2**63)))
        drawn = self._known.drawn(config.batch, rng)
        picked = Lesson(drawn.obs, drawn.chances.to(self._device), drawn.values.to(self._device))
        seen = student.standard(torch.as_tensor(picked.obs, device=self._device))
        vicinity = None
        if share > 0 and config.robust > 0:
            of = self._teacher.normaliser
            vicinity = student.standard.vicinity(self._ground.seat, self._ground.budget, of, share)
        made = self._regime.loss(student, vicinity, seen, picked)
        student.optimizer.zero_grad()
        made.loss.backward()  # type: ignore[no-untyped-call]  # of torch
        torch.nn.utils.clip_grad_norm_(student.parameters(), 5.0)
        student.optimizer.step()
        if number % _TOLD == 0:
            told = {name: one.item() for name, one in vars(made).items()} | {"size": share}
            for name, value in told.items():
                curve.add_scalar(f"distil/{name}", value, number)
            self.note = f", agrees in {told['agrees']:.3f}, stands in {told['stands']:.3f}"

    def save(self, folder: Path, steps: int) -> None:
        """Writes the agent and the checkpoint."""
        self.num_timesteps = steps
        learner = self._ground.learner(self._seed)
        network = self.policy.agent(self._regime.config.temperature)
        card = AgentCard(
            game=self._ground.run.card.id, role=self._ground.recipe.role, algorithm="distil", network=network.spec,
            options=dict(learner.options),
            provenance=self._ground.run.provenance(steps, self._seed, **learner.about),
        )  # fmt: skip
        save_agent(folder / "agent", card, network)
        save_checkpoint(folder, Checkpoint.of(self), win=None, cut=False)  # type: ignore[arg-type]  # as in `restore`

    def _learn_of(self, lesson: Lesson, number: int) -> None:
        self._known.add(lesson, (self._seed, 3, number))

    def _spec(self) -> NetworkSpec:
        """The agent that comes of it."""
        seen: Any = self._ground.seat.observation
        action: Any = self._ground.seat.action
        pictures = len(seen.shape) == 3
        layers = TRUNKS[self._ground.recipe.network] if pictures else _VECTORS
        return NetworkSpec(
            observation=seen.shape, actions=int(action.n), head="actor-critic", scale=255.0 if pictures else 1.0,
            **layers,
        )  # fmt: skip

    @torch.no_grad()
    def _leads(self, obs: Any) -> Any:
        standard = self.policy.standard
        scores, _ = self.policy(standard(torch.as_tensor(standard.newest(obs), device=self._device)))
        return scores.argmax(dim=1).numpy(force=True)


def _lesson(folder: Path, number: int) -> Path:
    return folder / "lessons" / f"{number}.npz"


@contextmanager
def curves(folder: Path) -> Iterator[SummaryWriter]:
    """Opens the curves of a seed."""
    with writing_events(folder), SummaryWriter(str(folder)) as writer:
        yield writer
