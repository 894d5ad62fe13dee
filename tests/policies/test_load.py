import subprocess
import sys

import numpy as np
import pytest
import safetensors.torch
import torch
from gymnasium.spaces import Box, Discrete

import rlattack
from rlattack.errors import ContentError, InvalidInput, RefusedFile, UnknownName
from rlattack.games.game import PLAYER, Seat
from rlattack.policies import agent_options, load_agent
from tests.kit.agents import CARTPOLE

MINE = "atari/pong/mine"


def pixels_seat(actions: int = 6) -> Seat:
    return Seat(PLAYER, Box(0, 255, (4, 84, 84), np.uint8), Discrete(actions))


def test_id_and_folder_name_the_same_agent(make_agent):
    folder = make_agent(MINE)
    by_id, by_folder = load_agent(MINE, pixels_seat()), load_agent(str(folder))
    obs = torch.rand(2, 4, 84, 84) * 255
    assert by_id.policy(obs).actions.scores.equal(by_folder.policy(obs).actions.scores)
    assert by_id.sha256 == by_folder.sha256 == by_id.card.sha256
    assert (by_id.name, by_folder.name, by_id.algorithm) == (MINE, str(folder), "ppo")


def test_package_offers_it():
    assert rlattack.load_agent is load_agent


def test_importing_the_package_loads_neither_torch_nor_a_learner():
    code = "import sys, rlattack.policies; print('torch' in sys.modules); from rlattack.policies import load_agent; "
    code += "print('stable_baselines3' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\nFalse\n"


def test_temperature_of_the_card_is_used(make_agent, vector):
    make_agent("mine", vector, temperature=0.5)
    out = load_agent("mine").policy(torch.ones(1, 4))
    assert out.actions.scores.equal(out.q / 0.5)


def test_options_of_the_card_are_told(make_agent):
    make_agent(MINE, options={"noop_max": 0})
    assert agent_options(MINE) == {"noop_max": 0}
    assert agent_options("module:function") == {}


def test_unknown_id_names_the_nearest(make_agent):
    make_agent(MINE)
    with pytest.raises(
        UnknownName, match=r"no agent and no file 'atari/pong/mien'; did you mean 'atari/pong/mine'.*list"
    ):
        load_agent("atari/pong/mien")


def test_agent_of_another_shape_is_refused_with_the_difference(make_agent):
    make_agent(MINE)
    message = (
        r"agent atari/pong/mine was trained for atari/pong, not for atari/breakout; it sees \(4, 84, 84\) and has 6 "
        r"actions; game atari/breakout shows \(4, 84, 84\) and takes one of 4"
    )
    with pytest.raises(InvalidInput, match=message):
        load_agent(MINE, pixels_seat(4), game="atari/breakout")
    with pytest.raises(
        InvalidInput, match=r"the game shows \(4,\) and takes one of 6; the agent was trained for atari/pong"
    ):
        load_agent(MINE, Seat(PLAYER, Box(-9, 9, (4,)), Discrete(6)))


def test_agent_of_another_game_is_refused_whatever_its_shape(make_agent):
    make_agent(MINE)
    with pytest.raises(InvalidInput, match="agent atari/pong/mine was trained for atari/pong, not for atari/qbert"):
        load_agent(MINE, pixels_seat(), game="atari/qbert")


def test_agent_plays_variants_of_its_game(make_agent, workplace):
    make_agent(MINE)
    card = workplace / "envs" / "atari" / "pong-variant.toml"
    card.parent.mkdir(parents=True)
    card.write_text('schema = "rlattack/game/1"\ntitle = "Pong"\nrom = "pong"\n')
    assert load_agent(MINE, game="atari/pong-variant").card.game == "atari/pong"


def test_agent_of_a_game_that_is_not_here_is_refused(make_agent):
    make_agent(MINE, game="atari/no-such-game")
    with pytest.raises(InvalidInput, match="was trained for atari/no-such-game"):
        load_agent(MINE, game="atari/pong")


def test_folder_without_a_card_is_refused(workplace):
    (workplace / "empty").mkdir()
    with pytest.raises(ContentError, match="expected an agent folder"):
        load_agent("empty")


def test_zip_is_loaded(make_model, workplace):
    model = make_model("dqn")
    model.save("model.zip")
    agent = load_agent("model.zip", CARTPOLE)
    assert (agent.name, agent.algorithm, agent.card) == ("model.zip", "dqn", None)
    assert len(agent.sha256) == 64


def test_zip_of_another_shape_is_refused(make_model, workplace):
    make_model("dqn").save("model.zip")
    with pytest.raises(InvalidInput, match=r"agent model.zip sees \(4,\) and has 2 actions; the game shows \(3,\)"):
        load_agent("model.zip", Seat(PLAYER, Box(-9, 9, (3,)), Discrete(2)))


def test_trust_is_for_what_cannot_be_read(make_model, workplace):
    model = make_model("recurrent-ppo", lstm_hidden_size=8, n_lstm_layers=2)
    model.save("model.zip")
    with pytest.raises(RefusedFile, match="--trust"):
        load_agent("model.zip")
    agent = load_agent("model.zip", CARTPOLE, trust=True)
    assert (agent.algorithm, len(agent.sha256)) == ("recurrent-ppo", 64)
    assert agent.policy.initial_state(5).shape == (5, 4, 2, 8)  # the actor's, and the critic's


def test_truncated_zip_is_refused_trusted_or_not(make_model, workplace):
    make_model("ppo").save("model.zip")
    (workplace / "model.zip").write_bytes((workplace / "model.zip").read_bytes()[:-100])
    for trust in (False, True):
        with pytest.raises(RefusedFile, match="truncated"):
            load_agent("model.zip", trust=trust)


@pytest.mark.parametrize("suffix", ["pkl", "pickle", "joblib", "pth", "pt", "zip", "bin", ""])
def test_payload_does_not_run(workplace, payload, mark, suffix):
    (workplace / f"agent.{suffix}").write_bytes(payload)
    with pytest.raises(RefusedFile, match=r"runs code|expected a file of torch|not a zip"):
        load_agent(f"agent.{suffix}")


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_tensors_alone_are_no_agent(workplace, suffix):
    save = torch.save if suffix == "pth" else safetensors.torch.save_file
    save({"encoder.weight": torch.ones(2, 2)}, f"agent.{suffix}")
    with pytest.raises(RefusedFile, match=r"of no network that is known: encoder\.weight; name a module:function"):
        load_agent(f"agent.{suffix}")


@pytest.mark.parametrize("spec", ["a" * 300, "~nosuchuser/agent", "a\0b"])
def test_what_cannot_be_a_path_is_no_agent(workplace, spec):
    with pytest.raises(UnknownName, match="no agent and no file"):
        load_agent(spec)


def test_zip_that_is_named_for_another_game_is_refused(make_model, workplace):
    make_model("ppo").save("ppo-BreakoutNoFrameskip-v4.zip")
    with pytest.raises(InvalidInput, match="was trained for atari/breakout, not for gymnasium/CartPole-v1"):
        load_agent("ppo-BreakoutNoFrameskip-v4.zip", game="gymnasium/CartPole-v1")


@pytest.mark.parametrize(
    ("name", "game"),
    [
        ("atari/pong/ppo", "atari/pong"),
        ("gymnasium/CartPole-v1/dqn", "gymnasium/CartPole-v1"),
        ("mujoco/you-shall-not-pass/adversary-runner-v1", "mujoco/you-shall-not-pass"),
    ],
)
def test_the_cards_of_agents_that_ship_still_read(name, game):
    """They were written before there was one loader."""
    agent = load_agent(name, game=game)
    assert (agent.card.game, agent.sha256, agent.algorithm) == (game, agent.card.sha256, agent.card.algorithm)
