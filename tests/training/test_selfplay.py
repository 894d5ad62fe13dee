"""Victims that learn from their own past, from each other, or from named opponents."""

import json

import pytest
import torch

from rlattack.errors import InvalidInput, RunConflict
from rlattack.policies.folder import policy_of, read_agent, read_agent_card
from rlattack.training import TrainVictim, train
from rlattack.training.checkpoint import load_checkpoint
from tests.kit.agents import save_network
from tests.kit.learning import Crash, Diary, curve, initial_network


def run(folder, watch=None, **values):
    default = {
        "game": "tug/any", "seat": "left", "steps": 512, "envs": 16, "batch": 128, "snapshot_every": 1, "episodes": 2,
        "agent": "my/victim",
    }  # fmt: skip
    return train(TrainVictim(**default | values, run=folder), watch or Diary(), "rlattack train victim ...")


def push(folder):
    """What an agent does at the start."""
    policy = policy_of(*read_agent(folder))
    return float(policy(torch.zeros(1, 3)).actions.mean)


def past(folder):
    return {path.name for path in (folder / "past").iterdir()}


def test_in_self_play_it_learns_to_push(tmp_path):
    """Pushing hard wins whatever the other does, and a learner that starts at random pushes as often back."""
    watch = Diary()
    (one,) = run(tmp_path / "run", watch, steps=7_680, learning_rate=3e-3, anneal=0.0, snapshot_every=3)
    assert push(one.folder) > 0.7
    assert watch.told[0] == ("left", 0)
    versions = sorted(map(int, past(tmp_path / "run" / "left")))
    assert (len(versions), versions[0], versions[-1]) == (10, 3840, 7680 - 384)


def test_the_dense_reward_alone_is_learned_while_the_curriculum_lasts(tmp_path):
    def pushed(anneal):
        values = {"steps": 5_120, "learning_rate": 3e-3, "snapshot_every": 5, "sparse": 0.001, "dense": 10.0}
        name = f"anneal-{anneal}"
        (one,) = run(tmp_path / name, game="backwards/any", anneal=anneal, agent=name, **values)
        return push(one.folder)

    assert pushed(0.0) < -0.5
    assert pushed(1.0) > 0.5


def test_alpha_snapshots_and_outcomes_are_curves(tmp_path):
    run(tmp_path / "run", anneal=1.0, delta=0.0)
    folder = tmp_path / "run" / "left"
    assert curve(folder, "curriculum/alpha") == {128: 0.75, 256: 0.5, 384: 0.25}
    assert curve(folder, "curriculum/snapshots") == {128: 2, 256: 3, 384: 4}
    rates = [curve(folder, f"victim/{name}_rate")[512] for name in ("win", "tie", "loss")]
    assert sum(rates) == pytest.approx(1)


def test_a_run_leaves_an_agent_whose_card_says_how_it_came_to_be(tmp_path):
    (one,) = run(tmp_path / "run", seed=3)
    card = read_agent_card(one.folder)
    assert (card.role, card.seat, card.algorithm, card.game) == ("victim", "left", "ppo", "tug/any")
    assert card.provenance["command"] == "rlattack train victim ..."
    assert (card.provenance["seed"], card.provenance["steps"]) == (3, 512)
    assert (card.provenance["delta"], card.provenance["anneal"]) == (0.5, 0.15)
    assert "torch" in card.provenance["versions"]
    assert card.score == one.score.table
    kept = json.loads((tmp_path / "run" / "config.json").read_text())["training"]
    assert (kept["seat"], kept["delta"], kept["opponents_sha256"], kept["init_sha256"]) == ("left", 0.5, [], None)


def test_its_past_can_take_the_other_seat_and_everybody_s_player_judges_it(tmp_path):
    (one,) = run(tmp_path / "run")
    assert [met["opponent"] for met in one.score.more["against"]] == ["random"]
    assert read_agent_card(tmp_path / "run" / "left" / "past" / "384").seat == ""


def test_a_killed_run_goes_on_with_its_past(tmp_path):
    values = {"checkpoint_every": 256, "delta": 0.0, "steps": 1024}
    with pytest.raises(Crash):
        run(tmp_path / "run", Diary(crash_at=512), **values)
    folder = tmp_path / "run" / "left"
    done = load_checkpoint(folder).steps
    assert done in (256, 512)
    before = {path.parent.name: path.read_bytes() for path in folder.glob("past/*/policy.safetensors")}
    assert set(before) == {"0", "128", "256", "384", "512"}
    with pytest.raises(RunConflict, match="holds a training run; add --resume"):
        run(tmp_path / "run", **values)
    watch = Diary()
    (one,) = run(tmp_path / "run", watch, resume=True, **values)
    assert watch.told[0] == ("left", done)
    assert read_agent_card(one.folder).provenance["steps"] == 1024
    for name in ("0", "128", "256"):
        assert (folder / "past" / name / "policy.safetensors").read_bytes() == before[name]
    assert past(folder) == {str(steps) for steps in range(0, 1024, 128)}


@pytest.mark.parametrize(("other", "kept"), [({"delta": 0.2}, "0.5"), ({"checkpoint_every": 7}, "\\d+")])
def test_another_delta_or_spacing_of_checkpoints_is_another_run(tmp_path, other, kept):
    run(tmp_path / "run")
    ((name, value),) = other.items()
    with pytest.raises(RunConflict, match=f"trained with {name} {kept}, now {value}; choose another --run"):
        run(tmp_path / "run", resume=True, **other)


def test_a_finished_run_stays_as_it_is(tmp_path):
    (one,) = run(tmp_path / "run")
    before, watch = read_agent_card(one.folder), Diary()
    run(tmp_path / "run", watch, resume=True)
    assert (read_agent_card(one.folder), watch.told) == (before, [])


def test_fixed_opponents_are_met_in_turn_and_named(tmp_path):
    met, watch = ["tests.kit.learning:strong", "tests.kit.learning:weak"], Diary()
    (one,) = run(tmp_path / "run", watch, opponents=",".join(met))
    assert not (tmp_path / "run" / "left" / "past").exists()
    assert 0.3 < watch.wins[-1] < 0.7  # an untrained one beats the weak one alone
    assert [found["id"] for found in read_agent_card(one.folder).provenance["opponents"]] == met
    assert [found["opponent"] for found in one.score.more["against"]] == met
    with pytest.raises(RunConflict, match="trained with opponents"):
        run(tmp_path / "run", resume=True, opponents=met[0])


def test_against_a_fixed_opponent_it_learns_to_win(tmp_path):
    watch, values = Diary(), {"steps": 12_800, "learning_rate": 3e-3, "anneal": 0.0}
    run(tmp_path / "run", watch, seat=None, opponents="tests.kit.learning:middling", **values)
    assert watch.told[-1][0].startswith("right")
    assert watch.wins[-1] > 0.9


def test_one_policy_for_both_seats_is_judged_in_both(tmp_path):
    (one,) = run(tmp_path / "run", seat=None, episodes=4)
    assert one.learner == "both"
    assert read_agent_card(one.folder).seat == ""
    assert [(met["opponent"], met["seat"]) for met in one.score.more["against"]] == [("random", 0), ("random", 1)]
    assert one.score.episodes == 4


def test_two_learners_train_in_turns_each_against_the_others_past(tmp_path):
    watch = Diary()
    left, right = run(tmp_path / "run", watch, seat="each", turns=2)
    order = [note.partition(",")[0] for note, steps in watch.told if steps % 256]
    assert order == ["left", "right", "left", "right"]
    for name, one, other in (("left", left, right), ("right", right, left)):
        card = read_agent_card(one.folder)
        assert (card.seat, card.role, card.provenance["steps"]) == (name, "victim", 512)
        assert {read_agent_card(path).seat for path in (tmp_path / "run" / name / "past").iterdir()} == {name}
        assert (one.learner, one.id) == (name, f"my/victim/{name}")
        assert [met["opponent"] for met in one.score.more["against"]] == [other.id]
    assert left.score.rates["win"] == right.score.rates["loss"]


def test_two_learners_go_on_where_they_were_killed(tmp_path):
    with pytest.raises(Crash):
        run(tmp_path / "run", Diary(crash_at=("right", 384)), seat="each", turns=2)
    assert load_checkpoint(tmp_path / "run" / "left").steps == 512
    watch = Diary()
    found = run(tmp_path / "run", watch, resume=True, seat="each", turns=2)
    assert watch.told[0] == ("right", 256)
    assert [read_agent_card(one.folder).provenance["steps"] for one in found] == [512, 512]


def test_two_learners_both_learn_to_push(tmp_path):
    # a push is paid by itself: of winning alone the weaker one may learn nothing, by chance and by the machine
    shaped = {"anneal": 1.0, "dense": 1.0}
    found = run(tmp_path / "run", seat="each", turns=10, steps=7_680, learning_rate=3e-3, snapshot_every=5, **shaped)
    assert min(push(one.folder) for one in found) > 0.5


def test_in_a_game_of_turns_it_meets_its_past_too(tmp_path):
    (one,) = run(tmp_path / "run", game="count/any", seat="first", anneal=0.0)
    assert read_agent(one.folder)[1].spec.actions == 3


def test_statistics_of_who_goes_on_stay_frozen_while_it_learns_and_when_it_is_resumed(tmp_path):
    first = save_network(tmp_path / "first", "tug/any", initial_network())
    run(tmp_path / "run", init=first)
    (one,) = run(tmp_path / "run", init=first, resume=True, steps=640)
    card, exported = read_agent(one.folder)
    torch.testing.assert_close(exported.obs_mean, initial_network().obs_mean, atol=0, rtol=0)
    torch.testing.assert_close(exported.obs_std, initial_network().obs_std, atol=0, rtol=1e-6)
    assert not exported.log_std.equal(initial_network().log_std)  # it did learn
    assert card.provenance["init"] == {"id": first, "sha256": read_agent_card(tmp_path / "first").sha256}
    assert card.provenance["anneal"] == 0.0
    assert card.network.hidden == (8, 4)


def test_a_game_that_cannot_be_learned_leaves_nothing(tmp_path):
    with pytest.raises(InvalidInput, match="expected numbers to see, no images"):
        run(tmp_path / "run", game="grids/any")
    assert not (tmp_path / "run").exists()
