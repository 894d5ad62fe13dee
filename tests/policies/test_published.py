"""What is stated of how well an agent plays, and what is said where it does not."""

import json

import numpy as np
import pytest

from rlattack.evaluation import evaluate
from rlattack.evaluation.study import Study
from rlattack.policies.load import load_agent
from rlattack.policies.published import Published, published
from rlattack.report.comparison import Setting
from rlattack.report.warnings import warnings


@pytest.fixture
def file(tmp_path):
    return tmp_path / "agent.zip"


def evaluations(folder, rows):
    np.savez(folder / "evaluations.npz", results=np.asarray(rows), timesteps=np.arange(len(rows)))


@pytest.mark.parametrize(
    ("low", "high", "holds"),
    [(90.0, 110.0, True), (60.0, 79.9, False), (60.0, 80.1, True), (120.1, 130.0, False), (119.9, 130.0, True)],
)
def test_an_interval_meets_a_score_within_two_deviations(low, high, holds):
    assert Published(100.0, 10.0, "here").holds(low, high) == holds


def test_a_gap_of_less_than_a_twentieth_is_no_news_however_small_the_spread():
    assert Published(500.0, 0.0, "here").holds(470.0, 475.5)
    assert not Published(500.0, 0.0, "here").holds(460.0, 474.0)
    assert Published(3344.0, 14.0, "here").holds(3290.0, 3300.0)


def test_the_score_of_a_card_comes_with_its_interval():
    found = published({"mean": 20.0, "ci": [18.04, 21.96], "episodes": 25, "actions": "sampled", "sticky": 0.25}, None)
    assert found.deviation == pytest.approx(5.0)
    assert (found.mean, found.source, found.actions, found.sticky) == (20.0, "its card", "sampled", 0.25)


@pytest.mark.parametrize("score", [None, {}, {"win": {"rate": 0.5}}, {"mean": float("nan")}])
def test_a_card_without_a_score_states_nothing(score):
    assert published(score, None) is None


def test_results_of_the_hub_come_before_evaluations(file):
    evaluations(file.parent, [[1.0, 3.0]])
    said = {"mean_reward": 499.2, "std_reward": 0.6, "is_deterministic": True, "n_eval_episodes": 10}
    (file.parent / "results.json").write_text(json.dumps(said))
    found = published(None, file)
    assert (found.mean, found.deviation, found.actions) == (499.2, 0.6, "greedy")
    assert found.source == "results.json of the hub"


@pytest.mark.parametrize(("name", "mean"), [("agent.zip", 20.0), ("best_model.zip", 100.0)])
def test_evaluations_state_the_last_and_the_best(file, name, mean):
    evaluations(file.parent, [[0.0, 2.0], [90.0, 110.0], [19.0, 21.0]])
    found = published(None, file.with_name(name))
    assert (found.mean, found.actions, found.source) == (mean, "greedy", "evaluations.npz beside it")
    assert found.holds(99.0, 101.0)
    assert found.holds(20.0, 20.0)
    assert not found.holds(40.0, 50.0)


@pytest.mark.parametrize("raw", [b"", b"text", b"[1]", b'{"mean_reward": null}', b'{"mean_reward": NaN}'])
def test_what_cannot_be_read_states_nothing(file, raw):
    for name in ("results.json", "evaluations.npz"):
        (file.parent / name).write_bytes(raw)
    assert published(None, file) is None


def test_a_payload_in_evaluations_does_not_run(file, payload, mark):
    (file.parent / "evaluations.npz").write_bytes(payload)
    assert published(None, file) is None
    np.savez(file.parent / "evaluations.npz", results=np.asarray([None, "x"], dtype=object))
    assert published(None, file) is None


class TestInPlay:
    """CartPole by a network of random weights, which falls at once."""

    @pytest.fixture
    def zipped(self, make_model, workplace):
        make_model("ppo").save(workplace / "agent.zip")
        return "agent.zip"

    def played(self, zipped, **options):
        told = []
        study = Study(game="gymnasium/CartPole-v1", players=(zipped,), attack=("none",), episodes=4, envs=4, **options)
        return evaluate(study, workers=1, say=told.append).cells, told

    def test_a_clean_score_that_is_not_the_published_one_is_said(self, zipped, workplace):
        evaluations(workplace, [[480.0, 500.0, 490.0]])
        cells, told = self.played(zipped, actions="greedy")
        (line,) = told
        assert line.startswith("agent.zip scores ")
        assert "clean, evaluations.npz beside it says 490 (sd 8.16): it does not play as it did there" in line
        assert line.endswith("another version of the game, other wrappers, or missing statistics do that")
        (clean,) = [cell for cell in cells if cell.clean]
        assert (clean.published.mean, clean.published.note) == (490.0, line)
        assert f"{line}." in warnings(Setting(tuple(cells)))
        saved = json.loads((workplace / "runs").glob("*/results.json").__next__().read_text())
        assert saved["cells"][0]["published"]["note"] == line

    def test_the_way_out_names_what_differs(self, zipped, workplace):
        evaluations(workplace, [[480.0, 500.0]])
        _, (line,) = self.played(zipped, actions="sampled", normaliser="none")
        assert line.endswith(
            "--normaliser none leaves out its statistics; that score is of greedy actions: --actions greedy"
        )

    def test_a_clean_score_that_is_the_published_one_says_nothing(self, zipped, workplace):
        evaluations(workplace, [[1.0, 60.0, 20.0]])
        cells, told = self.played(zipped, actions="greedy")
        assert told == []
        assert (cells[0].published.mean, cells[0].published.note) == (27.0, "")

    def test_an_episode_that_the_command_cuts_is_compared_with_no_score(self, zipped, workplace):
        evaluations(workplace, [[480.0, 500.0, 490.0]])
        cells, told = self.played(zipped, actions="greedy", max_steps=5)
        assert (told, cells[0].published) == ([], None)

    def test_a_score_behind_a_front_is_compared_behind_it_and_who_plays_bare_is_told_so(self, make_agent, vector):
        score = {"mean": 500.0, "ci": [500.0, 500.0], "episodes": 30, "fronts": ["temporal:window=2"]}
        make_agent("gymnasium/CartPole-v1/mine", vector, "gymnasium/CartPole-v1", score=score)
        _, (bare,) = self.played("gymnasium/CartPole-v1/mine")
        assert bare.endswith("that score is behind --defence temporal:window=2")
        cells, _ = self.played("gymnasium/CartPole-v1/mine", defence=("temporal:window=2",))
        assert cells[0].published.mean == 500.0
        cells, told = self.played("gymnasium/CartPole-v1/mine", defence=("temporal:window=3",))
        assert (told, cells[0].published) == ([], None)

    def test_an_agent_of_whom_nothing_is_stated_says_nothing(self, zipped):
        cells, told = self.played(zipped)
        assert (told, cells[0].published) == ([], None)

    def test_the_score_of_a_card_is_of_its_own_protocol(self, make_agent, vector):
        score = {"mean": 500.0, "ci": [500.0, 500.0], "episodes": 30, "sticky": 0.25}
        make_agent("gymnasium/CartPole-v1/mine", vector, "gymnasium/CartPole-v1", score=score)
        assert load_agent("gymnasium/CartPole-v1/mine").published.mean == 500.0
        assert self.played("gymnasium/CartPole-v1/mine")[1] == []  # it was played with sticky actions
