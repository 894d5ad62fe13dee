import sys
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from rlattack.errors import InvalidInput, MissingExtra
from rlattack.games import find_game, with_variant
from rlattack.games.card import Variant
from rlattack.report.encoding import find_film
from rlattack.report.film import check_camera, film_cells
from tests.kit.cells import attack_on, load_and_play, make_cell
from tests.kit.filmed import cameras
from tests.kit.games import made


@pytest.fixture(autouse=True)
def _no_camera_yet():
    cameras.clear()


def staged(fps=10, **changes):
    return make_cell(f"staged/{fps}", **changes)


def test_the_film_shows_every_step_of_episode_0(tmp_path):
    pytest.importorskip("av")
    cell = staged(episodes=5)
    film_cells([cell], tmp_path, 1)
    (camera,) = cameras
    assert camera.closed
    assert camera.game.closed
    assert camera.shot == [(0, step) for step in range(1, int(camera.game.length[0]) + 1)]
    assert find_film(tmp_path, cell.key) == tmp_path / f"{cell.key}.mp4"
    assert (tmp_path / f"{cell.key}.mp4").read_bytes()[4:8] == b"ftyp"


def test_a_gif_plays_in_the_games_own_time_and_its_end_stays_for_a_second(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    film_cells([staged()], tmp_path, 1)
    with Image.open(tmp_path / f"{staged().key}.gif") as image:
        lasting = []
        for frame in range(image.n_frames):
            image.seek(frame)
            lasting.append(image.info["duration"])
    assert sum(lasting) == 100 * len(cameras[0].shot) + 1000
    assert lasting[0] == 100


def test_steps_of_fast_games_are_left_out(tmp_path):
    film_cells([staged(fps=66)], tmp_path, 1)
    (camera,) = cameras
    assert camera.shot == [(0, step) for step in range(1, int(camera.game.length[0]) + 1, 2)]


def test_a_cell_is_filmed_once(tmp_path):
    cells = [staged(), staged(seed=1)]
    film_cells(cells[:1], tmp_path, 1)
    film_cells(cells, tmp_path, 1)
    film_cells(cells, tmp_path, 1)
    assert len(cameras) == 2
    assert find_film(tmp_path, "another") is None


def test_every_film_is_told_as_it_is_made_and_nothing_where_none_is(tmp_path):
    told = []
    cells = [staged(), staged(seed=1), staged(seed=2)]
    film_cells(cells[:1], tmp_path, 1, lambda *stage: told.append(stage))
    assert told == [("filming 1 game", 0, 1), ("filming 1 game", 1, 1)]
    film_cells(cells, tmp_path, 1, lambda *stage: told.append(stage))
    assert told[2:] == [("filming 2 games", done, 2) for done in (0, 1, 2)]
    film_cells(cells, tmp_path, 1, lambda *stage: told.append(stage))
    assert len(told) == 5


def test_filming_shows_the_episode_that_was_played(tmp_path):
    cells = [staged(seed=seed) for seed in range(5)]
    film_cells(cells, tmp_path, 1)
    lengths = [load_and_play(cell)[0].length for cell in cells]
    assert [len(camera.shot) for camera in cameras] == lengths
    assert len(set(lengths)) > 1


def test_a_camera_is_tried_without_playing():
    check_camera(staged())
    (camera,) = cameras
    assert (camera.closed, camera.game.closed, camera.shot) == (True, True, [])


def test_a_game_without_a_camera_is_told_before_it_is_played(tmp_path):
    cell = make_cell("pull/any")
    before = len(made)
    with pytest.raises(InvalidInput, match=r"^pull/any cannot be filmed, only Atari and MuJoCo games can"):
        check_camera(cell)
    with pytest.raises(InvalidInput, match="cannot be filmed"):
        film_cells([cell], tmp_path, 1)
    assert len(made) == before


def test_an_atari_game_is_filmed_in_its_own_time_and_beside_it_what_an_attacked_victim_receives(tmp_path, monkeypatch):
    pytest.importorskip("ale_py")
    monkeypatch.setitem(sys.modules, "av", None)
    short = Variant(with_variant(find_game("atari/pong"), max_steps=3))
    cells = [
        replace(make_cell("atari/pong", ("atari/pong/ppo",), episodes=1, envs=1), game=short, attacks=attacks)
        for attacks in ((), attack_on(0, "noise", eps=0.5, space="unit"))
    ]
    film_cells(cells, tmp_path, 1)
    with (
        Image.open(tmp_path / f"{cells[0].key}.gif") as clean,
        Image.open(tmp_path / f"{cells[1].key}.gif") as attacked,
    ):
        (width, height), both = clean.size, attacked.size
        assert both == (2 * width, height)
        game, seen = (np.asarray(attacked.convert("L").crop((left, 0, left + width, height))) for left in (0, width))
    assert np.abs(game.astype(int) - clean_frame(tmp_path, cells[0])).mean() < 2
    assert np.abs(seen.astype(int) - game).mean() > 60  # signs of half the range, clipped


def clean_frame(folder, cell):
    with Image.open(folder / f"{cell.key}.gif") as image:
        return np.asarray(image.convert("L")).astype(int)


def test_a_mujoco_game_is_filmed(tmp_path):
    pytest.importorskip("mujoco")
    cell = make_cell("mujoco/you-shall-not-pass", episodes=1, envs=1)
    try:
        film_cells([cell], tmp_path, 1)
    except MissingExtra:
        pytest.skip("no GL library draws without a display here")
    assert find_film(tmp_path, cell.key).stat().st_size > 1000
