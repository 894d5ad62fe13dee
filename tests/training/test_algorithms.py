import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, MultiDiscrete
from stable_baselines3.common.callbacks import BaseCallback

from rlattack.errors import ContentError, InvalidInput
from rlattack.training import algorithms
from rlattack.training.algorithms import make_learner
from rlattack.training.recipes import TrainSingle
from rlattack.training.settings import VECTORS
from tests.kit.learning import ARMS, SPACES, vec


def learner(algorithm, space="vectors", action=None, **values):
    recipe = TrainSingle(**{"game": "test", "algo": algorithm, "steps": 2000, "envs": 2, **values})
    return make_learner(recipe, vec(space, recipe.envs, action), recipe.seed)


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
@pytest.mark.parametrize("algorithm", VECTORS)
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
    layers = {name: learner(name, "images", network="small").policy.state_dict() for name in VECTORS}
    assert layers["ppo"]["action_net.weight"].shape == (3, 64)  # as the shipped agent has them
    assert layers["a2c"]["action_net.weight"].shape == (3, 256)
    assert layers["dqn"]["q_net.q_net.0.weight"].shape == (3, 256)
    assert layers["qrdqn"]["quantile_net.quantile_net.0.weight"].shape == (3 * 200, 256)
    tiny = learner("ppo", "images", network="tiny").policy.state_dict()
    assert tiny["action_net.weight"].shape == (3, 128)  # ReLU alone


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


@pytest.mark.parametrize(
    ("algorithm", "space", "action", "words"),
    [
        ("dqn", "vectors", ARMS, "--algo dqn: test has continuous actions; choose ppo or sac or td3 or tqc"),
        ("sac", "vectors", None, "--algo sac: test has discrete actions; choose ppo or a2c or dqn or qrdqn"),
        (
            "tqc",
            "vectors",
            Box(-np.inf, np.inf, (2,)),
            "--algo tqc: needs actions with bounds, .*; choose ppo",
        ),
        ("ppo", "images", ARMS, r"game test: expected a vector to see, got Box\(0, 255, \(4, 40, 36\)"),
        ("ppo", Dict(a=SPACES["vectors"]), None, r"game test: expected one array to see, got Dict\("),
        (
            "ppo",
            "vectors",
            Box(-1, 1, (2, 2)),
            "game test: expected actions to choose from, or a vector, to learn",
        ),
        ("ppo", "vectors", MultiDiscrete([2, 3]), r"or a vector, to learn; got MultiDiscrete\(\[2 3\]\)"),
    ],
)
def test_what_an_algorithm_does_not_fit_is_refused_in_words(algorithm, space, action, words):
    recipe, env = TrainSingle(game="test", algo=algorithm, steps=2000, envs=2), vec("vectors")
    env.observation_space = SPACES[space] if isinstance(space, str) else space
    env.action_space = action or env.action_space
    with pytest.raises(InvalidInput, match=words):
        make_learner(recipe, env, 0)


@pytest.mark.parametrize("envs", [1, 3, 8, 64])
def test_ppo_of_continuous_actions_learns_from_whole_batches_of_the_published_size(envs):
    model = learner("ppo", action=ARMS, envs=envs)
    assert model.n_steps * envs == 32 * model.batch_size
    assert model.batch_size == (64 if envs != 3 else 63)


def test_ppo_of_continuous_actions_scales_rewards_by_its_own_discount_and_its_rate_falls():
    model = learner("ppo", action=ARMS, game="mujoco/swimmer")
    normal = model.get_vec_normalize_env()
    assert model.gamma == normal.gamma == 0.9999
    assert normal.norm_obs
    assert (model.lr_schedule(1.0), model.lr_schedule(0.0)) == (pytest.approx(3e-4), 0.0)
    assert model.clip_range(0.1) == 0.2


@pytest.mark.parametrize("envs", [1, 3, 8])
@pytest.mark.parametrize("algorithm", ["sac", "td3", "tqc"])
def test_a_learner_of_actions_and_values_learns_once_a_step(algorithm, envs):
    model = learner(algorithm, action=ARMS, envs=envs, steps=2400)
    assert (model.train_freq.frequency * envs, model.learning_starts) == (model.gradient_steps, 120)
    assert model.get_vec_normalize_env() is None


@pytest.mark.parametrize("algorithm", VECTORS)
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
