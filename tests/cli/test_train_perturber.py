"""`rlattack train perturber` as a user meets it."""

import shlex

import pytest
from command_line import call, refused

from rlattack.policies.folder import read_agent_card
from tests.kit.agents import network_agent

GAME = "gymnasium/CartPole-v1"
SMALL = (
    "train", "perturber", GAME, "--victim", "victim", "--eps", "0.1", "--space", "raw", "--envs", "2", "--batch", "32",
    "--minibatch", "16", "--steps", "64", "--episodes", "2",
)  # fmt: skip


@pytest.fixture(autouse=True)
def _victim(working_folder):
    network_agent(working_folder / "victim", GAME)


def test_a_perturber_is_trained_and_its_attack_is_a_command(tmp_path, capsys):
    arguments = (*SMALL, "--attack", "pa-ad", "--seeds", "0", "1", "--tuning", "1", "--agent", "my/perturber")
    assert call(*arguments) == 0
    card = read_agent_card(tmp_path / "agents/my/perturber")
    assert card.provenance["command"] == shlex.join(["rlattack", *arguments])
    said = capsys.readouterr()
    shown = " ".join(said.out.split())
    assert "seeds, by what the victim earned" in shown
    low, high = card.score["ci"]
    clean, noise = (card.score[name]["mean"] for name in ("clean", "noise"))
    earned = f"the victim earns {card.score['mean']:.1f} [{low:.1f}, {high:.1f}] over 2 episodes"
    assert f"{earned} (clean {clean:.1f}, noise {noise:.1f})" in shown
    assert f"agents/my/perturber can now attack: {card.score['command']}" in shown
    assert "64 of 64 steps, seed 1" in said.err
    line = refused(capsys, *arguments)
    assert line.endswith("holds a training run; add --resume to go on, or choose another folder")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--attack", "fgsm"), "--attack: expected pa-ad or sa-rl, got 'fgsm'"),
        (("--attack", "sa-rl", "--norm", "l1"), "attack sa-rl has the norms linf, got l1"),
        (("--attack", "sa-rl", "--steps", "10"), "--steps: expected at least 32, one --batch, got 10"),
        (("--attack", "sa-rl", "--resume"), "--resume: runs/train-gymnasium-CartPole-v1-sa-rl holds no training run"),
        (
            ("--attack", "sa-rl", "--agent", "../x"),
            "--agent '../x': expected an id such as gymnasium/CartPole-v1/sa-rl",
        ),
        (("--attack", "sa-rl", "--victim", "atari/pong/ppo"), "atari/pong/ppo was trained for atari/pong"),
        ((), "--attack"),
    ],
)
def test_bad_input_is_refused_in_one_line(tmp_path, capsys, arguments, expected):
    assert expected in refused(capsys, *SMALL, *arguments)
    assert [path.name for path in tmp_path.iterdir()] == ["victim"]


def test_a_perturber_needs_a_size(capsys):
    without = [word for word in SMALL if word not in ("--eps", "0.1")]
    assert "--eps" in refused(capsys, *without, "--attack", "pa-ad")
