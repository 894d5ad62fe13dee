"""Trains a duelist: PPO against frozen players in the other seat (Gleave et al. 2019, sections 3 and 4)."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm

from rlattack.errors import InvalidInput
from rlattack.files import write_whole
from rlattack.games.card import GameCard
from rlattack.games.opponent import EmbeddedVectorEnv
from rlattack.policies.folder import save_agent
from rlattack.policies.gaussian import GaussianNetwork
from rlattack.training.adversary_learner import export_adversary, make_adversary, normaliser
from rlattack.training.checkpoint import FILE, Checkpoint, load_checkpoint, save_checkpoint
from rlattack.training.coach import Coach
from rlattack.training.config import TrainAdversary, TrainDuelist
from rlattack.training.curves import curves
from rlattack.training.progress import Games, Weak
from rlattack.training.vecenv import DuelVecEnv
from rlattack.training.victim import resumed_seed

__all__ = ["Tell", "Trained", "check_steps", "train_adversary"]

Tell = Callable[[int, int, float | None], None]
"""Called between updates with the seed, the steps done, and the share of the last 500 games that were won."""


@dataclass(frozen=True, kw_only=True)
class Trained:
    """What became of one seed."""

    seed: int
    steps: int
    folder: Path
    """Of its agent."""
    win: float | None = None
    """Share of its last 500 training games that it won."""
    cut: bool = False
    """Whether it was given up for winning too little."""


def check_steps(config: TrainDuelist, runs: Iterable[Path]) -> None:
    """Refuses to compare, or to call shorter, what has learned for longer than is asked.

    Args:
        config: What is asked.
        runs: Folders of learners.

    Raises:
        InvalidInput: One has learned for longer.
        RefusedFile: A damaged checkpoint.
    """
    for run in runs:
        found = load_checkpoint(run)
        if found is not None and found.steps >= config.steps + config.batch:
            raise InvalidInput(
                f"--steps {config.steps}: {run} has learned from {found.steps} already; ask for at least that many, "
                f"or choose another --run"
            )


def train_adversary(
    config: TrainDuelist, seed: int, card: GameCard, env: EmbeddedVectorEnv, run: Path, tell: Tell, *,
    init: GaussianNetwork | None = None, coach: Coach | None = None, until: int | None = None,
) -> Trained:  # fmt: skip
    """Trains one seed until `config.steps`, or until it is cut, from its checkpoint where there is one.

    Args:
        config: What to train.
        seed: Of weights, games and exploration.
        card: The game.
        env: The game with the opponent in it; stays open.
        run: Folder of this seed: checkpoints, TensorBoard events, and its `agent`.
        tell: See `Tell`.
        init: See `make_adversary`.
        coach: Who chooses opponents and rewards while it learns.
        until: Steps to stop at, of `config.steps`.

    Raises:
        InvalidInput: A game that cannot be learned from.
        RefusedFile: A checkpoint that is damaged, or not of this configuration.
        Unwritable: A checkpoint cannot be written.
        KeyboardInterrupt: Ctrl-C, after a checkpoint was written.
    """
    found = load_checkpoint(run)
    done = 0 if found is None else found.steps
    learner = make_adversary(config, DuelVecEnv(env), resumed_seed(seed, done), init)
    if found is not None:
        found.restore(learner.policy, str(run / FILE))
        found.restore_statistics(normaliser(learner), str(run / FILE))
        learner.num_timesteps = done
    kept, until = _kept(run), until or config.steps
    given_up = bool(kept.get("cut")) and _cut(config) is not None
    if done >= until or given_up:  # finished before
        save_agent(run / "agent", *export_adversary(learner, config, seed, card))
        return Trained(seed=seed, steps=done, folder=run / "agent", win=kept.get("win"), cut=given_up)
    return _learn(learner, config, seed, card, run, tell, coach, until)


def _learn(
    learner: OnPolicyAlgorithm, config: TrainDuelist, seed: int, card: GameCard, run: Path, tell: Tell,
    coach: Coach | None, until: int,
) -> Trained:  # fmt: skip
    cut = False

    def save() -> None:
        save_checkpoint(run, Checkpoint.of(learner.policy, learner.num_timesteps, normaliser(learner)))
        save_agent(run / "agent", *export_adversary(learner, config, seed, card))
        kept = {"steps": learner.num_timesteps, "win": games.rate(1), "cut": cut}
        write_whole(run / "progress.json", json.dumps(kept).encode())

    def say(steps: int) -> None:
        tell(seed, steps, games.rate(1))

    games = Games(config.steps, config.checkpoint_every, save, say, _cut(config), name=config.role)
    callbacks: list[BaseCallback] = [games]
    if coach is not None:
        coach.prepare(learner)
        callbacks.insert(0, coach)  # so that a checkpoint comes after the snapshot of its steps
    with curves(learner, run), games.stoppable():
        try:
            learner.learn(
                until - learner.num_timesteps,
                callback=callbacks,
                log_interval=None,  # type: ignore[arg-type]  # PPO takes it: `games` writes the curves
                reset_num_timesteps=False,
            )
        except Weak:
            cut = True
        games.dump()
        save()
        say(learner.num_timesteps)
    return Trained(seed=seed, steps=learner.num_timesteps, folder=run / "agent", win=games.rate(1), cut=cut)


def _cut(config: TrainDuelist) -> tuple[int, float] | None:
    return config.cut if isinstance(config, TrainAdversary) else None


def _kept(run: Path) -> dict[str, Any]:
    """What was written beside the checkpoint."""
    try:
        kept = json.loads((run / "progress.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(kept, dict) or not isinstance(kept.get("win"), float | None):
        return {}
    return kept
