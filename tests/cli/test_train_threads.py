"""The number of threads that step games changes nothing that is learned."""

import pytest
import torch
from command_line import PASS as GAME
from command_line import call, save_untrained

from rlattack.policies.folder import read_agent

pytest.importorskip("mujoco")
SMALL = ("--envs", "8", "--batch", "64", "--steps", "128", "--episodes", "1")


@pytest.fixture(autouse=True)
def _runner(working_folder):
    save_untrained(working_folder / "runner", GAME, seat="runner")


@pytest.mark.parametrize(
    "training",
    [("adversary", GAME, "--victim", "runner"), ("victim", GAME, "--seat", "each", "--snapshot-every", "1")],
    ids=["adversary", "self-play"],
)
def test_weights_are_equal_to_the_bit(tmp_path, training):
    learned = []
    for threads in ("1", "2", "3"):
        more = ("--threads", threads, "--run", f"run-{threads}", "--agent", f"my/{threads}")
        assert call("train", *training, *SMALL, *more) == 0
        found = sorted((tmp_path / "agents" / "my" / threads).rglob("agent.toml"))
        learned.append([read_agent(path.parent)[1].state_dict() for path in found])
    for other in learned[1:]:
        assert len(other) == len(learned[0]) >= 1
        for mine, theirs in zip(learned[0], other, strict=True):
            assert all(torch.equal(mine[name], theirs[name]) for name in mine)


def test_another_seed_learns_something_else(tmp_path):
    for seed in ("0", "1"):
        more = ("--seeds", seed, "--threads", "1", "--run", f"run-{seed}", "--agent", f"my/{seed}")
        assert call("train", "adversary", GAME, "--victim", "runner", *SMALL, *more) == 0
    first, second = (read_agent(tmp_path / "agents" / "my" / seed)[1].state_dict() for seed in ("0", "1"))
    assert not all(torch.equal(first[name], second[name]) for name in first)
