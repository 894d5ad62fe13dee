import xml.etree.ElementTree as ElementTree

import pytest

from rlattack.evaluation.curves import COLOURS, draw, styles
from rlattack.evaluation.series import clean_of, lines


@pytest.fixture
def drawing(pong_cells):
    drawn = [line for line in lines(pong_cells) if line.norm == "linf"]
    return draw(drawn, clean_of(pong_cells), styles(lines(pong_cells)), "a")


def words(svg):
    root = ElementTree.fromstring(svg)
    return ["".join(text.itertext()).strip() for text in root.iter("{http://www.w3.org/2000/svg}text")]


def test_every_attack_has_a_line_beside_the_clean_level(drawing):
    assert {"fgsm", "pgd steps=10", "fgsm from atari/pong/a2c", "noise", "clean"} <= set(words(drawing))
    assert {"Win rate", "Mean return"} <= set(words(drawing))
    assert "0.001" in " ".join(words(drawing))


def test_colours_come_from_the_page(drawing):
    for variable in ("--ink", "--rule", "--noise", "--line-0", "--line-1", "--line-2"):
        assert f"var({variable})" in drawing
    assert "#0" not in drawing.replace("url(#", "").replace('href="#', "")


def test_a_game_without_a_win_rule_has_one_panel(make_cell):
    cells = [make_cell("f", "fgsm", 0.1, 100.0, None, space="raw")]
    svg = draw(lines(cells), None, styles(lines(cells)), "a")
    assert "Win rate" not in words(svg)
    assert "Mean return" in words(svg)


def test_names_of_agents_cannot_leave_their_text(make_cell):
    cells = [make_cell("f", "fgsm", 0.1, 1.0, 0.5, surrogate="<script>$x_{$--></script>")]
    svg = draw(lines(cells), None, styles(lines(cells)), "a")
    assert "<script" not in svg
    assert "fgsm from <script>$x_{$--></script>" in words(svg)


def test_two_drawings_share_no_ids(pong_cells):
    looks = styles(lines(pong_cells))
    ids = []
    for norm in ("linf", "l0"):
        svg = draw([line for line in lines(pong_cells) if line.norm == norm], None, looks, norm)
        ids.append({element.get("id") for element in ElementTree.fromstring(svg).iter()} - {None})
    assert ids[0]
    assert not ids[0] & ids[1]


def test_the_same_cells_give_the_same_drawing(pong_cells):
    drawn = lines(pong_cells)[:2]
    assert draw(drawn, None, styles(drawn), "a") == draw(drawn, None, styles(drawn), "a")


def test_an_attack_keeps_its_look_in_every_norm_and_controls_are_dashed(pong_cells):
    looks = styles(lines(pong_cells))
    assert looks["noise"].dashed
    assert len({look.variable for look in looks.values()}) == len(looks)


def test_more_attacks_than_colours_are_still_told_apart(make_cell):
    cells = [make_cell(str(i), "pgd", 0.1, 1.0, 0.5, parameters={"steps": i}) for i in range(COLOURS)]
    looks = styles(lines(cells))
    assert len({(look.colour, look.marker) for look in looks.values()}) == COLOURS


def test_nothing_measured_draws_nothing(make_cell):
    cells = [make_cell("f", "fgsm", 0.1, 1.0, None) | {"return": None}]
    assert draw(lines(cells), None, styles(lines(cells)), "a") == ""
