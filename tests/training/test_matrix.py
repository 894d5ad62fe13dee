"""Several defences that are trained in turn, and meet the same attacks in the end, on a game that is known by hand."""

from pathlib import Path

import pytest

from rlattack.errors import RlattackError
from rlattack.policies.folder import read_agent_card
from rlattack.report.comparison import settings
from rlattack.report.matrix import matrices
from rlattack.training import TrainMatrix, train_matrix
from rlattack.training.defended import Room
from rlattack.training.settings import VECTORS
from tests.kit.learning import Diary

COIN = "tests.kit.players:coin"


class Notes(Diary):
    """Keeps what is said, too."""

    def __init__(self):
        super().__init__()
        self.notes = []

    def note(self, line):
        self.notes.append(line)


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setitem(VECTORS, "ppo", VECTORS["ppo"] | {"n_steps": 16, "minibatches": 2, "n_epochs": 1})


def recipe(**values):
    default = {
        "game": "coins/any", "eps": 0.3, "space": "raw", "defence": ("radial",), "against": ("pgd:loss=margin",),
        "steps": 128, "envs": 4, "checkpoint_every": 64, "episodes": 2, "run": Path("run"), "agent": "my",
    }  # fmt: skip
    return TrainMatrix(**default | values)


def test_defences_and_an_undefended_twin_are_trained_in_turn_and_all_meet_what_they_can(tmp_path):
    watch, names = Notes(), ("undefended", "adversarial", "smoothed")
    defences = ("adversarial:attack=noise,share=1", "smoothed:sigma=0.1,copies=2")
    against = ("pgd:loss=margin", "missing", "patch:eps=1")
    results = train_matrix(recipe(defence=defences, against=against), watch, "rlattack ...")
    assert [one.id for one in watch.shipped] == [f"my/{name}" for name in names]
    unfit = "a patch is for pictures, this game shows numbers of shape (2,)"
    assert watch.notes[:6] == [
        *(f"training {name}, {number} of 3" for number, name in enumerate(names, start=1)),
        *(f"patch:eps=1 is not played on my/{name}: {unfit}" for name in names),
    ]
    assert "defends" not in read_agent_card(tmp_path / "agents/my/undefended").provenance
    (laid,) = matrices(settings(results.cells))
    fronts = "my/smoothed behind smooth:sigma=0.1,copies=2,vote=mean,space=raw"
    assert [(row.name, row.bare) for row in laid.rows] == [
        ("my/undefended", True), ("my/adversarial", False), (fronts, False),
    ]  # fmt: skip
    assert laid.columns == ("pgd loss=margin linf 0.3", "missing 1 %", "missing 10 %")
    assert [met.kind for met in laid.rows[1].met.values()] == ["foreseen", "unforeseen", "unforeseen"]
    smoothed = laid.rows[2]
    assert {met.kind for met in smoothed.met.values()} == {"unforeseen"}  # its training met no attack
    assert smoothed.unforeseen.mean == pytest.approx(sum(met.left.mean for met in smoothed.met.values()) / 3)
    assert smoothed.claim.words == "smoothed:sigma=0.1,copies=2"
    assert results.folder == Path("run/matrix")
    again = Notes()
    assert train_matrix(recipe(defence=defences, against=against, resume=True), again).cells == results.cells
    assert again.told == []  # nothing is learned anew
    with pytest.raises(RlattackError, match="--run run: holds a training run; add --resume to go on"):
        train_matrix(recipe())


def test_who_plays_as_another_one_does_is_not_played_again_and_that_is_said():
    watch = Notes()
    results = train_matrix(recipe(steps=64, against=("fgsm",)), watch)  # one update, of a rate that has fallen to 0
    assert "my/radial plays as my/undefended does, and is not played again" in watch.notes[-1]
    assert {cell.victim_seat.player for cell in results.cells} == {"my/undefended"}


def test_with_a_victim_that_is_the_undefended_one():
    twins = recipe(victim=COIN, defence=("distil:updates=16", "distil:updates=32", "distil:updates=16,robust=0"))
    assert list(twins.trainings) == ["distil", "distil-2", "distil-3"]
    assert list(recipe(defence=("sa", "none")).trainings) == ["sa", "undefended"]
    results = train_matrix(recipe(victim=COIN, envs=8, defence=("distil:updates=16,batch=8",)), Notes())
    (laid,) = matrices(settings(results.cells))
    assert [(row.name, row.bare) for row in laid.rows] == [(COIN, True), ("my/distil", False)]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"defence": ("sa", "sa")}, r"--defence: expected different ones, at least one, got \['sa', 'sa'\]"),
        ({"defence": ()}, "--defence: expected different ones, at least one"),
        ({"against": ()}, "--against: expected at least one attack"),
        ({"against": ("pdg",)}, "no attack 'pdg'; did you mean 'pgd'"),
        ({"against": ("none",)}, "--against none: expected an attack; the clean game always runs"),
        ({"against": ("pgd",), "eps": None}, "--against pgd: expected a size, as pgd:eps=..., or --eps"),
        ({"against": ("patch",)}, "--against patch: expected a size, as patch:eps=...$"),
        ({"defence": ("jpeg",)}, "--defence jpeg: is a front"),
        ({"resume": True}, "--resume: run holds no training run"),
        (
            {"victim": COIN, "envs": 8, "defence": ("distil",), "against": ("patch:eps=1",)},
            "--against patch:eps=1: no victim can be",
        ),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_learned(tmp_path, values, message):
    with pytest.raises(RlattackError, match=message):
        train_matrix(recipe(**values), Notes())
    assert not (tmp_path / "run").exists()


def test_a_card_claims_a_size_only_where_the_training_had_it(tmp_path):
    trainings = recipe(defence=("natural:changes=missing+delay", "none")).trainings.values()
    natural, plain = (Room(one, "").ground.learner(0).about for one in trainings)
    assert natural["defends"]["kinds"] == ["missing", "delay"]
    assert "eps" not in natural["defends"]
    assert plain["defends"] is None
