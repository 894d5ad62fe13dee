import numpy as np
import pytest
import torch

from rlattack.errors import RefusedFile
from rlattack.evaluation.cell import AgentRef
from rlattack.evaluation.duels.rollout import DuelRollout, take_seats
from rlattack.evaluation.seeds import game_seed, seat_seed


def handing_out(cell):
    """Episodes of a cell by slots, as the workers hand them out."""
    left = {slot: list(range(slot, cell.episodes, cell.envs)) for slot in range(cell.envs)}
    return lambda slot: left[slot].pop(0) if left[slot] else None


def played(cell, watch=None):
    return sorted(take_seats(cell, handing_out(cell), watch).episodes(), key=lambda episode: episode.episode)


def rollout(cell, game, first, second, watch=None):
    return DuelRollout(cell, game, (first, second), handing_out(cell), watch)


class Says:
    """Plays a constant, and counts the steps that it was to act in, as its recurrent state."""

    def __init__(self, value, dtype=np.float32):
        self.value, self.dtype, self.states, self.greedy, self.drawn = value, dtype, [], set(), []

    def initial_state(self, n):
        return torch.zeros(n, 1)

    def act(self, obs, state, draws, *, legal=None, greedy=False):
        self.states.append(state[:, 0].tolist())
        self.greedy.add(greedy)
        self.drawn.append(draws.uniform(1)[:, 0].numpy())
        shape = (len(obs), 1) if self.dtype is np.float32 else (len(obs),)
        return np.full(shape, self.value, dtype=self.dtype), state + 1


RANDOM = AgentRef("random", "random", "random")


def test_nobody_wins_between_players_that_do_nothing(games, make_cell):
    episodes = played(make_cell())
    assert [episode.episode for episode in episodes] == list(range(6))
    assert {(e.outcome, e.ending, e.returns) for e in episodes} == {("tie", "tie", (0.0, 0.0))}
    assert [e.seed for e in episodes] == [game_seed(0, i) for i in range(6)]
    assert [e.length for e in episodes] == [2 + game_seed(0, i) % 3 for i in range(6)]
    assert games["games"][-1].closed


@pytest.mark.parametrize(("pulls", "outcome"), [((0.5, 0.25), "win"), ((0.25, 0.5), "loss"), ((0.5, 0.5), "tie")])
def test_outcome_and_returns_are_those_of_the_seats(games, make_cell, pulls, outcome):
    cell = make_cell()
    game = games_of(cell)
    for episode in rollout(cell, game, Says(pulls[0]), Says(pulls[1])).episodes():
        assert episode.outcome == outcome
        assert episode.returns == (pulls[0] * episode.length, pulls[1] * episode.length)


def games_of(cell):
    from rlattack.evaluation.duels import rollout as module

    return module.make_duel(cell.game, cell.envs)


def test_the_draws_of_a_seat_are_its_own_whoever_sits_opposite(games, make_cell):
    alone, both = make_cell(players=(RANDOM, make_cell().players[1])), make_cell(players=(RANDOM, RANDOM))
    one, two = played(alone), played(both)
    assert [e.returns[0] for e in one] == [e.returns[0] for e in two]
    assert all(e.returns[0] != e.returns[1] != 0 for e in two)


def test_the_draws_of_an_episode_come_from_its_seed_and_seat(games, make_cell):
    cell, second = make_cell(envs=1, episodes=2), Says(0.0)
    list(rollout(cell, games_of(cell), Says(0.0), second).episodes())
    expected = [
        np.random.Generator(np.random.SFC64(seat_seed(0, episode, 1))).random(2 + game_seed(0, episode) % 3, np.float32)
        for episode in (0, 1)
    ]
    assert np.concatenate(second.drawn).tolist() == np.concatenate(expected).tolist()


def test_episodes_do_not_depend_on_how_many_are_asked_for(games, make_cell):
    few, many = (played(make_cell(players=(RANDOM, RANDOM), episodes=n)) for n in (3, 11))
    assert [(e.returns, e.trajectory) for e in few] == [(e.returns, e.trajectory) for e in many[:3]]


def test_recurrent_state_is_cleared_for_every_episode(games, make_cell):
    cell, first = make_cell(envs=1, episodes=3), Says(0.0)
    lengths = [e.length for e in rollout(cell, games_of(cell), first, Says(0.0)).episodes()]
    assert [state for (state,) in first.states] == [step for length in lengths for step in range(length)]


def test_in_games_of_turns_state_and_draws_go_on_in_turns_alone(games, make_cell):
    cell = make_cell("turns", envs=1, episodes=1)
    first, second = Says(1, np.int64), Says(0, np.int64)
    (episode,) = rollout(cell, games_of(cell), first, second).episodes()
    assert (episode.outcome, episode.length, episode.ending) == ("win", 6, "counted")
    seat_0_begins = game_seed(0, 0) % 2 == 0
    assert [s for (s,) in (first if seat_0_begins else second).states] == [0, 1, 1, 2, 2, 3]
    assert [s for (s,) in (second if seat_0_begins else first).states] == [0, 0, 1, 1, 2, 2]
    drawn = [value for (value,) in first.drawn]
    expected = np.random.Generator(np.random.SFC64(seat_seed(0, 0, 0))).random(3, np.float32)
    assert [value for value in drawn if value] == expected.tolist()


def test_players_get_legal_actions_and_never_an_empty_choice(games, make_cell):
    episodes = played(make_cell("turns", players=(RANDOM, RANDOM), episodes=12))  # the game asserts that all are legal
    assert {e.outcome for e in episodes} >= {"win", "loss"}


def test_equal_games_have_equal_digests_and_others_do_not(games, make_cell):
    still, moving = played(make_cell()), played(make_cell(players=(RANDOM, RANDOM)))
    assert len({e.trajectory for e in still}) == len({e.length for e in still}) < 6
    assert len({e.trajectory for e in moving}) == 6


@pytest.mark.parametrize("actions", ["greedy", "sampled"])
def test_players_are_told_how_to_choose(games, make_cell, actions):
    cell, first = make_cell(actions=actions), Says(0.0)
    list(rollout(cell, games_of(cell), first, Says(0.0)).episodes())
    assert first.greedy == {actions == "greedy"}


def test_who_watches_sees_every_step_of_a_seat_with_its_episode(games, make_cell):
    seen = []

    def watch(seat, episode, obs, state):
        assert state is None
        seen.extend((seat, int(e), float(o[0])) for e, o in zip(episode, obs, strict=True) if e >= 0)

    episodes = played(make_cell(), watch)
    expected = [(seat, e.episode, float(step)) for seat in (0, 1) for e in episodes for step in range(e.length)]
    assert sorted(seen) == sorted(expected)


def test_steps_and_time_of_full_slots_are_counted(games, make_cell):
    cell = make_cell()
    play = rollout(cell, games_of(cell), Says(0.0), Says(0.0))
    lengths = [episode.length for episode in play.episodes()]
    assert play.steps == sum(lengths)
    assert 0 < play.full_steps <= play.steps
    assert play.full_steps % cell.envs == 0
    assert play.full_seconds > 0


def test_a_player_that_changed_since_the_plan_is_refused(games, make_cell):
    changed = make_cell(players=(RANDOM, AgentRef("zero", "another digest", "zero")))
    with pytest.raises(RefusedFile, match="zero: changed while the run played"):
        take_seats(changed, handing_out(changed))
