import shutil

import numpy as np
import pytest
import torch

from rlattack.errors import RefusedFile
from rlattack.policies.folder import AgentCard, read_agent_card
from rlattack.policies.gaussian import GaussianNetwork
from rlattack.policies.gaussian_spec import GaussianSpec
from rlattack.policies.network import Network, NetworkSpec
from rlattack.training.past import Past
from tests.kit.learning import CARD

SPEC = GaussianSpec(observation=(3,), actions=1, hidden=(4,))


def agent(spec=SPEC):
    network = GaussianNetwork(spec) if isinstance(spec, GaussianSpec) else Network(spec)
    return AgentCard(game=CARD.id, role="victim", algorithm="ppo", seat="left", network=spec), network


def filled(folder, steps, **values):
    past = Past(folder, **({"delta": 0.0} | values))
    for now in steps:
        past.add(now, *agent())
    return past


def test_versions_are_drawn_uniformly_between_delta_now_and_now(tmp_path):
    past = filled(tmp_path, range(0, 1001, 100), delta=0.5)
    assert past.versions == [500, 600, 700, 800, 900, 1000]  # older ones are never needed again
    drawn = [key for key, _ in past.draw(1000, 20_000, np.random.default_rng(0))]
    share = {key: drawn.count(key) / len(drawn) for key in past.versions}
    # those at the ends are nearest to half as many ages
    assert list(share.values()) == pytest.approx([0.1, 0.2, 0.2, 0.2, 0.2, 0.1], abs=0.01)


def test_ages_are_uniform_where_the_spacing_is_not(tmp_path):
    past = filled(tmp_path, (0, 100, 800, 900, 1000))
    drawn = np.array([key for key, _ in past.draw(1000, 20_000, np.random.default_rng(0))])
    assert (drawn <= 100).mean() == pytest.approx(0.45, abs=0.01)


def test_delta_1_is_the_last_version(tmp_path):
    past = filled(tmp_path, (0, 100, 200), delta=1.0)
    assert past.versions == [200]
    assert {key for key, _ in past.draw(230, 10, np.random.default_rng(0))} == {200}


def test_delta_0_is_any_version(tmp_path):
    past = filled(tmp_path, (0, 100, 200))
    assert {key for key, _ in past.draw(200, 100, np.random.default_rng(0))} == {0, 100, 200}


def test_a_drawn_player_is_that_version(tmp_path):
    past = filled(tmp_path, (0, 100))
    seen = torch.ones(5, 3)
    means = {key: one(seen).actions.mean for key, one in past.draw(100, 50, np.random.default_rng(0))}
    again = Past(tmp_path, delta=0.0)
    assert not means[0].equal(means[100])
    for key, one in again.draw(100, 50, np.random.default_rng(0)):
        assert one(seen).actions.mean.equal(means[key])


def test_the_number_of_versions_is_bounded_and_they_stay_spread(tmp_path):
    past = filled(tmp_path, range(0, 4000, 100), most=8)
    assert len(past.versions) == 8
    assert (past.versions[0], past.versions[-1]) == (0, 3900)
    assert max(np.diff(past.versions)) <= 1200
    assert sorted(int(folder.name) for folder in tmp_path.iterdir()) == past.versions


def test_another_version_is_due_after_so_many_steps(tmp_path):
    past = Past(tmp_path, delta=0.5, every=200)
    assert past.due(0)
    past.add(0, *agent())
    assert not past.due(199)
    assert past.due(200)


def test_what_came_after_the_checkpoint_is_removed(tmp_path):
    filled(tmp_path, (0, 100, 200))
    assert Past(tmp_path, delta=0.0, until=150).versions == [0, 100]
    assert not (tmp_path / "200").exists()
    assert Past(tmp_path, delta=0.0).versions == [0, 100]


def test_half_a_version_is_none(tmp_path, monkeypatch):
    def killed(*_, **__):
        raise KeyboardInterrupt

    past = filled(tmp_path, (100,), delta=1.0)
    monkeypatch.setattr(shutil, "rmtree", killed)
    with pytest.raises(KeyboardInterrupt):
        past.add(200, *agent())
    assert Past(tmp_path, delta=1.0).versions == [200]


def test_a_version_that_takes_the_other_seat_names_none(tmp_path):
    past = filled(tmp_path, (0,))
    past.add(100, *agent(), either=True)
    assert [read_agent_card(tmp_path / name).seat for name in ("0", "100")] == ["left", ""]


def test_discrete_policies_are_kept_in_full(tmp_path):
    spec = NetworkSpec(observation=(3,), actions=2, head="actor-critic", scale=1.0, hidden=(4,))
    past = Past(tmp_path, delta=0.0)
    past.add(0, *agent(spec))
    ((_, before),) = past.draw(0, 1, np.random.default_rng(0))
    ((_, after),) = Past(tmp_path, delta=0.0).draw(0, 1, np.random.default_rng(0))
    assert before(torch.ones(1, 3)).actions.scores.equal(after(torch.ones(1, 3)).actions.scores)


def test_a_damaged_version_is_refused(tmp_path):
    filled(tmp_path, (0,))
    (tmp_path / "0" / "policy.safetensors").write_bytes(b"no")
    with pytest.raises(RefusedFile, match="damaged or replaced"):
        Past(tmp_path, delta=0.0)
