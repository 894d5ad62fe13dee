"""Attacks on a continuous victim through the whole engine: entries that may change, and adversaries out of files."""

import shutil

import numpy as np
import pytest
import torch

from rlattack.errors import InvalidInput, RefusedFile, UnknownName
from rlattack.evaluation import Study, evaluate
from rlattack.evaluation.plan import plan
from rlattack.evaluation.play import play_episodes
from tests.kit.cells import Received, take
from tests.kit.model_files import write_model
from tests.kit.runs import numbers, rows


@pytest.fixture(params=[0, 6], ids=["mlp", "lstm"])
def victim(tmp_path, request):
    return write_model(tmp_path / "hopper.model", 11, 3, memory=request.param)


def study(victim, **changes):
    about = {"attack": ("pgd:steps=2",), "eps": (0.1,), "space": "sigma", "episodes": 4, "envs": 2}
    return Study(game="mujoco/hopper", players=(victim,), **about | changes)


def keys(*asked, **changes):
    return [cell.key for cell in plan(study(*asked, **changes)).cells]


@pytest.mark.parametrize("free", ["2,4", "thigh_joint,foot_joint", "foot_joint,2,2"])
def test_entries_may_be_named_or_numbered(victim, free):
    assert keys(victim, free=free) == keys(victim, free="2,4")


def test_what_is_free_is_part_of_a_cell_and_of_its_control(victim):
    clean, control, attacked = keys(victim)
    other = keys(victim, free="2,4")
    assert other[0] == clean
    assert {control, attacked}.isdisjoint(other)
    assert keys(victim, free=",".join(map(str, range(11)))) == [clean, control, attacked]


@pytest.mark.parametrize("attack", ["pgd:steps=2", "fgsm:random_start=true"])
@pytest.mark.parametrize(("norm", "space"), [("linf", "sigma"), ("l2", "raw"), ("l1", "sigma")])
def test_the_rest_stays_exactly(victim, attack, norm, space):
    for cell in plan(study(victim, attack=(attack,), norm=norm, space=space, free="2,4,rootx_velocity")).cells[1:]:
        seen = Received(0)
        episodes = [one for one in play_episodes(cell, take(cell), [seen]) if hasattr(one, "seats")]
        assert all(one.seats[0].judged.broken == 0 for one in episodes)
        changed = torch.cat(seen.received) != torch.cat(seen.shown)
        found = changed.any(dim=0).nonzero()[:, 0].tolist()
        assert found == [2, 4, 5] or (norm == "l1" and found and set(found) < {2, 4, 5})  # spent where it does most


def test_a_result_says_what_was_free(tmp_path, victim):
    cells = evaluate(study(victim, free="thigh_joint"), run=tmp_path / "run", workers=1).cells
    assert [cell.attack and cell.attack.free for cell in cells] == [None, (2,), (2,)]
    assert all(cell.ok for cell in cells)
    assert cells[2].attacked.sizes["l0"] == 1
    assert cells[2].attacked.sizes["linf"] == pytest.approx(0.1, rel=1e-4)


@pytest.mark.parametrize(
    ("free", "message"),
    [
        ("11", r"--free: expected entries 0 to 10, rootz, rooty, .*, got '11'"),
        ("-1", "got '-1'"),
        ("2,", "got ''"),
        ("thigh", "got 'thigh'; did you mean 'thigh_joint'"),
    ],
)
def test_an_entry_that_is_none_is_refused_in_words(tmp_path, free, message):
    with pytest.raises(UnknownName, match=message):
        plan(study(write_model(tmp_path / "hopper.model", 11, 3), free=free))


def test_pixels_are_no_entries_to_choose_from():
    film = Study(
        game="film/any", players=("tests.kit.players:bright",), actions="greedy", attack=("fgsm",), eps=(0.1,), free="2"
    )
    with pytest.raises(InvalidInput, match=r"--free: expected observations that are numbers in a row, .*\(4, 6, 6\)"):
        plan(film)


# Adversaries out of files.


def test_an_adversary_is_known_by_what_is_in_its_file(tmp_path, victim):
    other = shutil.copy(victim, tmp_path / "copy.model")
    same = [keys(victim, attack=(f"perturber:agent={path}",)) for path in (victim, other)]
    assert same[0] == same[1]
    write_model(tmp_path / "copy.model", 11, 3, seed=5)
    assert keys(victim, attack=(f"perturber:agent={other},transfer=true",))[2] not in same[0]


def test_an_adversary_plays_beside_noise_as_its_file_says_for_any_number_of_workers(tmp_path, victim):
    asked = study(victim, attack=(f"perturber:agent={victim}",))
    for workers in (1, 2):
        cells = evaluate(asked, run=tmp_path / str(workers), workers=workers).cells
        assert [cell.attack and cell.attack.name for cell in cells] == [None, "noise", "perturber"]
        assert all(cell.ok for cell in cells)
        assert (cells[2].attack.knowledge, cells[2].attacked.queries, cells[2].attacked.gradients) == ("none", 0, 0)
    assert numbers(tmp_path / "1") == numbers(tmp_path / "2")
    assert rows(tmp_path / "1") == rows(tmp_path / "2")


def test_an_adversary_whose_file_changed_since_it_was_planned_is_refused(tmp_path):
    victim = write_model(tmp_path / "hopper.model", 11, 3)
    adversary = shutil.copy(victim, tmp_path / "adversary.model")
    planned = plan(study(victim, attack=(f"perturber:agent={adversary}",)))
    with open(adversary, "ab") as file:
        file.write(b" ")
    with pytest.raises(RefusedFile, match="attack perturber: changed while the run played"):
        evaluate(planned, run=tmp_path / "run", workers=1)


def test_an_adversary_that_is_not_there_is_refused_before_anything_is_played(tmp_path):
    victim = write_model(tmp_path / "hopper.model", 11, 3)
    with pytest.raises(RefusedFile, match=r"nowhere\.model: expected a file, there is none"):
        plan(study(victim, attack=("perturber:agent=nowhere.model",)))


def test_entries_that_are_free_bind_an_adversary_too(tmp_path, victim):
    cell = plan(study(victim, attack=(f"perturber:agent={victim}",), free="3")).cells[2]
    seen = Received(0)
    assert list(play_episodes(cell, take(cell), [seen]))
    changed = torch.cat(seen.received) != torch.cat(seen.shown)
    np.testing.assert_array_equal(changed.any(dim=0).nonzero()[:, 0], [3])
