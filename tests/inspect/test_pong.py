"""What is published of looks into the Pong agent that ships, found anew on seeds of its own."""

import pytest

from rlattack.inspect.kinds import WORK, Fooling, Occlusion, Reprogram
from tests.inspect.looks import subject_of

pytestmark = [pytest.mark.slow, pytest.mark.library]
PONG = {"game": "atari/pong", "victim": "atari/pong/ppo", "seed": 301}


def numbers(inspection):
    return WORK.get(inspection.name)(subject_of(inspection), inspection).numbers


def test_a_block_takes_more_than_20_times_what_it_takes_with_shuffled_weights_and_not_once_they_are_rescaled():
    ways = numbers(Occlusion(**PONG, film=0, states=32))["ways"]
    for of in ways.values():
        assert of["shuffled weights"]["times"].ci[0] > 20
        assert of["shuffled, rescaled"]["times"].mean < 2


def test_ascent_fools_in_50_steps_and_evolution_in_6000_queries():
    found = numbers(Fooling(**PONG, repeats=1, others=("none",)))
    assert found["alike"] == ["NOOP + FIRE", "RIGHT + RIGHTFIRE", "LEFT + LEFTFIRE"]
    single = {name: of for name, of in found["targets"].items() if "+" not in name}
    reached = {way: sum(of[way]["reached"].rate > 0 for of in single.values()) for way in single["NOOP"]}
    assert reached["ascent"] >= 4
    assert min(reached["evolved entries"], reached["evolved CPPN"]) >= 3
    assert 0.01 < found["noise"].rate < 0.1


def test_a_program_reads_digits_and_one_for_fresh_weights_reads_them_better():
    pytest.importorskip("sklearn")
    right = numbers(Reprogram(**PONG, task="digits"))["right"]
    assert right["the agent"].ci[0] > 0.7
    assert right["fresh weights"].rate < 0.3
    assert right["fresh weights, rescaled"].rate > 0.7
