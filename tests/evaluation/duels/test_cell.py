import dataclasses

import pytest

from rlattack.attacks import AttackSpec
from rlattack.budget import Budget
from rlattack.errors import InvalidInput, UnknownName
from rlattack.evaluation.cell import AgentRef
from rlattack.evaluation.duels.cell import parse_mask, seat_number

PGD, SIZE = AttackSpec("pgd", {"steps": 5}), Budget(eps=0.1, space="sigma")
ATTACKS = [
    {"attack": PGD, "budget": SIZE, "attacked": 1},
    {"attack": PGD, "budget": SIZE, "attacked": 0},
    {"attack": AttackSpec("noise"), "budget": SIZE, "attacked": 1},
    {"attack": PGD, "budget": Budget(eps=0.2, space="sigma"), "attacked": 1},
]
SEATS = ("blocker", "runner")


@pytest.mark.parametrize(
    ("text", "mask"),
    [
        ("none", None), ("runner", (1, "initial")), ("blocker:zero", (0, "zero")), ("runner:noise", (1, "noise")),
        ("1", (1, "initial")), ("0:noise", (0, "noise")),
    ],
)  # fmt: skip
def test_a_mask_is_a_seat_and_a_way(text, mask):
    assert parse_mask(text, SEATS) == mask


def test_a_seat_is_named_or_numbered_and_a_name_comes_first():
    assert [seat_number("--victim", text, SEATS) for text in ("blocker", "runner", "0", "1")] == [0, 1, 0, 1]
    assert [seat_number("--victim", text, ("1", "0")) for text in ("0", "1")] == [1, 0]
    for text in ("2", "-1", "01", ""):
        with pytest.raises(UnknownName, match=rf"--victim: expected blocker \(0\) or runner \(1\), got '{text}'"):
            seat_number("--victim", text, SEATS)


def test_an_unknown_seat_is_refused_with_the_nearest():
    with pytest.raises(
        UnknownName, match=r"--mask: expected blocker \(0\) or runner \(1\) or none, got 'runer'; did you mean 'runner'"
    ):
        parse_mask("runer:zero", SEATS)


@pytest.mark.parametrize("text", ["runner:zer", "runner:"])
def test_an_unknown_way_of_hiding_is_refused(text):
    with pytest.raises(InvalidInput, match=f"--mask {text}: expected runner:MODE, one of initial, zero, noise"):
        parse_mask(text, SEATS)


def test_the_key_depends_on_who_plays_and_not_on_how_it_was_named(make_cell):
    cell = make_cell()
    other = dataclasses.replace(cell, players=(AgentRef("./zero", "zero", "./zero", trust=True), cell.players[1]))
    swapped = dataclasses.replace(cell, players=(AgentRef("zero", "another", "zero"), cell.players[1]))
    assert cell.key == other.key != swapped.key


def test_every_part_of_the_protocol_makes_another_cell(make_cell):
    changes = [{}, {"mask": (1, "zero")}, {"mask": (0, "zero")}, {"seed": 1}, {"episodes": 7}, {"envs": 3},
               {"actions": "greedy"}, *ATTACKS]  # fmt: skip
    assert len({make_cell(**change).key for change in changes}) == len(changes)


def test_a_cell_says_who_plays_and_what_is_hidden(make_cell):
    assert make_cell().label == "zero - zero"
    assert make_cell(mask=(1, "noise")).label == "zero - zero, mask right:noise"
    assert make_cell(mask=(1, "noise"), **ATTACKS[0]).label == "zero - zero, mask right:noise, pgd 0.1"
    assert (make_cell(mask=(1, "noise")).masks, make_cell().masks) == ({1: "noise"}, None)
