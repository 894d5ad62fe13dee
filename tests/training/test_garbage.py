"""Students with a class of garbage: what is evolved against them, what they learn, and what becomes of them."""

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box

from rlattack.attacks.fooling import Inputs
from rlattack.errors import InvalidInput, RefusedFile, RlattackError
from rlattack.evaluation import Study, evaluate
from rlattack.policies import load_agent
from rlattack.policies.folder import read_agent
from rlattack.policies.network import NetworkSpec
from rlattack.training import TrainDefended, train
from rlattack.training.hardening.evolving import Breeding, Evolutions, Round
from rlattack.training.hardening.student import Standard, Student
from tests.kit.agents import gaussian_network, save_network
from tests.kit.learning import Crash, Diary, curve

SMALL = "garbage:updates=600,batch=64,queries=100,evolutions=2"
NUMBERS = Inputs.of(Box(-2, 2, (5,), np.float32), lambda: np.zeros((1, 5)))
PICTURES = Inputs.of(Box(0, 255, (2, 8, 6), np.uint8), lambda: np.zeros((1, 2, 8, 6)))


def recipe(folder, **values):
    default = {
        "game": "coins/any", "defence": SMALL, "victim": "tests.kit.players:coin", "steps": 1000, "episodes": 10,
        "agent": "my/own",
    }  # fmt: skip
    return TrainDefended(**default | values, run=folder)


def bred(inputs, sure, **values):
    breeding = Breeding(**{"evolutions": 2, "queries": 100, "enough": 0.9} | values)
    return breeding.fool(sure, inputs, lambda obs: obs.numpy(), np.random.default_rng(0), lambda way: None)


def test_evolutions_that_end_early_leave_their_queries_to_more_of_them():
    def easy(obs):
        return np.ones((len(obs), 2))

    ways, kept = bred(NUMBERS, easy)
    assert list(ways) == ["entries"]
    assert ways["entries"].queries.tolist() == [20] * 6  # 200 - 5 * 20 is the last that leaves 100
    assert ways["entries"].table == {"best": 1.0, "median": 1.0, "evolutions": 6, "queries": 20.0}
    assert len(kept) == 120  # all fool

    hard, kept = bred(NUMBERS, lambda obs: np.zeros((len(obs), 2)))
    assert hard["entries"].queries.tolist() == [100, 100]
    assert len(kept) == 2  # the first of each; none is surer


def test_what_is_kept_was_surer_than_all_before_and_is_as_the_game_shows_it():
    asked = []

    def bright(obs):
        asked.append(obs)
        share = obs.mean(dim=(1, 2, 3)).numpy().astype(float) / 255
        return np.stack([share, 1 - share], axis=1)

    ways, kept = bred(PICTURES, bright, evolutions=1)
    assert list(ways) == ["entries", "cppn"]
    assert (kept == kept.round()).all()
    means = torch.cat(asked).mean(dim=(1, 2, 3))[:100].double()
    most, least = means.cummax(0).values, means.cummin(0).values
    better = torch.cat([torch.tensor([True]), (means[1:] > most[:-1]) | (means[1:] < least[:-1])])
    first = kept[: int(better.sum())]
    assert (first == torch.cat(asked)[:100][better].numpy()).all()
    assert ways["entries"].sure[0].tolist() == pytest.approx([float(most[-1] / 255), float(1 - least[-1] / 255)])


def test_entries_without_bounds_are_evolved_in_the_range_of_play():
    play = np.float32([[1, 5], [3, 5]])
    inputs = Inputs.of(Box(np.float32([-np.inf, 0]), np.float32([np.inf, 9])), lambda: play)
    assert inputs.at(torch.tensor([[0.0, 0.0], [1.0, 1.0]])).tolist() == [[1, 0], [3, 9]]


def test_a_round_is_kept_for_a_run_that_goes_on(tmp_path):
    ways = {"entries": Evolutions(np.array([[0.5, 0.75]]), np.array([40]))}
    made = Round(128, ways, 0.25, np.uint8([[1, 2], [3, 4]]))
    made.save(tmp_path / "0.npz")
    found = Round.load(tmp_path / "0.npz")
    assert (found.steps, found.table, found.inputs.dtype) == (128, made.table, np.uint8)
    assert found.inputs.tolist() == made.inputs.tolist()
    (tmp_path / "0.npz").write_bytes(b"none")
    with pytest.raises(RefusedFile, match=r"0\.npz: expected a round of this run, got none that can be read; begin an"):
        Round.load(tmp_path / "0.npz")


def test_the_agent_that_comes_of_a_student_calls_the_same_garbage():
    torch.manual_seed(0)
    spec = NetworkSpec(observation=(3,), actions=4, head="actor-critic", scale=1.0, hidden=(8,), garbage=True)
    pupil = Student(spec, Standard(None, torch.ones(3), torch.full((3,), 2.0)), (0.0, 1.0))
    obs = torch.randn(5, 3)
    classes = pupil.classes(pupil.network.trunk(pupil.standard(obs)))
    scores, *_, garbage = pupil.agent(0.5)(obs)
    torch.testing.assert_close(torch.cat([scores, garbage[:, None]], dim=1), 2 * classes)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished run, with what was noted of it."""
    folder, watch = tmp_path_factory.mktemp("garbage"), Notes()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        (shipped,) = train(recipe(folder / "run"), watch, "rlattack ...")
    return folder, folder / shipped.folder, watch


class Notes(Diary):
    """Keeps notes, too."""

    def __init__(self):
        super().__init__()
        self.notes = []

    def note(self, line):
        self.notes.append(line)


def test_the_agent_plays_as_its_teacher_does_and_its_card_tells_each_round(run):
    folder, agent, watch = run
    card, _ = read_agent(agent)
    assert card.algorithm == "garbage"
    assert card.score["mean"] >= 3.0  # every coin is named
    assert card.score["attacked"]["command"].endswith("--attack missing:eps=1")
    assert card.provenance["defends"]["kinds"] == ["fooling"]
    rounds = card.provenance["rounds"]
    assert [one["round"] for one in rounds] == [0, 1, 2, 3]
    for what in ("best", "queries"):
        told = [one["entries"][what] for one in rounds]
        assert list(curve(folder / "run/seed-0", f"garbage/entries_{what}").values()) == pytest.approx(told)
    assert rounds[0]["entries"]["best"] >= 0.99
    assert all(one["false_alarms"] < 0.1 for one in rounds)
    assert watch.notes[0].startswith("seed 0, round 0 of 3: sure of evolved entries 1.000 (median")
    assert len(watch.notes) == 4


def test_what_never_comes_up_is_called_garbage_and_play_is_not(run):
    _, agent, _ = run
    policy = load_agent(str(agent)).policy
    far = policy(torch.tensor([[8.0, -8.0], [-9.0, 9.0], [-6.0, 7.0]])).garbage
    near = policy(torch.tensor([[0.0, 1.0], [1.0, -1.0], [2.0, 1.0]])).garbage
    assert (far > 0).all()
    assert (near < 0).all()


def test_its_class_is_a_detector(run, tmp_path):
    _, agent, _ = run
    study = Study(
        game="coins/any", players=str(agent), detect=("garbage:rate=0.2,episodes=20",), attack=("noise",), eps=8.0,
        space="raw", episodes=6,
    )  # fmt: skip
    result = evaluate(study, run=tmp_path / "run").cells[-1]
    (found,) = result.victim_seat.detection.values()
    assert found.auc.mean > 0.9  # noise of that size leaves little of play


def test_a_learner_goes_on_from_it_without_the_class(run, tmp_path):
    _, agent, _ = run
    values = {"defence": "none", "victim": str(agent), "steps": 8, "envs": 4, "learning_rate": 1e-30, "episodes": 1}
    train(recipe(tmp_path / "run", **values), Diary(), "rlattack ...")
    card, network = read_agent(tmp_path / "run/agent")
    before = read_agent(agent)[1]
    seen = torch.rand(4, 2)
    assert not card.network.garbage
    torch.testing.assert_close(network(seen)[0], before(seen)[0], rtol=1e-3, atol=1e-3)


def test_a_run_that_was_killed_in_its_last_round_has_the_same_curve(run, tmp_path):
    _, agent, _ = run

    class Late(Diary):
        def steps(self, done, total, note=""):
            if "round 3 of 3" in note:
                raise Crash

    with pytest.raises(Crash):
        train(recipe(tmp_path / "run"), Late(), "rlattack ...")
    (shipped,) = train(recipe(tmp_path / "run", resume=True), Diary(), "rlattack ...")
    one, other = (read_agent(place)[0] for place in (agent, shipped.folder))
    assert one.provenance["rounds"] == other.provenance["rounds"]
    assert one.sha256 == other.sha256


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"victim": None}, "--defence garbage: learns of an agent that there is; name it by --victim"),
        ({"eps": 0.1, "space": "raw"}, "--eps: --defence garbage stands no size, what is no game has none; leave it o"),
        ({"steps": 20}, "--steps: expected at least 48 for 3 rounds of --defence garbage, got 20"),
        (
            {"defence": "garbage:rounds=0"},
            "defence garbage: rounds: expected a number at least 1 and at most 100",
        ),
        ({"defence": "garbage:sure=1"}, "defence garbage: sure: expected a number above 0 and below 1, got 1"),
        ({"defence": "garbage:round=2"}, "defence garbage has no parameter 'round'; did you mean 'rounds'"),
    ],
)
def test_bad_input_is_refused_before_anything_is_written(tmp_path, values, message):
    with pytest.raises(RlattackError, match=message):
        train(recipe(tmp_path / "run", **values), Diary(), "rlattack ...")
    assert not (tmp_path / "run").exists()


def test_continuous_actions_are_refused(tmp_path):
    arm = save_network(tmp_path / "arm", "gymnasium/Pendulum-v1", gaussian_network(3))
    with pytest.raises(InvalidInput, match="--defence garbage: is for discrete actions, gymnasium/Pendulum-v1 has"):
        train(recipe(tmp_path / "run", game="gymnasium/Pendulum-v1", victim=arm), Diary(), "rlattack ...")
