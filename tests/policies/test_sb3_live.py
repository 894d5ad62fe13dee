import numpy as np
import pytest
import torch
from torch import nn

from rlattack.errors import InvalidInput, RefusedFile
from rlattack.policies.module import ModulePolicy
from rlattack.policies.sb3_live import from_sb3, load_trusted
from rlattack.policies.sb3_zip import load_sb3_zip


class Doubling(nn.Module):
    """A features extractor that only its code describes."""

    features_dim = 4

    def __init__(self, space) -> None:
        super().__init__()

    def forward(self, obs):
        return 2 * obs


@pytest.mark.parametrize("algorithm", ["ppo", "a2c", "dqn", "qrdqn"])
@pytest.mark.parametrize("kind", ["mlp", "cnn"])
def test_live_model_and_its_zip_agree(make_model, tmp_path, algorithm, kind):
    size = {"features_extractor_kwargs": {"features_dim": 16}} if kind == "cnn" else {}
    model = make_model(algorithm, kind, **size)
    model.save(tmp_path / "model.zip")
    live, rebuilt = from_sb3(model), ModulePolicy.of(load_sb3_zip(tmp_path / "model.zip")[1])
    obs = torch.rand(3, *live.observation) * (255 if kind == "cnn" else 1)
    grads, outs = zip(
        *(p.gradient(obs, lambda out: out.actions.probabilities[:, 0].sum()) for p in (live, rebuilt)), strict=True
    )
    assert torch.allclose(outs[0].actions.probabilities, outs[1].actions.probabilities, atol=1e-6)
    assert torch.allclose(outs[0].values, outs[1].values, atol=1e-5)
    assert torch.allclose(grads[0], grads[1], atol=1e-6)
    assert live.acts == rebuilt.acts == ("greedy" if algorithm in ("dqn", "qrdqn") else None)
    assert live.observation == rebuilt.observation
    assert live.action == rebuilt.action


def test_recurrent_model_remembers_as_its_own_predict_does(make_model):
    model = make_model("recurrent-ppo", lstm_hidden_size=8)
    policy = from_sb3(model)
    draw = np.random.default_rng(0)
    state, own, starts = policy.initial_state(3), None, np.ones(3, dtype=bool)
    for _ in range(4):
        obs = draw.normal(size=(3, 4)).astype(np.float32)
        out = policy(torch.as_tensor(obs), state)
        actions, own = model.predict(obs, own, starts, deterministic=True)
        assert out.actions.greedy.tolist() == actions.tolist()
        assert torch.allclose(out.state.permute(1, 2, 0, 3)[0], torch.as_tensor(own[0]))
        state, starts = out.state, np.zeros(3, dtype=bool)


def test_maskable_model_plays_without_a_mask(make_model):
    from sb3_contrib.common.maskable.policies import MaskableActorCriticPolicy

    env = make_model("ppo").get_env()
    policy = MaskableActorCriticPolicy(env.observation_space, env.action_space, lambda _: 0.0)
    obs = torch.randn(5, 4)
    greedy = policy.predict(obs.numpy(), deterministic=True)[0]
    assert from_sb3(policy)(obs).actions.greedy.tolist() == greedy.tolist()


def test_model_goes_on_learning_and_the_policy_follows(make_model):
    model = make_model("ppo")
    policy = from_sb3(model)
    obs = torch.randn(2, 4)
    before = policy(obs).actions.scores
    model.learn(16)
    assert not policy(obs).actions.scores.equal(before)


def test_model_that_sees_something_without_a_shape_is_refused(make_model):
    from gymnasium.spaces import Box, Tuple

    policy = make_model("ppo").policy
    policy.observation_space = Tuple([Box(-1, 1, (3,))])
    with pytest.raises(InvalidInput, match="expected observations of one shape or a Dict of them, and actions that"):
        from_sb3(policy)


def test_policy_of_another_kind_is_refused(make_model):
    q_network = make_model("dqn").policy.q_net
    del q_network.q_net
    with pytest.raises(InvalidInput, match="expected a policy with a distribution"):
        from_sb3(q_network)


def test_trusted_zip_runs_its_own_code(make_model, tmp_path):
    model = make_model("ppo", features_extractor_class=Doubling)
    model.save(tmp_path / "model.zip")
    with pytest.raises(RefusedFile, match="Doubling"):
        load_sb3_zip(tmp_path / "model.zip")
    loaded, algorithm, _ = load_trusted(tmp_path / "model.zip")
    obs = torch.randn(4, 4)
    assert algorithm == "ppo"
    assert from_sb3(loaded)(obs).actions.scores.equal(from_sb3(model)(obs).actions.scores)


def test_trusted_zip_takes_no_replay_memory(make_model, tmp_path):
    model = make_model("dqn")
    model.buffer_size = 10**12
    model.save(tmp_path / "model.zip")
    loaded, algorithm, _ = load_trusted(tmp_path / "model.zip")
    assert (loaded.buffer_size, algorithm) == (1, "dqn")


def test_trusted_zip_of_an_unknown_algorithm_is_refused(make_zip):
    with pytest.raises(RefusedFile, match="unknown algorithm"):
        load_trusted(make_zip({"data": b"{}"}))


def test_trusted_zip_that_fails_is_one_line(make_zip):
    with pytest.raises(RefusedFile, match="Stable-Baselines3 cannot load it"):
        load_trusted(make_zip({"data": b'{"n_epochs": 3}'}))
