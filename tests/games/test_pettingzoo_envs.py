import warnings
from typing import ClassVar

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete
from gymnasium.utils.env_checker import check_env

from rlattack.errors import InvalidInput
from rlattack.games import EmbedOpponent
from rlattack.games.pettingzoo_envs import ParallelGame
from rlattack.policies.distributions import Categorical
from tests.kit.by_hand import Pusher

pettingzoo = pytest.importorskip("pettingzoo")


class Race(pettingzoo.ParallelEnv):
    """Both step at once; the sum of what an agent did is shown and paid; over after three steps, or cut."""

    metadata: ClassVar = {"name": "race"}

    def __init__(self, names=("a", "b"), *, cut=False, says=False, discrete=False):
        self.possible_agents, self.agents = list(names), []
        self._cut, self._says, self._discrete = cut, says, discrete

    def observation_space(self, agent):
        return Box(-100, 100, (2,), np.float32)

    def action_space(self, agent):
        return Discrete(3) if self._discrete else Box(-1, 1, (1,), np.float32)

    def reset(self, seed=None, options=None):
        self.agents, self._step = self.possible_agents[:], 0
        self._at = dict.fromkeys(self.agents, float(seed or 0) % 7)
        return self._obs(), {agent: {} for agent in self.agents}

    def step(self, actions):
        self._step += 1
        for agent, action in actions.items():
            self._at[agent] += float(action) if self._discrete else float(action[0])
        agents, over = self.agents, self._step == 3
        rewards = {agent: float(np.ravel(actions[agent])[0]) for agent in agents}
        infos = {agent: {"reward_remaining": 5.0, **({"winner": True} if agent == "b" else {})} for agent in agents}
        ended = dict.fromkeys(agents, over and not self._cut), dict.fromkeys(agents, over and self._cut)
        self.agents = [] if over else agents
        return self._obs(), rewards, *ended, infos if self._says and over else {agent: {} for agent in agents}

    def _obs(self):
        return {agent: np.asarray([at, self._step], dtype=np.float32) for agent, at in self._at.items()}


def play(env, action=1.0):
    env.reset(seed=1)
    return [env.step(np.full(1, action, dtype=np.float32)) for _ in range(3)]


def test_a_parallel_environment_becomes_a_single_one():
    env = EmbedOpponent(Race(), 0, Pusher(0.5))
    assert isinstance(env, gymnasium.Env)
    *_, (obs, reward, terminated, truncated, info) = play(env)
    assert obs[1] == 3
    assert reward == pytest.approx(0.01)
    assert (terminated, truncated, info) == (True, False, {"outcome": 1, "ending": "end"})
    env.close()


@pytest.mark.parametrize(("action", "outcome"), [(1.0, 1), (0.5, 0), (0.0, -1)])
def test_the_higher_return_wins_where_the_game_does_not_say(action, outcome):
    *_, last = play(EmbedOpponent(Race(cut=True), 1, Pusher(0.5)), action)
    assert last[2:4] == (False, True)
    assert last[4] == {"outcome": outcome, "ending": "time"}


def test_what_the_game_says_of_winner_and_sparse_rewards_counts():
    first, *_, last = play(EmbedOpponent(Race(says=True), 0, Pusher(0.5), sparse=1, dense=0))
    assert first[1] == 1.0
    assert last[1] == 5.0
    assert last[4]["outcome"] == -1


def test_discrete_actions_arrive_as_numbers():
    class One(Pusher):
        acts = "greedy"

        def distributions(self, n):
            return Categorical(torch.tensor([[0.0, 1.0, 0.0]] * n))

    env = EmbedOpponent(Race(discrete=True), 0, One())
    env.reset(seed=0)
    assert env.step(2)[1] == 0.02


def test_gymnasium_accepts_it():
    with warnings.catch_warnings(action="ignore"):
        check_env(EmbedOpponent(Race(), 0, Pusher()), skip_render_check=True)


def test_another_number_of_agents_is_refused():
    with pytest.raises(InvalidInput, match="expected a game of two agents, got 3: a, b, c"):
        ParallelGame(Race("abc"))


def test_a_mujoco_game_as_a_parallel_environment_says_who_won():
    pytest.importorskip("mujoco")
    from rlattack.games.mujoco.parallel import parallel_env

    env = EmbedOpponent(parallel_env("mujoco/you-shall-not-pass"), 0, Pusher(0.0, width=17))
    env.reset(seed=0)
    earned, over = 0.0, False
    while not over:
        _, reward, over, _, info = env.step(np.zeros(17, dtype=np.float32))
        earned += reward
    assert info["outcome"] == 1  # the runner fell
    assert earned in (0.0, 10.0)  # a hundredth of the prize, which a blocker that lies does not get
