"""A game for one who learns as a single environment of Gymnasium."""

import warnings

import numpy as np
import pytest
from gymnasium.spaces import Discrete
from gymnasium.utils.env_checker import check_env
from stable_baselines3.common.env_checker import check_env as check_env_of_sb3

from rlattack.games import EmbedOpponent
from rlattack.games.solo import SoloEnv
from tests.kit.by_hand import Pusher, Remembering
from tests.kit.games import Count, Tug


@pytest.mark.parametrize("game", [Tug, Count])
def test_the_single_environment_passes_the_checkers(game):
    opponent = Pusher(None) if game is Tug else Remembering()
    env = SoloEnv(EmbedOpponent(game(1), 0, opponent))
    if game is Count:
        env.action_space = Discrete(1)  # the checkers do not look at masks; one is always legal
    with warnings.catch_warnings(action="ignore"):  # of what is advice
        check_env(env, skip_render_check=True)
        check_env_of_sb3(env, warn=False)
    env.close()


def test_the_single_environment_ends_as_the_vector_one_does():
    env = SoloEnv(EmbedOpponent(Tug(1, length=2), 0, Pusher(0.5)))
    obs, info = env.reset(seed=0)
    assert (obs.tolist(), info) == ([0, 0, 0], {})
    env.step(np.ones(1, dtype=np.float32))
    obs, reward, terminated, truncated, info = env.step(np.ones(1, dtype=np.float32))
    assert (obs.tolist(), reward, terminated, truncated) == ([2, 2, 1], 10.0, True, False)
    assert info == {"outcome": 1, "ending": "over"}


def test_the_single_environment_shows_legal_actions():
    env = SoloEnv(EmbedOpponent(Count(1, heap=2), 0, Remembering()))
    _, info = env.reset(seed=0)
    assert info["action_mask"].tolist() in ([1, 1, 0], [1, 0, 0])
    assert env.action_masks().tolist() == info["action_mask"].tolist()
