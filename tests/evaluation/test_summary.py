"""From episodes whose numbers are known by hand to the result of their cell."""

import dataclasses

import numpy as np
import pytest

from rlattack.evaluation.cell import AgentRef
from rlattack.evaluation.episode import Episode, Judgement, SeatEpisode
from rlattack.evaluation.results import from_json, to_json
from rlattack.evaluation.statistics import paired_rates, wilson
from rlattack.evaluation.summary import outcome, summarise
from rlattack.games.card import Protocol, Variant, Win
from tests.kit.cells import attack_on, make_cell

CELL = make_cell(episodes=4)
ATTACKED = dataclasses.replace(CELL, attacks=attack_on(1), victim=1)
ONE = make_cell("coins/any", episodes=4, actions=("greedy",))
MIRROR = {"win": "loss", "loss": "win", "tie": "tie"}


def judgement(**changes):
    values = {
        "steps": 10, "attacked": 10, "changed": 4.0, "sizes": {"linf": 0.5, "l2": 1.0}, "broken": 0, "queries": 20,
        "gradients": 30,
    }  # fmt: skip
    return Judgement(**values | changes)


def episodes(outcomes=("win", "win", "loss", "tie"), scores=(2.0, 4.0, -3.0, 0.0), other=7.0, judged=None, **measured):
    """Four episodes of two seats, of which the last one broke down; the outcomes and scores are those of seat 0."""
    return [
        Episode(
            cell=CELL.key, episode=number, seed=number, length=(10, 12, 14, 4)[number],
            ending="unstable" if number == 3 else "pulled", truncated=number == 3, stalled=False,
            trajectory=f"{number // 2}",
            seats=(
                SeatEpisode(score=scores[number], outcome=outcome),
                SeatEpisode(
                    score=other, outcome=MIRROR[outcome], judged=judged,
                    measured={name: values[number] for name, values in measured.items()},
                ),
            ),
        )
        for number, outcome in enumerate(outcomes)
    ]  # fmt: skip


def alone(scores, judged=None):
    """Episodes of one seat in a game that has no winner of its own."""
    return [
        Episode(
            cell=ONE.key, episode=number, seed=number, length=5, ending="over", truncated=False, stalled=number == 1,
            trajectory=str(number), seats=(SeatEpisode(score=score, outcome=None, judged=judged),),
        )
        for number, score in enumerate(scores)
    ]  # fmt: skip


def summed(cell, played, clean=None, radii=(), seconds=1.0):
    return summarise(cell, played, played if clean is None else clean, radii, seconds)


def test_a_result_counts_and_averages_by_seat():
    result = summed(CELL, episodes(), seconds=2.0)
    left, right = result.seats
    assert [rate.rate for rate in (left.win, left.tie, left.loss)] == [0.5, 0.25, 0.25]
    assert [rate.rate for rate in (right.win, right.tie, right.loss)] == [0.25, 0.25, 0.5]
    assert left.win.ci == wilson(2, 4)
    assert (left.returns.mean, left.returns.degenerate, left.returns.iqm) == (0.75, False, 1.0)
    assert (right.returns.mean, right.returns.degenerate, right.returns.ci) == (7.0, True, (7.0, 7.0))
    assert (result.length.mean, result.endings) == (10.0, {"pulled": 3, "unstable": 1})
    assert (result.unstable, result.truncated, result.stalled, result.distinct) == (1, 1, 0, 2)
    assert (result.episodes, result.steps, result.steps_per_second) == (4, 40, 20.0)


def test_a_game_that_was_cut_before_it_was_decided_is_a_tie_wherever_it_stands():
    played = episodes(outcomes=("win", "win", "loss", "win"))
    seats = tuple(dataclasses.replace(seat, outcome=None) for seat in played[0].seats)
    for place in (0, 3):
        cut = [*played[:place], dataclasses.replace(played[place], seats=seats), *played[place + 1 :]]
        left = summed(CELL, cut).seats[0]
        assert [rate.rate for rate in (left.win, left.tie, left.loss)] == [0.5, 0.25, 0.25]
        assert summed(CELL, cut).win_rule.rule == "game"
    nothing = [dataclasses.replace(one, seats=seats) for one in played]
    assert (summed(CELL, nothing).win_rule, summed(CELL, nothing).seats[0].win) == (None, None)


def test_a_result_says_who_sat_where_and_what_was_hidden():
    players = (AgentRef("./a", "x", "a"), AgentRef("zero", "zero", "zero"))
    hidden = dataclasses.replace(CELL, players=players, victim=1, game=Variant(CELL.game.card, ((1, "zero"),)))
    result = summed(hidden, episodes(), seconds=0.0)
    assert [(seat.name, seat.player, seat.role) for seat in result.seats] == [
        ("left", "a", "opponent"), ("right", "zero", "victim"),
    ]  # fmt: skip
    assert (result.victim, result.mask.seat, result.mask.mode) == (1, "right", "zero")
    assert (summed(CELL, episodes()).mask, result.steps_per_second) == (None, None)
    assert (result.cell, result.game, result.seed, result.actions) == (hidden.key, "pull/any", 0, "sampled")


def test_a_result_of_an_attack_says_what_was_done_and_measured():
    result = summed(ATTACKED, episodes(judged=judgement()), episodes(), (0.5,))
    (attack,) = result.attacks
    assert (attack.name, attack.parameters, attack.seat, attack.access, attack.knowledge) == (
        "pgd", {"steps": 3}, "right", "observation", "white",
    )  # fmt: skip
    assert (attack.reach, attack.eps, attack.radius, attack.space, attack.model) == ("linf", 0.5, 0.5, "raw", "stack")
    seat = result.attacked
    assert (seat.name, result.status, result.ok) == ("right", "ok", True)
    assert seat.sizes == {"linf": 0.5, "l2": 1.0}
    assert (seat.attacked, seat.action_change, seat.queries, seat.gradients) == (1.0, 0.4, 2.0, 3.0)
    other = result.seats[0]
    assert (other.attacked, other.action_change, other.drop, other.sizes) == (None, None, None, {})


def test_counts_are_shares_of_the_steps_in_which_the_seat_acted():
    result = summed(ATTACKED, episodes(judged=judgement(steps=40, attacked=10)), episodes(), (0.5,))
    assert (result.attacked.attacked, result.attacked.action_change, result.attacked.queries) == (0.25, 0.1, 0.5)


def test_what_an_attack_did_otherwise_than_asked_stands_in_the_result():
    result = summarise(ATTACKED, episodes(), episodes(), (0.5,), 1.0, ("loss=margin is climbed",))
    assert result.attack.note == "loss=margin is climbed"
    (read,) = from_json(to_json([result]))
    assert read == result
    assert summed(ATTACKED, episodes(), episodes(), (0.5,)).attack.note == ""


def test_the_drop_is_that_of_the_attacked_seat_over_the_same_episodes():
    attacked = [
        dataclasses.replace(one, seats=(one.seats[0], dataclasses.replace(one.seats[1], score=2.0)))
        for one in episodes(outcomes=("win",) * 4, judged=judgement())
    ]
    drop = summed(ATTACKED, attacked, episodes(), (0.5,)).attacked.drop
    assert drop.win.rate == 0.25  # seat 1 won one of four
    assert drop.win.ci == paired_rates(np.array([0.0, 0, 1, 0]), np.zeros(4))
    assert (drop.returns.mean, drop.returns.degenerate) == (5.0, True)


def test_an_attack_that_left_its_budget_failed():
    result = summed(ATTACKED, episodes(judged=judgement(broken=1)), episodes(), (0.5,))
    assert (result.ok, result.status) == (False, "failed: the attack left its budget in 4 of 40 steps")


def test_a_surrogate_is_named_and_the_victim_itself_then_tells_nothing():
    cell = dataclasses.replace(ATTACKED, attacks=attack_on(1, surrogate=AgentRef("./b", "y", "b")))
    (attack,) = summed(cell, episodes(judged=judgement()), episodes(), (0.5,)).attacks
    assert (attack.surrogate, attack.knowledge) == ("b", "none")


def test_what_observers_collected_is_averaged_for_its_seat():
    result = summed(CELL, episodes(margin=(0.0, 1.0, 2.0, 5.0)))
    assert (result.seats[1].observed["margin"].mean, result.seats[0].observed) == (2.0, {})


@pytest.mark.parametrize(
    ("win", "scores", "outcomes"),
    [
        (Win(rule="score"), (1.0, 0.0, -2.0), ("win", "tie", "loss")),
        (Win(rule="threshold", score=1.0), (1.0, 0.0, 7.0), ("win", "loss", "win")),
        (None, (1.0, 0.0), (None, None)),
    ],
)
def test_a_game_without_a_winner_is_won_by_its_card_s_rule(win, scores, outcomes):
    card = dataclasses.replace(ONE.game.card, win=win)
    cell = dataclasses.replace(ONE, game=Variant(card))
    played = alone(scores)
    assert tuple(outcome(cell, one.seats[0]) for one in played) == outcomes
    result = summed(cell, played)
    if win is None:
        assert (result.win_rule, result.attacked.win, result.attacked.tie, result.attacked.loss) == (None,) * 4
    else:
        assert (result.win_rule.rule, result.win_rule.threshold) == (win.rule, win.score)
        assert result.attacked.win.rate == outcomes.count("win") / len(outcomes)


def test_the_game_s_own_winner_comes_before_any_rule():
    assert summed(CELL, episodes()).win_rule.rule == "game"
    card = dataclasses.replace(ONE.game.card, win=Win(rule="score"))
    own = SeatEpisode(score=-5.0, outcome="win")
    assert outcome(dataclasses.replace(ONE, game=Variant(card)), own) == "win"


def test_without_a_win_rule_only_the_return_falls():
    cell = dataclasses.replace(ONE, attacks=attack_on(0))
    drop = summed(cell, alone((1.0, 2.0), judgement()), alone((4.0, 3.0)), (0.5,)).attacked.drop
    assert (drop.returns.mean, drop.win) == (2.0, None)


def test_a_threshold_s_drop_is_paired_too():
    card = dataclasses.replace(ONE.game.card, win=Win(rule="threshold", score=3.0), protocol=Protocol(actions="greedy"))
    cell = dataclasses.replace(ONE, game=Variant(card), attacks=attack_on(0))
    result = summed(cell, alone((1.0, 3.0), judgement()), alone((4.0, 3.0)), (0.5,))
    assert (result.attacked.win.rate, result.attacked.drop.win.rate, result.stalled) == (0.5, 0.5, 1)
