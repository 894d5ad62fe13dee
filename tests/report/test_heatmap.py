import io
import re
from dataclasses import replace

import pytest
from PIL import Image

from rlattack.report.comparison import Setting
from rlattack.report.curves import png, svg
from rlattack.report.heatmap import grid, heat_map
from tests.kit.results import assault, duel, heat, pong, three


def laid(cells):
    return grid(Setting(tuple(cells)))


def words(cells):
    return re.findall(r">([^<>]+)</t(?:ext|span)>", svg("here", lambda: heat_map(laid(cells))))


def test_rows_are_victims_and_columns_opponents():
    found = laid(heat())
    assert found.rows == ["runner", "tuned", "runner, blind (mask initial)"]
    assert found.columns == ["adversary", "zero"]
    assert (found.setting.victim, found.setting.opponents) == ("runner", "blocker")
    wins = {place: cell.victim_seat.loss.rate for place, cell in found.cells.items()}
    assert wins == {(0, 0): 0.86, (1, 0): 0.25, (0, 1): 0.02, (1, 1): 0.04, (2, 0): 0.12}


def test_with_the_other_seat_as_victim_the_grid_is_turned():
    found = laid(replace(cell, victim=0) for cell in heat())
    assert found.rows == ["adversary", "zero"]
    assert found.cells[0, 1].victim_seat.loss.rate == 0.75


def test_a_masked_opponent_is_another_column():
    masked = duel("a", "b", 0.5, mask="zero", hidden_from="blocker")
    found = laid([duel("a", "b", 0.6), duel("zero", "b", 0.1), masked])
    assert found.columns == ["a", "zero", "a, blind (mask zero)"]  # `zero` alone is a player


def test_attacked_cells_are_not_in_the_grid():
    found = laid(assault())
    assert (found.rows, found.columns) == (["runner"], ["zero", "adversary"])
    assert found.cells[0, 0].victim_seat.loss.rate == 0.0
    assert len(laid(assault()[1:5])) == 0


def test_several_opponents_are_a_column_together_and_a_defended_victim_is_another_row():
    found = laid([three(), three(cell="d", defence="squeeze")])
    assert found.columns == ["random and mine/west"]
    assert found.rows == ["mine/east", "mine/east behind squeeze"]
    assert found.setting.opponents == "north and west"


def test_a_game_of_one_seat_has_no_grid_to_draw():
    assert len(laid(pong())) == 1


def test_the_picture_says_every_rate_and_who_is_who():
    found = words(heat())
    assert {"86 %", "victim 14 · tie 0", "2 %", "victim 97 · tie 1", "12 %"} <= set(found)
    assert {"adversary", "zero", "tuned", "runner, blind (mask", "initial)"} <= set(found)
    assert {"opponent (blocker)", "victim (runner)", "opponent (blocker) wins"} <= set(found)


def test_a_pair_that_was_not_played_is_empty():
    assert sum(word.endswith(" %") for word in words(heat())) == 5


def test_with_many_columns_only_the_opponents_wins_are_written():
    found = words([duel(f"a{i}", "b", 0.5) for i in range(8)])
    assert found.count("50 %") == 8
    assert not any("victim 50" in word for word in found)


@pytest.mark.parametrize(("wins", "darker"), [(0.9, True), (0.1, False)])
def test_the_more_the_opponent_wins_the_darker_the_square(wins, darker):
    found = laid([duel("a", "b", 0.5), duel("c", "b", wins)])
    image = Image.open(io.BytesIO(png(lambda: heat_map(found)))).convert("L")
    row = image.height // 5
    left, right = (image.getpixel((int(image.width * x), row)) for x in (0.25, 0.6))
    assert (right < left) == darker
