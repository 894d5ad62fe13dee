"""`AttackObservation` around Atari, by Gymnasium's preprocessing and by ale-py's vector environment."""

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode
from stable_baselines3.common.env_checker import check_env as check_env_of_sb3

from rlattack import Attacker, AttackObservation, Budget, make_attack
from rlattack.errors import InvalidInput
from tests.attacks.frames import attacker
from tests.kit.agents import random_linear_policy

pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning:stable_baselines3"),
    pytest.mark.filterwarnings("ignore::UserWarning:gymnasium"),
]


class TestAtari:
    """Around ale-py's own environments, plain and in C++."""

    @pytest.fixture(autouse=True)
    def _registered(self):
        gymnasium.register_envs(pytest.importorskip("ale_py"))

    @staticmethod
    def plain():
        from gymnasium.wrappers import AtariPreprocessing, FrameStackObservation

        return FrameStackObservation(AtariPreprocessing(gymnasium.make("ALE/Pong-v5", frameskip=1)), 4)

    @staticmethod
    def vector(mode, envs=2, **options):
        from ale_py.vector_env import AtariVectorEnv

        return AtariVectorEnv("pong", envs, num_threads=1, autoreset_mode=mode, **options)

    @pytest.mark.parametrize("grid", [False, True])
    def test_gymnasium_and_sb3_accept_wrapped_pong(self, grid):
        env = AttackObservation(self.plain(), attacker(self.plain(), space="unit", eps=0.01, grid=grid))
        check_env(env, skip_render_check=True)
        check_env_of_sb3(env, skip_render_check=True)
        assert env.observation_space == Box(0, 255, (4, 84, 84), np.uint8 if grid else np.float32)

    @pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP])
    @pytest.mark.parametrize("model", ["stack", "frame"])
    def test_the_vector_environment_is_attacked_to_the_last(self, mode, model):
        options = {"max_num_frames_per_episode": 120, "noop_max": 1}
        inner, clean = self.vector(mode, **options), self.vector(mode, **options)
        attack = make_attack("noise", Budget(eps=0.01))
        env = AttackObservation(
            inner,
            Attacker(attack, random_linear_policy((4, 84, 84), 6), inner.single_observation_space, 2, model=model),
        )
        bare, attacked = clean.reset(seed=1)[0], env.reset(seed=1)[0]
        ends = 0
        for _ in range(70):
            assert np.abs(attacked - bare)[:, -1].max() == pytest.approx(2.55, abs=1e-4)
            assert attacked.dtype == np.float32
            actions = np.full(2, 2)
            bare, _, terminated, truncated, seen = clean.step(actions)
            attacked, _, _, _, shown = env.step(actions)
            done = terminated | truncated
            if mode == AutoresetMode.SAME_STEP and done.any():
                off = np.abs(np.stack(list(shown["final_obs"])) - np.stack(list(seen["final_obs"])))
                assert off[done][:, -1].max() == pytest.approx(2.55, abs=1e-4)
            ends += int(done.sum())
        assert ends >= 2

    def test_the_mode_is_the_environment_s_own_and_not_what_another_wrote_into_shared_metadata(self):
        inner = self.vector(AutoresetMode.SAME_STEP, max_num_frames_per_episode=40, noop_max=1)
        self.vector(AutoresetMode.NEXT_STEP).close()
        env = AttackObservation(inner, attacker(inner, 2, "noise", space="unit", eps=0.01))
        env.reset(seed=0)
        for _ in range(12):
            _, _, terminated, truncated, info = env.step(np.zeros(2, dtype=np.int64))
            if (terminated | truncated).all():
                break
        assert (terminated | truncated).all()
        assert np.asarray(list(info["final_obs"])).dtype == np.float32

    def test_a_part_of_the_copies_at_once_is_refused(self):
        inner = self.vector(AutoresetMode.NEXT_STEP, 4, batch_size=2)
        with pytest.raises(InvalidInput, match="expected all environments to step at once, got 2 of 4"):
            AttackObservation(inner, attacker(inner, 4, space="unit", eps=0.01))
