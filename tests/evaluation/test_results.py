"""Results as they stand in `results.json`: schema 2, in and out."""

import dataclasses
import json
import math

import pytest

from rlattack.evaluation.results import (
    AttackResult,
    Drop,
    MaskResult,
    Mean,
    Rate,
    Result,
    SeatResult,
    WinRule,
    from_json,
    to_json,
)

RATE, MEAN = Rate(0.5, (0.25, 0.75)), Mean(12.5, (10.0, 15.0), iqm=12.0)
RUNNER = SeatResult(
    name="runner", player="me", role="victim", returns=MEAN, win=RATE, tie=Rate(0.0, (0.0, 0.1)), loss=RATE,
    drop=Drop(Mean(3.0, (1.0, 5.0)), Rate(0.25, (0.0, 0.5))), attacked=1.0, action_change=0.25,
    sizes={"linf": 0.1, "l0": 380.0}, queries=1.0, gradients=10.0, observed={"margin": Mean(0.5, (0.4, 0.6))},
)  # fmt: skip
PGD = AttackResult(
    name="pgd", seat="runner", access="observation", knowledge="white", control=False, parameters={"steps": 3},
    reach="linf", eps=0.1, radius=0.1, space="sigma",
)  # fmt: skip
WHOLE = Result(
    cell="0123456789abcdef", game="mujoco/you-shall-not-pass", victim=1,
    seats=(SeatResult(name="blocker", player="zero", role="opponent", returns=Mean(1.0, (1.0, 1.0), True)), RUNNER),
    attacks=(PGD,), mask=MaskResult("runner", "zero"), win_rule=WinRule("game"), actions="sampled", seed=0, episodes=4,
    length=MEAN, endings={"goal": 2, "time": 2}, distinct=4, truncated=2, steps=40, steps_per_second=20.0,
)  # fmt: skip
LEAST = Result(
    cell="fedcba9876543210", game="coins/any", seats=(dataclasses.replace(RUNNER, name="player"),), actions="greedy",
    seed=1, episodes=1, length=MEAN, distinct=1, steps=10,
)  # fmt: skip


def test_results_survive_being_written():
    written = json.loads(json.dumps(to_json([WHOLE, LEAST]), allow_nan=False))
    assert from_json(written) == [WHOLE, LEAST]


def test_a_result_stands_in_json_as_the_format_says():
    (cell,) = to_json([WHOLE])
    assert [seat["name"] for seat in cell["seats"]] == ["blocker", "runner"]
    runner = cell["seats"][1]
    assert runner["return"] == {"mean": 12.5, "ci": [10.0, 15.0], "degenerate": False, "iqm": 12.0}
    assert runner["drop"]["return"]["mean"] == 3.0
    assert runner["drop"]["win"] == {"rate": 0.25, "ci": [0.0, 0.5]}
    assert (cell["attacks"][0]["name"], cell["attacks"][0]["seat"]) == ("pgd", "runner")
    assert cell["win_rule"] == {"rule": "game", "threshold": None}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("episodes",), None),
        (("seed",), "zero"),
        (("seats", 0, "return", "mean"), "much"),
        (("seats", 0, "role"), "judge"),
        (("attacks", 0, "access"), "wallet"),
        (("length",), 3),
        (("surprise",), 1),
    ],
)
def test_what_is_no_result_is_refused(path, value):
    (cell,) = to_json([WHOLE])
    place = cell
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(ValueError, match=str(path[-1])):
        from_json([cell])


def test_a_missing_field_is_refused():
    (cell,) = to_json([WHOLE])
    del cell["distinct"]
    with pytest.raises(ValueError, match="distinct"):
        from_json([cell])


def test_what_is_no_number_never_reaches_a_file():
    lost = dataclasses.replace(WHOLE, length=Mean(math.nan, (0.0, 1.0)))
    with pytest.raises(ValueError, match="JSON"):
        json.dumps(to_json([lost]), allow_nan=False)


def test_a_result_tells_what_it_is():
    noise = dataclasses.replace(WHOLE, attacks=(dataclasses.replace(PGD, name="noise", control=True),))
    failed = dataclasses.replace(WHOLE, status="failed: the attack left its budget in 1 of 40 steps")
    assert [(one.ok, one.clean, one.control) for one in (WHOLE, LEAST, noise, failed)] == [
        (True, False, False), (True, True, False), (True, False, True), (False, False, False),
    ]  # fmt: skip
    assert (WHOLE.attack, LEAST.attack) == (PGD, None)
    assert (WHOLE.attacked.name, LEAST.attacked.name) == ("runner", "player")
    assert (RATE.value, MEAN.value) == (0.5, 12.5)
