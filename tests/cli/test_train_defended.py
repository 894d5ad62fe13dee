"""`rlattack train defended` as a user meets it."""

import shlex

import pytest
from command_line import call, refused

from rlattack.policies.folder import read_agent_card

SMALL = (
    "train", "defended", "gymnasium/CartPole-v1", "--eps", "0.1", "--space", "raw", "--envs", "2", "--steps", "128",
    "--episodes", "2",
)  # fmt: skip


def test_an_agent_is_hardened_and_what_it_stands_is_told(tmp_path, capsys):
    arguments = (
        *SMALL,
        "--defence",
        "radial",
        "--seeds",
        "0",
        "1",
        "--tuning",
        "1",
        "--agent",
        "my/own",
        "--workers",
        "1",
    )
    assert call(*arguments) == 0
    card = read_agent_card(tmp_path / "agents/my/own")
    assert card.provenance["command"] == shlex.join(["rlattack", *arguments])
    said = capsys.readouterr()
    shown = " ".join(said.out.split())
    assert "seeds, by what they earned under attack" in shown
    told = [card.score, card.score["attacked"], card.score["noise"]]
    means = ["{:.1f} [{:.1f}, {:.1f}]".format(one["mean"], *one["ci"]) for one in told]
    assert "earns {} clean and {} under pgd:loss=margin over 2 episodes (noise {})".format(*means) in shown
    assert f"agents/my/own can now be attacked: {card.score['attacked']['command']}" in shown
    assert "128 of 128 steps, seed 1" in said.err
    assert call("list", "agents") == 0
    assert "my/own" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--defence", "sb"), "no defence 'sb'; did you mean 'sa'?"),
        (("--defence", "jpeg"), "--defence jpeg: is a front, which stands before any agent and is not trained: "),
        (("--defence", "bar", "--algo", "dqn"), "--defence bar: is for --algo ppo, got dqn"),
        (("--defence", "sa", "--space", "sigma"), "--space sigma: gymnasium/CartPole-v1 is learned without statistics"),
        (("--defence", "sa", "--resume"), "--resume: runs/train-gymnasium-CartPole-v1-sa holds no training run"),
        (("--defence", "sa", "--victim", "atari/pong/ppo"), "atari/pong/ppo was trained for atari/pong"),
        ((), "--defence"),
    ],
)
def test_bad_input_is_refused_in_one_line(tmp_path, capsys, arguments, expected):
    assert expected in refused(capsys, *SMALL, *arguments)
    assert list(tmp_path.iterdir()) == []
