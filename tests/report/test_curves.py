import xml.etree.ElementTree as ElementTree

import pytest

from rlattack.report.comparison import Setting
from rlattack.report.curves import COLOURS, draw, styles
from rlattack.report.lines import BUDGET, SHARE, lines
from tests.kit.results import assault, mean, pong, pong_cell


def pairing(cells):
    (found,) = Setting(tuple(cells)).pairings
    return found


def drawn(cells, reach="linf", name="a"):
    found = pairing(cells)
    every = lines(BUDGET, found.good)
    return draw([line for line in every if line.reach == reach], found.before, styles(every), name)


def words(svg):
    root = ElementTree.fromstring(svg)
    return ["".join(text.itertext()).strip() for text in root.iter("{http://www.w3.org/2000/svg}text")]


def test_every_attack_has_a_line_beside_the_clean_level():
    found = words(drawn(pong()))
    assert {"fgsm", "pgd steps=10", "fgsm from atari/pong/a2c", "noise", "clean"} <= set(found)
    assert {"Win rate", "Mean return"} <= set(found)
    assert "0.001" in " ".join(found)


def test_an_attacked_seat_of_a_duel_has_the_same_curves():
    found = words(drawn(assault()))
    assert {"pgd", "noise", "clean", "Win rate", "Mean return", "0.05", "0.2"} <= set(found)
    assert "L∞ eps: largest entry, standard deviations" in found


def test_returns_that_are_all_zero_stand_on_a_plain_axis():
    zero = mean(0.0, 0.0)
    played = [("c", "clean", None), ("f", "fgsm", 0.1), ("n", "noise", 0.1)]
    found = words(drawn([pong_cell(*one, 0.0, None, returns=zero) for one in played]))
    assert not [word for word in found if "e" in word and word[0].isdigit()]
    assert {"0.00", "0.75"} <= set(found)


def test_colours_come_from_the_page():
    drawing = drawn(pong())
    for variable in ("--ink", "--rule", "--noise", "--line-0", "--line-1", "--line-2"):
        assert f"var({variable})" in drawing
    assert "#0" not in drawing.replace("url(#", "").replace('href="#', "")


def test_a_game_without_a_win_rule_has_one_panel():
    found = words(drawn([pong_cell("f", "fgsm", 0.1, 100.0, None, about={"space": "raw"})]))
    assert "Win rate" not in found
    assert "Mean return" in found


def test_names_of_agents_cannot_leave_their_text():
    svg = drawn([pong_cell("f", "fgsm", 0.1, 1.0, 0.5, about={"surrogate": "<script>$x_{$--></script>"})])
    assert "<script" not in svg
    assert "fgsm from <script>$x_{$--></script>" in words(svg)


def test_two_drawings_share_no_ids():
    ids = []
    for reach in ("linf", "l0"):
        root = ElementTree.fromstring(drawn(pong(), reach, reach))
        ids.append({element.get("id") for element in root.iter()} - {None})
    assert ids[0]
    assert not ids[0] & ids[1]


def test_the_same_cells_give_the_same_drawing():
    assert drawn(pong()) == drawn(pong())


def test_an_attack_keeps_its_look_in_every_norm_and_controls_are_dashed():
    looks = styles(lines(BUDGET, pong()[1:]))
    assert looks["noise"].dashed
    assert len({look.variable for look in looks.values()}) == len(looks)


def test_more_attacks_than_colours_are_still_told_apart():
    cells = [pong_cell(str(i), "pgd", 0.1, 1.0, 0.5, about={"parameters": {"steps": i}}) for i in range(COLOURS)]
    looks = styles(lines(BUDGET, cells))
    assert len({(look.colour, look.marker) for look in looks.values()}) == COLOURS


def test_a_colour_that_comes_again_has_another_marker():
    cells = [pong_cell(str(i), "pgd", 0.1, 1.0, 0.5, about={"parameters": {"steps": i}}) for i in range(3 * COLOURS)]
    looks = styles(lines(BUDGET, cells))
    assert len({(look.colour, look.marker) for look in looks.values()}) == 3 * COLOURS


@pytest.mark.parametrize("sizes", [(0.1,), (0.1, 0.2)])
def test_attacks_of_one_size_alone_stand_side_by_side(sizes):
    cells = [
        pong_cell(f"{i} {eps}", "fgsm", eps, 1.0, 0.5, about={"schedule": f"timed:share=0.{i}"})
        for i in (1, 2, 3) for eps in sizes
    ]  # fmt: skip
    space, panels = "{http://www.w3.org/2000/svg}", 2
    inside = (group for group in ElementTree.fromstring(drawn(cells)).iter(f"{space}g") if group.get("clip-path"))
    uses = [use for group in inside for use in group.iter(f"{space}use") if "--line" in use.get("style", "")]
    marks = {(use.get("style").split(";")[0], use.get("x")) for use in uses if use.get("x") != "0"}  # but bands
    assert len({x for _, x in marks}) == panels * (3 if len(sizes) == 1 else len(sizes))
    assert len(marks) == panels * 3 * len(sizes)


@pytest.mark.parametrize("sizes", [(0.1,), (0.0, 0.1), (0.001, 0.1), tuple(range(1, 12))])
def test_sizes_of_any_spread_are_drawn(sizes):
    cells = [pong_cell(str(eps), "pgd", float(eps), 1.0, 0.5, about={"space": "raw"}) for eps in sizes]
    assert "pgd" in words(drawn(cells))


def test_lines_of_other_numbers_have_their_own_axis():
    shares = {f"timed:share={share}": share for share in (0.1, 0.2)}
    cells = [
        pong_cell(when, "fgsm", 0.001, 0.0, 0.5, about={"schedule": when}, seat={"attacked": share})
        for when, share in shares.items()
    ]
    found = words(draw(lines(SHARE, cells), None, styles(lines(SHARE, cells)), "a"))
    assert {"share of steps attacked", "fgsm when timed", "0.1", "0.2"} <= set(found)
