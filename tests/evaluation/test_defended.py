"""Victims behind fronts, from the command to the result."""

import importlib.metadata

import pytest

import tests.kit.pictures  # noqa: F401  # registers `sides`
from rlattack.errors import InvalidInput
from rlattack.evaluation import Study, evaluate
from rlattack.evaluation.plan import plan

SIDES = {
    "game": "sides/any", "players": ("tests.kit.pictures:looker",), "actions": "greedy",
    "attack": ("fgsm:loss=margin",), "eps": (0.05,), "episodes": 5, "envs": 2,
}  # fmt: skip


def test_the_front_and_what_runs_it_are_in_the_key_of_every_cell_and_its_order_too():
    fronts = [(), ("jpeg",), ("jpeg:quality=30",), ("jpeg:quality=30", "jpeg"), ("jpeg", "jpeg:quality=30")]
    plans = [plan(Study(**SIDES, defence=defence)) for defence in fronts]
    assert len({cell.key for planned in plans for cell in planned.cells}) == 3 * len(fronts)
    assert [planned.cells[0].players[0].fronts for planned in plans] == fronts
    assert [planned.cells[0].code.get("pillow") for planned in plans[:2]] == [
        None,
        importlib.metadata.version("pillow"),
    ]


def test_a_defended_victim_is_played_attacked_and_named_so_whatever_the_number_of_workers(tmp_path):
    study = Study(**SIDES, defence=("jpeg:quality=5", "jpeg"))
    one, two = (evaluate(study, run=tmp_path / str(workers), workers=workers) for workers in (1, 2))
    assert [cell.seats for cell in one.cells] == [cell.seats for cell in two.cells]
    assert [cell.defence for cell in one.cells] == ["jpeg:quality=5 + jpeg"] * 3
    assert one.ok
    clean, noise, fgsm = (cell.attacked for cell in one.cells)
    assert (noise.gradients, fgsm.gradients, fgsm.queries) == (0.0, 1.0, 0.0)
    assert fgsm.returns.mean < noise.returns.mean == clean.returns.mean
    bare = evaluate(Study(**SIDES), run=tmp_path / "bare", workers=1)
    assert [cell.defence for cell in bare.cells] == [None] * 3


def test_an_oblivious_attack_is_crafted_on_the_bare_victim(tmp_path):
    study = Study(**SIDES, defence=("jpeg",), surrogate="tests.kit.pictures:looker")
    planned = plan(study)
    (ref,) = planned.cells[2].attacks
    assert (ref.surrogate.fronts, planned.cells[2].players[0].fronts) == ((), ("jpeg",))
    fgsm = evaluate(planned, run=tmp_path / "run", workers=1).cells[2]
    assert (fgsm.attack.surrogate, fgsm.attack.knowledge, fgsm.defence) == ("tests.kit.pictures:looker", "none", "jpeg")


def test_a_front_that_does_not_fit_is_refused_before_play():
    with pytest.raises(
        InvalidInput, match=r"expected pictures, player sees Box.*; numbers have bits, denoiser, smooth"
    ):
        plan(Study(game="coins/any", players=("tests.kit.players:coin",), defence=("jpeg",)))
    with pytest.raises(InvalidInput, match="quality: expected a number at least 1 and at most 100, got 0"):
        plan(Study(**SIDES, defence=("jpeg:quality=0",)))
