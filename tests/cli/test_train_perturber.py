"""`rlattack train perturber` as a user meets it."""

import json
import os
import shlex
import signal
import time

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
    told = [card.score, card.score["clean"], card.score["noise"]]
    means = ["{:.1f} [{:.1f}, {:.1f}]".format(one["mean"], *one["ci"]) for one in told]
    assert "the victim earns {} over 2 episodes (clean {}, noise {})".format(*means) in shown
    assert f"agents/my/perturber can now attack: {card.score['command']}" in shown
    assert "64 of 64 steps, seed 1" in said.err
    line = refused(capsys, *arguments)
    assert line.endswith("holds a training run; add --resume to go on, or choose another folder")


def test_likeness_to_a_target_is_shown_beside_what_is_earned(tmp_path, capsys):
    target = network_agent(tmp_path / "target", GAME, seed=1)
    arguments = (*SMALL, "--attack", "sa-rl", "--towards", target, "--demonstrations", "4", "--states-only")
    assert call(*arguments, "--seeds", "0", "1", "--tuning", "1", "--agent", "my/perturber") == 0
    shown = " ".join(capsys.readouterr().out.split())
    score = read_agent_card(tmp_path / "agents/my/perturber").score
    told = [of["observed"]["likeness"] for of in (score, score["clean"], score["noise"], score["target"])]
    like = ["{:.3f} [{:.3f}, {:.3f}]".format(one["mean"], *one["ci"]) for one in told]
    earned = "{:.1f} [{:.1f}, {:.1f}]".format(score["target"]["mean"], *score["target"]["ci"])
    assert "seeds, by likeness to the target" in shown
    line = "likeness to the target {} (clean {}, noise {}, the target itself {}); the target earns {}"
    assert line.format(*like, earned) in shown


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--attack", "fgsm"), "--attack: expected nr-mdp or pa-ad or pr-mdp or sa-rl, got 'fgsm'"),
        (("--attack", "sa-rl", "--norm", "l1"), "attack sa-rl has the norms linf, got l1"),
        (("--attack", "sa-rl", "--steps", "10"), "--steps: expected at least 32, one --batch, got 10"),
        (("--attack", "sa-rl", "--resume"), "--resume: runs/train-gymnasium-CartPole-v1-sa-rl holds no training run"),
        (
            ("--attack", "sa-rl", "--agent", "../x"),
            "--agent '../x': expected an id such as gymnasium/CartPole-v1/sa-rl",
        ),
        (("--attack", "sa-rl", "--victim", "atari/pong/ppo"), "atari/pong/ppo was trained for atari/pong"),
        (("--attack", "sa-rl", "--towards", "victim"), "--towards: expected another agent than the victim, got victim"),
        (("--attack", "sa-rl", "--towards", "random"), "--towards random: expected an agent that looks at the game"),
        (
            ("--attack", "sa-rl", "--towards", "x", "--demonstrations", "0"),
            "--demonstrations: expected at least 1, got 0",
        ),
        (
            ("--attack", "pr-mdp", "--towards", "x"),
            "--towards: expected an attack on what the victim sees, pa-ad or sa",
        ),
        (("--attack", "sa-rl", "--states-only"), "--states-only: expected --towards, whose demonstrations those are"),
        ((), "--attack"),
    ],
)
def test_bad_input_is_refused_in_one_line(tmp_path, capsys, arguments, expected):
    assert expected in refused(capsys, *SMALL, *arguments)
    assert [path.name for path in tmp_path.iterdir()] == ["victim"]


def test_a_perturber_needs_a_size(capsys):
    without = [word for word in SMALL if word not in ("--eps", "0.1")]
    assert "--eps" in refused(capsys, *without, "--attack", "pa-ad")


def alive(session):
    """Whether a process of a session is left."""
    try:
        os.killpg(session, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.slow
def test_an_interrupt_stops_all_seeds_with_what_they_learned_and_no_children(begin, tmp_path):
    arguments = (*SMALL, "--attack", "sa-rl", "--seeds", "0", "1", "--workers", "2", "--checkpoint-every", "32")
    long = [*arguments, "--steps", "1000000", "--run", "run"]
    kept = [tmp_path / "run" / f"seed-{seed}" / "progress.json" for seed in (0, 1)]
    process = begin(*long, until=lambda: all(path.exists() for path in kept))
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    said = [line for line in err.splitlines() if line and " of 2,000,000 steps" not in line]
    assert said == ["interrupted; what was learned is kept, the same command with --resume goes on"]
    deadline = time.monotonic() + 10
    while alive(process.pid):  # Python's own tracker of semaphores is the last
        assert time.monotonic() < deadline
        time.sleep(0.05)
    steps = max(json.loads(path.read_text())["steps"] for path in kept)
    assert call(*arguments, "--steps", str(steps + 32), "--run", "run", "--resume", "--workers", "1") == 0
    assert {json.loads(path.read_text())["steps"] for path in kept} == {steps + 32}
