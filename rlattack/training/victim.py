"""Trains a victim on Stable-Baselines3 over the C++ vector environment, with checkpoints that a killed run goes on from."""

import dataclasses
import platform
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from gymnasium.vector import VectorEnv
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import configure
from stable_baselines3.common.vec_env import VecMonitor

from rlattack.errors import InvalidInput
from rlattack.games.card import GameCard
from rlattack.policies.folder import AgentCard, save_agent
from rlattack.policies.network import Network
from rlattack.policies.sb3_state import Sb3Architecture, convert
from rlattack.training.algorithms import Algorithm, NetworkSize, make_learner
from rlattack.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from rlattack.training.vecenv import GymnasiumVecEnv

__all__ = ["TrainVictim", "train_victim"]


@dataclass(frozen=True, kw_only=True)
class TrainVictim:
    """The configuration of one training run."""

    game: str
    algorithm: Algorithm = "ppo"
    steps: int = 10_000_000
    """Agent steps to learn from."""
    envs: int = 8
    """Copies of the game that are played at once."""
    network: NetworkSize = "nature"
    learning_rate: float | None = None
    """At the start, falling linearly to 0 (PPO, A2C) or constant; None for the published one."""
    seed: int = 0
    sticky: float | None = None
    """Probability that the emulator repeats the last action; the card's by default."""
    checkpoint_every: int = 100_000
    """Agent steps between checkpoints."""

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            InvalidInput: A count below 1.
        """
        for name in ("steps", "envs", "checkpoint_every"):
            if getattr(self, name) < 1:
                raise InvalidInput(f"--{name.replace('_', '-')}: expected at least 1, got {getattr(self, name)}")


class _Progress(BaseCallback):
    """Writes a checkpoint every so many steps, and once more at the end; tells how far the run is."""

    def __init__(self, every: int, save: Callable[[], None], tell: Callable[[int], None]) -> None:
        super().__init__()
        self._every, self._save, self._tell = every, save, tell
        self._next = 0

    def _on_training_start(self) -> None:
        self._next = self.num_timesteps + self._every

    def _on_rollout_start(self) -> None:  # between updates: weights and optimiser belong together
        self._tell(self.num_timesteps)
        if self.num_timesteps >= self._next:
            self._save()
            self._next = self.num_timesteps + self._every

    def _on_step(self) -> bool:
        return True


def train_victim(
    config: TrainVictim, card: GameCard, env: VectorEnv[Any, Any, Any], run: Path, tell: Callable[[int], None]
) -> tuple[AgentCard, Network]:
    """Trains until `config.steps`, from the run's checkpoint where there is one; the caller saves the agent.

    Args:
        config: What to train.
        card: The game.
        env: The game for training, SAME_STEP autoreset, one thread.
        run: Folder for checkpoints and TensorBoard events; exists.
        tell: Called with the steps done, about once a second.
    """
    vec = VecMonitor(GymnasiumVecEnv(env))
    vec.seed(config.seed)
    learner = make_learner(config.algorithm, vec, config.network, config.seed, config.learning_rate)
    learner.set_logger(configure(str(run), ["tensorboard"]))
    if (found := load_checkpoint(run)) is not None:
        learner.policy.load_state_dict(found.policy)
        learner.policy.optimizer.load_state_dict(found.optimizer)
        learner.num_timesteps = found.steps

    def save() -> None:
        save_checkpoint(
            run,
            Checkpoint(
                steps=learner.num_timesteps,
                policy=dict(learner.policy.state_dict()),
                optimizer=learner.policy.optimizer.state_dict(),
            ),
        )
        save_agent(run / "agent", *export(learner, config, card))

    remaining = config.steps - learner.num_timesteps
    if remaining > 0:
        # SB3 adds the steps done to the total when it does not start over, so schedules see the whole run
        learner.learn(
            remaining,
            callback=_Progress(config.checkpoint_every, save, tell),
            log_interval=10,
            reset_num_timesteps=False,
        )
        save()
    vec.close()
    return export(learner, config, card)


def export(learner: BaseAlgorithm, config: TrainVictim, card: GameCard) -> tuple[AgentCard, Network]:
    """Returns the learner's policy as an agent of ours."""
    space = learner.observation_space
    assert space.shape is not None
    images = len(space.shape) == 3
    arch = Sb3Architecture(
        observation=space.shape,
        scale=255.0 if images else 1.0,
        activation="tanh" if config.algorithm in ("ppo", "a2c") else "relu",  # of the heads, as SB3 has them,
        quantiles=getattr(learner.policy, "n_quantiles", 1),
    )
    spec, state = convert({name: t.detach().cpu() for name, t in learner.policy.state_dict().items()}, arch)
    network = Network(spec)
    network.load_state_dict(state)
    changed = {
        f.name: value for f in dataclasses.fields(card.atari) if (value := getattr(card.atari, f.name)) != f.default
    }
    agent = AgentCard(
        game=card.id, role="victim", algorithm=config.algorithm, network=spec, options=changed,
        provenance={
            "steps": learner.num_timesteps, "seed": config.seed, "sticky": card.protocol.sticky,
            "versions": {"torch": torch.__version__, "python": platform.python_version()},
        },
    )  # fmt: skip
    return agent, network
