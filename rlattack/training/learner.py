"""From a checkpoint, or from nothing, to a trained agent: the one loop in which everybody learns."""

import json
from collections.abc import Callable
from dataclasses import dataclass
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
from rlattack.training.export import normaliser
from rlattack.training.progress import Progress, Refill, Weak
from rlattack.training.recipes import SeatRecipe, TrainSingle
from rlattack.training.watch import Trained, Watch


@dataclass(frozen=True, kw_only=True)
class Learner:
    """Who learns, and how an agent is made of it.

    Attributes:
        recipe: Says for how long, and when it is given up.
        folder: Holds its checkpoints, TensorBoard events, and its `agent`; made where it is missing.
        seed: Of weights, games and exploration.
        make: Makes the learner of a seed.
        export: Makes a card and a network of the learner.
        note: Who it is, where there are several.
        coach: Chooses opponents and rewards while it learns.
    """

    recipe: TrainSingle | SeatRecipe
    folder: Path
    seed: int
    make: Callable[[int], BaseAlgorithm]
    export: Callable[[BaseAlgorithm], tuple[AgentCard, AnyNetwork]]
    note: str = ""
    coach: Coach | None = None


def check_steps(steps: int, batch: int, *folders: Path) -> None:
    """Refuses to compare, or to call shorter, what has learned for longer than is asked.

    Args:
        steps: How many are asked for.
        batch: Steps between updates, which may end above.
        folders: Of learners.

    Raises:
        InvalidInput: One has learned for longer.
        RefusedFile: A damaged checkpoint.
    """
    for folder in folders:
        found = load_checkpoint(folder)
        if found is not None and found.steps >= steps + batch:
            raise InvalidInput(
                f"--steps {steps}: {folder} has learned from {found.steps} already; ask for at least that many, "
                f"or choose another --run"
            )


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
    kept, until = _kept(learner.folder), until or learner.recipe.steps
    given_up = bool(kept.get("cut")) and learner.recipe.cut is not None
    if done < until and not given_up:
        return _learn(learner, model, watch, until)
    save_agent(learner.folder / "agent", *learner.export(model))
    win = kept.get("win")
    return Trained(seed=learner.seed, steps=done, folder=learner.folder / "agent", win=win, cut=given_up)


def _learn(learner: Learner, model: BaseAlgorithm, watch: Watch, until: int) -> Trained:
    recipe, cut = learner.recipe, False

    def save() -> None:
        save_agent(learner.folder / "agent", *learner.export(model))
        checkpoint = Checkpoint.of(model.policy, model.num_timesteps, normaliser(model))
        save_checkpoint(learner.folder, checkpoint, win=progress.rate(1), cut=cut)

    def say(steps: int) -> None:
        won = progress.rate(1)
        watch.steps(steps, recipe.steps, learner.note + ("" if won is None else f", win rate {won:.2f}"))

    progress = Progress(recipe.steps, recipe.checkpoint_every, save, say, cut=recipe.cut, name=recipe.role)
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
