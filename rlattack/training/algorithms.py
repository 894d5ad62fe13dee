"""The learners: Stable-Baselines3's PPO, A2C and DQN and sb3-contrib's QRDQN with the settings published for them."""

import math
from pathlib import Path
from typing import Any

from gymnasium.spaces import Box
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.preprocessing import is_image_space, is_image_space_channels_first
from stable_baselines3.common.sb2_compat.rmsprop_tf_like import RMSpropTFLike
from stable_baselines3.common.utils import LinearSchedule
from stable_baselines3.common.vec_env import VecEnv

from rlattack.errors import InvalidInput
from rlattack.policies.network import NATURE, SMALL
from rlattack.training.extractor import ConvolutionalExtractor
from rlattack.training.recipes import TrainSingle

_TRUNKS: dict[str, dict[str, Any]] = {
    "small": {"convolutions": SMALL, "hidden": (256,)},
    "nature": {"convolutions": NATURE, "hidden": (512,)},
}
_LINEAR = ("learning_rate", "clip_range")
"""Settings that fall to 0 over the whole run, but for DQN and QRDQN on images, whose learning rate was published so."""

# rl-baselines3-zoo for Atari, after Schulman et al. 2017 (table 5), Mnih et al. 2016, Mnih et al. 2015 and Dabney et
# al. 2018, with a tenth of Mnih's replay: 2.8 GB. `every` and `updates` are ours: DQN learns `updates` times every
# `every` agent steps, however many copies are played.
_IMAGES: dict[str, dict[str, Any]] = {
    "ppo": {
        "n_steps": 128, "minibatches": 4, "n_epochs": 4, "learning_rate": 2.5e-4, "clip_range": 0.1, "ent_coef": 0.01,
        "vf_coef": 0.5,
    },
    "a2c": {"n_steps": 5, "learning_rate": 7e-4, "ent_coef": 0.01, "vf_coef": 0.25},
    "dqn": {
        "every": 4, "updates": 1, "batch_size": 32, "learning_rate": 1e-4, "buffer_size": 100_000,
        "learning_starts": 50_000, "target_update_interval": 1000, "exploration_fraction": 0.1,
        "exploration_final_eps": 0.01,
    },
    "qrdqn": {
        "every": 4, "updates": 1, "batch_size": 32, "learning_rate": 5e-5, "buffer_size": 100_000,
        "learning_starts": 50_000, "target_update_interval": 10_000, "exploration_fraction": 0.025,
        "exploration_final_eps": 0.01,
    },
}  # fmt: skip
_PACKED = {"optimize_memory_usage": True, "replay_buffer_kwargs": {"handle_timeout_termination": False}}
"""Every frame once in the replay, half the memory. SB3 can then not tell a game that was cut off (after half an hour of
play, in Atari) from one that was lost."""

# For CartPole, each under a minute with 100,000 steps: rl-baselines3-zoo's for PPO. Of its others, A2C's need five
# times the steps, and with DQN's 8 copies forgot what they had learned; so A2C starts three times as fast, and the
# value learners half as fast, with half the updates and a learning rate that falls. Three seeds of each reached 500.
_VALUES = {
    "every": 256, "updates": 64, "batch_size": 64, "learning_rate": 1e-3, "buffer_size": 100_000,
    "learning_starts": 1000, "target_update_interval": 10, "exploration_fraction": 0.16, "exploration_final_eps": 0.04,
}  # fmt: skip
_VECTORS: dict[str, dict[str, Any]] = {
    "ppo": {
        "n_steps": 32, "minibatches": 1, "n_epochs": 20, "learning_rate": 1e-3, "clip_range": 0.2, "gamma": 0.98,
        "gae_lambda": 0.8,
    },
    "a2c": {"n_steps": 5, "learning_rate": 2e-3},
    "dqn": _VALUES,
    "qrdqn": _VALUES,
}  # fmt: skip


def make_learner(recipe: TrainSingle, env: VecEnv, seed: int) -> BaseAlgorithm:
    """Builds the learner: a convolutional trunk for observations of three axes, two hidden layers for others.

    Args:
        recipe: Algorithm, size of the network, length of the run.
        env: The game; discrete actions.
        seed: Of weights, games and exploration.

    Raises:
        InvalidInput: Images with their channels last, or a replay that this machine's memory does not hold.
        ContentError: Images too small for the convolutions.
    """
    from sb3_contrib import QRDQN
    from stable_baselines3 import A2C, DQN, PPO

    kind: Any = {"ppo": PPO, "a2c": A2C, "dqn": DQN, "qrdqn": QRDQN}[recipe.algo]
    space = env.observation_space
    assert isinstance(space, Box)
    if is_image_space(space) and not is_image_space_channels_first(space):
        raise InvalidInput(
            f"game {recipe.game}: observations {space.shape} have their channels last; "
            "expected (channels, height, width)"
        )
    images = len(space.shape) == 3
    settings = _settings(recipe, images)
    if "buffer_size" in settings:
        _check_memory(recipe, space, settings["buffer_size"])
    learner: BaseAlgorithm = kind(
        "CnnPolicy" if images else "MlpPolicy", env, seed=seed, policy_kwargs=_network(recipe, images),
        device="auto" if images else "cpu", **settings,
    )  # fmt: skip
    return learner


def _settings(recipe: TrainSingle, images: bool) -> dict[str, Any]:
    settings = dict((_IMAGES if images else _VECTORS)[recipe.algo])
    values = recipe.algo in ("dqn", "qrdqn")
    if recipe.learning_rate is not None:
        settings["learning_rate"] = recipe.learning_rate
    if not (images and values):
        settings |= {name: LinearSchedule(settings[name], 0.0, 1.0) for name in _LINEAR if name in settings}
    if recipe.algo == "ppo":
        settings["batch_size"] = settings["n_steps"] * recipe.envs // settings.pop("minibatches")
    if values:
        settings |= _rhythm(settings.pop("every"), settings.pop("updates"), recipe.envs)
        settings["target_update_interval"] = max(settings["target_update_interval"], recipe.envs)  # SB3 asks for it
        # a short run learns too: from a twentieth of it on
        settings["learning_starts"] = min(settings["learning_starts"], recipe.steps // 20)
    return settings | _PACKED if images and values else settings


def _rhythm(every: int, updates: int, envs: int) -> dict[str, int]:
    """SB3 counts `train_freq` in steps of all copies, and `gradient_steps` not at all: keeps updates per agent step.

    The steps between two updates come as near to `every` as they can while the ratio is exact.
    """
    unit = every // math.gcd(every, updates)  # agent steps that belong to a whole number of updates
    unit //= math.gcd(unit, envs)
    frequency = unit * max(1, round(every / (unit * envs)))
    return {"train_freq": frequency, "gradient_steps": frequency * envs * updates // every}


def _network(recipe: TrainSingle, images: bool) -> dict[str, Any]:
    if images:
        found = {
            # What SB3 gives a CnnPolicy whose extractor is not its own NatureCNN, and what the first shipped agent was
            # trained with; the published network has no layers between trunk and outputs, as for the other three.
            "net_arch": {"pi": [64, 64], "vf": [64, 64]} if recipe.algo == "ppo" else [],
            "features_extractor_class": ConvolutionalExtractor,
            "features_extractor_kwargs": _TRUNKS[recipe.network],
        }
        # the optimiser of the original A2C, with epsilon under the root; torch's own is less stable
        rmsprop = {"optimizer_class": RMSpropTFLike, "optimizer_kwargs": {"eps": 1e-5}}
        return found | (rmsprop if recipe.algo == "a2c" else {})
    if recipe.algo in ("ppo", "a2c"):
        return {"net_arch": [64, 64]}
    return {"net_arch": [256, 256]} | ({"n_quantiles": 10} if recipe.algo == "qrdqn" else {})


def _check_memory(recipe: TrainSingle, space: Box, capacity: int) -> None:
    """Refuses a replay that would end the process hours later, when it is full (numpy takes memory as it is filled)."""
    needed = min(capacity, recipe.steps) * math.prod(space.shape) * space.dtype.itemsize
    available = _available_memory()
    if available is not None and needed > available:
        raise InvalidInput(
            f"--algo {recipe.algo}: its replay takes {needed / 1e9:.1f} GB, {available / 1e9:.1f} GB are free; "
            "free some, or choose --algo ppo"
        )


def _available_memory(path: Path = Path("/proc/meminfo")) -> int | None:
    """Bytes that can be taken without swapping; None where the system does not say."""
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except OSError:  # not Linux
        return None
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")), None)
