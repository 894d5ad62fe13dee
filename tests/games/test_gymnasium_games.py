import sys
from typing import ClassVar

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from rlattack.errors import InvalidInput, MissingExtra
from rlattack.games import make_game
from rlattack.games.camera import camera
from rlattack.games.card import GameCard, Variant
from rlattack.games.game import NOBODY, UNDECIDED
from rlattack.games.gymnasium_games import GymnasiumGame
from tests.games.random_play import Alone


class Walk(gymnasium.Env):
    """A random walk: adds the action and a coin to the position; ends beyond 3. Gives float64 under a float32 space."""

    observation_space: gymnasium.Space = spaces.Box(-10, 10, (2,), np.float32)
    action_space: gymnasium.Space = spaces.Discrete(3, start=-1)
    seen_types: tuple[type, ...] = ()

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.at = self.np_random.normal()
        return np.array([self.at, 0.0]), {}

    def step(self, action):
        assert self.action_space.contains(action)
        assert abs(self.at) <= 3, "an episode that ended was stepped"
        self.at += action + self.np_random.normal()
        return np.array([self.at, action]), float(action), abs(self.at) > 3, False, {}


class Image(Walk):
    observation_space = spaces.Box(0, 255, (4, 5, 3), np.uint8)
    action_space = spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return self.np_random.integers(0, 256, (4, 5, 3)), {}

    def step(self, action):
        return self.np_random.integers(0, 256, (4, 5, 3)), 1.0, False, False, {}


class Inputless(Walk):
    observation_space = spaces.Dict({"a": spaces.Text(5)})


class Whole(Walk):
    action_space = spaces.Box(-1, 1, (1,), np.int64)


class Demanding(Walk):
    def __init__(self, board):
        self.board = board


class Fussy(Walk):
    def __init__(self):
        raise RuntimeError("no licence\nsecond line")


class Leaving(Walk):
    def __init__(self):
        sys.exit(4)


class Wordless(Walk):
    def __init__(self):
        raise AssertionError


class Drawn(Image):
    """Draws a picture in which the first pixel is the step."""

    metadata: ClassVar = {"render_modes": ["rgb_array"], "render_fps": 12}

    def __init__(self, render_mode=None):
        self.render_mode, self.time = render_mode, 0

    def step(self, action):
        self.time += 1
        return super().step(action)

    def render(self):
        return np.full((20, 31, 3), self.time, dtype=np.uint8)


class Broken(Drawn):
    def render(self):
        raise RuntimeError("no display\nsecond line")


class Silent(Drawn):
    def render(self):
        return None


class Lacking(Drawn):
    def render(self):
        import a_package_of_nobody  # noqa: F401


_KINDS = (Walk, Image, Inputless, Whole, Demanding, Fussy, Leaving, Wordless, Drawn, Broken, Silent, Lacking)


@pytest.fixture(autouse=True, scope="module")
def _registered():
    for kind in _KINDS:
        gymnasium.register(f"tests/{kind.__name__}-v0", kind, max_episode_steps=20)
    yield
    for kind in _KINDS:
        gymnasium.registry.pop(f"tests/{kind.__name__}-v0")


def card(name: str) -> GameCard:
    return GameCard(id=f"gymnasium/{name}", title=name)


def game(name: str, slots: int) -> Alone:
    return Alone(GymnasiumGame(Variant(card(name)), slots))


def play(batch: Alone, slot: int, seed: int, steps: int = 60) -> list[tuple[bytes, float, bool, bool]]:
    """One episode in a slot with actions that depend on the step alone; the other slots do something else."""
    mask = np.arange(batch.slots) == slot
    lines = [(batch.reset(mask, np.array([seed]))[slot].tobytes(), 0.0, False, False)]
    for t in range(steps):
        actions = np.where(mask, t % 2, (t + np.arange(batch.slots)) % 2)
        step = batch.step(actions)
        ended = bool(step.terminated[slot]), bool(step.truncated[slot])
        lines.append((step.obs[slot].tobytes(), float(step.rewards[slot]), *ended))
        if any(ended):
            break
    return lines


def everywhere(slots: int) -> np.ndarray:
    return np.ones(slots, dtype=np.bool_)


@pytest.mark.parametrize("name", ["CartPole-v1", "Acrobot-v1", "tests/Walk-v0", "tests/Image-v0"])
def test_an_episode_depends_on_its_seed_alone(name):
    alone = game(name, 1)
    crowd = game(name, 3)
    crowd.reset(everywhere(3), np.array([7, 8, 9]))
    expected = play(alone, 0, seed=5)
    np.random.seed(1)  # the global generator has no say
    assert play(crowd, 2, seed=5) == expected
    assert play(crowd, 0, seed=5) == expected
    assert play(alone, 0, seed=5) == expected
    assert play(alone, 0, seed=6) != expected


def test_nothing_global_is_seeded():
    before = np.random.get_state()[1].copy()
    play(game("CartPole-v1", 2), 0, seed=5)
    assert np.array_equal(before, np.random.get_state()[1])


def test_a_masked_reset_leaves_the_other_slots_alone():
    batch, control = game("CartPole-v1", 3), game("CartPole-v1", 3)
    for each in (batch, control):
        each.reset(everywhere(3), np.array([1, 2, 3]))
        each.step(np.zeros(3, dtype=np.int64))
    before = control.step(np.ones(3, dtype=np.int64)).obs
    batch.step(np.ones(3, dtype=np.int64))
    after = batch.reset(np.array([False, True, False]), np.array([9]))
    assert np.array_equal(after[[0, 2]], before[[0, 2]])
    assert not np.array_equal(after[1], before[1])
    moved, expected = (each.step(np.zeros(3, dtype=np.int64)).obs for each in (batch, control))
    assert np.array_equal(moved[[0, 2]], expected[[0, 2]])


def test_observations_take_the_dtype_of_the_space():
    batch = game("tests/Walk-v0", 2)
    assert batch.reset(everywhere(2), np.array([1, 2])).dtype == np.float32
    assert batch.step(np.ones(2, dtype=np.int64)).obs.dtype == np.float32
    assert game("tests/Image-v0", 1).reset(everywhere(1), np.array([1])).dtype == np.uint8


def test_images_keep_their_shape():
    batch = game("tests/Image-v0", 2)
    assert batch.observation_space.shape == (4, 5, 3)
    assert batch.reset(everywhere(2), np.array([1, 2])).shape == (2, 4, 5, 3)


def test_actions_count_from_zero_whatever_the_environment_counts_from():
    batch = game("tests/Walk-v0", 3)
    assert batch.action_space == spaces.Discrete(3)
    batch.reset(everywhere(3), np.array([1, 2, 3]))
    assert batch.step(np.array([0, 1, 2])).rewards.tolist() == [-1.0, 0.0, 1.0]


def test_a_slot_is_idle_until_its_reset_and_after_its_end():
    batch = game("tests/Walk-v0", 2)
    batch.reset(np.array([True, False]), np.array([0]))
    for _ in range(30):  # the environment itself fails when it is stepped beyond its end
        step = batch.step(np.array([2, 2]))
        assert step.rewards[1] == 0
    assert not (step.terminated | step.truncated).any()
    assert batch.reset(np.array([False, True]), np.array([3])).shape == (2, 2)


def test_the_time_limit_truncates():
    batch = game("tests/Image-v0", 1)
    batch.reset(everywhere(1), np.array([1]))
    ends = [batch.step(np.array([0])) for _ in range(20)]
    assert [bool(step.truncated[0]) for step in ends] == [False] * 19 + [True]
    assert not ends[-1].terminated[0]


def test_a_step_gives_new_arrays():
    batch = game("CartPole-v1", 2)
    kept = [batch.reset(everywhere(2), np.array([1, 2]))]
    kept += [batch.step(np.array([0, 1])).obs for _ in range(5)]
    assert len({each.tobytes() for each in kept}) == 6


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("tests/Inputless-v0", InvalidInput, "expected observations of numbers, got Dict"),
        ("tests/Whole-v0", InvalidInput, "expected Discrete, MultiDiscrete, MultiBinary or a Box of floats as actions"),
        ("tests/Demanding-v0", InvalidInput, "cannot be made: .*missing 1 required positional argument: 'board'"),
        ("tests/Fussy-v0", InvalidInput, "cannot be made: no licence$"),
        ("tests/Leaving-v0", InvalidInput, "cannot be made: SystemExit: 4$"),
        ("tests/Wordless-v0", InvalidInput, "AssertionError in __init__ of .*py: raise AssertionError$"),
        ("phys2d/CartPole-v1", MissingExtra, "a package that is missing: .*jax"),
    ],
)
def test_an_environment_that_cannot_be_played_is_refused_in_one_line(name, error, message):
    with pytest.raises(error, match=f"game gymnasium/{name}: .*{message}"):
        game(name, 1)


@pytest.mark.parametrize("seeds", [[-1], [2**31], [1, 2]])
def test_seeds_that_would_not_be_kept_are_refused(seeds):
    with pytest.raises(InvalidInput, match="expected"):
        game("CartPole-v1", 1).reset(everywhere(1), np.array(seeds))


def test_a_game_has_one_seat_and_leaves_it_to_the_card_who_has_won():
    walk = GymnasiumGame(Variant(card("tests/Walk-v0")), 1)
    assert [seat.name for seat in walk.seats] == ["player"]
    (view,) = walk.reset(everywhere(1), np.array([0]))
    assert (view.turn.tolist(), view.legal) == ([True], None)
    step = walk.step([np.array([2])])
    while not (step.terminated | step.truncated).any():
        assert (step.winner.tolist(), step.ending.tolist(), step.rewards.shape) == ([NOBODY], [0], (1, 1))
        step = walk.step([np.array([2])])
    assert (step.winner.tolist(), walk.endings[step.ending[0]]) == ([UNDECIDED], "over")


def test_a_player_of_gymnasium_cannot_be_hidden():
    with pytest.raises(InvalidInput, match="game gymnasium/CartPole-v1: only MuJoCo games can hide the other player"):
        make_game(Variant(card("CartPole-v1"), hidden=((0, "zero"),)), 1)


def test_its_camera_shows_what_the_environment_draws():
    drawn = make_game(card("tests/Drawn-v0"), 2, camera=True)
    shot = camera(drawn, (100, 50))
    drawn.reset(everywhere(2), np.array([1, 2]))
    drawn.step([np.zeros(2, dtype=np.int64)])
    drawn.reset(np.array([True, False]), np.array([1]))
    drawn.step([np.zeros(2, dtype=np.int64)])
    picture = shot.frame(1)
    assert (picture.shape, picture.dtype, shot.fps) == ((40, 62, 3), np.uint8, 12)
    assert (picture == 2).all()
    shot.close()
    drawn.close()


def test_odd_sides_of_a_picture_become_even():
    drawn = make_game(card("tests/Drawn-v0"), 1, camera=True)
    drawn.reset(everywhere(1), np.array([1]))
    assert camera(drawn, (30, 30)).frame(0).shape == (20, 30, 3)


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("tests/Image-v0", InvalidInput, "cannot be filmed, only Atari and MuJoCo games can, and Gymnasium's"),
        ("tests/Broken-v0", InvalidInput, "cannot be filmed, only .*: no display$"),
        (
            "tests/Silent-v0",
            InvalidInput,
            r"cannot be filmed, .*: expected a picture .*, got object of shape \(\)",
        ),
        ("tests/Lacking-v0", MissingExtra, "pictures need a package that is missing: .*a_package_of_nobody"),
        ("phys2d/CartPole-v1", MissingExtra, "a package that is missing: .*jax"),
    ],
)
def test_what_cannot_be_filmed_is_refused_before_it_is_played(name, error, message):
    with pytest.raises(error, match=f"gymnasium/{name}:? .*{message}"):
        make_game(card(name), 1, camera=True)
