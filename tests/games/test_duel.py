"""What every two-player game keeps, whoever made it."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pytest
from gymnasium.spaces import Discrete

from rlattack.errors import InvalidInput
from rlattack.games.duel import NOBODY, WAIT, DuelGame, DuelStep, Sight
from rlattack.games.find import find_game, make_duel

_SLOTS = 3
_GAMES = {
    "mujoco/you-shall-not-pass": ("mujoco", 120),
    "mujoco/run-to-goal-ants": ("mujoco", 30),
    "mujoco/run-to-goal-humans": ("mujoco", 30),
    "mujoco/sumo-ants": ("mujoco", 60),
    "mujoco/sumo-humans": ("mujoco", 120),
    "mujoco/kick-and-defend": ("mujoco", 30),
    "pettingzoo/rps_v2": ("pygame", 20),
    "pettingzoo/connect_four_v3": ("pygame", 50),
    "pettingzoo/tictactoe_v3": ("pygame", 10),
    "pettingzoo/leduc_holdem_v4": ("rlcard", 20),
    "pettingzoo/texas_holdem_v4": ("rlcard", 40),
    "pettingzoo/boxing_v2": ("multi_agent_ale_py", 20),
}
"""The package that each needs, and how many steps of it are looked at."""
_END = {"mujoco/you-shall-not-pass", "mujoco/sumo-humans"} | {
    name for name, (package, _) in _GAMES.items() if package in ("pygame", "rlcard")
}
"""Games that chance ends within those steps."""


@pytest.fixture(scope="module", params=_GAMES)
def name(request) -> str:
    pytest.importorskip(_GAMES[request.param][0])
    return request.param


@pytest.fixture(scope="module")
def game(name) -> Iterator[DuelGame]:
    """One game for all tests: what one leaves behind must not change another."""
    game = make_duel(find_game(name), _SLOTS)
    yield game
    game.close()


@dataclass
class Chance:
    """Plays both seats, each slot from a seed of its own; who is not to act says `nonsense`."""

    game: DuelGame
    seeds: tuple[int, ...]
    nonsense: int = 10**6
    rngs: list[np.random.Generator] = field(init=False)

    def __post_init__(self) -> None:
        self.rngs = [np.random.default_rng(seed) for seed in self.seeds]

    def start(self) -> Sight:
        return self.game.reset(np.ones(len(self.seeds), dtype=bool), np.array(self.seeds))

    def actions(self, sight: Sight, slots: np.ndarray):
        return tuple(self._seat(seat, sight, slots) for seat in (0, 1))

    def _seat(self, seat: int, sight: Sight, slots: np.ndarray) -> np.ndarray:
        space = self.game.action_spaces[seat]
        if isinstance(space, Discrete):
            chosen = np.full(self.game.slots, self.nonsense)
            for slot in np.flatnonzero(sight.turn[seat] & slots):
                may = np.arange(space.n) if sight.legal is None else np.flatnonzero(sight.legal[seat][slot])
                chosen[slot] = self.rngs[slot].choice(may)
            return chosen
        chosen = np.zeros((self.game.slots, *space.shape), dtype=np.float32)
        for slot in np.flatnonzero(slots):
            chosen[slot] = self.rngs[slot].uniform(space.low, space.high)
        return chosen


def play(game: DuelGame, seeds: tuple[int, ...], steps: int, nonsense: int = 10**6) -> Iterator[tuple[Sight, DuelStep]]:
    """What is seen before a step, the step, and the slots that had not ended before it."""
    chance = Chance(game, seeds, nonsense)
    sight, running = chance.start(), np.ones(game.slots, dtype=bool)
    for _ in range(steps):
        step = game.step(chance.actions(sight, running))
        yield sight, step, running.copy()
        running &= ~(step.terminated | step.truncated)
        sight = step.sight
        if not running.any():
            return


def story(game: DuelGame, seeds: tuple[int, ...], steps: int, nonsense: int = 10**6) -> list[list[bytes]]:
    """All that each slot saw and earned until its end."""
    told: list[list[bytes]] = [[] for _ in seeds]
    for sight, step, running in play(game, seeds, steps, nonsense):
        for slot in np.flatnonzero(running):
            seen = [sight.obs[0][slot], sight.obs[1][slot], sight.turn[:, slot], step.rewards[:, slot]]
            ends = [step.sparse[:, slot], step.winner[slot], step.ending[slot], step.truncated[slot]]
            legal = [] if sight.legal is None else [may[slot] for may in sight.legal]
            told[slot].append(b"".join(np.asarray(each).tobytes() for each in (*seen, *ends, *legal)))
    return told


def steps_of(name: str) -> int:
    return _GAMES[name][1]


def test_seats_and_endings_have_names(game):
    assert len(set(game.seats)) == 2
    assert game.endings[0] == ""
    assert len(set(game.endings)) == len(game.endings)
    assert game.slots == _SLOTS


def test_observations_lie_in_their_spaces(game, name):
    for sight, step, running in play(game, (1, 2, 3), 10):
        for seat in (0, 1):
            space = game.observation_spaces[seat]
            for obs in (sight.obs[seat], step.sight.obs[seat]):
                assert obs.shape == (_SLOTS, *space.shape)
                assert obs.dtype.kind == space.dtype.kind
                assert all(space.contains(row.astype(space.dtype)) for row in obs)
        assert running.shape == (_SLOTS,)


def test_who_is_to_act_has_a_legal_action(game, name):
    for sight, _, running in play(game, (1, 2, 3), steps_of(name)):
        assert sight.turn.shape == (2, _SLOTS)
        assert sight.turn[:, running].any(axis=0).all()
        for seat, space in enumerate(game.action_spaces if sight.legal else ()):
            assert sight.legal[seat].shape == (_SLOTS, space.n)
            assert sight.legal[seat].any(axis=1).all()


def test_a_step_says_what_it_must(game, name):
    for _, step, running in play(game, (1, 2, 3), steps_of(name)):
        over = step.terminated | step.truncated
        assert step.rewards.shape == step.sparse.shape == (2, _SLOTS)
        assert np.isfinite(step.rewards).all()
        assert np.isfinite(step.sparse).all()
        assert not (step.terminated & step.truncated).any()
        assert set(step.winner.tolist()) <= {NOBODY, 0, 1}
        assert (step.winner[running & ~over] == NOBODY).all()
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
    alone = make_duel(find_game(name), 1, threads=2)
    assert story(alone, (2,), steps_of(name))[0] == story(game, (1, 2, 3), steps_of(name))[1]
    alone.close()


def test_the_action_of_who_is_not_to_act_is_not_looked_at(game, name):
    assert story(game, (1, 2, 3), steps_of(name), nonsense=0) == story(game, (1, 2, 3), steps_of(name))


def test_resetting_one_slot_leaves_the_others(game):
    chance = Chance(game, (1, 2, 3))
    everywhere = np.ones(_SLOTS, dtype=bool)
    sight = game.step(chance.actions(chance.start(), everywhere)).sight
    after = game.reset(np.array([False, True, False]), np.array([9]))
    first = [obs[1] for obs in game.reset(np.array([True, False, False]), np.array([9])).obs]
    for seat in (0, 1):
        assert np.array_equal(after.obs[seat][[0, 2]], sight.obs[seat][[0, 2]])
        assert np.array_equal(after.turn[seat][[0, 2]], sight.turn[seat][[0, 2]])
        assert np.array_equal(after.obs[seat][1], first[seat])


def test_a_reset_of_another_slot_changes_nothing_of_what_comes(game):
    everywhere = np.ones(_SLOTS, dtype=bool)
    steps = []
    for disturb in (False, True):
        chance = Chance(game, (1, 2, 3))
        sight = game.step(chance.actions(chance.start(), everywhere)).sight
        if disturb:
            sight = game.reset(np.array([False, False, True]), np.array([7]))
        slots = np.array([True, True, False]) & sight.turn.any(axis=0)
        steps.append((game.step(chance.actions(sight, everywhere)), slots))
    (plain, slots), (disturbed, _) = steps
    for seat in (0, 1):
        assert np.array_equal(plain.sight.obs[seat][slots], disturbed.sight.obs[seat][slots])
    assert np.array_equal(plain.rewards[:, slots], disturbed.rewards[:, slots])


def test_what_was_seen_is_never_overwritten(game):
    kept = [(sight.obs[0], sight.obs[0].copy()) for sight, _, _ in play(game, (1, 2, 3), 5)]
    assert all(np.array_equal(now, then) for now, then in kept)


def test_a_slot_that_waits_stays_as_it_is(game):
    if not all(isinstance(space, Discrete) for space in game.action_spaces):
        pytest.skip("no game of turns")
    chance = Chance(game, (1, 2, 3))
    before = chance.start()
    actions = chance.actions(before, np.ones(_SLOTS, dtype=bool))
    for seat in (0, 1):
        actions[seat][1] = WAIT
    step = game.step(actions)
    assert np.array_equal(step.sight.turn[:, 1], before.turn[:, 1])
    assert all(np.array_equal(step.sight.obs[seat][1], before.obs[seat][1]) for seat in (0, 1))
    assert not step.rewards[:, 1].any()
    assert not step.terminated[1]


def test_seeds_are_checked(game):
    with pytest.raises(InvalidInput, match=r"expected seeds in 0..2\^31-1"):
        game.reset(np.array([True, False, False]), np.array([-1]))
    with pytest.raises(InvalidInput, match="expected one seed for each of 2 slots"):
        game.reset(np.array([True, True, False]), np.array([1]))
