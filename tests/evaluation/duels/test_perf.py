import numpy as np
import pytest
import torch

from rlattack.evaluation.duels.perf import SteppingSpeed, _Again, _Play, measure_stepping
from rlattack.policies.folder import AgentCard, save_agent
from rlattack.policies.gaussian import GaussianNetwork, GaussianSpec
from rlattack.training import contest

pytest.importorskip("mujoco")
GAME = "mujoco/sumo-ants"


@pytest.fixture
def victim(tmp_path):
    torch.manual_seed(0)
    spec = GaussianSpec(observation=(137,), actions=8, hidden=(8,), memory=4)
    save_agent(
        tmp_path / "one", AgentCard(game=GAME, role="victim", algorithm="ppo", network=spec), GaussianNetwork(spec)
    )
    return str(tmp_path / "one")


def test_the_share_is_ours_of_mujoco_alone():
    assert SteppingSpeed(batched=90, raw=100).share == 0.9


def test_both_are_measured(victim):
    found = measure_stepping(GAME, victim, seconds=0.01, envs=2)
    assert 0 < found.batched < 10 * found.raw


def test_a_game_of_another_engine_has_no_such_bound(tmp_path):
    pytest.importorskip("pettingzoo")
    assert measure_stepping("pettingzoo/connect_four_v3", "random", seconds=0.01) is None


def test_mujoco_alone_plays_the_same_to_the_bit(victim):
    against = contest(GAME, victim, envs=3)
    play, again = _Play(against, against.duel), _Again(against.duel)
    for _ in range(3):
        again.start()
        _, controls = play.turn()
        again.turn(controls)
        for slot, (_, data) in enumerate(again._scenes):
            if against.duel._elapsed[slot]:  # not just started anew
                assert (data.qpos == against.duel._qpos[slot]).all()
    assert np.abs(controls).max() <= 1
