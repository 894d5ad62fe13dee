"""`rlattack train` that is interrupted or killed: what was learned is kept, and the run goes on."""

import json
import os
import signal
from pathlib import Path

import pytest
from command_line import PASS, SUMO, call, save_untrained

pytest.importorskip("mujoco")
SMALL = ("--envs", "4", "--batch", "64", "--threads", "1", "--checkpoint-every", "64")
VICTIM = ("victim", "gymnasium/CartPole-v1", "--algo", "a2c", "--checkpoint-every", "400")
ADVERSARY = ("adversary", PASS, "--victim", "runner", *SMALL)
SELF_PLAY = ("victim", SUMO, "--anneal", "0", *SMALL)


def steps_kept(folder):
    return json.loads((folder / "progress.json").read_text())["steps"]


@pytest.mark.parametrize(
    ("training", "folder", "batch"),
    [(VICTIM, "run", 40), (ADVERSARY, "run/seed-0", 64), (SELF_PLAY, "run/both", 64)],
    ids=["victim", "adversary", "self-play"],
)
def test_an_interrupt_ends_in_one_line_with_all_kept_and_no_children_and_the_run_goes_on(
    begin, tmp_path, training, folder, batch
):
    save_untrained(tmp_path / "runner", PASS, seat="runner")
    arguments, kept = ("train", *training, "--run", "run"), Path(folder)
    process = begin(*arguments, "--steps", "1000000", until=(kept / "progress.json").exists)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert out == ""
    said = [line for line in err.splitlines() if line and " of 1,000,000 steps" not in line]
    assert said == ["interrupted; what was learned is kept, the same command with --resume goes on"]
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)  # its session is empty
    assert not list(Path("run").rglob(".*"))  # nothing half-written
    steps = steps_kept(kept)
    assert steps >= batch
    assert call(*arguments, "--steps", str(steps + batch), "--episodes", "1", "--resume") == 0
    assert steps_kept(kept) == steps + batch


@pytest.mark.parametrize(
    ("training", "folder", "steps"),
    [(VICTIM, "run", 10_000), (ADVERSARY, "run/seed-0", 1280), (SELF_PLAY, "run/both", 1280)],
    ids=["victim", "adversary", "self-play"],
)
def test_after_a_kill_the_same_command_goes_on_to_the_same_end(begin, tmp_path, training, folder, steps):
    save_untrained(tmp_path / "runner", PASS, seat="runner")
    arguments, kept = ("train", *training, "--run", "run", "--steps", str(steps), "--episodes", "1"), Path(folder)
    process = begin(*arguments, until=(kept / "progress.json").exists)
    process.kill()
    process.communicate()
    before = steps_kept(kept)
    assert 0 < before < steps
    assert call(*arguments, "--resume") == 0
    assert steps_kept(kept) == steps


@pytest.mark.parametrize("training", [VICTIM, ADVERSARY, SELF_PLAY], ids=["victim", "adversary", "self-play"])
def test_an_interrupt_before_anything_was_kept_is_an_ordinary_one(tmp_path, capsys, monkeypatch, training):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    save_untrained(tmp_path / "runner", PASS, seat="runner")
    monkeypatch.setattr("stable_baselines3.common.on_policy_algorithm.OnPolicyAlgorithm.learn", interrupt)
    monkeypatch.setattr("stable_baselines3.PPO.learn", interrupt)
    monkeypatch.setattr("stable_baselines3.A2C.learn", interrupt)
    assert call("train", *training, "--steps", "6400") == 130
    assert "--resume" not in capsys.readouterr().err
