import os
import subprocess
import sys

import numpy as np
import pytest

from rlattack.errors import InvalidInput, MissingExtra
from rlattack.games.camera import camera
from rlattack.games.mujoco.render import Renderer
from tests.games.mujoco.made import game_of

_ALL = ["you-shall-not-pass", "run-to-goal-humans", "run-to-goal-ants", "sumo-humans", "sumo-ants", "kick-and-defend"]
_PLAY = """
import numpy as np
from rlattack.games import find_game, make_game
duel = make_game(find_game("mujoco/run-to-goal-ants"), 1)
duel.reset(np.ones(1, dtype=bool), np.arange(1))
print(duel.step((np.zeros((1, 8)),) * 2).ending)
from rlattack.errors import MissingExtra
from rlattack.games.mujoco.render import Renderer
try:
    Renderer(duel)
except MissingExtra as error:
    print(error)
"""


@pytest.fixture
def draw(monkeypatch):
    """Makes renderers, and closes them."""
    monkeypatch.delenv("MUJOCO_GL", raising=False)
    made = []

    def make(*args, **options):
        try:
            made.append(Renderer(*args, **options))
        except MissingExtra as error:
            pytest.skip(str(error))
        return made[-1]

    yield make
    for renderer in made:
        renderer.close()


def started(card, name, slots=1):
    duel = game_of(card(name), slots)
    duel.reset(np.ones(slots, dtype=np.bool_), np.arange(slots))
    return duel


def share(picture, strong, weak):
    """Share of pixels in which one colour is well above another."""
    return (picture[..., strong].astype(int) - picture[..., weak] > 35).mean()


def middle(picture, strong, weak):
    """Column in which pixels of that colour lie on average, from 0 to 1."""
    _, columns = np.nonzero(picture[..., strong].astype(int) - picture[..., weak] > 35)
    return columns.mean() / picture.shape[1]


@pytest.mark.parametrize("name", _ALL)
def test_a_picture_shows_both_players_from_the_first_to_the_last_place(card, draw, name):
    duel = started(card, name)
    renderer = draw(duel)
    for apart in (1.0, 3.5):
        duel.state.qpos[:, 0, :2] = [[-apart, -1.0], [apart, 1.0]]
        picture = renderer.frame(0)
        assert (picture.shape, picture.dtype) == ((320, 480, 3), np.uint8)
        edge = np.ones(picture.shape[:2], dtype=np.bool_)
        edge[1:-1, 1:-1] = False
        for strong, weak in ((0, 2), (1, 0)):  # brownish red on the left, bluish green on the right
            assert share(picture, strong, weak) > 0.0005
        assert middle(picture, 0, 1) < middle(picture, 1, 0)
        assert share(picture[edge][None], 1, 0) == 0


def test_a_picture_shows_its_own_slot_as_it_stands_and_moves_nothing(card, draw):
    duel = started(card, "sumo-ants", slots=2)
    renderer = draw(duel, width=96, height=64)
    before = duel.scenes.bind("qpos").copy()
    first, second = renderer.frame(0), renderer.frame(1)
    assert (first.shape, second.shape) == ((64, 96, 3), (64, 96, 3))
    assert (first != second).any()
    assert (renderer.frame(0) == first).all()
    assert (duel.scenes.bind("qpos") == before).all()
    for _ in range(10):
        duel.step((np.ones((2, 8)), np.ones((2, 8))))
    assert (renderer.frame(0) != first).any()


def test_the_arena_is_drawn_as_large_as_it_is(card, draw):
    duel = started(card, "sumo-humans", slots=2)
    renderer = draw(duel, width=96, height=64)
    duel.scenes.bind("qpos")[:] = duel.scenes.bind("qpos")[0]
    duel.scenes.expand("geom_size")[:, duel.model.geom("arena").id, 0] = 1.5, 3.5
    assert (renderer.frame(0) != renderer.frame(1)).mean() > 0.1


def test_two_renderers_draw_in_turns(card, draw):
    one, other = started(card, "sumo-ants"), started(card, "run-to-goal-humans")
    first, second = draw(one, 96, 64), draw(other, 120, 80)
    alone = first.frame(0)
    assert second.frame(0).shape == (80, 120, 3)
    assert (first.frame(0) == alone).all()


def test_the_camera_of_a_game_draws_as_a_renderer_and_knows_its_time(card, draw):
    duel = started(card, "you-shall-not-pass")
    try:
        shot = camera(duel, (96, 64))
    except MissingExtra as error:
        pytest.skip(str(error))
    assert (shot.frame(0) == draw(duel, 96, 64).frame(0)).all()
    assert shot.fps == pytest.approx(1 / 0.015)
    shot.close()


def test_a_renderer_is_closed_as_often_as_you_like(card, draw):
    first, second = (draw(started(card, "sumo-ants"), 32, 32) for _ in range(2))
    first.close()
    first.close()
    assert second.frame(0).any()  # and others go on drawing


def test_a_slot_that_is_not_there_is_refused(card, draw):
    with pytest.raises(InvalidInput, match="slot: expected 0 to 0, got 1"):
        draw(started(card, "sumo-ants"), 32, 32).frame(1)


@pytest.mark.parametrize("size", [(0, 10), (10, 5000)])
def test_a_picture_of_no_or_too_many_pixels_is_refused(card, size):
    with pytest.raises(InvalidInput, match="picture: expected 1 to 4096 pixels a side, got"):
        Renderer(started(card, "sumo-ants"), *size)


@pytest.mark.parametrize("library", ["bogus", "osmesa", "glfw"])
def test_without_gl_the_game_goes_on_and_a_picture_says_what_to_install(library):
    hidden = {"DISPLAY", "WAYLAND_DISPLAY"}
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    environment |= {"MUJOCO_GL": library, "PYOPENGL_PLATFORM": "egl"}  # osmesa then refuses to load
    done = subprocess.run([sys.executable, "-c", _PLAY], env=environment, capture_output=True, text=True, check=True)
    played, told = done.stdout.splitlines()
    assert done.stderr == ""
    assert played == "[0]"
    assert told.startswith(f"pictures need OpenGL, and MUJOCO_GL={library} gives none (")
    assert told.endswith(
        "`apt-get install libegl1` and MUJOCO_GL=egl, or `apt-get install libosmesa6` and MUJOCO_GL=osmesa"
    )
