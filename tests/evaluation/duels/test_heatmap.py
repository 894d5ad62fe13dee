import io
import re

import pytest
from PIL import Image

from rlattack.evaluation.duels.grid import grid
from rlattack.evaluation.duels.heatmap import heat_map_png, heat_map_svg, write_heat_map


def words(drawing):
    return re.findall(r">([^<>]+)</t(?:ext|span)>", drawing)


def test_the_picture_says_every_rate_and_who_is_who(heat):
    found = words(heat_map_svg(grid(heat), "here"))
    assert {"86 %", "victim 14 · tie 0", "2 %", "victim 97 · tie 1", "12 %"} <= set(found)
    assert {"adversary", "zero", "tuned", "runner, blind (mask", "initial)"} <= set(found)
    assert {"opponent (blocker)", "victim (runner)", "opponent (blocker) wins"} <= set(found)


def test_a_pair_that_was_not_played_is_empty(heat):
    assert sum(word.endswith(" %") for word in words(heat_map_svg(grid(heat), "here"))) == 5


def test_with_many_columns_only_the_opponents_wins_are_written(make_record):
    found = words(heat_map_svg(grid([make_record(f"a{i}", "b", 0.5) for i in range(8)]), "here"))
    assert found.count("50 %") == 8
    assert not any("victim 50" in word for word in found)


@pytest.mark.parametrize(("wins", "darker"), [(0.9, True), (0.1, False)])
def test_the_more_the_opponent_wins_the_darker_the_square(make_record, wins, darker):
    records = [make_record("a", "b", 0.5), make_record("c", "b", wins)]
    image = Image.open(io.BytesIO(heat_map_png(grid(records)))).convert("L")
    row = image.height // 5
    left, right = (image.getpixel((int(image.width * x), row)) for x in (0.25, 0.6))
    assert (right < left) == darker


def test_a_picture_is_written_only_of_several_cells(tmp_path, heat):
    write_heat_map(tmp_path, heat[:1])
    assert not list(tmp_path.iterdir())
    write_heat_map(tmp_path, heat)
    with Image.open(tmp_path / "heatmap.png") as image:
        assert image.width > 300
