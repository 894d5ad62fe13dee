"""`AttackObservation` for Stable-Baselines3's `VecEnv`."""

from typing import Any

import numpy as np
from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper
from stable_baselines3.common.vec_env.base_vec_env import VecEnvStepReturn

from rlattack.attacks.attacker import Attacker
from rlattack.attacks.inject import Injector


class AttackedVecEnv(VecEnvWrapper):
    """An SB3 vector environment under attack; made by `AttackObservation`."""

    def __init__(self, venv: VecEnv, attacker: Attacker, seed: int = 0) -> None:
        self._injector = Injector(attacker, venv, venv.num_envs, seed)
        super().__init__(venv, observation_space=self._injector.space)

    def seed(self, seed: int | None = None) -> Any:  # SB3's own
        """Seeds the environments and the attack for the next `reset`."""
        self._injector.seed(seed)
        return self.venv.seed(seed)

    def reset(self) -> Any:  # an array, or a dictionary of arrays
        """Resets all."""
        self._injector.check_around()
        obs = self.venv.reset()
        self._injector.restart(np.ones(self.num_envs, dtype=np.bool_))
        return self._injector.attack(obs)

    def step_wait(self) -> VecEnvStepReturn:
        """Steps and attacks what is shown, `terminal_observation` included."""
        obs, rewards, dones, infos = self.venv.step_wait()
        finals = {slot: infos[slot]["terminal_observation"] for slot in map(int, np.flatnonzero(dones))}
        if finals:
            for slot, final in self._injector.attack_ended(finals, obs).items():
                infos[slot] = {**infos[slot], "terminal_observation": final}
            self._injector.restart(dones.astype(np.bool_))
        return self._injector.attack(obs), rewards, dones, infos
