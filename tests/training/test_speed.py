import pytest

from rlattack.policies.folder import AgentCard, save_agent
from rlattack.policies.gaussian import GaussianNetwork, GaussianSpec
from rlattack.training.speed import TrainingSpeed, measure_training


def test_the_ratio_is_ours_over_theirs():
    assert TrainingSpeed(batched=300, subprocesses=200).ratio == 1.5


def test_both_ways_are_measured(tmp_path):
    pytest.importorskip("mujoco")
    spec = GaussianSpec(observation=(122,), actions=8, hidden=(8,))
    card = AgentCard(game="mujoco/run-to-goal-ants", role="victim", algorithm="ppo", network=spec)
    save_agent(tmp_path / "victim", card, GaussianNetwork(spec))
    found = measure_training(
        "mujoco/run-to-goal-ants", str(tmp_path / "victim"), threads=1, seconds=0.01, envs=4, processes=1, batch=32
    )
    assert found.batched > 0
    assert found.subprocesses > 0
