"""A victim of a game of one seat, from its recipe to its card."""

import pytest
import torch

from rlattack.errors import InvalidInput, RunConflict, UnknownName, Unwritable
from rlattack.games import find_game, make_game
from rlattack.games.card import AtariOptions, GameCard, Protocol
from rlattack.policies import load_agent
from rlattack.policies.folder import read_agent_card, save_agent
from rlattack.training import TrainVictim, train
from rlattack.training.checkpoint import load_checkpoint
from rlattack.training.recipes import TrainSingle
from tests.kit.agents import CARTPOLE
from tests.kit.learning import Crash, Diary, alone, curve, noise

GAME = "gymnasium/CartPole-v1"


def run(folder, watch=None, agent="my/cartpole", **values):
    default = {"game": GAME, "algo": "a2c", "steps": 80, "envs": 2, "episodes": 2}
    (shipped,) = train(TrainVictim(**default | values, run=folder, agent=agent), watch or Diary())
    return shipped


def test_a_run_leaves_an_agent_with_its_score_and_a_run_that_can_be_read(tmp_path):
    watch = Diary()
    shipped = run(tmp_path / "run", watch)
    card = read_agent_card(shipped.folder)
    assert shipped.folder.as_posix() == "agents/my/cartpole"
    assert watch.shipped == [shipped]
    assert (card.role, card.algorithm, card.game) == ("victim", "a2c", GAME)
    assert card.score == shipped.score.table
    assert card.score["mean"] == shipped.score.returns.mean
    assert (card.score["seed"], card.score["episodes"], card.score["actions"]) == (1000, 2, "sampled")
    assert card.score["command"] == f"rlattack attack {GAME} --victim my/cartpole --episodes 2 --seed 1000"
    assert card.provenance["command"].startswith(f"rlattack train victim {GAME} --")
    assert "--algo a2c --steps 80 --envs 2" in card.provenance["command"]
    assert (card.provenance["seed"], card.provenance["steps"], card.provenance["sticky"]) == (0, 80, 0.0)
    assert card.provenance["versions"].keys() >= {"torch", "numpy", "gymnasium", "stable-baselines3", "python"}
    assert "ale-py" not in card.provenance["versions"]  # not used
    assert load_agent("my/cartpole", CARTPOLE, game=GAME).card == card
    assert [done for _, done in watch.told] == list(range(0, 81, 10))
    assert watch.played == [(1, 2, "evaluating", False), (2, 2, "evaluating", False)]


def test_the_score_is_a_curve_in_tensorboard(tmp_path):
    score = run(tmp_path / "run").score
    for name, value in (("mean", score.returns.mean), ("low", score.returns.ci[0]), ("high", score.returns.ci[1])):
        assert curve(tmp_path / "run", f"evaluation/return_{name}") == {80: pytest.approx(value)}


def test_a_run_can_be_made_longer_and_what_was_played_of_its_agent_is_kept(tmp_path):
    run(tmp_path / "run")
    with pytest.raises(RunConflict, match="holds a training run; add --resume to go on, or choose another folder"):
        run(tmp_path / "run")
    again = Diary()
    run(tmp_path / "run", again, resume=True)
    assert again.told == []
    assert [kept for *_, kept in again.played] == [True, True]
    longer = run(tmp_path / "run", resume=True, steps=160, checkpoint_every=7)
    assert read_agent_card(longer.folder).provenance["steps"] == 160
    with pytest.raises(InvalidInput, match=r"--steps 80: .* has learned from 160 already; ask for at least that many"):
        run(tmp_path / "run", resume=True)


@pytest.mark.parametrize(("algo", "steps"), [("ppo", 2048), ("sac", 64)])
def test_a_control_task_is_learned_in_slots_and_its_agent_plays_by_its_own_statistics(tmp_path, algo, steps):
    pytest.importorskip("mujoco")
    watch = Diary()
    shipped = run(tmp_path / "run", watch, "my/hopper", game="mujoco/hopper", algo=algo, steps=steps, envs=8)
    card = read_agent_card(shipped.folder)
    assert (card.algorithm, card.network.head) == (algo, "normal" if algo == "ppo" else "squashed")
    assert card.score["actions"] == "greedy"
    assert all("win rate" not in note for note, _ in watch.told)  # nobody wins
    policy = load_agent("my/hopper", make_game(find_game("mujoco/hopper"), 1).seats[0]).policy
    if algo == "sac":
        assert policy.normaliser is None
        return
    seen = load_checkpoint(tmp_path / "run").statistics
    torch.testing.assert_close(policy.normaliser.mean, seen["obs_mean"].float())
    torch.testing.assert_close(policy.normaliser.deviation, (seen["obs_variance"] + 1e-8).sqrt().float())
    assert curve(tmp_path / "run", "rollout/ep_rew_mean")[2048] == pytest.approx(15, abs=15)  # as it is paid, unscaled


def test_an_algorithm_that_does_not_fit_the_actions_is_refused_before_a_file_is_made(tmp_path):
    with pytest.raises(InvalidInput, match="--algo dqn: mujoco/hopper has continuous actions; choose ppo or sac or"):
        run(tmp_path / "run", game="mujoco/hopper", algo="dqn")
    assert not (tmp_path / "run").exists()


def test_a_run_killed_before_its_first_checkpoint_starts_over(tmp_path):
    with pytest.raises(Crash):
        run(tmp_path / "run", Diary(crash_at=10))
    run(tmp_path / "run")


def test_an_agent_that_cannot_be_shipped_stays_in_its_run(tmp_path):
    class Blocking(Diary):
        def episodes(self, done, total, note, kept):
            (tmp_path / "agents").write_text("")

    with pytest.raises(Unwritable, match=r"; the trained agent is in .*run/agent"):
        run(tmp_path / "run", Blocking())
    assert load_agent(str(tmp_path / "run" / "agent"), CARTPOLE)


@pytest.mark.parametrize(
    ("values", "error", "match"),
    [
        ({"game": "gymnasium/CartPoll-v1"}, UnknownName, "did you mean"),
        ({"game": "atari/pnog"}, UnknownName, "did you mean 'atari/pong'"),
        ({"game": "gymnasium/Pendulum-v1"}, InvalidInput, "has continuous actions; choose ppo or sac or td3 or tqc"),
        ({"sticky": 0.25}, InvalidInput, "sticky actions are for Atari games only"),
    ],
)
def test_a_game_that_cannot_be_learned_is_refused_and_leaves_nothing(tmp_path, values, error, match):
    with pytest.raises(error, match=match):
        run(tmp_path / "run", **values)
    assert not (tmp_path / "run").exists()


def test_the_variant_of_the_game_goes_on_the_agents_card(tmp_path):
    options = AtariOptions(crop=(2, 3, 40, 36), action_set=(0, 4, 3), stack_fill="first", max_frames=500)
    card = GameCard(id="atari/pong", title="", rom="pong", atari=options, protocol=Protocol(sticky=0.25))
    recipe = TrainSingle(game="atari/pong", steps=600, envs=2)
    learner = alone(recipe, tmp_path, noise("images"), card)
    save_agent(tmp_path, *learner.export(learner.make(0)))
    kept = read_agent_card(tmp_path)
    assert kept.options == {
        "crop": [2, 3, 40, 36],
        "action_set": [0, 4, 3],
        "stack_fill": "first",
        "max_frames": 500,
    }
    assert kept.provenance["sticky"] == 0.25
    assert "ale-py" in kept.provenance["versions"]
    assert kept.game == "atari/pong"
