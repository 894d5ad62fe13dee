"""The number of threads that step games changes nothing that is learned."""

import os

import pytest
import torch

from rlattack.cli.main import main
from rlattack.policies.folder import AgentCard, load_agent, save_agent
from rlattack.policies.gaussian import GaussianNetwork, GaussianSpec

pytest.importorskip("mujoco")
GAME = "mujoco/you-shall-not-pass"
SMALL = ("--envs", "8", "--batch", "64", "--steps", "128", "--episodes", "1")


@pytest.fixture(autouse=True)
def working_folder(tmp_path, monkeypatch):
    """Holds a runner that knows nothing."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})  # evaluates in this process
    torch.manual_seed(0)
    spec = GaussianSpec(observation=(380,), actions=17, hidden=(8,))
    card = AgentCard(game=GAME, role="victim", algorithm="ppo", seat="runner", network=spec)
    save_agent(tmp_path / "runner", card, GaussianNetwork(spec))
    return tmp_path


@pytest.mark.parametrize(
    "training",
    [("adversary", GAME, "--victim", "runner"), ("victim", GAME, "--seat", "each", "--snapshot-every", "1")],
    ids=["adversary", "self-play"],
)
def test_weights_are_equal_to_the_bit(tmp_path, training):
    learned = []
    for threads in ("1", "2", "3"):
        more = ("--threads", threads, "--run", f"run-{threads}", "--agent", f"my/{threads}")
        assert main(["train", *training, *SMALL, *more]) == 0
        found = sorted((tmp_path / "agents" / "my" / threads).rglob("agent.toml"))
        learned.append([load_agent(path.parent)[1].state_dict() for path in found])
    for other in learned[1:]:
        assert len(other) == len(learned[0]) >= 1
        for mine, theirs in zip(learned[0], other, strict=True):
            assert all(torch.equal(mine[name], theirs[name]) for name in mine)


def test_another_seed_learns_something_else(tmp_path):
    for seed in ("0", "1"):
        more = ("--seeds", seed, "--threads", "1", "--run", f"run-{seed}", "--agent", f"my/{seed}")
        assert main(["train", "adversary", GAME, "--victim", "runner", *SMALL, *more]) == 0
    first, second = (load_agent(tmp_path / "agents" / "my" / seed)[1].state_dict() for seed in ("0", "1"))
    assert not all(torch.equal(first[name], second[name]) for name in first)
