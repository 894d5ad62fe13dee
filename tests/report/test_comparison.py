from dataclasses import replace
from typing import get_args

import pytest

from rlattack.attacks import Access
from rlattack.report.comparison import (
    Setting,
    aim,
    attack_label,
    distinctions,
    hidden,
    names,
    player,
    settings,
    size,
)
from tests.kit.results import assault, attack, duel, heat, pong, pong_cell, struck, three


def changed(**about):
    return pong_cell("a", "pgd", 0.001, 0.0, 0.0, about=about)


def test_a_label_tells_parameters_model_grid_schedule_and_surrogate_apart():
    cell = changed(parameters={"steps": 10, "restarts": 2}, model="frame", grid=True)
    assert attack_label(cell) == "pgd restarts=2 steps=10 frame grid"
    assert attack_label(changed(model="frame", surrogate="atari/pong/a2c")) == "pgd frame from atari/pong/a2c"
    assert attack_label(changed(free=(2, 4))) == "pgd free 2,4"
    assert attack_label(changed(schedule="random:0.25")) == "pgd when random:0.25"
    assert attack_label(pong()[0]) == "clean"


def test_several_attacks_of_one_cell_are_joined_and_the_other_seat_is_named():
    both = [attack("pgd", 0.1, "east", space="raw"), attack("fgsm", 0.2, "west", space="raw")]
    cell = three(attacks=both)
    assert attack_label(cell) == "pgd + fgsm on the west"
    assert size(cell) == "eps 0.1 + eps 0.2"
    assert cell.attacked.name == "east"


def test_cells_of_another_protocol_are_another_setting():
    groups = settings([*pong(), pong_cell("z", "fgsm", 0.001, -3.0, 0.4, sticky=0.25)])
    assert [len(group.results) for group in groups] == [10, 1]
    assert distinctions(groups) == ["sticky=0.0", "sticky=0.25"]
    assert distinctions(settings(pong())) == [""]
    duels = [duel("a", "b", 0.5), duel("c", "b", 0.5), duel("a", "b", 0.5, seed=1)]
    assert [len(group.results) for group in settings(duels)] == [2, 1]


def test_another_victim_of_a_game_of_one_seat_is_another_setting_and_of_a_duel_is_not():
    other = pong_cell("z", "clean", None, 3.0, 0.4, seat={"player": "atari/pong/a2c"})
    assert len(settings([*pong(), other])) == 2
    assert len(settings(heat())) == 1


def test_the_control_of_a_cell_is_its_own_where_several_have_its_size():
    square = {"reach": "patch", "control": True, "knowledge": "none"}
    centre, corner = {"place": "centre"}, {"place": "corner"}
    anywhere = {"place": "anywhere", "shape": "disc"}
    cells = [
        pong_cell("c", "clean", None, 21.0, 1.0),
        *(pong_cell(str(n), "random-patch", 8.0, 10.0, 1.0, about=square | {"parameters": of}) for n, of in
          enumerate((anywhere, centre, corner))),
        pong_cell("p", "patch", 8.0, -20.0, 0.0, about={"reach": "patch", "parameters": corner}),
        pong_cell("s", "sticker", 8.0, -21.0, 0.0, about={"reach": "patch"}),
    ]  # fmt: skip
    (pairing,) = Setting(tuple(cells)).pairings
    assert pairing.control(cells[-2]) is cells[3]
    assert pairing.control(cells[-1]) is cells[1]


def test_the_control_of_a_cell_prefers_its_own_model():
    cell = pong_cell("f", "fgsm", 0.001, 0.0, 0.0, about={"model": "frame"})
    stack = pong_cell("a", "noise", 0.001, 21.0, 1.0)
    frame = pong_cell("b", "noise", 0.001, 20.0, 1.0, about={"model": "frame"})
    larger = pong_cell("g", "fgsm", 0.002, 0.0, 0.0)
    (pairing,) = Setting((cell, larger, stack, frame)).pairings
    (alone,) = Setting((cell, stack)).pairings
    assert pairing.control(cell) is frame
    assert alone.control(cell) is stack
    assert pairing.control(larger) is None


@pytest.mark.parametrize(
    ("about", "words"),
    [
        ({"eps": 0.001}, "eps 0.001 (a quarter of a grey level)"),
        ({"eps": 2.0, "reach": "l0"}, "2 pixels"),
        ({"eps": 0.1, "space": "sigma"}, "eps 0.1 standard deviations"),
        ({"eps": None, "reach": None, "space": None}, ""),
    ],
)
def test_a_budget_is_said_in_words(about, words):
    cell = changed()
    assert cell.attack is not None
    assert size(replace(cell, attacks=(replace(cell.attack, **about),))) == words


def test_what_is_attacked_goes_without_saying_where_one_seat_sees_it():
    assert aim(changed()) == ""
    assert aim(changed(access="action")) == "what the player does"
    assert aim(struck("pgd", 0.2, 1.0)) == "what the runner sees"


def test_the_same_players_under_attack_are_a_pairing_with_their_clean_cell():
    masked = [struck("pgd", 0.05, 0.6, mask="zero"), struck("pgd", 0.2, 0.7, mask="zero")]
    first, second = Setting((*assault(), *masked)).pairings
    assert first.clean is not None
    assert first.clean.cell == assault()[0].cell
    assert [cell.cell for cell in first.attacked] == ["noise0.05", "noise0.2", "pgd0.05", "pgd0.2"]
    assert (second.clean, len(second.attacked)) == (None, 2)
    assert Setting(tuple(heat())).pairings == []


def test_attacks_on_either_seat_are_pairings_of_their_own():
    on_blocker = duel("zero", "runner", 0.0, attacks=[attack("pgd", 0.1, "blocker")])
    pairings = Setting((*assault(), on_blocker)).pairings
    assert [pairing.seat for pairing in pairings] == ["runner", "blocker"]


def test_players_are_named_without_their_game_and_with_their_defence():
    cell = duel("zero", "mujoco/you-shall-not-pass/tuned", 0.5, defence="squeeze")
    assert names(cell) == "zero – tuned behind squeeze"
    assert player(cell, 0) == "zero"
    assert hidden(duel("a", "b", 0.5, mask="zero")) == "hidden from the runner: the other player (mask zero)"


def test_whoever_else_wins_is_an_opponent_that_wins():
    assert duel("a", "b", 0.5, 0.2).victim_seat.loss.rate == 0.5
    assert three().victim_seat.loss.rate == 0.5


def test_titles_say_who_is_against_whom():
    assert Setting((three(),)).title == "cards/hearts: north and west against east"
    assert Setting(tuple(pong())).title == "atari/pong: atari/pong/ppo under attack"
    defended = pong_cell("c0", "clean", None, 21.0, 1.0, defence="jpeg")
    assert Setting((defended,)).title == "atari/pong: atari/pong/ppo behind jpeg under attack"
    assert Setting((three(),)).protocol == {
        "victims": "east", "opponents": "north and west", "actions": "greedy", "episodes": 20, "seed": 0,
    }  # fmt: skip


def test_every_access_has_its_words():
    for access in get_args(Access):
        assert "player" in aim(changed(access=access)) or access == "observation"
