"""Students of a teacher: what they learn, from what, and what becomes of them."""

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete

from rlattack.budget import Budget
from rlattack.defences.bounds import propagate
from rlattack.errors import InvalidInput, RefusedFile
from rlattack.games import find_game, make_game
from rlattack.games.game import Seat
from rlattack.games.training import training_env
from rlattack.policies import load_agent
from rlattack.policies.folder import read_agent
from rlattack.policies.network import NetworkSpec
from rlattack.training import TrainDefended, train
from rlattack.training.hardening.courses import Aggregate, Lesson, attend
from rlattack.training.hardening.distil import Distil, DistilConfig
from rlattack.training.hardening.student import Standard, Student
from tests.kit.agents import gaussian_network, save_network
from tests.kit.learning import Diary, curve

PICTURES = Seat("player", Box(0, 255, (4, 40, 36), np.uint8), Discrete(4))
NUMBERS = Seat("player", Box(-5, 5, (3,), np.float32), Discrete(4))
PIXELS = NetworkSpec(observation=(4, 40, 36), actions=4, head="actor-critic", convolutions=((4, 8, 4),), hidden=(8,))
VECTOR = NetworkSpec(observation=(3,), actions=4, head="actor-critic", scale=1.0, hidden=(8,))


def student(spec, standard, values=(0.0, 1.0)):
    torch.manual_seed(0)
    return Student(spec, standard, values)


def test_the_agent_that_comes_of_a_student_says_what_it_says_of_the_newest_frames():
    pupil = student(PIXELS, Standard.of(PICTURES, torch.zeros(1), 2), (3.0, 2.0))
    obs = torch.randint(0, 256, (5, 4, 40, 36)).float()
    scores, values = pupil(pupil.standard(pupil.standard.newest(obs)))
    said, expected, *_ = pupil.agent(0.5)(obs)
    torch.testing.assert_close(said, 2 * scores, atol=1e-3, rtol=1e-4)
    torch.testing.assert_close(expected, 2 * values + 3, atol=1e-3, rtol=1e-4)
    other = obs.clone()
    other[:, :2] = 0
    torch.testing.assert_close(pupil.agent(0.5)(other)[0], said)


def test_numbers_are_brought_to_a_common_size_and_back():
    seen = torch.randn(100, 3) * torch.tensor([1.0, 100.0, 0.0]) + 7
    pupil = student(VECTOR, Standard.of(NUMBERS, seen, 2))
    taken = pupil.standard(seen)
    torch.testing.assert_close(taken[:, :2].std(dim=0), torch.ones(2))
    assert taken[:, 2].abs().max() < 1e-2  # what never changes is no noise
    torch.testing.assert_close(pupil.agent(1.0)(seen)[0], pupil(taken)[0], atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("space", ["unit", "raw"])
def test_the_box_of_a_student_is_that_of_the_budget(space):
    eps = 3 / 255 if space == "unit" else 3.0
    standard = Standard.of(PICTURES, torch.zeros(1), 1)
    vicinity = standard.vicinity(PICTURES, Budget(eps=eps, space=space), None, 1.0)
    box = vicinity.box(standard(torch.tensor([[[[0.0, 100.0, 254.0]]]])))
    ends = [(one * standard.spread + standard.centre).flatten().tolist() for one in (box.lower, box.upper)]
    assert ends[0] == pytest.approx([0, 97, 251], abs=1e-3)
    assert ends[1] == pytest.approx([3, 103, 255], abs=1e-3)


def test_the_worst_case_of_bounds_is_no_better_than_anything_in_the_box_and_weighs_what_matters():
    pupil = student(VECTOR, Standard(None, torch.zeros(3), torch.ones(3)))
    vicinity = pupil.standard.vicinity(NUMBERS, Budget(eps=0.1, space="raw"), None, 1.0)
    seen = torch.randn(6, 3)
    chances = torch.tensor([[1.0, 0.0, 0.0, 0.0]]).repeat(6, 1)
    lesson = Lesson(seen.numpy(), chances, torch.zeros(6))
    regime = Distil(DistilConfig(robust=1.0))
    bounded = regime.loss(pupil, vicinity, seen, lesson)
    found = Distil(DistilConfig(robust=1.0, solver="pgd", pgd_steps=20)).loss(pupil, vicinity, seen, lesson)
    with torch.no_grad():
        tried = [
            torch.nn.functional.cross_entropy(pupil(seen + 0.2 * torch.rand(6, 3) - 0.1)[0], torch.zeros(6).long())
            for _ in range(300)
        ]
    value = regime.loss(pupil, None, seen, lesson).loss - torch.nn.functional.cross_entropy(
        pupil(seen)[0], torch.zeros(6).long()
    )
    assert max(tried) <= found.loss - value + 1e-3
    assert found.loss <= bounded.loss + 1e-5
    assert bounded.stands <= found.stands <= found.agrees
    alike = Lesson(seen.numpy(), torch.full((6, 4), 0.25), torch.zeros(6))
    assert regime.loss(pupil, vicinity, seen, alike).loss.item() == pytest.approx(
        value.item(), abs=1e-6
    )  # nothing matters
    assert propagate(pupil.network.trunk, vicinity.box(seen)).radius.max() > 0


def test_a_lesson_is_what_was_seen_with_what_the_teacher_says_of_it():
    env, seat = training_env(find_game("coins/any"), 8), make_game(find_game("coins/any"), 1).seats[0]
    teacher = load_agent("tests.kit.players:coin", seat).policy
    first, again = (attend(env, teacher, lambda obs: obs, 60, lambda obs: np.ones(8, np.int64), (3,)) for _ in range(2))
    assert len(first.obs) == 64
    assert (first.obs == again.obs).all()
    said = teacher(torch.as_tensor(first.obs)).actions.probabilities
    torch.testing.assert_close(first.chances, said)


def numbered(numbers):
    return Lesson(np.asarray(numbers), torch.zeros(len(numbers), 2), torch.as_tensor(numbers).float())


def test_old_states_give_way_to_new_ones_where_there_are_too_many():
    known, again = Aggregate(6), Aggregate(6)
    for one in (known, again):
        for number, lesson in enumerate((range(4), range(10, 14), range(20, 24))):
            one.add(numbered(list(lesson)), (0, number))
    drawn = known.drawn(400, np.random.default_rng(0))
    seen = set(drawn.obs.tolist())
    assert len(seen) == 6
    assert {20, 21, 22, 23} < seen
    assert drawn.values.tolist() == drawn.obs.tolist()
    assert set(again.drawn(400, np.random.default_rng(1)).obs.tolist()) == seen
    few = Aggregate(1)
    few.add(numbered([1, 2]), (0,))  # at least one lesson
    few.add(numbered([3, 4, 5]), (0,))
    assert set(few.drawn(50, np.random.default_rng(0)).obs.tolist()) == {3, 4}


def test_a_lesson_is_kept_for_a_run_that_goes_on(tmp_path):
    numbered([1, 2, 3]).save(tmp_path / "lessons/0.npz")
    assert Lesson.load(tmp_path / "lessons/0.npz").obs.tolist() == [1, 2, 3]
    (tmp_path / "lessons/1.npz").write_bytes((tmp_path / "lessons/0.npz").read_bytes()[:-40])
    for number in (1, 2):
        with pytest.raises(RefusedFile, match=f"{number}.npz: expected a lesson of this run, got none that can be"):
            Lesson.load(tmp_path / f"lessons/{number}.npz")


def test_a_student_plays_as_its_teacher_does_and_stands_what_its_teacher_does_not(tmp_path):
    recipe = TrainDefended(
        game="coins/any", defence="distil:updates=300,batch=64", victim="tests.kit.players:coin", eps=0.5, space="raw",
        steps=1000, episodes=10, agent="my/own", run=tmp_path / "run",
    )  # fmt: skip
    (shipped,) = train(recipe, Diary(), "rlattack ...")
    card, _ = read_agent(shipped.folder)
    assert card.algorithm == "distil"
    assert card.provenance["victim"]["id"] == "tests.kit.players:coin"
    attacked, clean = card.score["attacked"]["mean"], card.score["mean"]
    assert attacked == clean >= 3.0  # every coin is named
    assert curve(tmp_path / "run/seed-0", "distil/stands")[200] == 1.0


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"victim": None}, "--defence distil: learns of an agent that there is; name it by --victim"),
        ({"defence": "distil:frames=0"}, "defence distil: frames: expected a number at least 1, got 0"),
        ({"game": "gymnasium/Pendulum-v1", "victim": "random"}, "which looks at nothing"),
    ],
)
def test_bad_input_is_refused_before_anything_is_written(tmp_path, values, message):
    given = {
        "game": "coins/any", "defence": "distil", "victim": "tests.kit.players:coin", "eps": 0.5, "space": "raw",
        "agent": "my/own", "run": tmp_path / "run",
    } | values  # fmt: skip
    with pytest.raises(InvalidInput, match=message):
        train(TrainDefended(**given), Diary(), "rlattack ...")
    assert not (tmp_path / "run").exists()


def test_a_teacher_of_numbers_or_with_a_memory_is_refused(tmp_path):
    arm = save_network(tmp_path / "arm", "gymnasium/Pendulum-v1", gaussian_network(3))
    given = {"eps": 0.1, "space": "raw", "agent": "my/own", "run": tmp_path / "run", "defence": "distil"}
    with pytest.raises(InvalidInput, match="--defence distil: is for discrete actions, gymnasium/Pendulum-v1 has"):
        train(TrainDefended(game="gymnasium/Pendulum-v1", victim=arm, **given), Diary(), "rlattack ...")
