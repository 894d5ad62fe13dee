import dataclasses
import json

import pytest

from rlattack.errors import InvalidInput, MissingExtra, RunConflict, UnknownName, Unwritable
from rlattack.policies import load_policy
from rlattack.policies.folder import read_agent_card
from rlattack.training import Session, TrainVictim, ship, train
from rlattack.training import session as module

SCORE = {"mean": 12.0, "ci": [10.0, 14.0], "episodes": 3, "command": "rlattack attack ..."}


@pytest.fixture(autouse=True)
def working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def session(run, agent="my/cartpole", resume=False, **values):
    config = TrainVictim(**{"game": "gymnasium/CartPole-v1", "algorithm": "a2c", "steps": 80, "envs": 2, **values})
    return Session(config=config, run=run, agent=agent, resume=resume, command="rlattack train victim ...")


def run(*arguments, **values):
    made = session(*arguments, **values)
    train(made, lambda _: None)
    return ship(made, SCORE)


def test_a_session_leaves_an_agent_with_its_score_and_a_run_that_can_be_read(tmp_path):
    place = run(tmp_path / "run")
    card = read_agent_card(place)
    assert place.as_posix() == "agents/my/cartpole"
    assert card.score == SCORE
    assert card.provenance["command"] == "rlattack train victim ..."
    assert load_policy("my/cartpole", game="gymnasium/CartPole-v1", observation=(4,), actions=2).card == card
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["training"] == dataclasses.asdict(session(tmp_path).config)
    assert config["command"] == "rlattack train victim ..."
    assert config["versions"].keys() >= {"torch", "stable-baselines3"}
    assert config["rom_sha256"] is None


def test_a_used_folder_is_refused_unless_it_shall_go_on(tmp_path):
    run(tmp_path / "run")
    with pytest.raises(RunConflict, match="holds a training run; add --resume to go on, or choose another folder"):
        run(tmp_path / "run")
    run(tmp_path / "run", resume=True)


def test_a_run_can_be_made_longer(tmp_path):
    run(tmp_path / "run")
    place = run(tmp_path / "run", resume=True, steps=160, checkpoint_every=7)
    assert read_agent_card(place).provenance["steps"] == 160
    assert json.loads((tmp_path / "run" / "config.json").read_text())["training"]["steps"] == 160


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ({"seed": 3}, "trained with seed 0, now 3; choose another --run"),
        ({"algorithm": "ppo"}, "trained with algorithm a2c, now ppo; choose another --run"),
        ({"envs": 3, "seed": 3}, "trained with envs 2, now 3"),
        ({"learning_rate": 0.1}, "trained with learning_rate None, now 0.1"),
    ],
)
def test_a_folder_of_another_configuration_is_refused_with_the_first_difference(tmp_path, values, match):
    run(tmp_path / "run")
    with pytest.raises(RunConflict, match=match):
        run(tmp_path / "run", resume=True, **values)


def test_there_is_nothing_to_go_on_with_in_an_empty_folder(tmp_path):
    with pytest.raises(InvalidInput, match=r"--resume: .*run holds no training run; leave it out to start one"):
        run(tmp_path / "run", resume=True)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("content", ["[]", "{}", "no json", '{"training": [1]}', '{"configuration": {}}'])
def test_a_folder_of_something_else_is_refused(tmp_path, content):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.json").write_text(content)
    with pytest.raises(RunConflict, match=r"config.json: not the configuration of a training run; choose another"):
        run(tmp_path / "run")


def test_a_folder_with_other_files_is_refused(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.tex").write_text("years of work")
    with pytest.raises(RunConflict, match="holds other files and no run; choose another folder"):
        run(tmp_path / "run")


def test_a_run_killed_before_its_first_checkpoint_starts_over(tmp_path):
    made = session(tmp_path / "run")

    def crash(_):
        raise MemoryError

    with pytest.raises(MemoryError):
        train(made, crash)
    run(tmp_path / "run")


def test_a_folder_that_cannot_be_written_is_said_before_training(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(Unwritable, match=r"cannot be written \(.*\); choose another --run"):
        run(tmp_path / "file" / "run")


def test_the_agent_of_another_run_is_not_written_over(tmp_path):
    run(tmp_path / "one")
    before = read_agent_card(tmp_path / "agents" / "my" / "cartpole")
    with pytest.raises(InvalidInput, match=r"--agent my/cartpole: .* holds another agent; choose another id"):
        run(tmp_path / "other")
    assert read_agent_card(tmp_path / "agents" / "my" / "cartpole") == before
    assert not (tmp_path / "other").exists()  # said before training


def test_an_agent_that_someone_put_there_is_not_written_over_by_a_run_that_goes_on(tmp_path):
    run(tmp_path / "run", agent="one")
    run(tmp_path / "other", agent="two", seed=9)
    (tmp_path / "agents" / "one").rename(tmp_path / "agents" / "kept")
    (tmp_path / "agents" / "two").rename(tmp_path / "agents" / "one")
    with pytest.raises(InvalidInput, match=r"--agent one: .* holds another agent"):
        run(tmp_path / "run", agent="one", resume=True)


def test_an_agent_that_ships_with_rlattack_keeps_its_id(tmp_path, monkeypatch):
    run(tmp_path / "run")
    (tmp_path / "shipped").mkdir()
    (tmp_path / "agents").rename(tmp_path / "shipped" / "agents")
    monkeypatch.setattr("rlattack.content.roots", lambda kind: [tmp_path / "shipped" / kind])
    with pytest.raises(InvalidInput, match=r"shipped/agents/my/cartpole holds another agent"):
        run(tmp_path / "other")


def test_a_card_of_something_else_is_not_written_over(tmp_path):
    (tmp_path / "agents" / "my" / "cartpole").mkdir(parents=True)
    (tmp_path / "agents" / "my" / "cartpole" / "agent.toml").write_text('name = "a secret agent"')
    with pytest.raises(InvalidInput, match="holds another agent; choose another id"):
        run(tmp_path / "run")


@pytest.mark.parametrize("agent", ["/tmp/agent", "../agent", "my/../../agent", "."])
def test_an_id_that_points_elsewhere_is_refused(tmp_path, agent):
    with pytest.raises(InvalidInput, match="expected an id such as gymnasium/CartPole-v1/a2c"):
        run(tmp_path / "run", agent=agent)


def test_a_place_that_cannot_be_written_is_said_before_training(tmp_path):
    (tmp_path / "agents").write_text("")
    with pytest.raises(Unwritable, match="--agent my/cartpole: agents/my/cartpole cannot be written; choose another"):
        run(tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_an_agent_that_cannot_be_shipped_stays_in_its_run(tmp_path):
    made = session(tmp_path / "run")
    train(made, lambda _: None)
    (tmp_path / "agents").write_text("")
    with pytest.raises(Unwritable, match=r"; the trained agent is in .*run/agent"):
        ship(made, SCORE)
    assert load_policy(str(tmp_path / "run" / "agent")).policy.actions == 2


@pytest.mark.parametrize(
    ("values", "error", "match"),
    [
        ({"game": "gymnasium/CartPoll-v1"}, UnknownName, "did you mean"),
        ({"game": "atari/pnog"}, UnknownName, "did you mean 'atari/pong'"),
        ({"game": "gymnasium/Pendulum-v1"}, InvalidInput, "expected Discrete actions, got Box"),
        ({"game": "gymnasium/FrozenLake-v1"}, (InvalidInput, MissingExtra), "expected a Box|missing"),
        ({"sticky": 0.25}, InvalidInput, "sticky actions are for Atari games only"),
    ],
)
def test_a_game_that_cannot_be_learned_is_refused_and_leaves_nothing(tmp_path, values, error, match):
    with pytest.raises(error, match=match):
        run(tmp_path / "run", **values)
    assert not (tmp_path / "run").exists()


def test_the_score_is_a_curve_in_tensorboard(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run(tmp_path / "run")
    events = EventAccumulator(str(tmp_path / "run"))
    events.Reload()
    found = {name: events.Scalars(f"evaluation/return_{name}")[0] for name in ("low", "mean", "high")}
    assert {name: point.value for name, point in found.items()} == {"low": 10.0, "mean": 12.0, "high": 14.0}
    assert {point.step for point in found.values()} == {80}


def test_the_digest_of_the_rom_is_kept(tmp_path, monkeypatch):
    def stop(*_):
        raise InterruptedError

    monkeypatch.setattr(module, "train_victim", stop)
    with pytest.raises(InterruptedError):
        train(session(tmp_path / "run", game="atari/pong"), lambda _: None)
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert len(config["rom_sha256"]) == 64
    assert "ale-py" in config["versions"]
