import pytest

from rlattack.errors import InvalidInput
from rlattack.training import TrainVictim


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"steps": 0}, "--steps: expected at least 1, got 0"),
        ({"envs": -1}, "--envs: expected at least 1, got -1"),
        ({"checkpoint_every": 0}, "--checkpoint-every: expected at least 1, got 0"),
        ({"seed": -1}, "--seed: expected 0 to 2147483640, got -1"),
        ({"seed": 2**31 - 7}, "--seed: expected 0 to 2147483640, got 2147483641"),
        ({"learning_rate": 0.0}, "--learning-rate: expected a number above 0, got 0"),
        ({"learning_rate": float("nan")}, "--learning-rate: expected a number above 0, got nan"),
        ({"learning_rate": float("inf")}, "--learning-rate: expected a number above 0, got inf"),
        ({"sticky": 1.0}, r"--sticky: expected a probability in \[0, 1\), got 1.0"),
        ({"sticky": -0.1}, r"--sticky: expected a probability in \[0, 1\), got -0.1"),
    ],
)
def test_a_value_outside_its_range_is_refused(values, message):
    with pytest.raises(InvalidInput, match=message):
        TrainVictim(game="atari/pong", **values)


def test_the_largest_seed_leaves_one_to_every_copy():
    assert TrainVictim(game="atari/pong", seed=2**31 - 8, envs=8).seed + 8 == 2**31
