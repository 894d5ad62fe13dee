"""The learners: Stable-Baselines3's PPO, A2C, DQN and sb3-contrib's QRDQN with the settings published for them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args

from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.vec_env import VecEnv

from rlattack.policies.network import NATURE, SMALL, Convolution
from rlattack.training.extractor import ConvolutionalExtractor

__all__ = ["ALGORITHMS", "Algorithm", "NetworkSize", "make_learner"]

Algorithm = Literal["ppo", "a2c", "dqn", "qrdqn"]
NetworkSize = Literal["small", "nature"]
ALGORITHMS: tuple[Algorithm, ...] = get_args(Algorithm)


@dataclass(frozen=True)
class _Trunk:
    convolutions: tuple[Convolution, ...]
    hidden: tuple[int, ...]


_TRUNKS = {"small": _Trunk(SMALL, (256,)), "nature": _Trunk(NATURE, (512,))}


def _linear(start: float) -> Callable[[float], float]:
    return lambda remaining: start * remaining


# Settings of rl-baselines3-zoo for Atari (PPO: Schulman et al. 2017, table 5; DQN: Mnih et al. 2015 with a
# smaller replay). Batches are larger than there where that costs no learning.
_ATARI: dict[str, dict[str, Any]] = {
    "ppo": {
        "n_steps": 128, "batch_size": 256, "n_epochs": 4, "learning_rate": _linear(2.5e-4),
        "clip_range": _linear(0.1), "ent_coef": 0.01, "vf_coef": 0.5,
    },
    "a2c": {"n_steps": 5, "learning_rate": _linear(7e-4), "ent_coef": 0.01, "vf_coef": 0.25},
    "dqn": {
        "buffer_size": 100_000, "learning_starts": 50_000, "learning_rate": 1e-4, "batch_size": 32, "train_freq": 4,
        "gradient_steps": 1, "target_update_interval": 1000, "exploration_fraction": 0.1,
        "exploration_final_eps": 0.01, "optimize_memory_usage": True,
        "replay_buffer_kwargs": {"handle_timeout_termination": False},
    },
    "qrdqn": {
        "buffer_size": 100_000, "learning_starts": 50_000, "batch_size": 32, "train_freq": 4,
        "exploration_fraction": 0.025, "exploration_final_eps": 0.01, "optimize_memory_usage": True,
        "replay_buffer_kwargs": {"handle_timeout_termination": False},
    },
}  # fmt: skip


def make_learner(
    algorithm: Algorithm, env: VecEnv, size: NetworkSize, seed: int, learning_rate: float | None = None
) -> BaseAlgorithm:
    """Builds the learner: the convolutional trunk of that size for images, SB3's defaults for vectors."""
    from sb3_contrib import QRDQN
    from stable_baselines3 import A2C, DQN, PPO

    kind: Any = {"ppo": PPO, "a2c": A2C, "dqn": DQN, "qrdqn": QRDQN}[algorithm]
    images = env.observation_space.shape is not None and len(env.observation_space.shape) == 3
    if not images:
        settings = {"n_steps": max(1, 2048 // env.num_envs)} if algorithm == "ppo" else {}
        learner: BaseAlgorithm = kind("MlpPolicy", env, seed=seed, **settings)
        return learner
    settings = dict(_ATARI[algorithm])
    if learning_rate is not None:
        settings["learning_rate"] = _linear(learning_rate) if algorithm in ("ppo", "a2c") else learning_rate
    trunk = _TRUNKS[size]
    kwargs = {
        "features_extractor_class": ConvolutionalExtractor,
        "features_extractor_kwargs": {"convolutions": trunk.convolutions, "hidden": trunk.hidden},
    }
    learner = kind("CnnPolicy", env, seed=seed, policy_kwargs=kwargs, **settings)
    return learner
