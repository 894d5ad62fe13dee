"""Learners whose episodes play in other worlds."""

import json

import numpy as np
import pytest

from rlattack.errors import RlattackError
from rlattack.games import find_game, training_env
from rlattack.games.dynamics import parse_region
from rlattack.policies.folder import read_agent_card
from rlattack.training import GymnasiumVecEnv, TrainDefended, train
from rlattack.training.defended import Room
from rlattack.training.hardening.worlds import Worlds
from rlattack.training.settings import CONTROL
from tests.kit.learning import Crash, Diary

pytest.importorskip("mujoco")
BOX = "mass=0.5..2,force-x@torso=-3"
REGION = parse_region(BOX)


def game(share=None):
    """Eight hoppers, in other worlds where a share is given; started."""
    env = GymnasiumVecEnv(training_env(find_game("mujoco/hopper"), 8))
    if share is not None:
        Worlds.into(env, REGION, share)
    env.seed(4)
    return env, env.reset()


def bent(env):
    return env.env.game.bent(REGION.parameters)


def test_a_share_of_the_episodes_is_in_any_world_of_the_box_from_its_start_to_its_end():
    (env, _), (other, _) = game(0.5), game()
    first, fresh = bent(env), []
    for step in range(150):
        before = bent(env)
        actions = np.random.default_rng(step).uniform(-1, 1, (8, 3)).astype(np.float32)
        obs, _, dones, _ = env.step(actions)
        plain, _, _, _ = other.step(actions)
        if step == 0:
            moved = (np.abs(obs - plain) > 1e-6).any(axis=1)
            assert (moved == (first != [1.0, 0.0]).any(axis=1)).all()
        now = bent(env)
        assert (now[~dones] == before[~dones]).all()
        fresh += now[dones].tolist()
    worlds = np.asarray([*first.tolist(), *fresh])
    assert len(fresh) > 25
    assert ((worlds >= [0.5, -3]) & (worlds <= [2, 0])).all()
    usual = (worlds == [1.0, 0.0]).all(axis=1)
    assert 0.25 < usual.mean() < 0.75
    assert len(np.unique(worlds[~usual], axis=0)) == (~usual).sum()  # each another one


def test_worlds_follow_from_the_seed():
    assert (bent(game(1.0)[0]) == bent(game(1.0)[0])).all()
    assert (bent(game(0.0)[0]) == [1.0, 0.0]).all()


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setitem(CONTROL, "ppo", CONTROL["ppo"] | {"batch": 64, "minibatches": 2, "n_epochs": 1})


def recipe(folder, **values):
    default = {
        "game": "mujoco/hopper", "defence": f'natural:worlds="{BOX}"', "steps": 256, "envs": 4,
        "checkpoint_every": 128, "episodes": 2, "tuning": 1, "agent": "my/own", "space": "raw",
    }  # fmt: skip
    return TrainDefended(**default | values, run=folder)


@pytest.mark.parametrize("changes", ["", ",changes=missing+action-slip"])
def test_a_killed_run_in_other_worlds_ends_as_one_that_was_not(tmp_path, changes):
    digests = []
    for name in ("killed", "whole"):
        room = Room(recipe(tmp_path / name, defence=f'natural:worlds="{BOX}"{changes}'), "rlattack ...")
        room.regime.begin(room.ground)
        if name == "killed":
            with pytest.raises(Crash):
                room.regime.learn(room.ground, 0, Diary(crash_at=192))
            assert json.loads((tmp_path / "killed/seed-0/progress.json").read_text())["steps"] == 128
            resumed = recipe(tmp_path / name, defence=f'natural:worlds="{BOX}"{changes}', resume=True)
            room = Room(resumed, "rlattack ...")
        digests.append(read_agent_card(room.regime.learn(room.ground, 0, Diary()).folder).sha256)
    assert digests[0] == digests[1]


def test_the_card_says_that_worlds_were_met_and_what_is_earned_in_them(tmp_path):
    (shipped,) = train(recipe(tmp_path / "run"), Diary(), "rlattack ...")
    card = read_agent_card(shipped.folder)
    assert card.provenance["defends"]["kinds"] == ["world", "random-world", "worst-world"]
    assert card.score["attacked"]["attack"].startswith("random-world:box=")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"defence": 'natural:worlds="mess=2"'}, "defence natural: worlds: expected mass, .* got 'mess'"),
        (
            {"defence": 'natural:worlds="mass@nose=2"'},
            "natural: worlds: mass@nose: expected a body, torso, .* got 'nos",
        ),
        (
            {"game": "gymnasium/Pendulum-v1"},
            "natural: worlds: expected a game of a physics engine, as those of mujoco/",
        ),
        ({"defence": "natural:changes=world"}, 'got world; worlds are named apart, as worlds="mass=0.5..2"'),
    ],
)
def test_worlds_that_are_none_are_refused_before_anything_is_written(tmp_path, values, message):
    if values.get("game"):
        values = {**values, "defence": 'natural:worlds="mass=2"'}
    with pytest.raises(RlattackError, match=message):
        train(recipe(tmp_path / "run", **values), Diary(), "rlattack ...")
    assert not (tmp_path / "run").exists()
