"""Detectors at play: they look on, change nothing, and say the same whoever plays the episodes."""

import dataclasses
import shutil

import pytest
import torch

from rlattack.attacks import Attacker, make_attack
from rlattack.budget import Budget
from rlattack.defences.detectors import DETECTORS
from rlattack.errors import InvalidInput, UnknownName
from rlattack.evaluation import Study, evaluate
from rlattack.evaluation.plan import plan
from rlattack.evaluation.play import open_play
from rlattack.evaluation.prepare import prepare
from tests.kit.agents import CARTPOLE, scores_as_seen
from tests.kit.cells import load_and_play, take

pytest.importorskip("sklearn")
EASY = "rate=0.2,episodes=4"
SPECS = {
    "squeeze": f"squeeze:{EASY}", "mahalanobis": f"mahalanobis:{EASY},alarm=cusum",
    "mixture": f"mixture:{EASY},components=2", "foresight": f"foresight:{EASY},epochs=1,states=100,alarm=mad,row=2",
    "ad3": f"ad3:{EASY},skip=2,window=3",
}  # fmt: skip
CART = {
    "game": "gymnasium/CartPole-v1", "players": "gymnasium/CartPole-v1/dqn", "eps": (0.3,), "space": "raw",
    "max_steps": 25, "episodes": 4, "envs": 2, "attack": ("fgsm",),
}  # fmt: skip
WATCHED = Study(**CART, detect=tuple(SPECS.values()))


def test_there_is_an_example_of_every_detector():
    known = {name for name in DETECTORS if name not in DETECTORS.added}
    assert set(SPECS) == known - {"garbage"}  # which a victim must have; `tests/training/test_garbage.py` has one


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    """The cells of a study on which every detector looks, in one process."""
    folder = tmp_path_factory.mktemp("watched") / "run"
    return evaluate(WATCHED, run=folder, workers=1)


def test_detectors_change_no_episode_and_no_key(watched, tmp_path):
    bare = evaluate(Study(**CART), run=tmp_path / "run", workers=1)
    assert [cell.cell for cell in watched.cells] == [cell.cell for cell in bare.cells]
    for one, other in zip(watched.cells, bare.cells, strict=True):
        seats = tuple(dataclasses.replace(seat, detection={}) for seat in one.seats)
        assert seats == other.seats
        assert not any(seat.detection for seat in other.seats)


def test_the_number_of_workers_and_another_run_change_nothing(watched, tmp_path):
    shutil.copytree(watched.fits, tmp_path / "run" / "store" / "fits")  # what is learned is tested elsewhere
    two = evaluate(WATCHED, run=tmp_path / "run", workers=2)
    assert [cell.seats for cell in two.cells] == [cell.seats for cell in watched.cells]


def test_every_detector_tells_of_every_cell(watched):
    clean, *others = watched.cells
    names = [ref.spec for ref in watched.plan.cells[0].detectors]
    assert len(names) == len(SPECS)
    for cell in watched.cells:
        assert list(cell.seats[0].detection) == names
    assert all(one.auc is None and 0 <= one.steps.mean <= 1 for one in clean.seats[0].detection.values())
    for one in (one for cell in others for one in cell.seats[0].detection.values()):
        assert 0 <= one.auc.ci[0] <= one.auc.mean <= one.auc.ci[1] <= 1
        assert len(one.roc) > 20


def test_what_a_detector_sees_of_an_attack_is_more_than_of_clean_play(watched):
    fgsm = watched.cells[-1].seats[0].detection["mahalanobis:alarm=cusum,episodes=4,rate=0.2"]
    assert fgsm.auc.ci[0] > 0.6


def test_one_fit_does_for_all_that_raises_alarms_and_more_detectors_play_again(tmp_path):
    said = []
    study = Study(**CART, detect=(f"squeeze:{EASY}", f"squeeze:{EASY},alarm=mad"))
    evaluate(study, run=tmp_path / "run", workers=1, say=said.append)
    assert sum("fitting detector" in line for line in said) == 1
    again = dataclasses.replace(study, detect=(*study.detect, f"squeeze:{EASY},alarm=cusum"))
    found = evaluate(again, run=tmp_path / "run", workers=1, say=said.append)
    assert sum("fitting detector" in line for line in said) == 1
    assert len(found.cells[0].seats[0].detection) == 3


def test_traces_have_a_number_a_step_and_only_attacked_steps_are_called_so(tmp_path):
    study = Study(**CART, when="random:share=0.5", detect=f"squeeze:{EASY}")
    cells = plan(study).cells
    prepare(cells, tmp_path, lambda line: None)
    clean, attacked = (played(cell, tmp_path) for cell in (cells[0], cells[-1]))
    for one in clean:
        assert one.seats[0].traces["attacked"] == [0.0] * one.length
    for one in attacked:
        traces = one.seats[0].traces
        assert set(map(len, traces.values())) == {one.length}
        assert sum(traces["attacked"]) == one.seats[0].judged.attacked > 0


def played(cell, fits):
    ended = open_play(cell, take(cell), fits=fits).play()
    return sorted((one for step in ended for one in step), key=lambda one: one.episode)


def test_episodes_do_not_depend_on_who_else_plays_in_other_slots(tmp_path):
    cell = plan(WATCHED).cells[-1]
    prepare([cell], tmp_path, lambda line: None)
    full = played(cell, tmp_path)
    numbers = {0: iter([2]), 1: iter([])}
    alone = open_play(cell, lambda slot: next(numbers[slot], None), fits=tmp_path).play()
    (one,) = [one for step in alone for one in step]
    assert one.seats[0].traces == full[2].seats[0].traces


def test_what_a_seat_of_two_sees_is_watched_where_it_is_attacked(tmp_path):
    study = Study(
        game="turns/any", players=("tests.kit.players:namer", "tests.kit.players:namer"),
        victim="1", attacked="0", actions="greedy", attack="fgsm", eps=2.0, space="raw", episodes=2, envs=2,
        detect="squeeze:rate=0.9,episodes=8",
    )  # fmt: skip
    found = evaluate(study, run=tmp_path / "run", workers=1)
    first, second = found.cells[-1].seats
    assert (list(first.detection), second.detection) == (["squeeze:rate=0.9"], {})


def test_who_evades_a_detector_is_seen_less_and_pays_for_it(tmp_path):
    """Mahalanobis in the loss: below the threshold where PGD is far above it; both at the same size."""
    detector = f"mahalanobis:{EASY}"
    attacks = ("pgd:steps=5,random_start=false", f'pgd:steps=5,random_start=false,caution=50,evade="{detector}"')
    study = Study(**CART | {"attack": attacks, "eps": (0.05,)}, detect=detector)
    plain, evading = evaluate(study, run=tmp_path / "run", workers=1).cells[-2:]
    name = "mahalanobis:episodes=4,rate=0.2"
    assert evading.ok
    assert evading.seats[0].detection[name].steps.mean < plain.seats[0].detection[name].steps.mean
    assert evading.seats[0].gradients == 2 * plain.seats[0].gradients


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"detect": "squeze"}, UnknownName, "no detector 'squeze'; did you mean 'squeeze'"),
        ({"detect": "squeeze:rate=2"}, InvalidInput, "detector squeeze: rate: expected a number above 0 and below 1"),
        ({"detect": "squeeze:rate=0.2:x"}, InvalidInput, "detector squeeze: rate: expected a number, got '0.2:x'"),
        ({"attack": "pgd:evade=ad3"}, InvalidInput, "evade=ad3: its score has no slope; expected one of squeeze"),
        ({"attack": "pgd:evade=nobody"}, UnknownName, "no detector 'nobody'"),
        (
            {"attack": "universal:evade=squeeze"},
            InvalidInput,
            "attack universal learns before a detector looks on",
        ),
        (
            {"attack": "pgd:evade=squeeze", "surrogate": "tests.kit.players:balance"},
            InvalidInput,
            "attack pgd:evade=squeeze: evade= looks at the victim itself: leave --?surrogate out",
        ),
        ({"detect": "mahalanobis", "players": "tests.kit.players:balance"}, InvalidInput, "tell the last hidden layer"),
        (
            {"attack": "pgd:evade=mixture", "players": "tests.kit.players:balance"},
            InvalidInput,
            "detector mixture: expected a victim whose outputs tell the last hidden layer",
        ),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_played(changes, error, message):
    with pytest.raises(error, match=message):
        plan(Study(**CART | changes))


def test_too_little_clean_play_for_the_rate_is_told_before_cells_are_played(tmp_path):
    said = []
    with pytest.raises(InvalidInput, match=r"detector squeeze: expected at least 1,000 clean steps .* had 100; epi"):
        evaluate(Study(**CART, detect="squeeze:episodes=4"), run=tmp_path / "run", workers=1, say=said.append)
    with pytest.raises(
        InvalidInput, match=r"ad3: .* had 0 of which it can say something; .*; skip= and window= of few"
    ):
        evaluate(Study(**CART, detect="ad3:episodes=2"), run=tmp_path / "run", workers=1)
    # the fit of an easier rate is there, and is no fit of this one
    evaluate(Study(**CART, detect=f"squeeze:{EASY}"), run=tmp_path / "run", workers=1)
    with pytest.raises(InvalidInput, match=r"detector squeeze: expected at least 200 clean steps"):
        evaluate(Study(**CART, detect="squeeze:rate=0.05,episodes=4"), run=tmp_path / "run", workers=1)


def test_an_attack_that_evades_a_detector_outside_of_an_evaluation_says_how():
    attack = make_attack("pgd", Budget(eps=0.1, space="raw"), evade="squeeze")
    attacker = Attacker(attack, scores_as_seen(4), CARTPOLE.observation, 1)
    with pytest.raises(InvalidInput, match=r"evade=: a detector learns on clean tuning episodes first: play the att"):
        attacker(torch.zeros(1, 4))


def test_who_plays_without_a_folder_of_fits_is_not_watched():
    cell = plan(WATCHED).cells[0]
    assert all(one.seats[0].traces == {} for one in load_and_play(cell))
