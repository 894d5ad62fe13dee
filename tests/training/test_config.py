import pytest

from rlattack.errors import InvalidInput
from rlattack.training import TrainAdversary, TrainVictim


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


def adversary(**values):
    default = {"game": "mujoco/sumo-ants", "victim": "a", "victim_sha256": "", "seat": "left"}
    return TrainAdversary(**default | values)


def test_the_defaults_of_an_adversary_are_the_papers():
    config = adversary()
    assert (config.steps, config.batch, config.learning_rate) == (20_000_000, 16_384, 3e-4)
    assert (config.sparse, config.dense) == (0.01, 0.0)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"steps": 0}, "--steps: expected at least 1, got 0"),
        ({"envs": 0}, "--envs: expected at least 1, got 0"),
        ({"steps": 1000}, "--steps: expected at least 16384, one batch, got 1000; choose a smaller --batch"),
        ({"batch": 1000}, "--batch: expected a multiple of 256, 4 minibatches of all games, got 1000"),
        ({"seeds": ()}, "--seeds: expected different numbers"),
        ({"seeds": (1, 1)}, r"--seeds: expected different numbers of 0 to 2147483647, got \[1, 1\]"),
        ({"seeds": (-1,)}, r"--seeds: .* got \[-1\]"),
        ({"sparse": -1.0}, "--sparse: expected a weight of 0 or more, got -1.0"),
        ({"dense": float("nan")}, "--dense: expected a weight of 0 or more, got nan"),
        ({"sparse": 0.0}, "--sparse and --dense: expected a weight above 0 for one of them"),
        ({"learning_rate": 0.0}, "--learning-rate: expected a number above 0, got 0.0"),
        ({"cut": (0, 0.5)}, r"--cut: expected steps of 1 or more and a rate in \[0, 1\], got \[0, 0.5\]"),
        ({"cut": (5, 1.5)}, "--cut: expected steps of 1 or more"),
        ({"checkpoint_every": 0}, "--checkpoint-every: expected at least 1, got 0"),
    ],
)
def test_a_value_outside_its_range_is_refused_for_an_adversary(values, message):
    with pytest.raises(InvalidInput, match=message):
        adversary(**values)
