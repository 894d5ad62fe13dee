import numpy as np
import torch
from gymnasium.spaces import Box, Discrete

from rlattack.games.game import PLAYER, Seat
from rlattack.policies import load_agent
from rlattack.policies.channels import ChannelsLast, turned


def test_a_zip_trained_on_pictures_with_channels_last_plays_them(make_model, make_screen, saved):
    """Stable-Baselines3 turns them before its network sees them."""
    model = make_model("ppo", "cnn", make_screen((84, 80, 3)), features_extractor_kwargs={"features_dim": 8})
    seat = Seat(PLAYER, Box(0, 255, (84, 80, 3), np.uint8), Discrete(6))
    policy = load_agent(str(saved(model)), seat).policy
    obs = np.random.default_rng(0).integers(0, 256, (5, 84, 80, 3), dtype=np.uint8)
    out = policy(torch.from_numpy(obs).float())
    assert policy.observation == (84, 80, 3)
    assert out.actions.greedy.tolist() == model.predict(obs, deterministic=True)[0].tolist()
    grad, _ = policy.gradient(torch.from_numpy(obs).float(), lambda out: out.actions.scores[:, 0].sum())
    assert grad.shape == (5, 84, 80, 3)
    assert policy.value(torch.from_numpy(obs).float()).equal(out.values)
    assert (policy.acts, policy.normaliser, policy.initial_state(5)) == (None, None, None)


def test_only_channels_that_stand_elsewhere_are_turned(make_model, make_screen, saved):
    model = make_model("dqn", "cnn", make_screen((4, 84, 84)), features_extractor_kwargs={"features_dim": 8})
    policy = load_agent(str(saved(model))).policy

    def at(*shape):
        return turned(policy, Seat(PLAYER, Box(0, 255, shape, np.uint8), Discrete(6)), "mine")

    assert at(4, 84, 84) is policy
    assert at(84, 84, 3) is policy
    last = at(84, 84, 4)
    assert isinstance(last, ChannelsLast)
    assert last.acts == "greedy"
