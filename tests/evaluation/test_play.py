"""The play loop, on games of one seat and of two whose answers are known by hand."""

import dataclasses
import time
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from rlattack.draws import Draws, game_seed, seat_seed
from rlattack.errors import InvalidInput, RefusedFile
from rlattack.evaluation.cell import AgentRef
from rlattack.evaluation.executor import Beat
from rlattack.evaluation.observer import Moment, Observer
from rlattack.evaluation.play import Play, play_episodes
from rlattack.games import Variant, make_game
from rlattack.games.card import Stall
from rlattack.policies.distributions import Actions, Categorical, Normal, Point
from rlattack.policies.policy import Output
from tests.kit.by_hand import ByHand, Pusher
from tests.kit.cells import load_and_play, make_cell, play, take
from tests.kit.games import made


@dataclass
class Watchful(ByHand):
    """Does nothing; keeps, a step, the state that it was given: how often it has acted in its episode."""

    choices: int = 0
    states: list[list[float]] = field(default_factory=list)
    drawn: list[list[float]] = field(default_factory=list)

    def __call__(self, obs: Tensor, state: Tensor | None = None, draws: Draws | None = None) -> Output:
        assert state is not None
        assert draws is not None
        self.states.append(state[:, 0].tolist())
        self.drawn.append(draws.uniform(1)[:, 0].tolist())
        return Output(self.distributions(len(obs)), state=state + 1)

    def distributions(self, n: int) -> Actions:
        if self.choices:
            return Categorical(torch.zeros(n, self.choices))
        return Point(torch.zeros(n, 1), -torch.ones(1), torch.ones(1))

    def initial_state(self, n: int) -> Tensor:
        return torch.zeros(n, 1)


def by_seed(seed: int, episode: int, seat: int, count: int) -> list[float]:
    return np.random.Generator(np.random.SFC64(seat_seed(seed, episode, seat))).random(count, np.float32).tolist()


def test_exactly_the_episodes_asked_for_are_played_each_from_its_own_seed():
    episodes = load_and_play(make_cell(seed=5))
    assert [episode.episode for episode in episodes] == list(range(6))
    assert [episode.seed for episode in episodes] == [game_seed(5, i) for i in range(6)]
    assert [episode.length for episode in episodes] == [2 + game_seed(5, i) % 3 for i in range(6)]
    assert made[-1].closed


def test_nobody_wins_between_players_that_do_nothing():
    for episode in load_and_play(make_cell()):
        assert episode.ending == "tie"
        assert [(seat.outcome, seat.score) for seat in episode.seats] == [("tie", 0.0)] * 2


@pytest.mark.parametrize(
    ("pulls", "outcomes"),
    [((0.5, 0.25), ("win", "loss")), ((0.25, 0.5), ("loss", "win")), ((0.5, 0.5), ("tie", "tie"))],
)
def test_outcome_and_score_are_those_of_the_seat(pulls, outcomes):
    for episode in play(make_cell(), *(Pusher(pull) for pull in pulls)):
        assert tuple(seat.outcome for seat in episode.seats) == outcomes
        assert [seat.score for seat in episode.seats] == [pull * episode.length for pull in pulls]


def test_a_game_of_one_seat_has_no_outcome_of_its_own():
    for episode in load_and_play(make_cell("coins/any", ["tests.kit.players:coin"], actions=("greedy",))):
        (seat,) = episode.seats
        assert (seat.outcome, seat.score, seat.judged) == (None, episode.length, None)
        assert episode.ending == "over"
        assert not episode.truncated


def test_the_draws_of_a_seat_are_its_own_whoever_sits_opposite():
    alone, both = (load_and_play(make_cell(players=["random", other])) for other in ("zero", "random"))
    assert [e.seats[0].score for e in alone] == [e.seats[0].score for e in both]
    assert all(e.seats[0].score != e.seats[1].score != 0 for e in both)


@pytest.mark.parametrize(("game", "seat"), [("coins/any", 0), ("pull/any", 0), ("pull/any", 1)])
def test_the_draws_of_an_episode_come_from_its_seed_and_seat(game, seat):
    cell, player = make_cell(game, envs=1, episodes=2), Watchful(choices=2 if game == "coins/any" else 0)
    cell = dataclasses.replace(cell, actions=("greedy",) * len(cell.seats))
    policies = [player if place == seat else Pusher(0.0) for place in range(len(cell.seats))]
    lengths = [episode.length for episode in play(cell, *policies)]
    expected = [number for episode in (0, 1) for number in by_seed(0, episode, seat, lengths[episode])]
    assert [value for (value,) in player.drawn] == expected


@pytest.mark.parametrize(("game", "players"), [("pull/any", ["random", "random"]), ("coins/any", ["random"])])
def test_episodes_depend_neither_on_how_many_are_asked_for_nor_on_the_first_seat_of_others(game, players):
    few, many = (load_and_play(make_cell(game, players, episodes=count)) for count in (3, 11))
    assert [(e.seats, e.trajectory) for e in few] == [(e.seats, e.trajectory) for e in many[:3]]


def test_recurrent_state_is_cleared_for_every_episode():
    player = Watchful()
    lengths = [episode.length for episode in play(make_cell(envs=1, episodes=3), player, Pusher(0.0))]
    assert [state for (state,) in player.states] == [step for length in lengths for step in range(length)]


def test_in_games_of_turns_state_and_draws_go_on_in_turns_alone():
    first, second = Watchful(choices=3), Watchful(choices=3)
    (episode,) = play(make_cell("turns/any", envs=1, episodes=1, actions=("greedy",) * 2), first, second)
    assert (episode.length, episode.ending) == (6, "counted")
    begins, waits = (first, second) if game_seed(0, 0) % 2 == 0 else (second, first)
    assert [state for (state,) in begins.states] == [0, 1, 1, 2, 2, 3]
    assert [state for (state,) in waits.states] == [0, 0, 1, 1, 2, 2]
    assert [value for (value,) in first.drawn if value] == by_seed(0, 0, 0, 3)


def test_players_choose_among_what_is_legal():
    names = ["random", "tests.kit.players:namer"]  # which likes best what never is; the game asserts that all are
    episodes = load_and_play(make_cell("turns/any", names, episodes=12))
    assert {episode.seats[0].outcome for episode in episodes} >= {"win", "loss"}


def test_episodes_that_went_alike_have_equal_digests_and_others_do_not():
    still, moving = load_and_play(make_cell()), load_and_play(make_cell(players=["random", "random"]))
    assert len({e.trajectory for e in still}) == len({e.length for e in still}) < 6
    assert len({e.trajectory for e in moving}) == 6
    assert all(len(e.trajectory) == 16 for e in moving)


@pytest.mark.parametrize("modes", [("greedy", "sampled"), ("sampled", "greedy")])
def test_each_player_chooses_as_its_seat_is_told(modes):
    pushers = [Pusher(None), Pusher(None)]  # the mean of what they draw is 0
    scores = [[seat.score for seat in episode.seats] for episode in play(make_cell(actions=modes), *pushers)]
    for seat, mode in enumerate(modes):
        assert all((score[seat] == 0) == (mode == "greedy") for score in scores)


class Notes(Observer):
    """Keeps what it is told, and counts the steps of a seat."""

    def __init__(self, seat: int) -> None:
        self.seat = seat
        self.seen: list[tuple[int, int, float]] = []
        self.moments: list[Moment] = []
        self.begun: list[int] = []
        self.rewards = 0.0
        self.counts = np.zeros(4)

    def begin(self, slots, episodes):
        self.begun += episodes.tolist()

    def see(self, moment):
        self.moments.append(moment)
        rows = zip(moment.episode, moment.shown[:, 0], strict=True)
        self.seen += [(moment.seat, int(episode), float(shown)) for episode, shown in rows if episode >= 0]
        self.counts += moment.acting & (moment.seat == self.seat)

    def after(self, step):
        self.rewards += float(step.rewards[self.seat].sum())

    def collect(self, slot):
        count, self.counts[slot] = self.counts[slot], 0
        return {"steps": float(count)}


def test_who_looks_on_sees_every_step_of_a_seat_with_its_episode():
    notes = Notes(1)
    episodes = load_and_play(make_cell(), [notes])
    expected = [(seat, e.episode, float(step)) for seat in (0, 1) for e in episodes for step in range(e.length)]
    assert sorted(notes.seen) == sorted(expected)
    assert sorted(notes.begun) == list(range(6))
    assert [dict(e.seats[1].measured) for e in episodes] == [{"steps": e.length} for e in episodes]
    assert [dict(e.seats[0].measured) for e in episodes] == [{}] * 6


def test_who_looks_on_changes_nothing():
    cell = make_cell("turns/any", ["random", "tests.kit.players:namer"])
    watched = load_and_play(cell, [Notes(0), Notes(1)])
    assert [e.trajectory for e in watched] == [e.trajectory for e in load_and_play(cell)]


def test_a_moment_without_an_attack_has_one_output_for_what_is_shown_and_received():
    notes = Notes(0)
    load_and_play(make_cell("coins/any", ["tests.kit.players:coin"]), [notes])
    for moment in notes.moments:
        assert moment.clean is moment.out
        assert moment.received.tolist() == moment.shown.tolist()
        assert torch.equal(moment.chosen, moment.action)


def test_an_episode_without_a_reward_for_long_is_stalled():
    cell = make_cell("tug/any", actions=("greedy",) * 2)
    card = dataclasses.replace(cell.game.card, stall=Stall(steps=2))
    stalled = play(dataclasses.replace(cell, game=Variant(card)), Pusher(0.0), Pusher(0.0))
    assert {(e.length, e.ending, e.stalled, e.truncated) for e in stalled} == {(2, "stalled", True, False)}
    assert {seat.outcome for e in stalled for seat in e.seats} == {None}
    paid = play(dataclasses.replace(cell, game=Variant(card)), Pusher(0.5), Pusher(0.0))
    assert {(e.length, e.stalled) for e in paid} == {(4, False)}


def test_steps_and_time_of_full_slots_are_counted():
    cell = make_cell()
    played = Play(cell, make_game(cell.game, cell.envs), [Pusher(0.0), Pusher(0.0)], take(cell))
    lengths = [episode.length for ended in played.play() for episode in ended]
    assert played.steps == sum(lengths)
    assert 0 < played.full_steps <= played.steps
    assert played.full_steps % cell.envs == 0
    assert played.full_resets <= len(lengths)


@pytest.mark.parametrize("game", ["coins/any", "pull/any"])
def test_a_player_that_changed_since_the_plan_is_refused(game):
    cell = make_cell(game)
    changed = (AgentRef("zero", "another digest", "zero"), *cell.players[1:])
    with pytest.raises(RefusedFile, match="zero: changed while the run played; finished cells are kept"):
        load_and_play(dataclasses.replace(cell, players=changed))


def test_a_module_of_random_weights_is_told_so():
    cell = make_cell("gymnasium/CartPole-v1", ["tests.kit.players:untrained"])
    with pytest.raises(RefusedFile, match="untrained: has other weights each time it is made, as a network that was n"):
        load_and_play(cell)


def test_a_module_that_fails_in_play_is_one_line():
    cell = make_cell("gymnasium/CartPole-v1", ["tests.kit.players:fragile"])
    with pytest.raises(InvalidInput, match=r"tests.kit.players:fragile: fails in play: ValueError: too far"):
        load_and_play(cell)


def test_a_failure_that_is_no_module_s_of_the_user_is_not_called_one():
    class Broken(Pusher):
        def distributions(self, n):
            raise ZeroDivisionError("ours")

    with pytest.raises(ZeroDivisionError, match="ours"):
        play(make_cell("mujoco/sumo-humans"), Broken(), Pusher())


@pytest.mark.parametrize("mode", ["greedy", "sampled"])
def test_a_normal_policy_draws_its_seat_s_normal_numbers(mode):
    class Drawing(ByHand):
        def distributions(self, n):
            return Normal(torch.full((n, 1), 0.25), -torch.ones(1), torch.ones(1), torch.ones(1))

    cell = make_cell(envs=1, episodes=1, actions=(mode, "greedy"))
    (episode,) = play(cell, Drawing(), Pusher(0.0))
    rng = np.random.Generator(np.random.SFC64(seat_seed(0, 0, 0)))
    drawn = rng.standard_normal(episode.length, dtype=np.float32) if mode == "sampled" else np.zeros(episode.length)
    assert episode.seats[0].score == pytest.approx(float((0.25 + drawn).sum()), rel=1e-6)


def slow() -> nn.Module:
    """Names the coin, and takes its time once."""

    class Slow(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.waited = False

        def forward(self, obs: Tensor) -> Tensor:
            if not self.waited:
                time.sleep(2.1)
            self.waited = True
            return obs

    return Slow()


def test_that_nothing_ended_for_long_is_told():
    cell = make_cell("coins/any", [f"{__name__}:slow"])
    first, *others = play_episodes(cell, take(cell))
    assert first == Beat(cell.key, 4)
    assert len(others) == 6


class Nosy(Observer):
    """Writes to all that it is shown."""

    def see(self, moment: Moment) -> None:
        moment.action.zero_()
        moment.received.zero_()


def test_an_observer_that_writes_to_what_it_sees_changes_no_episode():
    cell = make_cell(players=("random", "random"))
    assert load_and_play(cell, [Nosy(0, cell.envs)]) == load_and_play(cell)
