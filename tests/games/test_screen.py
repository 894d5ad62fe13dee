"""What an emulator's screen shows, and that frames are made of it as ale-py makes them."""

import numpy as np
import pytest
import torch

from rlattack.attacks.screen import Twin
from rlattack.games import Variant, find_game, make_game, with_variant
from rlattack.games.atari import AtariGame

pytest.importorskip("ale_py")
CASES = [
    ("pong", 0.0, {}),
    ("breakout", 0.25, {"resize": (110, 84), "crop": (18, 0, 84, 84)}),
    ("boxing", 0.25, {"frame_skip": 1}),
    ("qbert", 0.0, {"resize": (210, 160), "stack": 2}),
]


def compared(rom, sticky, options, steps, slots):
    """Plays the C++ environment beside one that shows its screen; returns the frames and how far the twin is off."""
    card = with_variant(find_game(f"atari/{rom}"), sticky=sticky, options=options)
    own, shows = make_game(card, slots), make_game(card, slots, screens=True)
    screen = shows.seats[0].screen
    twin, rng, over, most, frames = Twin(screen), np.random.default_rng(3), np.ones(slots, dtype=bool), 0.0, 0
    for _ in range(steps):
        if over.any():
            seeds = rng.integers(1, 2**31, int(over.sum()))
            (seen,), (view,) = own.reset(over, seeds), shows.reset(over, seeds)
        newest, frames = seen.obs[:, -1:], frames + slots
        assert np.array_equal(screen.frames(view.pictures), newest)
        apart = (twin(torch.from_numpy(view.pictures).float()) - torch.from_numpy(newest)).abs()
        most = max(most, float(apart.max()))
        actions = rng.integers(own.seats[0].action.n, size=slots)
        one, other = own.step([actions]), shows.step([actions])
        over = one.terminated | one.truncated
        assert np.array_equal(over, other.terminated | other.truncated)
        (seen,), (view,) = one.views, other.views
    return frames, most


@pytest.mark.parametrize(("rom", "sticky", "options"), CASES)
def test_of_what_the_screen_shows_comes_what_the_vector_environment_shows_and_the_twin_is_a_level_off(
    rom, sticky, options
):
    assert compared(rom, sticky, options, steps=40, slots=1)[1] <= 1


@pytest.mark.slow
@pytest.mark.parametrize("rom", ["pong", "breakout", "qbert", "seaquest", "ms_pacman"])
def test_it_is_so_over_ten_thousand_frames_of_a_game(rom):
    assert compared(rom, 0.25, {}, steps=1250, slots=8) == (10_000, 1)


def test_a_restored_game_shows_the_screen_that_was_saved():
    variant = Variant(find_game("atari/breakout"))
    game = AtariGame(variant, 1, forks=True, screens=True)
    game.reset(np.ones(1, dtype=bool), np.array([3]))
    (before,) = game.step([np.array([1])]).views
    saved = game.save(np.array([0]))
    (after,) = game.step([np.array([2])]).views
    assert not np.array_equal(before.pictures, after.pictures)
    game.restore(np.array([0]), saved)
    assert np.array_equal(game.step([np.array([2])]).views[0].pictures, after.pictures)


def test_other_games_show_no_screen_though_they_are_asked():
    game = make_game(find_game("gymnasium/CartPole-v1"), 1, screens=True)
    assert game.seats[0].screen is None
    assert game.reset(np.ones(1, dtype=bool), np.array([1]))[0].pictures is None
