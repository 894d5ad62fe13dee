import sys

import numpy as np
import pytest
from PIL import Image

from rlattack.errors import InvalidInput, MissingExtra
from rlattack.evaluation.cell import AgentRef
from rlattack.evaluation.duels import Duel, film, plan_duel
from rlattack.evaluation.duels.film import check_camera, film_cells, find_film


class Camera:
    """Draws how long the game in the slot has lasted, as a level of grey."""

    def __init__(self, game):
        self.game, self.shot, self.closed = game, [], False

    def frame(self, slot):
        self.shot.append((slot, int(self.game.time[slot])))
        return np.full((64, 96, 3), 40 * self.game.time[slot], dtype=np.uint8)

    def close(self):
        self.closed = True


@pytest.fixture
def cameras(monkeypatch, games):
    made = []
    monkeypatch.setattr(film, "_camera", lambda cell, game: made.append(Camera(game)) or made[-1])
    monkeypatch.setattr(film, "_speed", lambda cell: (1, 10))
    return made


def test_the_film_shows_every_step_of_episode_0(tmp_path, cameras, make_cell):
    pytest.importorskip("av")
    cell = make_cell(episodes=5)
    film_cells([cell], tmp_path, 1)
    (camera,) = cameras
    assert camera.closed
    assert camera.shot == [(0, step) for step in range(1, int(camera.game.length[0]) + 1)]
    assert find_film(tmp_path, cell.key) == tmp_path / f"{cell.key}.mp4"
    assert (tmp_path / f"{cell.key}.mp4").read_bytes()[4:8] == b"ftyp"


def test_a_gif_plays_in_the_games_own_time_and_its_end_stays_for_a_second(tmp_path, cameras, make_cell, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    film_cells([make_cell()], tmp_path, 1)
    with Image.open(tmp_path / f"{make_cell().key}.gif") as image:
        lasting = []
        for frame in range(image.n_frames):
            image.seek(frame)
            lasting.append(image.info["duration"])
    assert sum(lasting) == 100 * len(cameras[0].shot) + 1000
    assert lasting[0] == 100


def test_long_games_are_cut_and_fast_ones_thinned(tmp_path, cameras, make_cell, monkeypatch):
    monkeypatch.setattr(film, "_speed", lambda cell: (2, 10))
    monkeypatch.setattr(film, "_LENGTH", 1)
    film_cells([make_cell()], tmp_path, 1)
    assert cameras[0].shot == [(0, 1)]


def test_a_cell_is_filmed_once(tmp_path, cameras, make_cell):
    cells = [make_cell(), make_cell(seed=1)]
    film_cells(cells[:1], tmp_path, 1)
    film_cells(cells, tmp_path, 1)
    film_cells(cells, tmp_path, 1)
    assert len(cameras) == 2
    assert find_film(tmp_path, "another") is None


def test_every_film_is_told_as_it_is_made_and_nothing_where_none_is(tmp_path, cameras, make_cell):
    told = []
    cells = [make_cell(), make_cell(seed=1), make_cell(seed=2)]
    film_cells(cells[:1], tmp_path, 1, lambda *stage: told.append(stage))
    assert told == [("filming 1 game", 0, 1), ("filming 1 game", 1, 1)]
    film_cells(cells, tmp_path, 1, lambda *stage: told.append(stage))
    assert told[2:] == [("filming 2 games", done, 2) for done in (0, 1, 2)]
    film_cells(cells, tmp_path, 1, lambda *stage: told.append(stage))
    assert len(told) == 5


def test_a_camera_is_tried_without_playing(cameras, make_cell):
    check_camera(make_cell())
    (camera,) = cameras
    assert (camera.closed, camera.game.closed, camera.shot) == (True, True, [])


def test_a_game_that_has_no_scene_is_told_before_it_is_played_and_left_closed(games, make_cell):
    with pytest.raises(InvalidInput, match="pettingzoo/pull cannot be filmed"):
        check_camera(make_cell())
    assert games["games"][-1].closed


def test_a_game_that_has_no_scene_cannot_be_filmed(tmp_path, games, make_cell):
    with pytest.raises(InvalidInput, match=r"^pettingzoo/pull cannot be filmed, only MuJoCo games can"):
        film_cells([make_cell(players=(AgentRef("zero", "zero", "zero"),) * 2)], tmp_path, 1)


def test_a_mujoco_game_is_filmed_at_thirty_odd_pictures_a_second(tmp_path):
    pytest.importorskip("mujoco")
    names = {"players": (("zero",), ("zero",)), "episodes": 1, "envs": 1}
    humans, ants = (
        plan_duel(Duel(game=f"mujoco/{game}", **names)).cells[0] for game in ("you-shall-not-pass", "sumo-ants")
    )
    assert film._speed(humans) == film._speed(ants) == (2, 33)
    try:
        film_cells([humans], tmp_path, 1)
    except MissingExtra:
        pytest.skip("no GL library draws without a display here")
    assert find_film(tmp_path, humans.key).stat().st_size > 1000
