"""Agents that learn to stand attacks, killed and gone on with: the same weights, and no less than was learned."""

import json

import pytest
import torch

from rlattack.errors import InvalidInput, RefusedFile, RunConflict
from rlattack.policies.folder import read_agent_card
from rlattack.training.hardening import REGIMES
from tests.kit.learning import Crash, Diary, curve
from tests.training.hardened import MORE_RECIPES, RECIPES, learn_little, learned, run


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    learn_little(monkeypatch)


@pytest.mark.parametrize(
    ("game", "defence"), [*RECIPES, *(pytest.param(*one, marks=pytest.mark.slow) for one in MORE_RECIPES)]
)
def test_a_killed_run_ends_with_the_weights_of_one_that_was_not(tmp_path, game, defence):
    values = {**game, "defence": defence}
    with pytest.raises(Crash):
        learned(tmp_path / "killed", Diary(crash_at=192), **values)
    assert json.loads((tmp_path / "killed/seed-0/progress.json").read_text())["steps"] == 128
    learned(tmp_path / "killed", resume=True, **values)
    assert learned(tmp_path / "whole", **values).steps == 256
    one, other = (read_agent_card(tmp_path / name / "seed-0/agent") for name in ("killed", "whole"))
    assert one.sha256 == other.sha256
    assert one.provenance["steps"] == 256


TAUGHT = [one for one in RECIPES if one[1].startswith(("distil", "garbage"))]


def kept(folder):
    """What a checkpoint holds of the student of seed 0."""
    return torch.load(folder / "seed-0/checkpoint.pt", weights_only=True)["policy"]


@pytest.mark.parametrize(("game", "defence"), TAUGHT)
@pytest.mark.parametrize("more", [8, 300])
def test_a_student_goes_on_for_longer_with_what_it_has(tmp_path, game, defence, more):
    values = {**game, "defence": defence, "checkpoint_every": 100}
    learned(tmp_path / "run", **values)
    before, first = kept(tmp_path / "run"), sorted((tmp_path / "run/seed-0/lessons").iterdir())
    told = [one.read_bytes() for one in first]
    assert learned(tmp_path / "run", resume=True, steps=256 + more, **values).steps == 256 + more
    after, every = kept(tmp_path / "run"), sorted((tmp_path / "run/seed-0/lessons").iterdir())
    assert after["course"].tolist() == [before["course"][0], len(every)]
    assert len(every) == len(first) + max(1, more // int(before["course"][0]))
    assert [one.read_bytes() for one in first] == told
    for name in ("centre", "spread", "value_scale"):
        torch.testing.assert_close(after[name], before[name], rtol=0, atol=0)
    moved = (after["network.actor.0.weight"] != before["network.actor.0.weight"]).any()
    assert moved, "it learned on"
    assert read_agent_card(tmp_path / "run/seed-0/agent").provenance["steps"] == 256 + more


@pytest.mark.parametrize(("game", "defence"), TAUGHT)
def test_a_student_that_goes_on_for_longer_may_be_killed_again(tmp_path, game, defence):
    values = {**game, "defence": defence, "checkpoint_every": 100}
    for name in ("whole", "killed"):
        learned(tmp_path / name, **values)
    longer = {**values, "resume": True, "steps": 500}
    with pytest.raises(Crash):
        learned(tmp_path / "killed", Diary(crash_at=440), **longer)
    assert 256 < json.loads((tmp_path / "killed/seed-0/progress.json").read_text())["steps"] < 500
    for name in ("whole", "killed"):
        learned(tmp_path / name, **longer)
    one, other = (read_agent_card(tmp_path / name / "seed-0/agent") for name in ("killed", "whole"))
    assert one.sha256 == other.sha256


@pytest.mark.parametrize(("game", "defence"), TAUGHT)
def test_a_student_does_not_go_on_for_less_or_from_a_checkpoint_of_before(tmp_path, game, defence):
    values = {**game, "defence": defence, "resume": True}
    learned(tmp_path / "run", **values | {"resume": False})
    with pytest.raises(InvalidInput, match=r"--steps 255: .*seed-0 has learned from 256 already; ask for at"):
        learned(tmp_path / "run", **values, steps=255)
    path = tmp_path / "run/seed-0/checkpoint.pt"
    told = torch.load(path, weights_only=True)
    del told["policy"]["course"]
    torch.save(told, path)
    with pytest.raises(
        RefusedFile, match=r"checkpoint\.pt: expected what its lessons are, .* got none; begin anew, in an"
    ):
        learned(tmp_path / "run", **values)


def test_every_regime_is_trained_here():
    assert {defence.partition(":")[0] for _, defence in RECIPES} == set(REGIMES) - set(REGIMES.added)


@pytest.mark.parametrize(
    "defence",
    [
        "sa",
        "sa:solver=convex",
        "sa:solver=crown-ibp",
        "radial:kappa=0.8",
        "car",
        "car:solver=convex",
        "adversarial",
        "natural:changes=missing",
        "smoothed:sigma=0.1",
    ],
)
def test_a_killed_dqn_goes_on_with_a_replay_of_its_own(tmp_path, defence):
    values = {"algo": "dqn", "steps": 400, "checkpoint_every": 200, "defence": defence}
    with pytest.raises(Crash):
        learned(tmp_path / "run", Diary(crash_at=300), **values)
    assert learned(tmp_path / "run", resume=True, **values).steps == 400
    assert curve(tmp_path / "run/seed-0", "train/robustness")


def test_a_run_goes_on_longer_with_more_seeds_and_under_nothing_else(tmp_path):
    run(tmp_path / "run")
    with pytest.raises(RunConflict, match="holds a training run; add --resume to go on"):
        run(tmp_path / "run")
    with pytest.raises(RunConflict, match=r"trained with eps 0\.3, now 0\.5; choose another --run"):
        run(tmp_path / "run", resume=True, eps=0.5)
    with pytest.raises(RunConflict, match="trained with defence sa:steps=2, now sa:steps=3; choose another --run"):
        run(tmp_path / "run", resume=True, defence="sa:steps=3")
    shipped = run(tmp_path / "run", resume=True, steps=320, seeds=(0, 1), attack="fgsm")
    assert [(one.seed, one.steps) for one in shipped.tried] == [(0, 320), (1, 320)]
    assert shipped.score.more["attacked"]["attack"] == "fgsm"
