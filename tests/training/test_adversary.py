"""Adversaries of one victim, from a recipe to the best of them."""

import json

import pytest

from rlattack.errors import InvalidInput, RunConflict
from rlattack.evaluation.results import Rate
from rlattack.policies.folder import read_agent, read_agent_card
from rlattack.training import TrainAdversary, Trained, train
from rlattack.training.adversary import choose
from tests.kit.agents import gaussian_agent
from tests.kit.learning import Diary, curve


@pytest.fixture
def victim(working_folder):
    return gaussian_agent(working_folder / "victim", "tug/any", 3, seat="right", seed=5)


def run(folder, victim, watch=None, **values):
    default = {
        "game": "tug/any", "steps": 256, "envs": 16, "batch": 128, "episodes": 3, "tuning": 2, "agent": "my/adversary",
    }  # fmt: skip
    (shipped,) = train(TrainAdversary(**default | values, victim=victim, run=folder), watch or Diary(), "rlattack ...")
    return shipped


def test_every_seed_learns_in_a_folder_of_its_own_and_the_best_is_shipped(tmp_path, victim):
    watch = Diary()
    shipped = run(tmp_path / "run", victim, watch, seeds=(4, 7, 5))
    cards = {seed: read_agent_card(tmp_path / "run" / f"seed-{seed}" / "agent") for seed in (4, 7, 5)}
    assert len({card.sha256 for card in cards.values()}) == 3
    card = read_agent_card(shipped.folder)
    assert shipped.folder.as_posix() == "agents/my/adversary"
    assert (card.role, card.seat, card.algorithm, card.game) == ("adversary", "left", "ppo", "tug/any")
    best = card.provenance["seed"]
    assert card.sha256 == cards[best].sha256
    assert card.provenance["victim"] == {"id": victim, "sha256": read_agent_card(tmp_path / "victim").sha256}
    assert (card.provenance["command"], card.provenance["seeds"]) == ("rlattack ...", [4, 7, 5])
    assert card.score == shipped.score.table
    assert (card.score["episodes"], card.score["seed"]) == (3, 1000 + best)
    assert card.score["command"].startswith(f"rlattack duel tug/any --players my/adversary {victim} --episodes 3")
    tried = {one.seed: one.tuning.rate for one in shipped.tried}
    assert tried[best] == max(tried.values())
    assert [row["tuning_win_rate"] for row in card.provenance["tried"]] == list(tried.values())
    assert json.loads((tmp_path / "run" / "seeds.json").read_text()) == card.provenance["tried"]
    assert {note.partition(",")[0] for note, _ in watch.told} == {"seed 4", "seed 7", "seed 5"}
    notes = [note for *_, note, _ in watch.played]
    assert notes == [note for seed in (4, 7, 5) for note in [f"choosing, seed {seed}"] * 2] + ["evaluating"] * 3


def test_the_first_of_equally_good_seeds_becomes_the_agent(tmp_path, victim):
    run(tmp_path / "run", victim, seeds=(4, 7, 5))
    trained = [
        Trained(seed=seed, steps=256, folder=tmp_path / f"run/seed-{seed}/agent", tuning=Rate(rate, (0, 1)))
        for seed, rate in ((4, 0.2), (7, 0.6), (5, 0.6))
    ]
    assert choose(tmp_path / "run", trained).seed == 7
    assert read_agent_card(tmp_path / "run" / "agent").provenance["seed"] == 7


def test_a_single_seed_needs_no_tuning(tmp_path, victim):
    watch = Diary()
    shipped = run(tmp_path / "run", victim, watch, seeds=(3,))
    assert [note for *_, note, _ in watch.played] == ["evaluating"] * 3
    assert [(one.seed, one.tuning) for one in shipped.tried] == [(3, None)]
    (row,) = read_agent_card(shipped.folder).provenance["tried"]
    assert row.keys() == {"seed", "steps", "cut", "training_win_rate"}


def test_the_score_is_a_curve_in_tensorboard(tmp_path, victim):
    shipped = run(tmp_path / "run", victim)
    assert curve(tmp_path / "run", "evaluation/win_rate") == {256: pytest.approx(shipped.score.rates["win"].rate)}


def test_a_run_can_be_made_longer_and_of_more_seeds(tmp_path, victim):
    run(tmp_path / "run", victim)
    with pytest.raises(RunConflict, match="holds a training run; add --resume to go on"):
        run(tmp_path / "run", victim)
    shipped = run(tmp_path / "run", victim, resume=True, seeds=(0, 1), steps=384, cut=(10, 0.0))
    assert [(one.seed, one.steps) for one in shipped.tried] == [(0, 384), (1, 384)]
    with pytest.raises(InvalidInput, match="has learned from 384 already; ask for at least that many"):
        run(tmp_path / "run", victim, resume=True, seeds=(0, 1))


def test_a_run_against_another_victim_is_refused(tmp_path, victim):
    run(tmp_path / "run", victim)
    gaussian_agent(tmp_path / "victim", "tug/any", 3, seat="right", seed=6)
    with pytest.raises(RunConflict, match=r"trained with victim_sha256 \w+, now \w+; choose another --run"):
        run(tmp_path / "run", victim, resume=True)


def test_a_game_that_cannot_be_learned_leaves_nothing(tmp_path):
    with pytest.raises(InvalidInput, match="expected numbers to see, no images, and one number or a vector to act by"):
        run(tmp_path / "run", "tests.kit.learning:grid", game="grids/any")
    assert not (tmp_path / "run").exists()


def test_an_adversary_goes_on_from_an_agent(tmp_path, victim):
    first = gaussian_agent(tmp_path / "first", "tug/any", 3, seat="left", hidden=(8, 4))
    card, network = read_agent(run(tmp_path / "run", victim, init=first).folder)
    assert card.provenance["init"] == {"id": first, "sha256": read_agent_card(tmp_path / "first").sha256}
    assert network.spec.hidden == (8, 4)
    _, before = read_agent(tmp_path / "first")
    assert network.obs_mean.equal(before.obs_mean)
    assert not network.log_std.equal(before.log_std)  # it did learn
