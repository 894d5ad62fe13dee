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
from rlattack.training.export import export
from rlattack.training.progress import Progress, Refill, Weak, curves
from rlattack.training.recipes import SeatRecipe, TrainDefended, TrainPerturber, TrainSingle
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

    run: TrainingRun[TrainSingle | SeatRecipe | TrainPerturber | TrainDefended]
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


def begin(learners: Sequence[Learner], *parts: tuple[str, Path]) -> None:
    """Opens the run of learners; what cannot be learned, gone on with or written is refused before a file is made.

    Args:
        learners: All of the run.
        parts: As `TrainingRun.check` takes them.

    Raises:
        InvalidInput: One has learned for longer than is asked: it could not be compared, nor be called shorter.
    """
    run = learners[0].run
    run.check(*parts)
    for learner in learners:
        model = learner.make(learner.seed)
        check_longer(run, learner.folder, load_checkpoint(learner.folder), _batch(model))
    run.open()


def check_longer(run: TrainingRun[Any], folder: Path, found: Checkpoint | None, batch: int = 1) -> None:
    """Refuses to go on with what has learned for longer than is asked.

    Args:
        run: What is asked.
        folder: Of the seed.
        found: Its checkpoint, where there is one.
        batch: Agent steps between two updates.

    Raises:
        InvalidInput: It has.
    """
    if found is not None and found.steps >= run.recipe.steps + batch:
        raise InvalidInput(
            f"--steps {run.recipe.steps}: {folder} has learned from {found.steps} already; ask for at least that many, "
            "or choose another --run"
        )


def _batch(model: Any) -> int:  # SB3's learners have no class in common that says it
    """Agent steps between two updates."""
    return int(model.n_envs * (model.train_freq.frequency if hasattr(model, "train_freq") else model.n_steps))


def learn(learner: Learner, watch: Watch, *, until: int | None = None) -> Trained:
    """Learns from the checkpoint, where there is one, until `until` or all steps are done, or the learner is cut.

    Raises:
        KeyboardInterrupt: Ctrl-C, after a checkpoint was written.
    """
    found, kept = load_checkpoint(learner.folder), _kept(learner.folder)
    done = 0 if found is None else found.steps
    seed = learner.seed
    if done:  # it plays other games than it began with
        seed = int(np.random.SeedSequence((seed, done)).generate_state(1)[0] // 4)
    model = learner.make(seed)
    if found is not None:
        found.restore(model, str(learner.folder / FILE))
    until = until or learner.run.recipe.steps
    win, cut = kept.get("win"), bool(kept.get("cut")) and learner.cut is not None
    if done < until and not cut:
        win, cut = _learn(learner, model, watch, until)
    else:
        save_agent(learner.folder / "agent", *learner.export(model))
    return Trained(seed=learner.seed, steps=model.num_timesteps, folder=learner.folder / "agent", win=win, cut=cut)


def learn_in_parts(learner: Learner, watch: Watch) -> Trained:
    """Learns from checkpoint to checkpoint, each time in new games, so that it never matters where a run was killed.

    Who has a replay, which no checkpoint holds, learns in one go.
    """
    recipe = learner.run.recipe
    if isinstance(learner.make(learner.seed), OffPolicyAlgorithm):
        return learn(learner, watch)
    found = load_checkpoint(learner.folder)
    done = 0 if found is None else found.steps
    while True:
        until = min(recipe.steps, (done // recipe.checkpoint_every + 1) * recipe.checkpoint_every)
        trained = learn(learner, watch, until=until)
        done = trained.steps
        if done >= recipe.steps or trained.cut:
            return trained


def _learn(learner: Learner, model: BaseAlgorithm, watch: Watch, until: int) -> tuple[float | None, bool]:
    """Learns; returns what the last games were won of, and whether the learner was given up."""
    recipe, cut = learner.run.recipe, False

    def save() -> None:
        save_agent(learner.folder / "agent", *learner.export(model))
        save_checkpoint(learner.folder, Checkpoint.of(model), win=progress.rate(1), cut=cut)

    def say(steps: int) -> None:
        won = progress.rate(1)
        watch.steps(steps, recipe.steps, learner.note + ("" if won is None else f", win rate {won:.2f}"))
        if watch.stops:
            progress.stop()

    progress = Progress(recipe, save, say, learner.cut)
    callbacks: list[BaseCallback] = [progress]
    if learner.coach is not None:
        learner.coach.prepare(model)
        callbacks.insert(0, learner.coach)  # so that a checkpoint comes after the snapshot of its steps
    if model.num_timesteps and isinstance(model, OffPolicyAlgorithm):
        callbacks.append(Refill(model.learning_starts))
    with curves(model, learner.folder), progress.stoppable():
        try:
            # SB3 adds the steps done when it does not start over, so schedules see the whole run
            model.learn(
                until - model.num_timesteps,
                callback=callbacks,
                log_interval=None,  # type: ignore[arg-type]  # the learners take it: `progress` writes the curves
                reset_num_timesteps=False,
            )
        except Weak:
            cut = True
        progress.dump()
        save()
        say(model.num_timesteps)
    return progress.rate(1), cut


def _kept(folder: Path) -> dict[str, Any]:
    """What was written beside the checkpoint."""
    try:
        kept = json.loads((folder / PROGRESS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(kept, dict) or not isinstance(kept.get("win"), float | None):
        return {}
    return kept
