"""Trains a victim over a vector environment, with checkpoints that a killed run goes on from."""

import dataclasses
import importlib.metadata
import platform
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium.vector import VectorEnv
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.preprocessing import is_image_space
from stable_baselines3.common.vec_env import VecMonitor

from rlattack.games.card import GameCard
from rlattack.policies.folder import AgentCard, save_agent
from rlattack.policies.network import Network
from rlattack.policies.sb3_state import Sb3Architecture, convert
from rlattack.training.algorithms import make_learner, strides
from rlattack.training.checkpoint import FILE, Checkpoint, load_checkpoint, save_checkpoint
from rlattack.training.config import TrainVictim
from rlattack.training.curves import curves
from rlattack.training.progress import Progress, Refill
from rlattack.training.vecenv import GymnasiumVecEnv

__all__ = ["export", "resumed_seed", "train_victim", "versions"]

_ENGINES = {"atari": "ale-py", "mujoco": "mujoco", "pettingzoo": "pettingzoo"}
"""Packages that play a family's games."""


def train_victim(
    config: TrainVictim, card: GameCard, env: VectorEnv[Any, Any, Any], run: Path, tell: Callable[[int], None]
) -> tuple[AgentCard, Network]:
    """Trains until `config.steps`, from the run's checkpoint where there is one; the caller saves the agent.

    Args:
        config: What to train.
        card: The game.
        env: The game for training, SAME_STEP autoreset; closed at the end.
        run: Folder for checkpoints and TensorBoard events; exists.
        tell: Called with the steps done, between updates.

    Raises:
        InvalidInput: A game that cannot be learned from.
        RefusedFile: A checkpoint that is damaged, or not of this configuration.
        Unwritable: A checkpoint cannot be written.
        KeyboardInterrupt: Ctrl-C, after a checkpoint was written.
    """
    with closing(env):
        found = load_checkpoint(run)
        done = 0 if found is None else found.steps
        learner = make_learner(config, VecMonitor(GymnasiumVecEnv(env)), resumed_seed(config.seed, done))
        if found is not None:
            found.restore(learner.policy, str(run / FILE))
            learner.num_timesteps = done
        if done < config.steps:
            _learn(learner, config, card, run, tell)
        return export(learner, config, card)


def _learn(learner: BaseAlgorithm, config: TrainVictim, card: GameCard, run: Path, tell: Callable[[int], None]) -> None:
    def save() -> None:
        save_checkpoint(run, Checkpoint.of(learner.policy, learner.num_timesteps))
        save_agent(run / "agent", *export(learner, config, card))

    done = learner.num_timesteps
    progress = Progress(config.steps, config.checkpoint_every, save, tell)
    callbacks: list[BaseCallback] = [progress]
    if done and isinstance(learner, OffPolicyAlgorithm):
        callbacks.append(Refill(learner.learning_starts))
    with curves(learner, run), progress.stoppable():
        # SB3 adds the steps done when it does not start over, so schedules see the whole run
        learner.learn(
            config.steps - done,
            callback=callbacks,
            log_interval=None,  # type: ignore[arg-type]  # the learners take it: `progress` writes the curves
            reset_num_timesteps=False,
        )
        progress.dump()
        save()
        tell(learner.num_timesteps)


def resumed_seed(seed: int, done: int) -> int:
    """A resumed run plays other games than it began with: its seed comes from the first one and the steps done."""
    return seed if done == 0 else int(np.random.SeedSequence((seed, done)).generate_state(1)[0] // 4)


def export(learner: BaseAlgorithm, config: TrainVictim, card: GameCard) -> tuple[AgentCard, Network]:
    """Returns the learner's policy as an agent of ours."""
    space = learner.observation_space
    assert space.shape is not None
    arch = Sb3Architecture(
        observation=space.shape,
        scale=255.0 if is_image_space(space) else 1.0,  # where SB3 divides
        strides=strides(config),
        activation="tanh" if config.algorithm in ("ppo", "a2c") else "relu",  # of the heads, as SB3 has them
        quantiles=getattr(learner.policy, "n_quantiles", 1),
    )
    spec, state = convert({name: t.detach().cpu() for name, t in learner.policy.state_dict().items()}, arch)
    network = Network(spec)
    network.load_state_dict(state)
    options = {
        f.name: value for f in dataclasses.fields(card.atari) if (value := getattr(card.atari, f.name)) != f.default
    }
    agent = AgentCard(
        game=card.id, role="victim", algorithm=config.algorithm, network=spec, options=options,
        provenance={
            "steps": learner.num_timesteps, "seed": config.seed, "sticky": card.protocol.sticky,
            "versions": versions(card),
        },
    )  # fmt: skip
    return agent, network


def versions(card: GameCard) -> dict[str, str]:
    """Versions of everything that a training on that game depends on."""
    found = {"python": platform.python_version()}
    for name in (
        "rlattack",
        "torch",
        "numpy",
        "gymnasium",
        "stable-baselines3",
        "sb3-contrib",
        _ENGINES.get(card.family),
    ):
        if name is not None:
            found[name] = importlib.metadata.version(name)
    return found
