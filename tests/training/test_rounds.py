"""Defence and reattack in turns, on a game that is known by hand."""

from pathlib import Path

import pytest

from rlattack.errors import RlattackError, RunConflict
from rlattack.policies.folder import read_agent_card
from rlattack.training import TrainRounds, train_rounds
from tests.kit.agents import gaussian_agent
from tests.kit.learning import Crash, Diary


@pytest.fixture(autouse=True)
def _players(working_folder):
    for seed, (name, seat) in enumerate((("runner", "right"), ("blocker", "left"), ("other", "left"))):
        gaussian_agent(working_folder / name, "tug/any", 3, seat=seat, seed=seed)


def run(watch=None, **values):
    default = {
        "game": "tug/any", "victim": "runner", "adversary": "blocker", "envs": 4, "batch": 64, "steps": 64,
        "episodes": 2, "run": Path("run"), "agent": "my",
    }  # fmt: skip
    recipe = TrainRounds(**default | values)
    return train_rounds(recipe, watch or Diary(), "rlattack train rounds ...")


def cards(tmp_path):
    return {path.name: read_agent_card(path) for path in (tmp_path / "agents" / "my").iterdir()}


def test_agents_learn_from_each_other_and_all_meet_in_the_end(tmp_path):
    watch = Diary()
    meeting = run(watch, rounds=2, opponents="other")
    found = cards(tmp_path)
    assert sorted(found) == ["adversary-1", "adversary-2", "victim-1", "victim-2"]
    assert {card.seat for name, card in found.items() if name.startswith("victim")} == {"right"}
    met = {name: [one["id"] for one in found[name].provenance["opponents"]] for name in ("victim-1", "victim-2")}
    assert met == {"victim-1": ["blocker", "other"], "victim-2": ["my/adversary-1", "other"]}
    assert found["victim-2"].provenance["init"] == {"id": "my/victim-1", "sha256": found["victim-1"].sha256}
    for number in (1, 2):
        victim = {"id": f"my/victim-{number}", "sha256": found[f"victim-{number}"].sha256}
        assert found[f"adversary-{number}"].provenance["victim"] == victim
    assert meeting.victims == ("runner", "my/victim-1", "my/victim-2")
    assert meeting.adversaries == ("blocker", "my/adversary-1", "my/adversary-2")
    pairs = [tuple(seat.player for seat in cell.seats) for cell in meeting.results.cells]
    assert pairs == [(left, right) for left in (*meeting.adversaries, "other") for right in meeting.victims]
    assert {(cell.seed, cell.episodes, cell.victim) for cell in meeting.results.cells} == {(2000, 2, 1)}
    assert meeting.results.folder.as_posix() == "run/duel-2"
    roles = [(f"{role}-{turn}", turn, 2) for turn in (1, 2) for role in ("victim", "adversary")]
    assert watch.begun == roles
    assert [one.id for one in watch.shipped] == [f"my/{name}" for name, *_ in roles]
    assert [note for *_, note, _ in watch.played].count("all meet") == 24


@pytest.mark.slow
def test_a_victim_meets_the_adversaries_of_every_round(tmp_path):
    run(rounds=2, population="rounds")
    assert [one["id"] for one in cards(tmp_path)["victim-2"].provenance["opponents"]] == ["my/adversary-1", "blocker"]


def test_a_victim_meets_all_seeds_of_the_adversaries_of_every_round(tmp_path):
    run(rounds=2, population="seeds", seeds=(0, 1), run=Path("other-run"), agent="all")
    found = {path.name: read_agent_card(path) for path in (tmp_path / "agents/all").iterdir()}
    (other,) = (name for name in found if name.startswith("adversary-1-seed-"))
    met = [one["id"] for one in found["victim-2"].provenance["opponents"]]
    assert met == ["all/adversary-1", "blocker", f"all/{other}"]
    assert found[other].provenance["seed"] == 1 - found["adversary-1"].provenance["seed"]
    again = Diary()
    run(again, rounds=2, population="seeds", seeds=(0, 1), run=Path("other-run"), agent="all", resume=True)
    assert again.told == []  # nothing is learned anew
    taken = {"rounds": 1, "population": "seeds", "seeds": (0, 1), "run": Path("third"), "adversary": None}
    gaussian_agent(tmp_path / "agents/new/adversary-0-seed-1", "tug/any", 3, seat="left")
    with pytest.raises(RlattackError, match="agents/new/adversary-0-seed-1 holds another agent; choose another id"):
        run(**taken, agent="new")


def test_a_card_names_the_command_that_makes_its_agent_by_itself(tmp_path):
    run(trust=True)
    words = cards(tmp_path)["victim-1"].provenance["command"].split()
    assert words[:4] == ["rlattack", "train", "victim", "tug/any"]
    assert "--trust" in words
    options = {"--init": "runner", "--opponents": "blocker", "--seat": "right", "--run": "run/victim-1", "--envs": "4"}
    assert {option: words[words.index(option) + 1] for option in options} == options


def test_without_an_adversary_one_is_trained_first_and_finetuning_goes_on_from_it(tmp_path):
    run(adversary=None, reattack="finetune", adversary_steps=128)
    found = cards(tmp_path)
    assert sorted(found) == ["adversary-0", "adversary-1", "victim-1"]
    assert found["adversary-0"].provenance["victim"]["id"] == "runner"
    assert found["adversary-1"].provenance["init"]["id"] == "my/adversary-0"
    assert [found[name].provenance["steps"] for name in sorted(found)] == [128, 128, 64]
    assert [one["id"] for one in found["victim-1"].provenance["opponents"]] == ["my/adversary-0"]


def test_a_run_goes_on_with_more_rounds_and_repeats_none(tmp_path):
    run()
    before = (tmp_path / "run" / "victim-1" / "right" / "checkpoint.pt").stat().st_mtime_ns
    with pytest.raises(RunConflict, match="--run run: holds a training run; add --resume to go on"):
        run()
    watch = Diary()
    run(watch, resume=True, rounds=2)
    assert (tmp_path / "run" / "victim-1" / "right" / "checkpoint.pt").stat().st_mtime_ns == before
    assert [steps for _, steps in watch.told] == [0, 64, 0, 64]  # of one round
    assert set(cards(tmp_path)) == {"victim-1", "adversary-1", "victim-2", "adversary-2"}


def test_what_came_of_a_training_keeps_it_as_it_is(tmp_path):
    run()
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("checkpoint.pt")}
    for asked, expected in (
        ({"steps": 128}, "--steps: run/victim-1 has 64, of which came adversary-1, got 128; choose another --run"),
        ({"adversary_steps": 128}, "--adversary-steps: run/adversary-1 has 64, of which came duel-1, got 128"),
        ({"seeds": (0, 1)}, r"--seeds: run/adversary-1 has \[0\], of which came duel-1, got \(0, 1\)"),
        ({"cut": (64, 0.1)}, r"--cut: run/adversary-1 has None, of which came duel-1, got \(64, 0.1\)"),
    ):
        with pytest.raises(RunConflict, match=expected):
            run(resume=True, **asked)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    run(resume=True)


def test_the_games_at_the_end_may_become_more(tmp_path):
    run()
    watch = Diary()
    meeting = run(watch, resume=True, episodes=3)
    assert {cell.episodes for cell in meeting.results.cells} == {3}
    assert [kept for *_, note, kept in watch.played if note == "all meet"].count(False) == 4  # one more of each pair
    assert cards(tmp_path)["victim-1"].score["episodes"] == 3


def test_the_last_training_of_all_may_go_on(tmp_path):
    class Killed(Diary):
        def episodes(self, done, total, note, kept):
            if self.begun[-1][0] == "adversary-1":
                raise Crash

    with pytest.raises(Crash):
        run(Killed())
    run(resume=True, adversary_steps=128)
    assert cards(tmp_path)["adversary-1"].provenance["steps"] == 128


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"victim": "zero"}, "--victim: expected an agent, got 'zero'"),
        ({"victim": "lstm"}, r"--victim lstm: has a memory \(LSTM\), which is not supported here"),
        ({"adversary": "runner"}, "runner"),
        ({"adversary": "zero", "reattack": "finetune"}, "--adversary: expected an agent, got 'zero'"),
        ({"opponents": "blocker,"}, "--opponents: expected different names"),
        ({"opponents": "blocker"}, "--opponents: expected different names"),
        ({"adversary": "nobody"}, "nobody"),
        ({"resume": True}, "--resume: run holds no training run"),
        ({"agent": "../x"}, "--agent '../x/victim-1': expected an id such as"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_trained(tmp_path, values, expected):
    gaussian_agent(tmp_path / "lstm", "tug/any", 3, seat="right", memory=8)
    with pytest.raises(RlattackError, match=expected):
        run(**values)
    assert not (tmp_path / "run").exists()
    assert not (tmp_path / "agents").exists()
