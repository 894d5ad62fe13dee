"""Natural changes of what a victim sees, from the command to the result."""

import pytest
import torch

from rlattack.budget import Budget, Rotation
from rlattack.errors import BudgetError
from rlattack.evaluation import Study, evaluate
from rlattack.evaluation.cell import AttackRef
from rlattack.evaluation.plan import plan
from rlattack.games import find_game, make_game
from rlattack.specs import Spec
from tests.kit.cells import Received, judged, make_cell, play
from tests.kit.pictures import looker

SIDES = {"game": "sides/any", "players": ("tests.kit.pictures:looker",), "attack": ("rotate",)}


def test_what_a_turned_victim_received_is_its_view_turned_and_is_judged_so():
    ref = AttackRef(spec=Spec("rotate"), seat=0, budget=Budget(norm="rotation", eps=20.0))
    cell, notes = make_cell("sides/any", actions=("greedy",), envs=2, attacks=(ref,)), Received(0)
    found = judged(play(cell, looker(), observers=[notes]), 0)
    reach = Rotation(20.0, make_game(find_game("sides/any"), 1).seats[0].observation)
    shown = torch.cat(notes.shown)
    assert torch.equal(torch.cat(notes.received), reach.settle(torch.full((len(shown),), 20.0), shown))
    assert {(one.attacked, one.broken, one.sizes["rotation"]) for one in found} <= {(5, 0, 20.0), (6, 0, 20.0)}


def test_a_rotation_has_its_own_size_and_its_control_turns_too(tmp_path):
    study = Study(**SIDES, eps=(1.0, 180.0), space="raw", episodes=5, envs=2, actions="greedy")
    results = evaluate(study, run=tmp_path / "one", workers=1)
    clean, *turned = results.cells
    assert [(cell.attack.name, cell.attack.reach, cell.attack.eps, cell.attack.space) for cell in turned] == [
        ("noise", "rotation", 1.0, "unit"), ("noise", "rotation", 180.0, "unit"),
        ("rotate", "rotation", 1.0, "unit"), ("rotate", "rotation", 180.0, "unit"),
    ]  # fmt: skip
    assert results.ok
    assert [cell.attacked.attacked for cell in turned] == [1.0] * 4
    assert turned[3].attacked.sizes == {"rotation": 180.0}
    assert 0 < turned[0].attacked.sizes["rotation"] <= 1.0
    returns = [cell.attacked.returns.mean for cell in (clean, *turned)]
    assert returns[0] == returns[1] == returns[3] == clean.length.mean
    assert 0 < returns[2] < returns[0]
    assert returns[4] == 0.0  # upside down the left is the right
    again = evaluate(study, run=tmp_path / "two", workers=2)
    assert [cell.seats for cell in again.cells] == [cell.seats for cell in results.cells]


def test_a_rotation_and_an_attack_in_a_norm_stand_beside_each_other_each_with_its_control():
    planned = plan(Study(**SIDES | {"attack": ("rotate", "fgsm")}, eps=(0.5,), norm="l2"))
    found = [(ref.spec.name, ref.budget.norm, ref.budget.space) for cell in planned.cells for ref in cell.attacks]
    assert found == [
        ("noise", "rotation", "unit"), ("noise", "l2", "unit"), ("rotate", "rotation", "unit"), ("fgsm", "l2", "unit"),
    ]  # fmt: skip


def test_the_space_of_a_norm_means_nothing_to_a_rotation():
    one, two = (
        plan(Study(**SIDES, eps=(1.0,), space=space, norm=norm)) for space, norm in (("unit", "linf"), ("raw", "l0"))
    )
    assert one.cells == two.cells


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"eps": (200.0,)}, "--eps: rotation is above 0 and at most 180 degrees, got 200"),
        ({"eps": (-1.0,)}, "--eps: expected a finite number above 0, got -1"),
        ({"eps": (1.0,), "game": "gymnasium/CartPole-v1", "players": ("tests.kit.players:balance",)}, "for images"),
    ],
)
def test_a_rotation_that_makes_no_sense_is_refused_before_play(changes, message):
    with pytest.raises(BudgetError, match=message):
        plan(Study(**SIDES | changes))
