"""`rlattack train` as a user meets it: an agent that plays what its card says, and a run that survives."""

import json
import shlex

import pytest
from command_line import call, refused

from rlattack.policies import load_agent
from rlattack.policies.folder import read_agent_card
from tests.kit.agents import CARTPOLE as SEAT

CARTPOLE = ("train", "victim", "gymnasium/CartPole-v1")
SHORT = """
schema = "rlattack/game/1"
title = "Seven seconds of Pong"
rom = "pong"
[atari]
max_frames = 400
action_set = [0, 3, 4]
"""


def recomputed(command, folder):
    """The mean return that the command on a card gives."""
    assert call(*shlex.split(command)[1:], "--run", str(folder), "--workers", "1") == 0
    (cell,) = json.loads((folder / "results.json").read_text())["cells"]
    (seat,) = cell["seats"]
    return seat["return"]["mean"], seat["return"]["ci"]


@pytest.mark.parametrize("algorithm", ["ppo", "a2c", "dqn", "qrdqn"])
def test_a_trained_agent_plays_what_its_card_says(tmp_path, capsys, algorithm):
    name = f"mine/{algorithm}"
    arguments = (*CARTPOLE, "--algo", algorithm, "--steps", "2000", "--episodes", "4", "--seed", "3", "--agent", name)
    assert call(*arguments) == 0
    folder = tmp_path / "agents" / "mine" / algorithm
    card = read_agent_card(folder)
    assert card.provenance["command"] == shlex.join(["rlattack", *arguments])
    assert card.provenance["steps"] >= 2000
    assert card.score["actions"] == ("sampled" if algorithm in ("ppo", "a2c") else "greedy")
    assert card.score["seed"] == 1003  # of the evaluation, whose games are drawn from it; training played 3 to 10
    assert load_agent(name, SEAT, game="gymnasium/CartPole-v1").algorithm == algorithm
    assert recomputed(card.score["command"], tmp_path / "again") == (card.score["mean"], card.score["ci"])
    said = capsys.readouterr()
    assert f"mean return {card.score['mean']:.1f} [" in said.out
    assert f"rlattack attack gymnasium/CartPole-v1 --victim {name} --attack pgd --eps ..." in said.out
    assert "2,000 of 2,000 steps" in said.err or "2,048 of 2,000 steps" in said.err


@pytest.mark.parametrize(("algorithm", "steps"), [("ppo", 300), ("dqn", 200)])
def test_an_atari_agent_is_evaluated_in_the_variant_it_was_trained_in(tmp_path, algorithm, steps):
    (tmp_path / "envs" / "atari").mkdir(parents=True)
    (tmp_path / "envs" / "atari" / "short.toml").write_text(SHORT)
    arguments = ["train", "victim", "atari/short", "--algo", algorithm, "--steps", str(steps), "--envs", "2"]
    assert call(*arguments, "--sticky", "0.25", "--episodes", "2", "--agent", "my/pong") == 0
    card = read_agent_card(tmp_path / "agents" / "my" / "pong")
    assert card.options == {"max_frames": 400, "action_set": [0, 3, 4]}
    assert card.score["sticky"] == 0.25
    assert "ale-py" in card.provenance["versions"]
    (tmp_path / "envs" / "atari" / "short.toml").write_text(SHORT.split("[atari]")[0])  # the agent's card knows better
    assert recomputed(card.score["command"], tmp_path / "again") == (card.score["mean"], card.score["ci"])
    policy = load_agent("my/pong").policy
    assert (policy.observation, policy.action.n) == ((4, 84, 84), 3)
    assert policy.acts == ("greedy" if algorithm == "dqn" else None)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--steps", "0"), "--steps: expected at least 1, got 0"),
        (("--steps", "many"), "--steps"),
        (("--envs", "0"), "--envs: expected at least 1, got 0"),
        (("--episodes", "0"), "--episodes: expected at least 1, got 0"),
        (("--checkpoint-every", "0"), "--checkpoint-every: expected at least 1, got 0"),
        (("--seed", "-1"), "--seed: expected 0 to 2147483640, got -1"),
        (("--learning-rate", "0"), "--learning-rate: expected a number above 0, got 0.0"),
        (("--sticky", "2"), "--sticky: expected a probability in [0, 1), got 2.0"),
        (("--sticky", "0.25"), "sticky actions are for Atari games only"),
        (("--algo", "nonsense"), "nonsense"),
        (("--network", "huge"), "huge"),
        (("--agent", "../elsewhere"), "--agent '../elsewhere': expected an id such as gymnasium/CartPole-v1/ppo"),
        (("--resume",), "--resume: runs/train-gymnasium-CartPole-v1-ppo holds no training run"),
    ],
)
def test_a_bad_value_is_refused_in_one_line(tmp_path, capsys, arguments, expected):
    assert expected in refused(capsys, *CARTPOLE, *arguments)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("game", "expected"),
    [
        ("atari/pnog", "did you mean 'atari/pong'"),
        ("atari/combat", "choose another game"),
        ("chess", "no game 'chess'"),
    ],
)
def test_a_game_that_cannot_be_learned_is_refused_in_one_line(tmp_path, capsys, game, expected):
    assert expected in refused(capsys, "train", "victim", game)
    assert list(tmp_path.iterdir()) == []


def test_without_resume_a_used_folder_is_refused_and_with_it_the_run_goes_on(tmp_path, capsys):
    arguments = (*CARTPOLE, "--algo", "a2c", "--steps", "200", "--episodes", "2")
    assert call(*arguments) == 0
    assert "add --resume to go on" in refused(capsys, *arguments)
    assert call(*arguments, "--resume") == 0  # finished: the same agent again
    longer = [*arguments, "--resume"]
    longer[longer.index("200")] = "400"
    assert call(*longer) == 0
    card = read_agent_card(tmp_path / "agents" / "gymnasium" / "CartPole-v1" / "a2c")
    assert card.provenance["steps"] == 400
    assert "--resume" not in card.provenance["command"]  # which trains it anew


def test_a_damaged_checkpoint_is_refused_in_one_line(tmp_path, capsys):
    arguments = (*CARTPOLE, "--algo", "a2c", "--steps", "200", "--episodes", "2", "--run", "run")
    assert call(*arguments) == 0
    (tmp_path / "run" / "checkpoint.pt").write_bytes(b"PK\x03\x04 and then nothing")
    line = refused(capsys, *arguments, "--resume")
    assert line.startswith("rlattack: run/checkpoint.pt: ")
    assert line.endswith("; remove it to start over")


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", ["ppo", "a2c", "dqn", "qrdqn"])
def test_the_obvious_command_trains_a_good_agent(tmp_path, algorithm):
    # the default id of one of them belongs to an agent that ships
    assert call(*CARTPOLE, "--algo", algorithm, "--agent", f"mine/{algorithm}") == 0
    card = read_agent_card(tmp_path / "agents" / "mine" / algorithm)
    assert card.score["mean"] >= 400
