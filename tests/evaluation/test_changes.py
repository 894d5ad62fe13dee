"""Natural changes of what a victim sees, from the command to the result."""

import pytest
import torch

from rlattack.attacks.natural import NATURAL
from rlattack.budget import Budget, Rotation
from rlattack.errors import BudgetError, InvalidInput
from rlattack.evaluation import Study, evaluate
from rlattack.evaluation.cell import AttackRef
from rlattack.evaluation.plan import plan
from rlattack.games import find_game, make_game
from rlattack.specs import Spec
from tests.kit.cells import Received, judged, load_and_play, make_cell, play
from tests.kit.pictures import looker
from tests.kit.players import bright

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


def names(planned):
    return list(dict.fromkeys(ref.spec.name for cell in planned.cells for ref in cell.attacks if not ref.control))


def test_all_natural_changes_that_fit_are_played_at_their_standard_severities_and_the_others_are_named():
    pictures = plan(Study(**SIDES | {"attack": ("natural:all", "fgsm")}, eps=(0.5,)))
    assert names(pictures) == [*(name for name in NATURAL if name not in ("bias", "gain", "occlusion")), "fgsm"]
    assert pictures.note == (
        "natural:all leaves out what there is none of here: occlusion, bias, gain; natural:all plays at standard "
        "severities, whatever --eps; one that is named, as rotate, takes it"
    )
    sizes = [(ref.spec.name, ref.budget.eps) for cell in pictures.cells for ref in cell.attacks]
    assert {("rotate", 1.0), ("rotate", 3.0), ("fgsm", 0.5)} <= set(sizes)
    assert ("rotate", 0.5) not in sizes
    numbers = names(
        plan(Study(game="gymnasium/CartPole-v1", players="gymnasium/CartPole-v1/dqn", attack="natural:all"))
    )
    assert numbers == [
        "delay", "frozen", "dropped", "blank", "missing", "stale", "gain", "action-slip", "action-delay"
    ]  # fmt: skip
    assert "bias" in names(plan(Study(game="mujoco/hopper", players="mujoco/hopper/ppo", attack="natural:all")))


def test_the_grid_of_pictures_means_nothing_to_changes_of_actions():
    planned = plan(Study(**SIDES | {"attack": ("natural:all",)}, grid=True))
    found = {ref.spec.name: ref.budget.grid for cell in planned.cells for ref in cell.attacks}
    assert found["rotate"]
    assert not found["action-slip"]


def test_a_natural_change_without_a_size_plays_at_its_standard_severities_and_other_attacks_need_one():
    planned = plan(Study(**SIDES))
    assert [cell.attacks[0].budget.eps for cell in planned.cells if cell.attacks] == [1.0, 3.0, 1.0, 3.0]
    with pytest.raises(InvalidInput, match="--eps: expected at least one size"):
        plan(Study(**SIDES | {"attack": ("rotate", "fgsm")}))
    with pytest.raises(InvalidInput, match="--eps: expected at least one size"):
        plan(Study(**SIDES | {"attack": ("rotate+action-delay",)}))


@pytest.mark.parametrize(
    ("attack", "message"),
    [
        ("natural:all", "--eps: natural:all plays standard severities, .* out, or name one, as rotate --eps 1$"),
        ("natural", "attack natural: expected natural:all, or one of them: rotate, shift-x"),
        ("natural:some", "attack natural:some: expected natural:all, or one of them"),
        ("natural:all+mas", "--attack natural:all[+]mas: expected attacks joined by [+], and natural:all is many"),
    ],
)
def test_other_lists_of_natural_changes_are_refused(attack, message):
    with pytest.raises(InvalidInput, match=message):
        plan(Study(**SIDES | {"attack": (attack,)}, eps=3.0))


@pytest.mark.parametrize("model", ["stack", "frame"])
def test_all_of_them_keep_their_reach_before_the_judge(model):
    planned = plan(Study(**SIDES | {"attack": ("natural:all",)}, episodes=2, envs=2, model=model))
    largest = {cell.attacks[0].spec.name: cell for cell in planned.cells if cell.attacks and not cell.control}
    assert len(largest) == 18
    for name, cell in largest.items():
        found = judged(load_and_play(cell), 0)
        assert [one.broken for one in found] == [0, 0], name
        assert any(one.attacked for one in found) or name in ("action-delay", "dropped", "blank"), name


def test_a_victim_who_sees_late_does_what_it_did_before():
    """In `film` a frame that comes a step late is named a step late."""
    ref = AttackRef(spec=Spec("delay"), seat=0, budget=Budget(norm="delay", eps=2.0))
    cell, notes = make_cell("film/any", actions=("greedy",), envs=1, episodes=1, attacks=(ref,)), Received(0)
    (found,) = judged(play(cell, bright(), observers=[notes]), 0)
    shown, received = torch.cat(notes.shown), torch.cat(notes.received)
    assert torch.equal(received, shown[[0, 0, 0, 1, 2, 3][: len(shown)]])
    assert (found.broken, found.attacked, found.sizes) == (0, len(shown) - 1, {"delay": 2.0})


def test_a_held_frame_that_comes_late_is_the_one_of_then():
    ref = AttackRef(spec=Spec("delay"), seat=0, budget=Budget(norm="delay", eps=1.0), model="frame")
    cell, notes = make_cell("film/any", actions=("greedy",), envs=1, episodes=1, attacks=(ref,)), Received(0)
    (found,) = judged(play(cell, bright(), observers=[notes]), 0)
    shown, received = torch.cat(notes.shown), torch.cat(notes.received)
    assert torch.equal(received[1:, -1], shown[:-1, -1])
    assert found.broken == 0


def test_questions_of_a_search_for_the_worst_are_counted_and_its_knowledge_is_told(tmp_path):
    study = Study(**SIDES | {"attack": ("rotate:worst=true,grid=4", "rotate")}, eps=(90.0,), episodes=2, envs=2)
    _, _, worst, plain = evaluate(study, run=tmp_path / "run", workers=1).cells
    assert (worst.attack.knowledge, worst.attacked.queries, worst.status) == ("scores", 5.0, "ok")
    assert (plain.attack.knowledge, plain.attacked.queries) == ("none", 0.0)
    assert worst.attacked.returns.mean <= plain.attacked.returns.mean


def test_a_second_seat_s_view_and_actions_of_a_duel_change_too(tmp_path):
    study = Study(
        game="turns/any", players=("zero", "tests.kit.players:namer"), eps=(1.0,), episodes=4, envs=2,
        attack=("delay", "stale", "action-slip", "action-delay"),
    )  # fmt: skip
    results = evaluate(study, run=tmp_path / "run", workers=1)
    assert results.ok
    assert {cell.attack.access for cell in results.cells[1:]} == {"observation", "action"}
