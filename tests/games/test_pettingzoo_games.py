import numpy as np
import pettingzoo
import pytest
from gymnasium import spaces

from rlattack.errors import InvalidInput, MissingExtra, UnknownName
from rlattack.games.card import GameCard, Variant
from rlattack.games.find import find_game, list_games, make_game
from rlattack.games.game import NOBODY, UNDECIDED, WAIT
from rlattack.games.pettingzoo_games import PettingZooGame
from tests.games.random_play import both
from tests.games.small_pettingzoo import AT_ONCE, IN_TURNS, Push


@pytest.fixture(autouse=True, scope="module")
def _registered():
    for kind in AT_ONCE:
        pettingzoo.register("parallel", f"tests/{kind.__name__}-v0", kind)
    for kind in IN_TURNS:
        pettingzoo.register("aec", f"tests/{kind.__name__}-v0", kind)
    yield
    for kind in (*AT_ONCE, *IN_TURNS):
        for registry in (pettingzoo.aec_registry, pettingzoo.parallel_registry):
            registry.pop(f"tests/{kind.__name__}-v0", None)


def game(name: str, slots: int) -> PettingZooGame:
    return PettingZooGame(Variant(GameCard(id=f"pettingzoo/{name}_v0", title=name)), slots)


def started(name: str, *seeds: int):
    """A game with an episode in every slot, and what is seen first."""
    duel = game(name, len(seeds))
    return duel, duel.reset(np.ones(len(seeds), dtype=bool), np.array(seeds))


def turns(views):
    """Who is to act, a row a seat."""
    return [view.turn.tolist() for view in views]


def test_agents_take_the_seats_in_their_order_and_each_has_its_spaces():
    duel = game("Bids", 2)
    low, high = duel.seats
    assert (low.name, high.name) == ("low", "high")
    assert low.observation == spaces.Box(-10, 10, (2,), np.float32)
    assert high.observation == spaces.Box(0, 1, (5,), np.float32)
    assert low.action == high.action == spaces.Discrete(3)


def test_whole_numbers_are_seen_one_hot_and_taken_out_of_their_dictionary():
    duel, views = started("Bids", 1, 1)
    assert views[1].obs.tolist() == [[1, 0, 0, 0, 0]] * 2
    assert duel.step(both(0, 0)).views[1].obs.tolist() == [[0, 1, 0, 0, 0]] * 2


def test_bytes_stay_bytes_and_other_numbers_are_float32():
    assert started("Bytes", 1)[1][0].obs.dtype == np.uint8
    assert started("Bids", 1)[1][0].obs.dtype == np.float32
    assert started("Sticks", 1)[1][0].obs.dtype == np.float32


def test_both_seats_act_at_once_count_from_zero_and_earn_their_own():
    duel, views = started("Bids", 1, 2)
    assert turns(views) == [[True, True]] * 2
    assert [view.legal for view in views] == [None, None]
    step = duel.step((np.array([0, 2]), np.array([2, 1])))
    assert step.rewards.tolist() == [[1, 3], [3, 2]]
    assert step.sparse is None  # PettingZoo does not tell
    assert step.winner.tolist() == [NOBODY, NOBODY]


@pytest.mark.parametrize(
    ("name", "terminated", "ending"), [("Bids", True, "over"), ("Cut", False, "time"), ("Last", True, "over")]
)
def test_the_seat_with_the_higher_sum_wins_by_rule_or_by_time(name, terminated, ending):
    duel, _ = started(name, 1, 2, 3)
    for _ in range(2):
        step = duel.step((np.array([0, 2, 1]), np.array([1, 0, 1])))
        assert step.ending.tolist() == [0, 0, 0]
    step = duel.step((np.array([2, 0, 0]), np.array([1, 1, 0])))  # ahead now, behind in all; and the other way round
    assert step.winner.tolist() == [1, 0, NOBODY]
    assert step.terminated.tolist() == [terminated] * 3
    assert step.truncated.tolist() == [not terminated] * 3
    assert [duel.endings[number] for number in step.ending] == [ending] * 3


def test_a_new_episode_starts_its_sum_anew():
    duel, _ = started("Bids", 1)
    for _ in range(3):
        step = duel.step((np.array([2]), np.array([0])))
    assert step.winner.tolist() == [0]
    duel.reset(np.array([True]), np.array([1]))
    for _ in range(3):
        step = duel.step((np.array([0]), np.array([1])))
    assert step.winner.tolist() == [1]


def test_continuous_actions_are_clipped_into_their_box():
    duel, _ = started("Push", 1)
    step = duel.step((np.array([[0.25, 7.0]], np.float32), np.array([[-9.0, 0.5]], np.float32)))
    assert duel.seats[0].action == Push.done
    assert step.rewards.tolist() == [[1.25], [-0.5]]


def test_one_acts_after_the_other_in_every_slot_by_itself():
    duel, views = started("Sticks", 0, 1)
    assert turns(views) == [[True, False], [False, True]]
    step = duel.step((np.array([1, 99]), np.array([99, 0])))  # what the other does is not looked at
    assert step.views[0].obs.tolist() == step.views[1].obs.tolist() == [[3], [4]]
    assert turns(step.views) == [[False, True], [True, False]]
    assert step.rewards.tolist() == [[0, 0.25], [0.25, 0]]


def test_only_what_the_game_allows_is_legal_and_anything_for_who_is_not_to_act():
    duel, views = started("Sticks", 0)
    assert all(view.legal.all() for view in views)
    for taken in (1, 1):
        step = duel.step(both(taken))
    assert step.views[0].legal.tolist() == [[True, False]]  # one stick is left
    assert step.views[1].legal.tolist() == [[True, True]]
    assert duel.step(both(0)).views[0].legal.tolist() == [[True, True]]  # it is over


def test_the_last_rewards_of_both_seats_count_and_decide():
    duel, _ = started("Sticks", 0)
    steps = [duel.step(both(taken)) for taken in (1, 1, 0)]
    assert steps[-1].rewards.tolist() == [[1], [-1]]
    assert np.sum([step.rewards for step in steps], axis=0).tolist() == [[1.25], [-0.75]]
    assert steps[-1].winner.tolist() == [0]
    assert steps[-1].terminated.tolist() == [True]
    assert turns(steps[-1].views) == [[False], [False]]


def test_a_slot_waits_where_who_is_to_act_says_so():
    duel, _ = started("Sticks", 0, 0, 1)
    step = duel.step((np.array([WAIT, 0, WAIT]), np.array([1, WAIT, 1])))
    assert step.views[0].obs.tolist() == [[5], [4], [3]]
    assert turns(step.views) == [[True, False, True], [False, True, False]]
    assert step.rewards[:, 0].tolist() == [0, 0]


@pytest.mark.parametrize("seed", [0, 1])
def test_a_seat_that_leaves_a_game_of_turns_is_passed_over(seed):
    duel, _ = started("Abandoned", seed)
    step = duel.step(both(1))
    while not step.terminated[0]:
        assert turns(step.views) == [[False], [True]]
        step = duel.step(both(0))
        assert step.rewards.tolist() == [[0], [1]]
    assert step.winner.tolist() == [1]


def test_a_seat_that_leaves_a_game_at_once_is_not_asked_again_and_sees_what_it_saw_last():
    duel, _ = started("Deserted", 1)
    last = duel.step(both(0))
    assert turns(last.views) == [[False], [True]]
    assert not last.terminated.any()
    assert duel.step(both(1)).views[0].obs.tolist() == last.views[0].obs.tolist()
    step = duel.step(both(1))
    assert (step.terminated.tolist(), step.truncated.tolist(), step.winner.tolist()) == ([False], [True], [1])


def test_a_mask_that_allows_nothing_says_nothing():
    _, views = started("Mute", 0)
    assert views[0].legal.tolist() == [[True, True]]


def test_a_slot_is_idle_until_its_reset_and_after_its_end():
    duel = game("Bids", 2)
    views = duel.reset(np.array([True, False]), np.array([1]))
    assert turns(views) == [[True, False]] * 2
    for _ in range(3):
        step = duel.step(both(0, 0))
    assert step.terminated.tolist() == [True, False]
    after = duel.step(both(0, 0))
    assert not (after.terminated | after.truncated | after.rewards.any(axis=0)).any()
    assert after.winner.tolist() == [NOBODY, NOBODY]


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("Changing", InvalidInput, "expected a fixed number of agents, got a changing number"),
        ("Bits", InvalidInput, r"expected a Box of at least one axis or Discrete observations, got MultiBinary\(3\)"),
        ("Number", InvalidInput, r"or Discrete observations, got Box\(0.0, 1.0, \(\)"),
        ("Buttons", InvalidInput, r"expected Discrete or Box actions, got MultiDiscrete"),
        ("Fussy", InvalidInput, "cannot be made: no licence second line$"),
        ("Needy", MissingExtra, "needs a_package_of_nobody: install it$"),
    ],
)
def test_a_game_that_cannot_be_played_is_refused_in_one_line(name, error, message):
    with pytest.raises(error, match=f"game pettingzoo/{name}_v0:? .*{message}"):
        game(name, 1)


@pytest.mark.parametrize("seeds", [[-1], [2**31], [1, 2]])
def test_seeds_that_would_not_be_kept_are_refused(seeds):
    with pytest.raises(InvalidInput, match="expected"):
        game("Bids", 1).reset(np.ones(1, dtype=bool), np.array(seeds))


def test_an_unknown_card_is_answered_with_the_nearest():
    with pytest.raises(UnknownName, match="no PettingZoo game 'Bidz_v0' is registered; did you mean 'Bids_v0'"):
        game("Bidz", 1)


def test_the_highest_of_three_sums_wins_and_it_must_be_higher_than_all_others():
    crowd, views = started("Crowd", 1, 2)
    assert [seat.name for seat in crowd.seats] == ["one", "two", "three"]
    assert turns(views) == [[True, True]] * 3
    for _ in range(3):
        step = crowd.step((np.array([0, 2]), np.array([2, 2]), np.array([1, 0])))
    assert step.rewards.tolist() == [[1, 3], [3, 3], [2, 1]]
    assert step.winner.tolist() == [1, NOBODY]


def test_who_plays_alone_has_not_won_by_the_rules():
    alone, views = started("Alone", 1)
    assert turns(views) == [[True]]
    assert [alone.step([np.array([0])]).winner.tolist() for _ in range(3)] == [[NOBODY]] * 2 + [[UNDECIDED]]


def test_any_registered_game_has_a_card_of_defaults_and_tells_its_seats_itself():
    card = find_game("pettingzoo/Bids_v0")
    assert card == GameCard(id="pettingzoo/Bids_v0", title="Bids_v0")
    assert card.seats is None


def test_make_game_builds_it_and_hides_nobody():
    card = find_game("pettingzoo/Bids_v0")
    duel = make_game(card, 2)
    assert (type(duel), duel.slots) == (PettingZooGame, 2)
    with pytest.raises(InvalidInput, match="only MuJoCo games can hide the other player"):
        make_game(Variant(card, hidden=((0, "zero"),)), 2)
    with pytest.raises(InvalidInput, match="at least 1 slot and 1 thread, got 0"):
        make_game(card, 0)


def test_it_cannot_be_filmed():
    with pytest.raises(InvalidInput, match=r"^pettingzoo/Bids_v0 cannot be filmed, only Atari and MuJoCo games can"):
        make_game(find_game("pettingzoo/Bids_v0"), 1, camera=True)


def test_a_users_card_titles_a_game(tmp_path, monkeypatch):
    (tmp_path / "envs" / "pettingzoo").mkdir(parents=True)
    (tmp_path / "envs" / "pettingzoo" / "Bids_v0.toml").write_text('schema = "rlattack/game/1"\ntitle = "Mine"\n')
    monkeypatch.chdir(tmp_path)
    assert find_game("pettingzoo/Bids_v0").title == "Mine"
    row = next(row for row in list_games() if row["id"] == "pettingzoo/Bids_v0")
    assert (row["win"], row["note"]) == ("duel", "")
