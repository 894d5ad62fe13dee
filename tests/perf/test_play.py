import dataclasses

import pytest

from rlattack.perf import seat_victim
from rlattack.perf.play import CONTINUOUS, KINDS, AttackedPlay, measure_play
from tests.kit.cells import load_and_play
from tests.perf import players

COIN, PULLER = "tests.perf.players:coin", "tests.perf.players:puller"
SLOTS = 5
BRIEF = 1e-9
"""Seconds in which one step is played."""


def playing(kind, game="coins/any", victim=COIN, steps=20):
    """A kind of play after so many steps, and what its victim was asked for a batch meanwhile."""
    play = AttackedPlay(kind, seat_victim(game, victim), SLOTS)
    players.asked.clear()
    for _ in range(steps):
        play(BRIEF)
    return play, {what: count for (what, rows), count in players.asked.items() if rows == SLOTS}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_step_asks_the_victim_for_what_its_bound_counts_and_no_more(kind):
    play, asked = playing(kind)
    assert play.play.full_steps == 20 * SLOTS
    assert asked.get("forward", 0) == 20 * kind.forwards
    assert asked.get("gradient", 0) == 20 * kind.gradients


@pytest.mark.parametrize("kind", CONTINUOUS, ids=lambda kind: kind.name)
def test_continuous_victims_are_asked_for_what_their_bound_counts(kind):
    _, asked = playing(kind, "pull/any", PULLER)
    assert asked.get("forward", 0) == 20 * kind.forwards
    assert asked.get("gradient", 0) == 20 * kind.gradients


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_what_is_measured_is_play_as_an_evaluation_plays_it(kind):
    play, _ = playing(kind, steps=30)
    assert len(play.finished) == play.play.full_resets >= 25  # 3 to 5 coins an episode
    whole = sorted(play.finished, key=lambda one: one.episode)
    cell = dataclasses.replace(play.play.cell, episodes=max(one.episode for one in whole) + 1)
    played = {one.episode: one for one in load_and_play(cell)}
    assert whole == [played[one.episode] for one in whole]
    assert all((one.seats[0].judged is not None) == bool(kind.attack) for one in whole)


def test_the_bound_adds_up_the_parts_and_the_resets_that_were_met():
    parts = {"environment": 100.0, "forward": 50.0, "gradient": 25.0, "reset": 10.0}
    for kind in KINDS:
        play, _ = playing(kind)
        speed = play.speed(parts)
        assert speed.resets_per_step == play.play.full_resets / play.play.full_steps > 0
        seconds = 1 / 100 + kind.forwards / 50 + kind.gradients / 25 + speed.resets_per_step / 10
        assert 1 / speed.reference == pytest.approx(seconds)
        assert speed.per_second == play.play.full_steps / play.play.full_seconds


def test_opponents_are_part_of_the_bound():
    play, _ = playing(KINDS[0], "pull/any", PULLER)
    parts = {"environment": 100.0, "forward": 50.0, "gradient": 25.0, "opponents": 20.0, "reset": 1e9}
    assert 1 / play.speed(parts).reference == pytest.approx(1 / 100 + 1 / 50 + 1 / 20)


def test_every_part_and_play_of_a_plain_game_is_measured_and_no_bound_is_above_its_slowest_part():
    study = seat_victim("gymnasium/CartPole-v1", "gymnasium/CartPole-v1/dqn").study
    found = measure_play(study, slots=2, workers=2, seconds=0.08)
    assert found.setting == {"processes": 2, "slots": 2}
    rows = {speed.name: speed for speed in found.speeds}
    assert list(rows) == [
        "environment", "forward", "gradient", "reset", "clean play", "fgsm play", "pgd-10 play",
    ]  # fmt: skip
    assert {name for name, speed in rows.items() if speed.unit == "resets"} == {"reset"}
    plays = [rows[f"{kind.name} play"] for kind in KINDS]
    for play in plays:
        assert play.beside == "bound"
        assert play.reference < rows["environment"].per_second
    bounds = [play.reference for play in plays]
    assert bounds == sorted(bounds, reverse=True)  # ten gradients and a forward more


def test_continuous_victims_have_kinds_of_their_own_and_the_opponent_is_a_part():
    found = measure_play(seat_victim("pull/any", PULLER).study, slots=3, workers=1, seconds=0.02)
    assert [speed.name for speed in found.speeds] == [
        "environment", "forward", "gradient", "opponents", "reset", "clean play", "fgsm play",
        "mad-10 play",
    ]  # fmt: skip


def test_workers_know_the_families_of_games_that_were_added():
    found = measure_play(seat_victim("coins/any", COIN).study, slots=3, workers=2, seconds=0.02)
    assert found.speeds[0].name == "environment"
