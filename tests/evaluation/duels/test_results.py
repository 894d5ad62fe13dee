import dataclasses
import json

import numpy as np
import pytest

from rlattack.attacks import AttackSpec
from rlattack.budget import Budget
from rlattack.evaluation.duels.results import duel_result, episode_rows, read_episode
from rlattack.evaluation.duels.rollout import DuelEpisode
from rlattack.evaluation.duels.seat_attack import Measured
from rlattack.evaluation.statistics import paired_rates, wilson


@pytest.fixture
def episodes(make_cell):
    ways = [
        ("win", "pulled", 2.0, 10),
        ("win", "pulled", 4.0, 12),
        ("loss", "pulled", -3.0, 14),
        ("tie", "unstable", 0.0, 4),
    ]
    return [
        DuelEpisode(
            cell=make_cell().key, episode=number, seed=number, returns=(score, 7.0), outcome=outcome, ending=ending,
            length=length, truncated=ending == "unstable", trajectory=f"{number // 2}",
        )
        for number, (outcome, ending, score, length) in enumerate(ways)
    ]  # fmt: skip


def test_a_result_counts_and_averages_by_seat(make_cell, episodes):
    result = duel_result(make_cell(episodes=4, mask=(1, "zero")), episodes, 2.0, 1)
    assert [result[kind]["rate"] for kind in ("win", "tie", "loss")] == [0.5, 0.25, 0.25]
    interval = wilson(2, 4)
    assert result["win"]["ci"] == [interval.low, interval.high]
    assert [of["mean"] for of in result["return"]] == [0.75, 7.0]
    assert [of["degenerate"] for of in result["return"]] == [False, True]
    assert result["return"][1]["ci"] == [7.0, 7.0]
    assert result["length"]["mean"] == 10.0
    assert result["endings"] == {"pulled": 3, "unstable": 1}
    assert (result["unstable"], result["truncated"], result["distinct"]) == (1, 1, 2)
    assert (result["steps"], result["steps_per_second"]) == (40, 20.0)


def test_a_result_says_who_sat_where_and_what_was_hidden(make_cell, episodes):
    result = duel_result(make_cell(mask=(1, "zero")), episodes, 0.0, 0)
    assert result["players"] == ["zero", "zero"]
    assert (result["seats"], result["victim_seat"]) == (["left", "right"], "left")
    assert result["mask"] == {"seat": "right", "mode": "zero"}
    assert duel_result(make_cell(), episodes, 0.0, 0)["mask"] is None
    assert result["steps_per_second"] is None


def test_an_episode_survives_being_kept(episodes):
    assert [read_episode(json.loads(json.dumps(dataclasses.asdict(e)))) for e in episodes] == episodes


def test_a_row_holds_both_returns(episodes):
    assert list(episode_rows(episodes))[2][1:] == (2, 2, -3.0, 7.0, "loss", "pulled", 14, 0)


def measured(**changes):
    values = {"steps": 10, "attacked": 10, "changed": 4, "size": (0.5, 1.0, 2.0, 3.0), "broken": 0, "queries": 20,
              "gradients": 30}  # fmt: skip
    return Measured(**values | changes)


@pytest.fixture
def cell(make_cell):
    return make_cell(attack=AttackSpec("pgd", {"steps": 3}), budget=Budget(eps=0.5, space="raw"), attacked=1)


def under_attack(episodes, outcomes, **changes):
    return [
        dataclasses.replace(e, outcome=outcome, returns=(0.0, 2.0), measured=measured(**changes))
        for e, outcome in zip(episodes, outcomes, strict=True)
    ]


def test_a_result_of_an_attack_says_what_was_done_and_measured(cell, episodes):
    attacked = under_attack(episodes, ["win", "win", "win", "win"])
    result = duel_result(cell, attacked, 1.0, 1, episodes, 0.5)
    assert [result[key] for key in ("attack", "parameters", "attacked_seat", "knowledge", "norm", "eps", "radius")] == [
        "pgd", {"steps": 3}, "right", "white", "linf", 0.5, 0.5,
    ]  # fmt: skip
    assert (result["space"], result["status"]) == ("raw", "ok")
    assert result["size"] == {"linf": 0.5, "l2": 1.0, "l1": 2.0, "l0": 3}
    assert [result[key] for key in ("attacked", "action_change", "queries", "gradients")] == [1.0, 0.4, 2.0, 3.0]


def test_the_drop_is_that_of_the_attacked_seat_over_the_same_episodes(cell, episodes):
    attacked = under_attack(episodes, ["win", "win", "win", "win"])
    drop = duel_result(cell, attacked, 1.0, 1, episodes)["drop"]
    assert drop["win"] == 0.25  # seat 1 won one of four
    interval = paired_rates(np.array([0.0, 0, 1, 0]), np.zeros(4))
    assert drop["win_ci"] == [interval.low, interval.high]
    assert (drop["return"], drop["return_degenerate"]) == (5.0, True)
    first = duel_result(dataclasses.replace(cell, attacked=0), attacked, 1.0, 1, episodes)["drop"]
    assert first["win"] == -0.5
    assert duel_result(cell, attacked, 1.0, 1)["drop"] is None


def test_an_attack_that_left_its_budget_failed_and_continuous_actions_have_no_changes(cell, episodes):
    attacked = under_attack(episodes, ["win"] * 4, broken=1, changed=None)
    result = duel_result(cell, attacked, 1.0, 1, episodes)
    assert result["status"] == "failed: the attack left its budget in 4 of 40 steps"
    assert result["action_change"] is None


def test_what_was_measured_survives_being_kept(episodes):
    attacked = under_attack(episodes, ["win"] * 4)
    assert [read_episode(json.loads(json.dumps(dataclasses.asdict(e)))) for e in attacked] == attacked


def test_a_cell_without_an_attack_says_so(make_cell, episodes):
    result = duel_result(make_cell(), episodes, 1.0, 1)
    assert result["attack"] == "none"
    assert "drop" not in result
