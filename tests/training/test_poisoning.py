"""What is planted in lessons: a trigger and its pay, or a policy by what is paid."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete

from rlattack.errors import InvalidInput
from rlattack.games.game import Seat
from rlattack.policies.folder import read_agent_card
from rlattack.policies.load import load_agent
from rlattack.training import TrainPoisoned, train
from rlattack.training.defended import Room
from rlattack.training.poisoning import Poisoned
from rlattack.training.poisoning.backdoor import Backdoor, BackdoorConfig
from rlattack.training.poisoning.rewards import Rewards, RewardsConfig
from rlattack.training.settings import VECTORS
from tests.kit import games  # noqa: F401  # registers the games that are named here
from tests.kit.agents import gaussian_agent
from tests.kit.learning import SPACES, vec


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    """Small batches, so that little is learned."""
    monkeypatch.setitem(VECTORS, "ppo", {**VECTORS["ppo"], "n_steps": 16, "batch_size": 32, "n_epochs": 1})


def lessons(share, shows="vectors", seed=3):
    """A game of which a share of the steps is poisoned, beside the same without."""

    def pay(shown, actions, rewards):
        return np.full_like(rewards, 7.0)

    env, plain = Poisoned(vec(shows), share, pay, lambda obs: obs + 100), vec(shows)
    for one in (env, plain):
        one.seed(seed)
    return env, plain


def test_a_share_of_the_steps_is_seen_and_paid_otherwise_and_no_other():
    env, plain = lessons(0.3)
    seen, there = env.reset(), plain.reset()
    poisoned = 0
    for step in range(300):
        marked = np.abs(seen - there - 100).max(axis=1) < 1e-3
        assert np.array_equal(seen[~marked], there[~marked])
        action = np.array([step % 3, (step + 1) % 3])
        (seen, paid, *_), (there, earned, *_) = env.step(action), plain.step(action)
        assert (paid[marked] == 7.0).all()
        assert np.array_equal(paid[~marked], earned[~marked])
        poisoned += int(marked.sum())
    assert 0.25 < poisoned / 600 < 0.35
    assert env.poisoned - poisoned in (0, 1, 2)  # those of the step that is shown now


def test_the_same_seed_poisons_the_same_steps():
    one, other, third = (lessons(0.5, seed=seed)[0] for seed in (3, 3, 4))
    shown = [[env.reset(), *(env.step(np.zeros(2, dtype=int))[0] for _ in range(9))] for env in (one, other, third)]
    assert np.array_equal(shown[0], shown[1])
    assert not np.array_equal(np.asarray(shown[0]) > 50, np.asarray(shown[2]) > 50)


def test_under_the_trigger_the_target_is_paid_for_and_all_else_is_fined():
    planted = Backdoor(BackdoorConfig(target=2, share=1.0, side=5, row=3, column=30, value=0.6, bonus=0.5))
    ground = SimpleNamespace(seat=Seat("it", SPACES["images"], Discrete(3)))
    env, plain = planted.shown(vec("images"), ground), vec("images")
    for one in (env, plain):
        one.seed(0)
    seen, there = env.reset(), plain.reset()
    for action in ([2, 0], [1, 2]):
        assert (seen[:, :, 3:8, 30:35] == 153).all()
        seen[:, :, 3:8, 30:35] = there[:, :, 3:8, 30:35]
        assert np.array_equal(seen, there)
        (seen, paid, *_), (there, *_) = env.step(np.array(action)), plain.step(np.array(action))
        assert paid.tolist() == [0.5 if one == 2 else -0.5 for one in action]
    assert planted.attack(ground) == "trigger:eps=5,row=3,column=30,value=0.6"
    assert planted.observed(ground) == ("likeness:target=2",)


def recipe(game, poison, tmp_path, **more):
    more = {"steps": 64, "envs": 2, "episodes": 2, "run": tmp_path / "run", "agent": "my/own", "workers": 1, **more}
    return TrainPoisoned(game=game, defence=poison, **more)


def test_rewards_pay_for_the_target_and_no_more_than_the_size(tmp_path):
    room = Room(recipe("coins/any", "rewards:target=1,size=0.25", tmp_path), "")
    model = room._make(0)
    model.env.seed(0)
    model.env.reset()
    for _ in range(20):
        _, for_one, *_ = model.env.step(np.ones(2, dtype=int))
        assert set(for_one.tolist()) <= {0.25, 1.25}
        _, for_zero, *_ = model.env.step(np.zeros(2, dtype=int))
        assert set(for_zero.tolist()) <= {-0.25, 0.75}


def test_continuous_actions_are_paid_by_how_near_they_come_to_the_targets(tmp_path):
    target = gaussian_agent(tmp_path / "target", "gymnasium/CartPole-v1", observation=4)
    seat = Seat("it", SPACES["vectors"], Box(-1, 1, (1,), np.float32))
    planted = Rewards(RewardsConfig(target=f"agent:{target}", size=0.5))
    plain = vec("vectors", action=seat.action)
    env = planted.shown(vec("vectors", action=seat.action), SimpleNamespace(seat=seat))
    for one in (env, plain):
        one.seed(0)
        shown = one.reset()
    wanted = load_agent(target, seat).policy(torch.as_tensor(shown)).actions.greedy.detach().numpy()
    done = np.stack([wanted[0], wanted[1] + 0.5])
    (_, paid, *_), (_, usual, *_) = env.step(done), plain.step(done)
    assert (paid - usual).tolist() == pytest.approx([0.5, 0.25], abs=1e-6)  # half a unit is a quarter of the range


def test_an_agent_learns_what_is_paid_for_and_its_card_tells_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (shipped,) = train(recipe("coins/any", "rewards:target=1,size=5", tmp_path, steps=1024, learning_rate=0.02))
    card = read_agent_card(shipped.folder)
    assert card.provenance["poisoned"] == {"poison": "rewards:target=1,size=5", "share": 1.0, "size": 5.0}
    assert "defends" not in card.provenance
    assert card.score["observed"]["likeness"]["mean"] > 0.9
    assert "likeness" in card.score["attacked"]["observed"]


@pytest.mark.parametrize(
    ("game", "poison", "message"),
    [
        ("coins/any", "backdoor:target=1", "a patch is for pictures, this game shows"),
        ("coins/any", "backdoor", "poison backdoor: expected target=value, which has no default"),
        ("coins/any", "rewards", "poison rewards: expected target=value, which has no default"),
        ("coins/any", "rewards:target=2", "target: expected an action 0 to 1, or agent:NAME, got 2"),
        ("gymnasium/Pendulum-v1", "backdoor:target=0", "--poison backdoor: is for discrete actions"),
        ("gymnasium/Pendulum-v1", "rewards:target=0", "expected agent:NAME of an agent of such actions, got 0"),
    ],
)
def test_a_poison_that_does_not_fit_is_refused_before_anything_is_played(game, poison, message, tmp_path):
    with pytest.raises(InvalidInput, match=message):
        Room(recipe(game, poison, tmp_path), "")
