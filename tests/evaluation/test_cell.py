"""What names a cell: all that decides its play, and nothing else."""

import dataclasses
import re

import pytest

from rlattack.errors import InvalidInput, UnknownName
from rlattack.evaluation.cell import AgentRef, Cell
from rlattack.evaluation.plan import plan
from rlattack.evaluation.study import Study
from rlattack.games.card import AtariOptions, GameCard, Protocol, Reference, Stall, Variant, Win
from tests.kit.cells import attack_on, make_cell
from tests.kit.runs import COINS

ONE, TWO = make_cell("coins/any"), make_cell()


def with_card(cell: Cell, **changes: object) -> Cell:
    return dataclasses.replace(cell, game=Variant(dataclasses.replace(cell.game.card, **changes)))


ATARI = dataclasses.replace(ONE, game=Variant(GameCard(id="atari/pong", title="Pong", rom="pong")))
OPTIONS = dataclasses.replace(AtariOptions(), frame_skip=3)


@pytest.mark.parametrize("cell", [ONE, TWO], ids=["one seat", "two seats"])
def test_a_key_is_sixteen_hexadecimal_digits(cell):
    assert re.fullmatch("[0-9a-f]{16}", cell.key)
    assert cell.key != (TWO if cell is ONE else ONE).key


@pytest.mark.parametrize(
    "changed",
    [
        dataclasses.replace(TWO, episodes=1000),
        dataclasses.replace(TWO, victim=1),
        dataclasses.replace(TWO, seats=("red", "blue")),
        dataclasses.replace(TWO, players=(AgentRef("./zero", "zero", "nobody", trust=True), TWO.players[1])),
    ],
)
def test_a_key_stays_where_no_episode_changes(changed):
    assert changed.key == TWO.key


@pytest.mark.parametrize(
    "changes",
    [
        {"title": "Another title"},
        {"win": Win(rule="threshold", score=3.0)},
        {"win": Win(rule="score")},
        {"reference": Reference(random=0.0, human=1.0, source="a paper")},
        {"protocol": Protocol(actions="greedy")},
    ],
)
def test_a_key_stays_whatever_a_card_says_of_titles_references_and_who_has_won(changes):
    assert with_card(ATARI, **changes).key == ATARI.key


@pytest.mark.parametrize(
    "changed",
    [
        with_card(ATARI, protocol=Protocol(sticky=0.25)),
        with_card(ATARI, stall=Stall(steps=50)),
        with_card(ATARI, atari=OPTIONS),
        with_card(ATARI, rom="breakout"),
        dataclasses.replace(ATARI, code={"ale-py": "0.12.1"}),
        dataclasses.replace(ATARI, seed=1),
        dataclasses.replace(ATARI, envs=3),
        dataclasses.replace(ATARI, actions=("greedy",)),
        dataclasses.replace(ATARI, players=(AgentRef("zero", "another", "zero"),)),
    ],
)
def test_a_key_changes_with_all_that_decides_play(changed):
    assert changed.key != ATARI.key


ATTACKS = [
    attack_on(1, "pgd:steps=5"),
    attack_on(0, "pgd:steps=5"),
    attack_on(1, "pgd:steps=6"),
    attack_on(1, "noise"),
    attack_on(1, "pgd:steps=5", eps=0.2),
    attack_on(1, "pgd:steps=5", space="sigma"),
    attack_on(1, "pgd:steps=5", norm="l2"),
    attack_on(1, "pgd:steps=5", grid=True),
    attack_on(1, "pgd:steps=5", model="frame"),
    attack_on(1, "pgd:steps=5", code="of another module"),
    attack_on(1, "pgd:steps=5", surrogate=AgentRef("a", "digest of a", "a")),
    attack_on(1, "pgd:steps=5", surrogate=AgentRef("b", "digest of b", "b")),
    (*attack_on(1, "pgd:steps=5"), *attack_on(0, "pgd:steps=5")),
]
HIDDEN = [((1, "zero"),), ((0, "zero"),), ((1, "noise"),)]


def test_attacks_and_masks_make_cells_of_their_own():
    cells = [TWO, *(dataclasses.replace(TWO, attacks=attacks) for attacks in ATTACKS)]
    cells += [dataclasses.replace(TWO, game=Variant(TWO.game.card, hidden)) for hidden in HIDDEN]
    assert len({cell.key for cell in cells}) == len(cells)
    assert {cell.clean.key for cell in cells[: len(ATTACKS)]} == {TWO.key}


def test_a_surrogate_is_named_by_its_digest():
    one, other = (
        dataclasses.replace(TWO, attacks=attack_on(1, surrogate=AgentRef(spec, "the same digest", spec)))
        for spec in ("a/folder", "an/id")
    )
    assert one.key == other.key


def test_a_cell_says_who_plays_what_is_hidden_and_what_is_attacked():
    hidden = dataclasses.replace(TWO, game=Variant(TWO.game.card, ((1, "noise"),)))
    assert (TWO.label, ONE.label) == ("zero - zero", "clean")
    assert (hidden.label, hidden.mask_name, TWO.mask_name) == (
        "zero - zero, mask right:noise", "right:noise", "none"
    )  # fmt: skip
    assert dataclasses.replace(hidden, attacks=ATTACKS[0]).label == "zero - zero, mask right:noise, pgd:steps=5 0.5"
    assert dataclasses.replace(ONE, attacks=attack_on(0, "noise")).label == "noise 0.5"
    free = dataclasses.replace(ONE, attacks=attack_on(0, "noise", free=(4, 2)))
    worded = dataclasses.replace(free, attacks=(dataclasses.replace(free.attacks[0], entries="speed"),))
    assert (free.label, worded.label, worded.key) == ("noise 0.5 free 2,4", "noise 0.5 free speed", free.key)
    assert dataclasses.replace(TWO, attacks=ATTACKS[-1]).label == "zero - zero, pgd:steps=5 0.5 + pgd:steps=5 0.5"


def test_names_of_a_game_s_own_agents_are_cut_in_labels():
    players = (AgentRef("x", "x", "pull/any/left"), AgentRef("y", "y", "other/agent"))
    assert dataclasses.replace(TWO, players=players).label == "left - other/agent"


def test_a_control_is_one_whose_attacks_all_are():
    noise, pgd = attack_on(1, "noise"), attack_on(0)
    told = [dataclasses.replace(TWO, attacks=attacks).control for attacks in ((), noise, pgd, (*noise, *pgd))]
    assert told == [False, True, False, False]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"episodes": 0}, "--episodes: expected at least 1, got 0"),
        ({"envs": 0}, "--envs: expected at least 1, got 0"),
        ({"seed": -1}, "--seed: expected 0 or more, got -1"),
        ({"players": ()}, "--players: expected one a seat, .* got nothing"),
        ({"players": ("zero", "")}, "--players: expected one a seat"),
        ({"players": (("zero", ""), "zero")}, "--players: expected one a seat, .* got zero, zero"),
        ({"players": ("zero", ())}, "--players: expected one a seat"),
    ],
)
def test_a_study_checks_what_it_can_before_anything_is_loaded(changes, message):
    with pytest.raises(InvalidInput, match=message):
        Study(**{"game": "pull/any", "players": ("zero", "zero")} | changes)


def test_a_study_reads_candidates_of_a_seat_and_attacks_that_are_several_at_once():
    study = Study(
        game="pull/any", players=(("a", "b"), "c/d,e"), attack=("none", "pgd:steps=2", "fgsm+pgd:step=1e+2", "noise")
    )
    assert study.candidates == study.players == (("a", "b"), ("c/d,e",))
    assert [[spec.name for spec in specs] for specs in study.attacks] == [["pgd"], ["fgsm", "pgd"], ["noise"]]
    assert study.attacks[1][1].parameters == {"step": 100.0}


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("fgsm", ["fgsm"]),
        ("fgsm+noise", ["fgsm", "noise"]),
        ("pgd:step=1e+2+noise", ["pgd:step=100.0", "noise"]),
    ],
)
def test_attacks_at_once_are_joined_by_a_plus_before_a_name(text, parts):
    study = Study(game="g", players=("zero",), attack=(text,))
    assert [[str(spec) for spec in specs] for specs in study.attacks] == [parts]


def test_an_attack_may_have_a_size_and_a_norm_of_its_own():
    options = {"attack": ("fgsm:eps=0.2", "pgd:steps=2,eps=1e-1,norm=l2", "pgd:steps=2"), "eps": 0.5}
    cells = plan(Study(**COINS | options)).cells
    budgets = [(str(ref.spec), ref.budget.norm, ref.budget.eps) for cell in cells for ref in cell.attacks]
    assert budgets == [
        ("noise", "linf", 0.2), ("noise", "l2", 0.1), ("noise", "linf", 0.5),
        ("fgsm", "linf", 0.2), ("pgd:steps=2", "l2", 0.1), ("pgd:steps=2", "linf", 0.5),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("pgd:eps=much", "attack pgd: eps: expected a number, got 'much'"),
        ("pgd:eps=0.1,norm=l3", "attack pgd: norm: expected one of linf, l2, l1, l0, got 'l3'"),
        ("shift-x:eps=2,norm=l2", "attack shift-x: norm: its size counts something of its own: leave norm out"),
        ("deepfool:eps=2", "attack deepfool: eps: it has no size of its own: leave that out"),
        ("none:eps=2", "attack none: eps: it has no size of its own: leave that out"),
        ("fgsm+deepfool:eps=2", "attack deepfool: eps: it has no size of its own: leave that out"),
    ],
)
def test_a_size_of_its_own_that_is_none_is_refused(text, message):
    with pytest.raises(InvalidInput, match=message):
        _ = Study(game="g", players=("zero",), attack=(text,)).attacks


def test_a_plus_at_the_end_joins_nothing():
    with pytest.raises(UnknownName, match=r"no attack 'fgsm\+'"):
        _ = Study(game="g", players=("zero",), attack=("fgsm+",)).attacks
