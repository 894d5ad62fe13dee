import dataclasses

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box

from rlattack.errors import InvalidInput, RefusedFile
from rlattack.games.game import Seat
from rlattack.games.solo import EmbedOpponent
from rlattack.policies.gaussian import GaussianPolicy
from rlattack.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from rlattack.training.export import export
from rlattack.training.ppo import make_ppo
from rlattack.training.recipes import TrainAdversary
from rlattack.training.vecenv import SoloVecEnv
from tests.kit.by_hand import Pusher, Remembering
from tests.kit.games import Count, Tug
from tests.kit.learning import initial_network


def ppo(game=None, opponent=None, seed=0, init=None, **values):
    game = game or Tug(16)
    recipe = TrainAdversary(
        **{"game": "tug/any", "victim": "v", "steps": 512, "envs": game.slots, "batch": 128, **values}
    )
    return make_ppo(recipe, SoloVecEnv(EmbedOpponent(game, 0, opponent or Pusher())), seed, init)


def test_the_settings_are_the_papers():
    learner = ppo(Tug(64), batch=16_384, steps=20_000_000)
    assert learner.n_steps * learner.n_envs == 16_384
    assert (learner.batch_size, learner.n_epochs) == (4096, 4)
    assert (learner.gamma, learner.gae_lambda, learner.ent_coef, learner.vf_coef) == (0.99, 0.95, 0.0, 0.5)
    assert learner.max_grad_norm == 0.5
    for rest in (1.0, 0.5, 0.0):
        assert learner.lr_schedule(rest) == 3e-4
        assert learner.clip_range(rest) == 0.2
    shapes = [tuple(t.shape) for name, t in learner.policy.state_dict().items() if name.endswith("weight")]
    assert shapes == [(64, 3), (64, 64), (64, 3), (64, 64), (1, 64), (1, 64)]
    normal = learner.get_vec_normalize_env()
    assert normal.norm_obs
    assert normal.norm_reward


def test_boards_and_cards_are_not_normalised():
    normal = ppo(Count(16), Remembering()).get_vec_normalize_env()
    assert not normal.norm_obs
    assert normal.norm_reward


def test_images_are_refused():
    game = Tug(16)
    game.seats = tuple(Seat(seat.name, Box(0, 255, (3, 40, 40), np.uint8), seat.action) for seat in game.seats)
    with pytest.raises(InvalidInput, match=r"expected numbers to see, no images, .* got Box.* and Box"):
        ppo(game)


def test_a_restored_learner_is_the_one_that_was_kept(tmp_path):
    learner, other = ppo().learn(512), ppo(seed=1)
    save_checkpoint(tmp_path, Checkpoint.of(learner))
    load_checkpoint(tmp_path).restore(other, "here")
    mine, its = (export(one).state_dict() for one in (learner, other))
    assert all(tensor.equal(its[name]) for name, tensor in mine.items())
    assert other.get_vec_normalize_env().ret_rms.count == learner.get_vec_normalize_env().ret_rms.count


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("obs_mean"), r"here: statistics obs_mean: expected shape \(3,\), got NoneType"),
        (lambda s: s.update(more=torch.zeros(1)), r"here: statistics more: expected shape none, got \(1,\)"),
        (lambda s: s.update(obs_mean=torch.zeros(4)), r"obs_mean: expected shape \(3,\), got \(4,\)"),
        (lambda s: s.update(obs_mean=torch.full((3,), torch.nan)), "obs_mean: values that are not finite"),
        (lambda s: s.update(obs_variance=-torch.ones(3)), "obs_variance: values below 0"),
        (lambda s: s.update(return_count=-torch.ones(())), "return_count: values below 0"),
    ],
)
def test_statistics_that_do_not_fit_are_refused_and_nothing_is_restored(change, message):
    learner, other = ppo().learn(128), ppo(seed=1)
    kept = Checkpoint.of(learner)
    change(kept.statistics)
    before = {name: tensor.clone() for name, tensor in other.policy.state_dict().items()}
    with pytest.raises(RefusedFile, match=message):
        kept.restore(other, "here")
    assert all(tensor.equal(before[name]) for name, tensor in other.policy.state_dict().items())


def test_a_learner_that_goes_on_from_an_agent_plays_as_it_does():
    first = initial_network()
    learner = ppo(init=first)
    rng = np.random.default_rng(0)
    obs = (np.array([1, -2, 5.8527844]) + rng.normal(size=(500, 3)) * [2, 9, 3e-4]).astype(np.float32)
    with torch.no_grad():
        seen = torch.from_numpy(learner.get_vec_normalize_env().normalize_obs(obs))
        theirs = learner.policy.get_distribution(seen).distribution
        values = learner.policy.predict_values(seen)[:, 0]
        out = GaussianPolicy(first)(torch.from_numpy(obs)).actions
    assert float(seen.abs().max()) == first.spec.clip
    torch.testing.assert_close(theirs.mean, out.mean, atol=1e-6, rtol=0)
    torch.testing.assert_close(theirs.stddev, out.deviation.expand(500, 1))
    torch.testing.assert_close(values * 2.5, first.values(torch.from_numpy(obs))[0])
    exported = export(learner)
    spelled = {"critic": first.spec.hidden, "activation": first.spec.own_activation}  # what an agent may leave out
    assert exported.spec == dataclasses.replace(first.spec, **spelled)
    again = GaussianPolicy(exported)(torch.from_numpy(obs)).actions
    torch.testing.assert_close(again.mean, out.mean, atol=1e-6, rtol=0)
