"""Models in memory that act by numbers or by several choices, beside their zips, which are read in another way."""

import numpy as np
import pytest
import sb3_contrib
import torch
from gymnasium.spaces import Discrete, MultiDiscrete
from test_sb3_numbers import DONE, LEARNERS, ON_POLICY, SEEN, shown, trained

from rlattack.errors import InvalidInput
from rlattack.games.game import PLAYER, Seat
from rlattack.policies import from_sb3, load_agent
from rlattack.policies.policy import judged


@pytest.mark.parametrize("name", LEARNERS)
def test_a_live_model_says_what_its_zip_says(tmp_path, name):
    model, path, env = trained(name, tmp_path)
    live, read = from_sb3(model), load_agent(path, Seat(PLAYER, SEEN, DONE)).policy
    obs = torch.from_numpy(shown(env)[0])
    one, two = live(obs).actions, read(obs).actions
    assert type(one) is type(two)
    torch.testing.assert_close(one.greedy, two.greedy, atol=1e-5, rtol=1e-5)
    if hasattr(one, "deviation"):
        torch.testing.assert_close(one.deviation, two.deviation.expand_as(one.deviation), atol=1e-5, rtol=1e-5)
    assert (live.observation, live.action, live.acts) == (read.observation, read.action, read.acts)
    assert (live.value(obs) is None) == (read.value(obs) is None)
    if live.value(obs) is not None:
        torch.testing.assert_close(live.value(obs), read.value(obs), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", ["ppo", "sac", "td3", "ars"])
def test_gradients_of_a_live_model_are_those_of_its_zip(tmp_path, name):
    model, path, env = trained(name, tmp_path)
    live, read = from_sb3(model), load_agent(path, Seat(PLAYER, SEEN, DONE)).policy
    obs = torch.from_numpy(shown(env)[0])
    one, two = (policy.gradient(obs, lambda out: out.actions.greedy.sum())[0] for policy in (live, read))
    torch.testing.assert_close(one, two, atol=1e-5, rtol=1e-4)
    assert one.abs().sum() > 0


def test_a_live_model_remembers_as_its_zip_does(tmp_path):
    LEARNERS["recurrent"] = (sb3_contrib.RecurrentPPO, "MlpLstmPolicy", ON_POLICY, {"lstm_hidden_size": 8})
    model, path, env = trained("recurrent", tmp_path)
    del LEARNERS["recurrent"]
    live, read = from_sb3(model), load_agent(path, Seat(PLAYER, SEEN, DONE)).policy
    obs = torch.from_numpy(shown(env)[0])
    first, second = live.initial_state(20), judged(read).initial_state(20)
    for _ in range(3):
        one, two = live(obs, first), judged(read)(obs, second)
        torch.testing.assert_close(one.values, judged(read).value(obs, None, second), atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(one.actions.mean, two.actions.mean, atol=1e-5, rtol=1e-5)
        first, second = one.state, two.state
    assert live(obs).actions.mean.equal(live(obs, live.initial_state(20)).actions.mean)
    assert live.value(obs).equal(live(obs).values)
    assert read.value(obs) is None  # without the critic's memory


def test_several_choices_of_a_live_model_are_those_of_its_zip(tmp_path):
    space = MultiDiscrete([2, 3, 4])
    model, path, env = trained("ppo", tmp_path, space)
    live, read = from_sb3(model), load_agent(path, Seat(PLAYER, SEEN, space)).policy
    obs = torch.from_numpy(shown(env)[0])
    assert live(obs).actions.greedy.equal(read(obs).actions.greedy)
    torch.testing.assert_close(live(obs).actions.divergence(read(obs).actions), torch.zeros(20), atol=1e-6, rtol=0)


@pytest.mark.parametrize("name", ["ars", "ars-linear"])
def test_discrete_actions_of_ars_are_those_of_its_zip(tmp_path, name):
    model, _, env = trained(name, tmp_path, Discrete(4))
    obs = shown(env)[0]
    live = from_sb3(model)
    assert live(torch.from_numpy(obs)).actions.greedy.tolist() == model.predict(obs)[0].tolist()
    assert live.acts == "greedy"


def test_a_live_model_goes_on_learning(tmp_path):
    model, _, env = trained("ppo", tmp_path)
    policy, obs = from_sb3(model), torch.from_numpy(shown(env)[0])
    before = policy(obs).actions.mean.detach().clone()
    model.learn(16)
    assert not policy(obs).actions.mean.equal(before)


def test_actions_of_a_trusted_zip_are_its_own(tmp_path):
    from rlattack.policies.sb3_live import load_trusted

    model, _, env = trained("sac", tmp_path)
    loaded, algorithm, says = load_trusted(tmp_path / "model.zip")
    obs = shown(env)[0]
    assert (algorithm, says) == ("sac", "")
    greedy = from_sb3(loaded)(torch.from_numpy(obs)).actions.greedy.numpy(force=True)
    np.testing.assert_allclose(greedy, model.predict(obs, deterministic=True)[0], atol=1e-5)


def test_a_policy_that_cannot_act_by_numbers_is_refused(tmp_path):
    model, _, _ = trained("td3", tmp_path)
    with pytest.raises(InvalidInput, match="expected a policy with an actor or a distribution"):
        from_sb3(model.critic)
