import dataclasses
import shlex
from pathlib import Path

import pytest

from rlattack.errors import InvalidInput, UnknownName
from rlattack.training import TrainAdversary, TrainRounds, TrainVictim
from rlattack.training.recipes import TrainSelfPlay, TrainSingle

GAME = "mujoco/sumo-ants"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"steps": 0}, "--steps: expected at least 1, got 0"),
        ({"envs": -1}, "--envs: expected at least 1, got -1"),
        ({"episodes": 0}, "--episodes: expected at least 1, got 0"),
        ({"checkpoint_every": 0}, "--checkpoint-every: expected at least 1, got 0"),
        ({"seed": -1}, "--seed: expected 0 to 2147483640, got -1"),
        ({"seed": 2**31 - 7}, "--seed: expected 0 to 2147483640, got 2147483641"),
        ({"learning_rate": 0.0}, "--learning-rate: expected a number above 0, got 0"),
        ({"learning_rate": float("nan")}, "--learning-rate: expected a number above 0, got nan"),
        ({"learning_rate": float("inf")}, "--learning-rate: expected a number above 0, got inf"),
        ({"sticky": 1.0}, r"--sticky: expected a probability in \[0, 1\), got 1.0"),
        ({"sticky": -0.1}, r"--sticky: expected a probability in \[0, 1\), got -0.1"),
        ({"delta": 0.5}, "--delta: is for games of two seats, gymnasium/CartPole-v1 has one"),
        ({"trust": True}, "--trust: is for games of two seats, gymnasium/CartPole-v1 has one"),
    ],
)
def test_a_value_outside_its_range_is_refused_for_a_victim(values, message):
    with pytest.raises(InvalidInput, match=message):
        TrainVictim(game="gymnasium/CartPole-v1", **values)


def test_the_largest_seed_leaves_one_to_every_copy():
    assert TrainVictim(game="gymnasium/CartPole-v1", seed=2**31 - 8, envs=8).seed + 8 == 2**31


def test_an_unknown_game_is_refused_at_once():
    with pytest.raises(UnknownName, match="no game 'chess'"):
        TrainVictim(game="chess")


@pytest.mark.parametrize(
    ("game", "given", "expected"),
    [
        ("atari/pong", {}, {"steps": 10_000_000, "envs": 8, "checkpoint_every": 100_000, "episodes": 30}),
        ("gymnasium/CartPole-v1", {}, {"steps": 100_000, "envs": 8, "checkpoint_every": 10_000}),
        ("gymnasium/CartPole-v1", {"steps": 5, "envs": 3}, {"steps": 5, "envs": 3, "checkpoint_every": 1}),
        ("tug/any", {}, {"steps": 20_000_000, "envs": 64, "batch": 16_384, "episodes": 1000, "anneal": 0.15}),
        ("tug/any", {"init": "a"}, {"anneal": 0.0, "sparse": 0.01, "dense": 0.01, "learning_rate": 3e-4}),
        ("tug/any", {"init": "a", "anneal": 0.3}, {"anneal": 0.3, "delta": 0.5, "turns": 10, "snapshot_every": 5}),
    ],
)
def test_defaults_are_those_of_the_kind_of_game(game, given, expected):
    settled = TrainVictim(game=game, **given).settled()
    assert {name: getattr(settled, name) for name in expected} == expected
    assert settled.settled() is settled


@pytest.mark.parametrize(
    ("recipe", "folder", "agent"),
    [
        (TrainVictim(game="atari/pong", algo="a2c"), "runs/train-atari-pong-a2c", "atari/pong/a2c"),
        (TrainVictim(game="tug/any"), "runs/train-tug-any-victim", "tug/any/victim"),
        (TrainAdversary(game="tug/any", victim="v"), "runs/train-tug-any-adversary", "tug/any/adversary"),
        (TrainRounds(game="tug/any", victim="v"), "runs/train-tug-any-rounds", "tug/any/rounds"),
        (TrainAdversary(game="tug/any", victim="v", run=Path("here"), agent="me"), "here", "me"),
    ],
)
def test_a_run_and_its_agent_have_places(recipe, folder, agent):
    assert (str(recipe.folder), recipe.id) == (folder, agent)


@pytest.mark.parametrize(
    ("recipe", "command"),
    [
        (TrainVictim(game="atari/pong"), "rlattack train victim atari/pong"),
        (TrainVictim(game="atari/pong", sticky=0.25, resume=True), "rlattack train victim atari/pong --sticky 0.25"),
        (
            TrainSelfPlay(game="tug/any", opponents="a,b", trust=True, snapshot_every=3, run=Path("a folder")),
            "rlattack train victim tug/any --opponents a,b --snapshot-every 3 --trust --run 'a folder'",
        ),
        (
            TrainAdversary(game="tug/any", victim="v", seeds=(3, 4), cut=(100, 0.5), steps=20_000_000),
            "rlattack train adversary tug/any --victim v --seeds 3 4 --cut 100 0.5",
        ),
    ],
)
def test_the_command_of_a_recipe_makes_it_again(recipe, command):
    assert sorted(shlex.split(recipe.command)) == sorted(shlex.split(command))
    assert recipe.command.startswith(" ".join(command.split()[:4]))


def self_play(**values):
    return TrainSelfPlay(**{"game": GAME, "steps": 512, "envs": 16, "batch": 128} | values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"delta": 1.5}, r"--delta: expected a share in \[0, 1\], got 1.5"),
        ({"anneal": -0.1}, r"--anneal: expected a share in \[0, 1\], got -0.1"),
        ({"snapshot_every": 0}, "--snapshot-every: expected at least 1, got 0"),
        ({"turns": 0}, "--turns: expected at least 1, got 0"),
        ({"threads": 0}, "--threads: expected at least 1, got 0"),
        ({"seed": -1}, "--seed: expected 0 to 2147483647, got -1"),
        ({"steps": 5}, "--steps: expected at least 128, one batch, got 5"),
        ({"opponents": "a,,b"}, "--opponents: expected different names with commas between them, got 'a,,b'"),
        ({"opponents": "a,a"}, "--opponents: expected different names with commas between them, got 'a,a'"),
    ],
)
def test_a_value_outside_its_range_is_refused_for_self_play(values, message):
    with pytest.raises(InvalidInput, match=message):
        self_play(**values)


@pytest.mark.parametrize("values", [{"algo": "a2c"}, {"network": "nature"}, {"sticky": 0.1}])
def test_options_of_games_of_one_seat_are_refused_elsewhere(values):
    with pytest.raises(
        InvalidInput, match="--algo, --network and --sticky: are for games of one seat, tug/any has two"
    ):
        TrainVictim(game="tug/any", **values)


def test_weights_go_over_from_the_way_to_the_end():
    recipe = self_play(steps=1000, anneal=0.2, sparse=0.5, dense=2.0)
    assert [recipe.alpha(steps) for steps in (0, 50, 100, 200, 900)] == [1.0, 0.75, 0.5, 0.0, 0.0]
    assert [recipe.weights(steps) for steps in (0, 100, 200)] == [(0.0, 2.0), (0.25, 1.0), (0.5, 0.0)]
    assert self_play(anneal=0.0).weights(0) == (0.01, 0.0)


def adversary(**values):
    return TrainAdversary(**{"game": GAME, "victim": "a"} | values)


def test_the_defaults_of_an_adversary_are_the_papers():
    recipe = adversary()
    assert (recipe.steps, recipe.batch, recipe.learning_rate) == (20_000_000, 16_384, 3e-4)
    assert (recipe.sparse, recipe.dense) == (0.01, 0.0)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"steps": 0}, "--steps: expected at least 1, got 0"),
        ({"envs": 0}, "--envs: expected at least 1, got 0"),
        ({"tuning": 0}, "--tuning: expected at least 1, got 0"),
        ({"steps": 1000}, "--steps: expected at least 16384, one batch, got 1000; choose a smaller --batch"),
        ({"batch": 1000}, "--batch: expected a multiple of 256, 4 minibatches of all games, got 1000"),
        ({"seeds": ()}, "--seeds: expected different numbers"),
        ({"seeds": (1, 1)}, r"--seeds: expected different numbers of 0 to 2147483647, got \[1, 1\]"),
        ({"seeds": (-1,)}, r"--seeds: .* got \[-1\]"),
        ({"seeds": (2**31,)}, r"--seeds: .* got \[2147483648\]"),
        ({"sparse": -1.0}, "--sparse: expected a weight of 0 or more, got -1.0"),
        ({"dense": float("nan")}, "--dense: expected a weight of 0 or more, got nan"),
        ({"sparse": 0.0}, "--sparse and --dense: expected a weight above 0 for one of them"),
        ({"learning_rate": 0.0}, "--learning-rate: expected a number above 0, got 0.0"),
        ({"cut": (0, 0.5)}, r"--cut: expected steps of 1 or more and a rate in \[0, 1\], got \[0, 0.5\]"),
        ({"cut": (5, 1.5)}, "--cut: expected steps of 1 or more"),
        ({"checkpoint_every": 0}, "--checkpoint-every: expected at least 1, got 0"),
        ({"victim": "a,b"}, "--victim: expected one agent, and no comma in its name, got 'a,b'"),
    ],
)
def test_a_value_outside_its_range_is_refused_for_an_adversary(values, message):
    with pytest.raises(InvalidInput, match=message):
        adversary(**values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"rounds": 0}, "--rounds: expected at least 1, got 0"),
        ({"steps": 127}, "--steps: expected at least 128, one batch, got 127; choose a smaller --batch"),
        ({"adversary_steps": 127}, "--adversary-steps: expected at least 128, one batch, got 127"),
        ({"seeds": ()}, "--seeds: expected different numbers"),
        ({"adversary": "a,b"}, "--adversary: expected one agent, and no comma in its name, got 'a,b'"),
        ({"victim": "a,b"}, "--victim: expected one agent, and no comma in its name, got 'a,b'"),
    ],
)
def test_a_value_outside_its_range_is_refused_for_rounds(values, message):
    with pytest.raises(InvalidInput, match=message):
        TrainRounds(**{"game": GAME, "victim": "v", "steps": 512, "envs": 16, "batch": 128} | values)


def test_the_parts_of_rounds_share_their_options():
    recipe = TrainRounds(game=GAME, victim="v", steps=256, adversary_steps=512, envs=8, batch=64, seeds=(5, 6))
    defence, attack = recipe.defence(2, init="v", opponents="a"), recipe.attack(2, victim="w")
    assert {(one.envs, one.batch, one.episodes) for one in (defence, attack)} == {(8, 64, 1000)}
    assert (defence.steps, attack.steps, defence.seed, attack.seeds) == (256, 512, 5, (5, 6))
    assert (defence.id, attack.id) == (f"{GAME}/rounds/victim-2", f"{GAME}/rounds/adversary-2")
    assert str(attack.folder).endswith("-rounds/adversary-2")
    assert (defence.init, defence.opponents, attack.victim) == ("v", "a", "w")


def test_a_recipe_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        TrainSingle(game="atari/pong").steps = 3
