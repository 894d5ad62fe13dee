"""Training under noise for a policy that plays smoothed: S-PPO and S-DQN (Sun et al. 2024), after Kumar et al. 2022.

What the learner sees has noise on it while it learns; where it plays, the front `smooth` shows it noised copies, and
lets what it says of them vote. The denoiser of S-DQN is a front of its own, which may stand between both.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from gymnasium.spaces import Box
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.preprocessing import is_image_space
from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper, VecNormalize
from stable_baselines3.common.vec_env.base_vec_env import VecEnvStepReturn

from rlattack.arrays import Array, FloatArray
from rlattack.budget import Unit
from rlattack.defences import FRONTS
from rlattack.errors import InvalidInput
from rlattack.specs import Count, Positive, canonical
from rlattack.training.hardening.attacked import grey_level
from rlattack.training.hardening.regime import Ground, Regime

_PIXEL = 255.0
_SEEN = 0.5
"""Grey levels of noise below which hardly any is left of it in whole bytes."""


@dataclass(frozen=True, kw_only=True)
class SmoothedConfig:
    """Parameters of `smoothed`."""

    sigma: Positive = 0.2
    """Standard deviation of the noise, in units of --space, while it learns and where it plays; of pictures that are
    bytes at least half a grey level."""
    copies: Count = 16
    """Noised copies that it sees in each step where it plays."""


class Smoothed(Regime[SmoothedConfig]):
    """Learns under Gaussian noise, and plays by the vote of noised copies: S-PPO and S-DQN (Sun et al. 2024)."""

    name = "smoothed"
    algorithms: ClassVar[tuple[str, ...]] = ("ppo", "dqn")
    reaches: ClassVar[tuple[str, ...]] = ("linf", "l2", "l1")
    sized: ClassVar[bool] = False
    config_type: ClassVar[type[Any]] = SmoothedConfig

    def check(self, ground: Ground) -> None:
        """Refuses noise that learning would not see, and what the front cannot stand before, too."""
        super().check(ground)
        level, sigma = grey_level(ground.seat, ground.recipe.space), self.config.sigma
        if level is not None and sigma < _SEEN * level:
            raise InvalidInput(
                f"defence smoothed: sigma: what is seen is kept as bytes, so expected at least half a grey level, "
                f"{_SEEN * level:.4g}, got {sigma:g}"
            )
        for front in self.fronts(ground):
            canonical("defence", FRONTS, front)

    def kinds(self, ground: Ground) -> Sequence[str]:
        """Noise, which is no attack: those of its norm are as unforeseen as any."""
        return ("gaussian",)

    def harden(self, model: BaseAlgorithm, ground: Ground) -> None:
        """Puts noise on what the learner sees, after all that is done to it."""
        super().harden(model, ground)
        assert model.env is not None
        model.env = Noised(model.env, self.config.sigma, ground.recipe.space, model.seed or 0)

    def fronts(self, ground: Ground) -> Sequence[str]:
        """The median of actions that are numbers, the mean of what is said of those to choose from."""
        vote = "median" if ground.kind == "continuous" else "mean"
        space, config = ground.recipe.space, self.config
        return (f"smooth:sigma={config.sigma:g},copies={config.copies},vote={vote},space={space}",)


class Noised(VecEnvWrapper):
    """A game that is seen with noise: of the numbers that a network takes, within their range.

    Args:
        venv: The game as the learner sees it, normalised where it normalises.
        sigma: Standard deviation of the noise.
        space: Its unit.
        seed: Of the noise.
    """

    def __init__(self, venv: VecEnv, sigma: float, space: Unit, seed: int) -> None:
        super().__init__(venv)
        self._sigma, self._space = sigma, space
        self._rng = np.random.default_rng((seed, 1))

    def reset(self) -> Any:  # an array
        """Starts all games."""
        return self._noised(self.venv.reset())

    def step_wait(self) -> VecEnvStepReturn:
        """Steps the games; the last observation of an episode, of which the value alone is asked, has no noise."""
        obs, rewards, dones, infos = self.venv.step_wait()
        return self._noised(obs), rewards, dones, infos

    def _noised(self, obs: Any) -> Array:
        assert isinstance(obs, np.ndarray)
        noise = self._rng.standard_normal(obs.shape, dtype=np.float32)
        low, high = self._ends
        noised = np.clip(obs + self._size * noise, low, high)
        return (np.rint(noised) if obs.dtype == np.uint8 else noised).astype(obs.dtype)

    @property
    def _size(self) -> FloatArray | float:
        """The deviation of the noise in what is seen: bytes, numbers, or numbers as they are normalised."""
        if is_image_space(self.observation_space):
            return self._sigma * (_PIXEL if self._space == "unit" else 1.0)
        normal = self._normal
        if normal is None or self._space == "sigma":
            return self._sigma
        seen: Any = normal.obs_rms
        size: FloatArray = self._sigma / np.sqrt(seen.var + normal.epsilon)
        return size

    @property
    def _ends(self) -> tuple[Any, Any]:
        if (normal := self._normal) is not None:
            return -normal.clip_obs, normal.clip_obs
        assert isinstance(self.observation_space, Box)
        return self.observation_space.low, self.observation_space.high

    @property
    def _normal(self) -> VecNormalize | None:
        normal = self.venv if isinstance(self.venv, VecNormalize) else None
        return normal if normal is not None and normal.norm_obs else None
