"""From a checkpoint, or from nothing, to a trained agent: the one loop in which everybody learns."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm

from rlattack.errors import InvalidInput
from rlattack.policies.folder import AgentCard, AnyNetwork, save_agent
from rlattack.training.checkpoint import FILE, PROGRESS, Checkpoint, load_checkpoint, save_checkpoint
from rlattack.training.coach import Coach
from rlattack.training.curves import curves
from rlattack.training.export import export, normaliser
from rlattack.training.progress import Progress, Refill, Weak
from rlattack.training.recipes import SeatRecipe, TrainSingle
from rlattack.training.run import TrainingRun
from rlattack.training.watch import Trained, Watch


@dataclass(frozen=True, kw_only=True)
class Learner:
    """Who learns, and what the card of its agent says.

    Attributes:
        run: What it is trained for.
        folder: Holds its checkpoints, TensorBoard events, and its `agent`; made where it is missing.
        seed: Of weights, games and exploration.
        make: Makes the learner of a seed.
        algorithm: Its name.
        seat: The one that the agent is for; any of them where it says none.
        options: What the game's variant changes of its card.
        about: What else is said of where the agent comes from.
        note: Who it is, where there are several.
        cut: Steps and win rate: who has won less of its last 500 training games by then is given up.
        coach: Chooses opponents and rewards while it learns.
    """

    run: TrainingRun[TrainSingle | SeatRecipe]
    folder: Path
    seed: int
    make: Callable[[int], BaseAlgorithm]
    algorithm: str = "ppo"
    seat: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    about: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""
    cut: tuple[int, float] | None = None
    coach: Coach | None = None

    def export(self, model: BaseAlgorithm) -> tuple[AgentCard, AnyNetwork]:
        """Makes an agent of the learner as it is now."""
        network = export(model)
        card = AgentCard(
            game=self.run.card.id, role=self.run.recipe.role, algorithm=self.algorithm, network=network.spec,
            seat=self.seat, options=dict(self.options),
            provenance=self.run.provenance(model.num_timesteps, self.seed, **self.about),
        )  # fmt: skip
        return card, network


def begin(run: TrainingRun[TrainSingle | SeatRecipe], learners: Sequence[Learner], *parts: tuple[str, Path]) -> None:
    """Opens a run; refuses before a file is made whatever cannot be learned, gone on with, or written.

    Args:
        run: The run.
        learners: All of it.
        parts: As `TrainingRun.check` takes them.

    Raises:
        RunConflict: The folder holds another training, or this one and `resume` was not asked for.
        InvalidInput: A game that cannot be learned from, a place of an agent that is taken, or fewer steps than were
            learned from.
        RefusedFile: A damaged checkpoint.
        Unwritable: A folder cannot be written.
    """
    run.check(*parts)
    for learner in learners:
        check_steps(run.recipe.steps, _batch(learner.make(learner.seed)), learner.folder)
    run.open()


def check_steps(steps: int, batch: int, folder: Path) -> None:
    """Refuses to compare, or to call shorter, what has learned for longer than is asked.

    Args:
        steps: How many are asked for.
        batch: Steps between updates, which may end above.
        folder: Of the learner.

    Raises:
        InvalidInput: It has learned for longer.
        RefusedFile: A damaged checkpoint.
    """
    found = load_checkpoint(folder)
    if found is not None and found.steps >= steps + batch:
        raise InvalidInput(
            f"--steps {steps}: {folder} has learned from {found.steps} already; ask for at least that many, "
            f"or choose another --run"
        )


def _batch(model: Any) -> int:  # SB3's learners have no class in common that says it
    """Agent steps between two updates."""
    return int(model.n_envs * (model.train_freq.frequency if hasattr(model, "train_freq") else model.n_steps))


def learn(learner: Learner, watch: Watch, *, until: int | None = None) -> Trained:
    """Learns from the checkpoint, where there is one, until `until` or all steps are done, or the learner is cut.

    Args:
        learner: Who learns.
        watch: Hears how far it is.
        until: Steps to stop at, of those of the recipe.

    Raises:
        InvalidInput: A game that cannot be learned from.
        RefusedFile: A checkpoint that is damaged, or not of this learner.
        Unwritable: A checkpoint cannot be written.
        KeyboardInterrupt: Ctrl-C, after a checkpoint was written.
    """
    learner.folder.mkdir(parents=True, exist_ok=True)
    found = load_checkpoint(learner.folder)
    done = 0 if found is None else found.steps
    model = learner.make(_resumed(learner.seed, done))
    if found is not None:
        found.restore(model.policy, normaliser(model), str(learner.folder / FILE))
        model.num_timesteps = done
    kept, until = _kept(learner.folder), until or learner.run.recipe.steps
    given_up = bool(kept.get("cut")) and learner.cut is not None
    if done < until and not given_up:
        return _learn(learner, model, watch, until)
    save_agent(learner.folder / "agent", *learner.export(model))
    win = kept.get("win")
    return Trained(seed=learner.seed, steps=done, folder=learner.folder / "agent", win=win, cut=given_up)


def _learn(learner: Learner, model: BaseAlgorithm, watch: Watch, until: int) -> Trained:
    recipe, cut = learner.run.recipe, False

    def save() -> None:
        save_agent(learner.folder / "agent", *learner.export(model))
        checkpoint = Checkpoint.of(model.policy, model.num_timesteps, normaliser(model))
        save_checkpoint(learner.folder, checkpoint, win=progress.rate(1), cut=cut)

    def say(steps: int) -> None:
        won = progress.rate(1)
        watch.steps(steps, recipe.steps, learner.note + ("" if won is None else f", win rate {won:.2f}"))

    progress = Progress(recipe.steps, recipe.checkpoint_every, save, say, cut=learner.cut, name=recipe.role)
    with curves(model, learner.folder), progress.stoppable():
        try:
            # SB3 adds the steps done when it does not start over, so schedules see the whole run
            model.learn(
                until - model.num_timesteps,
                callback=_callbacks(learner, model, progress),
                log_interval=None,  # type: ignore[arg-type]  # the learners take it: `progress` writes the curves
                reset_num_timesteps=False,
            )
        except Weak:
            cut = True
        progress.dump()
        save()
        say(model.num_timesteps)
    folder, win = learner.folder / "agent", progress.rate(1)
    return Trained(seed=learner.seed, steps=model.num_timesteps, folder=folder, win=win, cut=cut)


def _callbacks(learner: Learner, model: BaseAlgorithm, progress: Progress) -> list[BaseCallback]:
    callbacks: list[BaseCallback] = [progress]
    if learner.coach is not None:
        learner.coach.prepare(model)
        callbacks.insert(0, learner.coach)  # so that a checkpoint comes after the snapshot of its steps
    if model.num_timesteps and isinstance(model, OffPolicyAlgorithm):
        callbacks.append(Refill(model.learning_starts))
    return callbacks


def _resumed(seed: int, done: int) -> int:
    """A resumed run plays other games than it began with: its seed comes from the first one and the steps done."""
    return seed if done == 0 else int(np.random.SeedSequence((seed, done)).generate_state(1)[0] // 4)


def _kept(folder: Path) -> dict[str, Any]:
    """What was written beside the checkpoint."""
    try:
        kept = json.loads((folder / PROGRESS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(kept, dict) or not isinstance(kept.get("win"), float | None):
        return {}
    return kept
