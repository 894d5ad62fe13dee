import pytest

from rlattack.evaluation.duels.results import duel_result, episode_rows, read_episode
from rlattack.evaluation.duels.rollout import DuelEpisode
from rlattack.evaluation.statistics import wilson


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
    import dataclasses
    import json

    assert [read_episode(json.loads(json.dumps(dataclasses.asdict(e)))) for e in episodes] == episodes


def test_a_row_holds_both_returns(episodes):
    assert list(episode_rows(episodes))[2][1:] == (2, 2, -3.0, 7.0, "loss", "pulled", 14, 0)
