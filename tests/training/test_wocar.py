"""The critic of the worst that bounded attacks lead to, and the adversary that an agent learns in turns with."""

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete
from torch import nn

from rlattack.training import TrainDefended
from rlattack.training.defended import Room
from rlattack.training.hardening.actor import Actor
from rlattack.training.hardening.vicinity import Vicinity
from rlattack.training.hardening.wocar import Rollout, WocaRConfig, WorstCritic
from rlattack.training.settings import VECTORS

HALF = Vicinity(torch.tensor([0.5]), torch.tensor([-9.0]), torch.tensor([9.0]))


def linear(weights, log_std=None):
    last = nn.Linear(len(weights[0]), len(weights), bias=False)
    last.weight.data = torch.tensor(weights)
    return Actor((), last, None if log_std is None else torch.tensor(log_std))


def test_the_worst_of_discrete_actions_is_among_those_that_a_change_can_make_the_best():
    actor = linear([[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]])
    critic = WorstCritic(actor, Discrete(3), (2,))
    critic.nets["now"] = linear([[0.0, 0.0], [0.0, 0.0], [0.0, 0.0]]).last
    critic.nets["now"].bias = nn.Parameter(torch.tensor([5.0, 3.0, -9.0]))
    seen = torch.tensor([[2.0, 1.5], [4.0, 1.0]])  # the third is never chosen, the second in the first state alone
    assert critic.worst("now", seen, HALF, 3).tolist() == [3.0, 5.0]


def test_the_worst_of_continuous_actions_is_at_an_end_of_what_can_be_reached():
    actor = linear([[1.0, -1.0]], [0.0])
    critic = WorstCritic(actor, Box(-1, 1, (1,), np.float32), (2,))
    critic.nets["now"] = linear([[0.0, 0.0, 3.0]]).last
    seen = torch.tensor([[2.0, 0.0]])  # the mean is 2, and 1 to 3 can be reached
    assert critic.worst("now", seen, HALF, 5).item() == pytest.approx(3.0, rel=1e-5)
    stakes = critic.stake(torch.tensor([[2.0, 0.0], [9.0, 0.0]]), HALF, 5)
    torch.testing.assert_close(stakes, torch.ones(2))  # alike: 3 are lost in both


def test_the_critic_learns_what_every_step_is_worth_under_the_worst_attack():
    torch.manual_seed(0)
    actor = linear([[1.0, 0.0], [0.0, 1.0]])
    critic = WorstCritic(actor, Discrete(2), (2,))
    seen = torch.tensor([[0.2, 0.0]]).repeat(512, 1)  # either action can be brought about
    action = torch.arange(512) % 2
    rollout = Rollout(seen=seen, ahead=seen, action=action, reward=action.float(), over=torch.zeros(512))
    config = WocaRConfig(gamma=0.5, tau=0.05, critic_passes=20)
    optimizer = torch.optim.Adam(critic.nets["now"].parameters(), 1e-2)
    for _ in range(8):
        critic.learn(rollout, HALF, config, optimizer)
    with torch.no_grad():
        q = critic.nets["now"](seen[:1])[0]
    # the worst action pays nothing, now and always: what is left is what the first one pays
    assert q.tolist() == pytest.approx([0.0, 1.0], abs=0.05)


def test_an_agent_and_its_adversary_learn_in_turns_and_the_agent_sees_what_it_says(tmp_path, monkeypatch):
    monkeypatch.setitem(VECTORS, "ppo", VECTORS["ppo"] | {"n_steps": 16, "minibatches": 2, "n_epochs": 2})
    recipe = TrainDefended(
        game="coins/any", eps=0.3, space="raw", defence="atla:turns=2,ramp=0", steps=256, envs=4, run=tmp_path
    )
    room = Room(recipe, "")
    model = room.ground.learner(0).make(0)
    before = {name: one.clone() for name, one in model.partner.policy.state_dict().items()}
    model.learn(128)
    assert model.partner.num_timesteps == 2 * model.num_timesteps == 256
    assert any(not torch.equal(one, before[name]) for name, one in model.partner.policy.state_dict().items())
    shown = torch.as_tensor(model.rollout_buffer.observations).view(-1, 2)
    coins = torch.where(shown[:, 1] > 0, 1.0, -1.0)
    moved = torch.stack([shown[:, 0] - shown[:, 0].round(), shown[:, 1] - coins], dim=1).abs()  # the first is a count
    assert 1e-3 < moved.max() <= 0.3 + 1e-6
