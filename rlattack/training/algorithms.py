"""The learners: those of Stable-Baselines3 and sb3-contrib with the settings published for them."""

import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium import Space
from gymnasium.spaces import Box, Discrete
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.noise import NormalActionNoise
from stable_baselines3.common.preprocessing import is_image_space, is_image_space_channels_first
from stable_baselines3.common.sb2_compat.rmsprop_tf_like import RMSpropTFLike
from stable_baselines3.common.utils import LinearSchedule
from stable_baselines3.common.vec_env import VecEnv, VecNormalize

from rlattack.errors import InvalidInput
from rlattack.policies.network import NATURE, SMALL, TINY
from rlattack.training.extractor import ConvolutionalExtractor
from rlattack.training.recipes import TrainSingle
from rlattack.training.settings import CONTROL, IMAGES, PACKED, TASKS, VECTORS

TRUNKS: dict[str, dict[str, Any]] = {
    "small": {"convolutions": SMALL, "hidden": (256,)},
    "nature": {"convolutions": NATURE, "hidden": (512,)},
    "tiny": {"convolutions": TINY, "hidden": (128,)},
}
"""Trunks by the size of a network of pictures."""
SMALL_TRUNK = {"features_extractor_class": ConvolutionalExtractor, "features_extractor_kwargs": TRUNKS["small"]}
"""What turns pictures into features, as Stable-Baselines3 takes it."""
_LINEAR = ("learning_rate", "clip_range")
"""Settings that fall to 0 over the whole run where actions are discrete, but for DQN and QRDQN on images, whose
learning rate was published so. Where they are continuous, only PPO's learning rate falls."""
_DISCRETE, _CONTINUOUS = tuple(VECTORS), tuple(CONTROL)
"""Algorithms that choose from some actions, and those that give numbers."""


def make_learner(
    recipe: TrainSingle, env: VecEnv, seed: int, *, kind: type[Any] | None = None,
    policy_kwargs: dict[str, Any] | None = None,
) -> BaseAlgorithm:  # fmt: skip
    """Builds the learner: a convolutional trunk for observations of three axes, hidden layers for others.

    PPO of continuous actions learns from normalised observations and rewards, as its settings were published.

    Args:
        recipe: Algorithm, size of the network, length of the run.
        env: The game.
        seed: Of weights, games and exploration.
        kind: A class of that algorithm, in place of the one of Stable-Baselines3 or sb3-contrib.
        policy_kwargs: Of its network, in place of those of the recipe.

    Raises:
        InvalidInput: An algorithm that does not fit the actions, observations that it cannot learn from (several, or
            images with their channels last), or a replay that this machine's memory does not hold.
        ContentError: Images too small for the convolutions.
    """
    import sb3_contrib
    import stable_baselines3

    continuous = _check_spaces(recipe, env.observation_space, env.action_space)
    space = env.observation_space
    assert isinstance(space, Box)
    images = len(space.shape) == 3
    settings = _control(recipe, env.action_space) if continuous else _settings(recipe, images)
    if "buffer_size" in settings:
        _check_memory(recipe, space, settings["buffer_size"])
    if continuous and recipe.algo == "ppo":
        env = VecNormalize(env, gamma=settings["gamma"])
    name = recipe.algo.upper()
    kind = kind or getattr(stable_baselines3, name, None) or getattr(sb3_contrib, name)
    if not continuous or policy_kwargs is not None:
        settings["policy_kwargs"] = policy_kwargs or _network(recipe, images)
    learner: BaseAlgorithm = build(
        kind, "CnnPolicy" if images else "MlpPolicy", env, seed=seed, device=recipe.device, **settings
    )
    return learner


def build(kind: Any, *given: Any, **settings: Any) -> Any:
    """Makes a learner on the device that was asked for, whatever Stable-Baselines3 would advise."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "You are trying to run .* on the GPU")
        return kind(*given, **settings)


def _check_spaces(recipe: TrainSingle, seen: Space[Any], taken: Space[Any]) -> bool:
    """Refuses what cannot be learned; returns whether actions are continuous."""
    continuous, where = isinstance(taken, Box), f"game {recipe.game}"
    if not isinstance(taken, Discrete) and (not isinstance(taken, Box) or len(taken.shape) != 1):
        raise InvalidInput(f"{where}: expected actions to choose from, or a vector, to learn; got {taken}")
    fitting = _CONTINUOUS if continuous else _DISCRETE
    if recipe.algo not in fitting:
        kind = "continuous" if continuous else "discrete"
        raise InvalidInput(f"--algo {recipe.algo}: {recipe.game} has {kind} actions; choose {' or '.join(fitting)}")
    if not isinstance(seen, Box) or (continuous and len(seen.shape) != 1):
        raise InvalidInput(f"{where}: expected {'a vector' if continuous else 'one array'} to see, got {seen}")
    if is_image_space(seen) and not is_image_space_channels_first(seen):
        raise InvalidInput(
            f"{where}: observations {seen.shape} have their channels last; expected (channels, height, width)"
        )
    if isinstance(taken, Box) and recipe.algo != "ppo" and not taken.is_bounded():
        raise InvalidInput(f"--algo {recipe.algo}: needs actions with bounds, {recipe.game} has {taken}; choose ppo")
    return continuous


def _control(recipe: TrainSingle, taken: Space[Any]) -> dict[str, Any]:
    """Settings for continuous actions."""
    settings = CONTROL[recipe.algo] | TASKS.get((recipe.algo, recipe.game), {})
    if recipe.learning_rate is not None:
        settings["learning_rate"] = recipe.learning_rate
    if recipe.algo == "ppo":
        batch, parts = settings.pop("batch"), settings.pop("minibatches")
        steps = parts * max(1, round(batch / (recipe.envs * parts)))  # so that a batch is a whole number of parts
        rate = LinearSchedule(settings["learning_rate"], 0.0, 1.0)
        return settings | {"n_steps": steps, "batch_size": steps * recipe.envs // parts, "learning_rate": rate}
    if (size := settings.pop("exploration", None)) is not None:
        settings["action_noise"] = NormalActionNoise(np.zeros(taken.shape or ()), np.full(taken.shape or (), size))
    return settings | _replay(settings, recipe)


def _settings(recipe: TrainSingle, images: bool) -> dict[str, Any]:
    settings = dict((IMAGES if images else VECTORS)[recipe.algo])
    values = recipe.algo in ("dqn", "qrdqn")
    if recipe.learning_rate is not None:
        settings["learning_rate"] = recipe.learning_rate
    if not (images and values):
        settings |= {name: LinearSchedule(settings[name], 0.0, 1.0) for name in _LINEAR if name in settings}
    if recipe.algo == "ppo":
        settings["batch_size"] = settings["n_steps"] * recipe.envs // settings.pop("minibatches")
    if values:
        settings |= _replay(settings, recipe)
        settings["target_update_interval"] = max(settings["target_update_interval"], recipe.envs)  # SB3 asks for it
    return settings | PACKED if images and values else settings


def _replay(settings: dict[str, Any], recipe: TrainSingle) -> dict[str, Any]:
    """When a learner with a replay learns; a short run learns too: from a twentieth of it on."""
    rhythm = _rhythm(settings.pop("every"), settings.pop("updates"), recipe.envs)
    return rhythm | {"learning_starts": min(settings["learning_starts"], recipe.steps // 20)}


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
            "net_arch": {"pi": [64, 64], "vf": [64, 64]} if recipe.algo == "ppo" and recipe.network != "tiny" else [],
            "features_extractor_class": ConvolutionalExtractor,
            "features_extractor_kwargs": TRUNKS[recipe.network],
        }
        # the optimiser of the original A2C, with epsilon under the root; torch's own is less stable
        rmsprop = {"optimizer_class": RMSpropTFLike, "optimizer_kwargs": {"eps": 1e-5}}
        return found | (rmsprop if recipe.algo == "a2c" else {})
    if recipe.algo in ("ppo", "a2c"):
        return {"net_arch": [64, 64]}
    return {"net_arch": [256, 256]} | ({"n_quantiles": 10} if recipe.algo == "qrdqn" else {})


def _check_memory(recipe: TrainSingle, space: Box, capacity: int) -> None:
    """Refuses a replay that would end the process hours later, when it is full (numpy takes memory as it is filled)."""
    each = math.prod(space.shape) * space.dtype.itemsize * (1 if len(space.shape) == 3 else 2)  # only images are packed
    needed = min(capacity, recipe.steps) * each
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
