import numpy as np
import pytest
from gymnasium.spaces import Box
from stable_baselines3.common.callbacks import BaseCallback

from rlattack.errors import ContentError, InvalidInput
from rlattack.training import algorithms
from rlattack.training.algorithms import make_learner
from rlattack.training.recipes import ALGORITHMS, TrainSingle
from tests.kit.learning import vec


def learner(algorithm, space="vectors", **values):
    recipe = TrainSingle(game="test", **{"algo": algorithm, "steps": 2000, "envs": 2, **values})
    return make_learner(recipe, vec(space, recipe.envs), recipe.seed)


@pytest.mark.parametrize("space", ["images", "vectors"])
@pytest.mark.parametrize("algorithm", ["dqn", "qrdqn"])
@pytest.mark.parametrize("envs", [1, 2, 3, 6, 8, 16])
def test_a_value_learner_learns_as_often_however_many_copies_are_played(algorithm, space, envs):
    model = learner(algorithm, space, envs=envs)
    steps = model.train_freq.frequency * envs
    assert model.gradient_steps / steps == 1 / 4  # Mnih et al. 2015: one update every four choices of an action
    assert (steps <= 16) if space == "images" else (200 <= steps <= 300)


def test_a_value_learner_learns_so_often_in_fact():
    model = learner("dqn", "images", envs=3, steps=400)
    model.learn(400)
    assert model._n_updates == pytest.approx((400 - 400 // 20) / 4, abs=6)


@pytest.mark.parametrize("algorithm", ["dqn", "qrdqn"])
def test_a_short_run_begins_to_learn_too(algorithm):
    assert learner(algorithm, "images", steps=200).learning_starts == 10


def test_a_long_run_begins_to_learn_when_the_published_one_does():
    assert learner("dqn", "images", envs=1, steps=10_000_000).learning_starts == 50_000


@pytest.mark.parametrize("space", ["images", "vectors"])
@pytest.mark.parametrize("envs", [1, 3, 8])
def test_a_rollout_is_a_whole_number_of_batches(space, envs):
    model = learner("ppo", space, envs=envs)
    assert model.n_steps * envs % model.batch_size == 0  # SB3 warns otherwise


def test_with_eight_copies_the_batch_of_ppo_is_the_published_one():
    assert learner("ppo", "images", envs=8).batch_size == 256


@pytest.mark.parametrize("space", ["images", "vectors"])
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_learning_rate_is_taken_for_every_game(algorithm, space):
    assert learner(algorithm, space, learning_rate=0.0123).lr_schedule(1.0) == pytest.approx(0.0123)


@pytest.mark.parametrize(
    ("algorithm", "space", "falls"),
    [("ppo", "images", True), ("a2c", "images", True), ("dqn", "images", False), ("qrdqn", "vectors", True)],
)
def test_the_learning_rate_falls_to_zero_and_no_further(algorithm, space, falls):
    model = learner(algorithm, space, learning_rate=0.4)
    assert model.lr_schedule(0.5) == pytest.approx(0.2 if falls else 0.4)
    assert model.lr_schedule(0.0) == pytest.approx(0.0 if falls else 0.4)
    assert model.lr_schedule(-0.1) == pytest.approx(0.0 if falls else 0.4)  # the last rollout passes the end


def test_ppos_clip_range_falls_too_and_never_below_zero():
    model = learner("ppo", "images")
    assert [model.clip_range(rest) for rest in (1.0, 0.5, -0.1)] == pytest.approx([0.1, 0.05, 0.0])


def test_only_ppo_has_layers_between_trunk_and_outputs():
    layers = {name: learner(name, "images", network="small").policy.state_dict() for name in ALGORITHMS}
    assert layers["ppo"]["action_net.weight"].shape == (3, 64)  # as the shipped agent has them
    assert layers["a2c"]["action_net.weight"].shape == (3, 256)
    assert layers["dqn"]["q_net.q_net.0.weight"].shape == (3, 256)
    assert layers["qrdqn"]["quantile_net.quantile_net.0.weight"].shape == (3 * 200, 256)


def test_a_replay_of_images_keeps_every_frame_once():
    buffer = learner("dqn", "images").replay_buffer
    assert buffer.optimize_memory_usage
    assert not buffer.handle_timeout_termination  # SB3 cannot do both


def test_a_replay_of_vectors_tells_what_a_time_limit_cut_off():
    assert learner("dqn", "vectors").replay_buffer.handle_timeout_termination


def test_a_replay_larger_than_the_memory_is_refused_before_anything_is_played():
    huge = Box(0, 255, (3, 3000, 3000), np.uint8)
    with pytest.raises(InvalidInput, match=r"--algo dqn: its replay takes 2700.0 GB, .* GB are free; free some, or"):
        learner("dqn", huge, steps=10_000_000)


def test_free_memory_is_read_on_linux_and_unknown_elsewhere(tmp_path):
    (tmp_path / "meminfo").write_text("MemTotal: 999 kB\nMemAvailable:   2048 kB\n")
    assert algorithms._available_memory(tmp_path / "meminfo") == 2048 * 1024
    assert algorithms._available_memory(tmp_path / "absent") is None


def test_images_with_their_channels_last_are_refused():
    with pytest.raises(InvalidInput, match=r"game test: observations \(96, 96, 3\) have their channels last"):
        learner("ppo", Box(0, 255, (96, 96, 3), np.uint8))


def test_images_too_small_for_the_network_are_refused():
    with pytest.raises(ContentError, match=r"does not fit observations of \(3, 10, 10\)"):
        learner("ppo", Box(0, 255, (3, 10, 10), np.uint8))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_same_seed_gives_the_same_weights_and_games(algorithm):
    def run(seed):
        model = learner(algorithm, "vectors", seed=seed)
        seen = []

        class Watch(BaseCallback):
            def _on_step(self) -> bool:
                seen.append(self.locals["new_obs"].sum())
                return True

        model.learn(300, callback=Watch())
        return seen, model.policy.state_dict()

    (seen, weights), (again, same), (other, _) = run(3), run(3), run(4)
    assert seen == again
    assert all(weights[name].equal(same[name]) for name in weights)
    assert seen != other
