"""What every game keeps, whoever made it."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pytest
from gymnasium import Space
from gymnasium.spaces import Discrete

from rlattack.errors import InvalidInput
from rlattack.games.card import Variant
from rlattack.games.find import find_game, make_game
from rlattack.games.game import NOBODY, UNDECIDED, WAIT, Game, Step, View
from tests.kit import games as kit

Views = tuple[View, ...]
_SLOTS = 3
_GAMES = {
    "atari/pong": ("ale_py", 20),
    "gymnasium/CartPole-v1": ("gymnasium", 120),
    "mujoco/you-shall-not-pass": ("mujoco", 120),
    "mujoco/run-to-goal-ants": ("mujoco", 30),
    "mujoco/run-to-goal-humans": ("mujoco", 30),
    "mujoco/sumo-ants": ("mujoco", 60),
    "mujoco/sumo-humans": ("mujoco", 120),
    "mujoco/kick-and-defend": ("mujoco", 30),
    "mujoco/ant": ("mujoco", 30),
    "mujoco/hopper": ("mujoco", 120),
    "pettingzoo/rps_v2": ("pygame", 20),
    "pettingzoo/connect_four_v3": ("pygame", 50),
    "pettingzoo/tictactoe_v3": ("pygame", 10),
    "pettingzoo/leduc_holdem_v4": ("rlcard", 20),
    "pettingzoo/texas_holdem_v4": ("rlcard", 40),
    "pettingzoo/boxing_v2": ("multi_agent_ale_py", 20),
    **{f"{family}/any": ("numpy", 30) for family in ("tug", "pull", "count", "turns", "coins")},
}
"""The package that each needs, and how many steps of it are looked at."""
_END = {"mujoco/you-shall-not-pass", "mujoco/sumo-humans", "mujoco/hopper", "gymnasium/CartPole-v1"} | {
    name for name, (package, _) in _GAMES.items() if package in ("pygame", "rlcard", "numpy")
}
"""Games that chance ends within those steps."""


@pytest.fixture(scope="module", params=_GAMES)
def name(request) -> str:
    pytest.importorskip(_GAMES[request.param][0])
    return request.param


@pytest.fixture(scope="module")
def game(name) -> Iterator[Game]:
    """One game for all tests: what one leaves behind must not change another."""
    game = make_game(find_game(name), _SLOTS)
    yield game
    game.close()


@dataclass
class Chance:
    """Plays all seats, each slot from a seed of its own; who is not to act says `nonsense`."""

    game: Game
    seeds: tuple[int, ...]
    nonsense: int = 10**6
    rngs: list[np.random.Generator] = field(init=False)

    def __post_init__(self) -> None:
        self.rngs = [np.random.default_rng(seed) for seed in self.seeds]

    def start(self) -> Views:
        return self.game.reset(np.ones(len(self.seeds), dtype=bool), np.array(self.seeds))

    def actions(self, views: Views, slots: np.ndarray):
        return [self._seat(seat.action, view, slots) for seat, view in zip(self.game.seats, views, strict=True)]

    def _seat(self, space: Space, view: View, slots: np.ndarray) -> np.ndarray:
        if isinstance(space, Discrete):
            chosen = np.full(self.game.slots, 0 if view.turn.all() else self.nonsense)
            for slot in np.flatnonzero(view.turn & slots):
                may = np.arange(space.n) if view.legal is None else np.flatnonzero(view.legal[slot])
                chosen[slot] = self.rngs[slot].choice(may)
            return chosen
        chosen = np.zeros((self.game.slots, *space.shape), dtype=np.float32)
        for slot in np.flatnonzero(slots):
            chosen[slot] = self.rngs[slot].uniform(space.low, space.high)
        return chosen


def play(game: Game, seeds: tuple[int, ...], steps: int, nonsense: int = 10**6) -> Iterator[tuple[Views, Step]]:
    """What is seen before a step, the step, and the slots that had not ended before it."""
    chance = Chance(game, seeds, nonsense)
    views, running = chance.start(), np.ones(game.slots, dtype=bool)
    for _ in range(steps):
        step = game.step(chance.actions(views, running))
        yield views, step, running.copy()
        running &= ~(step.terminated | step.truncated)
        views = step.views
        if not running.any():
            return


def story(game: Game, seeds: tuple[int, ...], steps: int, nonsense: int = 10**6) -> list[list[bytes]]:
    """All that each slot saw and earned until its end."""
    told: list[list[bytes]] = [[] for _ in seeds]
    for views, step, running in play(game, seeds, steps, nonsense):
        for slot in np.flatnonzero(running):
            seen = [array[slot] for view in views for array in (view.obs, view.turn, view.legal) if array is not None]
            earned = [array[:, slot] for array in (step.rewards, step.sparse) if array is not None]
            ends = [step.winner[slot], step.ending[slot], step.truncated[slot]]
            told[slot].append(b"".join(np.asarray(each).tobytes() for each in (*seen, *earned, *ends)))
    return told


def steps_of(name: str) -> int:
    return _GAMES[name][1]


def test_seats_and_endings_have_names(game):
    names = [seat.name for seat in game.seats]
    assert len(set(names)) == len(names) >= 1
    assert all(names)
    assert game.endings[0] == ""
    assert len(set(game.endings)) == len(game.endings)
    assert game.slots == _SLOTS


def test_a_card_that_tells_its_seats_tells_those_of_the_game(game, name):
    told = find_game(name).seats
    assert told in (None, tuple(seat.name for seat in game.seats))
    assert (told is None) == (name.partition("/")[0] not in ("atari", "gymnasium", "mujoco"))


def test_observations_lie_in_their_spaces(game, name):
    for views, step, running in play(game, (1, 2, 3), 10):
        for number, seat in enumerate(game.seats):
            space = seat.observation
            for obs in (views[number].obs, step.views[number].obs):
                assert obs.shape == (_SLOTS, *space.shape)
                assert obs.dtype.kind == space.dtype.kind
                assert all(space.contains(row.astype(space.dtype)) for row in obs)
        assert running.shape == (_SLOTS,)


def test_who_is_to_act_has_a_legal_action(game, name):
    for views, _, running in play(game, (1, 2, 3), steps_of(name)):
        assert all(view.turn.shape == (_SLOTS,) for view in views)
        assert np.any([view.turn for view in views], axis=0)[running].all()
        for seat, view in zip(game.seats, views, strict=True):
            if view.legal is not None:
                assert view.legal.shape == (_SLOTS, seat.action.n)
                assert view.legal[view.turn & running].any(axis=1).all()


def test_a_step_says_what_it_must(game, name):
    several = len(game.seats) > 1
    for _, step, running in play(game, (1, 2, 3), steps_of(name)):
        over = step.terminated | step.truncated
        for earned in (step.rewards, *([] if step.sparse is None else [step.sparse])):
            assert (earned.shape, earned.dtype) == ((len(game.seats), _SLOTS), np.float64)
            assert np.isfinite(earned).all()
        assert not (step.terminated & step.truncated).any()
        assert set(step.winner.tolist()) <= {NOBODY, *([0, 1] if several else [UNDECIDED])}
        assert (step.winner[running & ~over] == NOBODY).all()
        assert several or (step.winner[running & over] == UNDECIDED).all()
        assert ((step.ending > 0) == over)[running].all()
        assert step.ending.max() < len(game.endings)


def test_games_come_to_an_end(game, name):
    if name not in _END:
        pytest.skip("too long by chance")
    ended = np.zeros(_SLOTS, dtype=bool)
    for _, step, _ in play(game, (1, 2, 3), steps_of(name)):
        ended |= step.terminated | step.truncated
    assert ended.all()


def test_an_episode_depends_on_its_seed_and_actions_alone(game, name):
    one, two, three = story(game, (1, 2, 3), steps_of(name))
    again = story(game, (3, 1, 1), steps_of(name))
    assert again == [three, one, one]
    assert one != two


def test_other_threads_and_a_single_slot_play_the_same(game, name):
    alone = make_game(find_game(name), 1, threads=2)
    assert story(alone, (2,), steps_of(name))[0] == story(game, (1, 2, 3), steps_of(name))[1]
    alone.close()


def test_the_action_of_who_is_not_to_act_is_not_looked_at(game, name):
    assert story(game, (1, 2, 3), steps_of(name), nonsense=0) == story(game, (1, 2, 3), steps_of(name))


def test_resetting_one_slot_leaves_the_others(game):
    chance = Chance(game, (1, 2, 3))
    everywhere = np.ones(_SLOTS, dtype=bool)
    views = game.step(chance.actions(chance.start(), everywhere)).views
    after = game.reset(np.array([False, True, False]), np.array([9]))
    first = [view.obs[1] for view in game.reset(np.array([True, False, False]), np.array([9]))]
    for seat, view in enumerate(after):
        assert np.array_equal(view.obs[[0, 2]], views[seat].obs[[0, 2]])
        assert np.array_equal(view.turn[[0, 2]], views[seat].turn[[0, 2]])
        assert np.array_equal(view.obs[1], first[seat])


def test_a_reset_of_another_slot_changes_nothing_of_what_comes(game):
    everywhere = np.ones(_SLOTS, dtype=bool)
    steps = []
    for disturb in (False, True):
        chance = Chance(game, (1, 2, 3))
        views = game.step(chance.actions(chance.start(), everywhere)).views
        if disturb:
            views = game.reset(np.array([False, False, True]), np.array([7]))
        slots = np.array([True, True, False]) & np.any([view.turn for view in views], axis=0)
        steps.append((game.step(chance.actions(views, everywhere)), slots))
    (plain, slots), (disturbed, _) = steps
    for one, other in zip(plain.views, disturbed.views, strict=True):
        assert np.array_equal(one.obs[slots], other.obs[slots])
    assert np.array_equal(plain.rewards[:, slots], disturbed.rewards[:, slots])


def test_what_was_seen_is_never_overwritten(game):
    kept = [(view.obs, view.obs.copy()) for views, _, _ in play(game, (1, 2, 3), 5) for view in views]
    assert all(np.array_equal(now, then) for now, then in kept)


def test_a_slot_that_waits_stays_as_it_is(game, name):
    if name.partition("/")[0] not in ("pettingzoo", "count") or not isinstance(game.seats[0].action, Discrete):
        pytest.skip("no game in which a slot can wait")
    chance = Chance(game, (1, 2, 3))
    before = chance.start()
    actions = chance.actions(before, np.ones(_SLOTS, dtype=bool))
    for chosen in actions:
        chosen[1] = WAIT
    step = game.step(actions)
    for then, now in zip(before, step.views, strict=True):
        assert now.turn[1] == then.turn[1]
        assert np.array_equal(now.obs[1], then.obs[1])
    assert not step.rewards[:, 1].any()
    assert not step.terminated[1]


def test_seeds_are_checked(game):
    with pytest.raises(InvalidInput, match=r"expected seeds in 0..2\^31-1"):
        game.reset(np.array([True, False, False]), np.array([-1]))
    with pytest.raises(InvalidInput, match="expected one seed for each of 2 slots"):
        game.reset(np.array([True, True, False]), np.array([1]))


def test_a_game_in_which_nothing_can_be_hidden_says_so():
    with pytest.raises(InvalidInput, match="game count/any: only MuJoCo games can hide the other player from a seat"):
        make_game(Variant(find_game("count/any"), hidden=((0, "zero"),)), 1)


def test_a_registered_game_is_told_what_is_hidden():
    game = make_game(Variant(find_game("tug/any"), hidden=((1, "zero"),)), 1)
    assert game is kit.made[-1]
    game.reset(np.ones(1, dtype=bool), np.array([1]))
    pushed = np.full((1, 1), 0.5, dtype=np.float32)
    left, right = game.step([pushed, pushed]).views
    assert (left.obs.tolist(), right.obs.tolist()) == ([[1, 0.5, 0.5]], [[1, 0.5, 0]])
