"""Emulators in Python play what ale-py's C++ environment plays, to the bit."""

import sys

import numpy as np
import pytest

from rlattack.errors import InvalidInput, MissingExtra
from rlattack.games import Variant, find_game, with_variant
from rlattack.games.atari import AtariGame, vector_env
from rlattack.games.emulators import Emulators, noops

CASES = [
    ("pong", 0.0, {}),
    ("breakout", 0.25, {}),
    ("breakout", 0.7, {"noop_max": 0}),
    ("freeway", 0.25, {"noop_max": 7}),  # has no FIRE
    ("qbert", 0.0, {"life_loss": "terminal"}),
    ("boxing", 0.25, {"fire_reset": False, "frame_skip": 1}),
    ("ms_pacman", 0.0, {"max_frames": 101, "frame_skip": 3}),
    ("seaquest", 0.25, {"action_set": "full", "resize": (105, 80), "stack": 2}),
    ("tennis", 0.0, {"resize": (210, 160)}),
]


def compared(rom, sticky, options, slots, steps):
    """In which of `steps` both show or pay otherwise, and how many episodes ended."""
    card = with_variant(find_game(f"atari/{rom}"), sticky=sticky, options=options)
    both = vector_env(card, slots), Emulators(card, slots)
    rng, over, ended, apart = np.random.default_rng(1), np.ones(slots, dtype=bool), 0, []
    for step in range(steps):
        if over.any():
            seeds = rng.integers(1, 2**31, int(over.sum()))
            one, other = (env.reset(seed=seeds, options={"reset_mask": over})[0] for env in both)
            apart += [step] * (not np.array_equal(one[over], other[over]))
        actions = rng.integers(both[0].single_action_space.n, size=slots)
        one, other = (env.step(actions)[:4] for env in both)
        apart += [step] * (not all(map(np.array_equal, one, other)))
        over = other[2] | other[3]
        ended += int(over.sum())
    return apart, ended


@pytest.mark.parametrize(("rom", "sticky", "options"), CASES)
def test_observations_rewards_and_endings_are_those_of_the_vector_environment(rom, sticky, options):
    assert compared(rom, sticky, options, slots=1, steps=70)[0] == []


@pytest.mark.slow
@pytest.mark.parametrize("sticky", [0.0, 0.25])
@pytest.mark.parametrize(("rom", "options"), [(rom, options) for rom, _, options in CASES])
def test_they_are_so_over_thousands_of_steps_and_many_episodes(rom, sticky, options):
    apart, ended = compared(rom, sticky, options, slots=4, steps=1500)
    assert apart == []
    assert ended > 0 or rom in ("pong", "freeway", "boxing", "tennis")


def test_no_ops_are_drawn_evenly():
    drawn = [noops(seed, 30) for seed in range(1, 1000)]
    assert set(drawn) == set(range(30))
    assert noops(5, 0) == 0


def test_what_is_restored_plays_on_alike_in_another_game_with_the_last_action_and_the_luck():
    variant = Variant(with_variant(find_game("atari/breakout"), sticky=0.7, options={"stack_fill": "first"}))
    game, spare = AtariGame(variant, 1, forks=True), AtariGame(variant, 2, forks=True)
    game.reset(np.ones(1, dtype=bool), np.array([3]))
    for action in (1, 2):
        game.step([np.array([action])])
    spare.restore(np.array([1]), game.save(np.array([0])))
    for action in np.random.default_rng(0).integers(4, size=40):
        one, other = game.step([np.array([action])]), spare.step([np.array([0, action])])
        assert np.array_equal(one.views[0].obs[0], other.views[0].obs[1])
        assert one.rewards[0, 0] == other.rewards[0, 1]
    assert game.action_names == ["NOOP", "FIRE", "RIGHT", "LEFT"]


def test_without_opencv_it_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(
        MissingExtra,
        match="attacks on their screen, need OpenCV: pip install opencv-python-headless",
    ):
        Emulators(find_game("atari/pong"), 1)


def test_a_picture_that_the_vector_environment_cannot_make_is_refused():
    card = with_variant(find_game("atari/pong"), options={"resize": [210, 84]})
    with pytest.raises(InvalidInput, match=r"both numbers or none are the screen's, \[210, 160\], got \[210, 84\]"):
        Emulators(card, 1)
