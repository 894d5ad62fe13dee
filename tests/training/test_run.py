"""The run folder of a training, before anything is learned: what is refused, and what is kept."""

import json
import threading

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.summary.writer import event_file_writer

from rlattack.errors import InvalidInput, RunConflict, Unwritable
from rlattack.evaluation.results import Mean, Rate
from rlattack.games import find_game
from rlattack.policies.folder import read_agent_card
from rlattack.training import Score, TrainVictim
from rlattack.training.checkpoint import FILE
from rlattack.training.recipes import TrainAdversary
from rlattack.training.run import TrainingRun, ship
from tests.kit.agents import gaussian_network, save_network
from tests.kit.learning import curve

GAME = "gymnasium/CartPole-v1"
SCORE = Score(episodes=3, seed=1000, actions="sampled", command="rlattack attack ...", returns=Mean(12.0, (10.0, 14.0)))


def recipe(run, agent="my/cartpole", **values):
    default = {"game": GAME, "algo": "a2c", "steps": 80, "envs": 2}
    return TrainVictim(**default | values, run=run, agent=agent).settled()


def begun(run, **values):
    """Opens a run and leaves a checkpoint in it, as training does."""
    made = TrainingRun(recipe=recipe(run, **values), card=find_game(GAME), command="rlattack train victim ...")
    made.check((made.recipe.id, made.recipe.folder))
    made.open()
    (run / FILE).write_bytes(b"learned")
    return made


def shipped(run, agent="my/cartpole", seed=0):
    """An agent that comes out of a run."""
    begun(run, seed=seed, agent=agent)
    save_network(run / "agent", GAME, gaussian_network(4, 2, seed=seed), provenance={"steps": 80})
    return ship(run, agent, SCORE).folder


def test_the_configuration_is_kept(tmp_path):
    made = begun(tmp_path / "run")
    kept = json.loads((tmp_path / "run" / "config.json").read_text())
    assert kept["training"] == made.learned
    assert kept["training"].items() >= {"game": GAME, "algo": "a2c", "steps": 80, "seed": 0}.items()
    assert not kept["training"].keys() & {"run", "agent", "resume", "threads", "trust", "episodes"}
    assert (kept["schema"], kept["recipe"]) == ("rlattack/training/2", "victim")
    assert kept["command"] == "rlattack train victim ..."
    assert kept["versions"].keys() >= {"torch", "stable-baselines3"}
    assert kept["rom_sha256"] is None


def test_the_digest_of_the_rom_is_kept(tmp_path):
    TrainingRun(recipe=recipe(tmp_path / "run", game="atari/pong"), card=find_game("atari/pong")).open()
    kept = json.loads((tmp_path / "run" / "config.json").read_text())
    assert len(kept["rom_sha256"]) == 64
    assert "ale-py" in kept["versions"]


def test_a_used_folder_is_refused_unless_it_shall_go_on(tmp_path):
    begun(tmp_path / "run")
    with pytest.raises(RunConflict, match="holds a training run; add --resume to go on, or choose another folder"):
        begun(tmp_path / "run")
    begun(tmp_path / "run", resume=True)


def test_a_run_can_be_made_longer_and_be_scored_otherwise(tmp_path):
    begun(tmp_path / "run")
    begun(tmp_path / "run", resume=True, steps=160, checkpoint_every=7, episodes=1)
    assert json.loads((tmp_path / "run" / "config.json").read_text())["training"]["steps"] == 160


def test_a_run_without_a_checkpoint_starts_over(tmp_path):
    begun(tmp_path / "run")
    (tmp_path / "run" / FILE).unlink()
    begun(tmp_path / "run", steps=160)
    assert json.loads((tmp_path / "run" / "config.json").read_text())["training"]["steps"] == 160


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ({"seed": 3}, "trained with seed 0, now 3; choose another --run"),
        ({"algo": "ppo"}, "trained with algo a2c, now ppo; choose another --run"),
        ({"envs": 3}, "trained with envs 2, now 3"),
        ({"learning_rate": 0.1}, "trained with learning_rate None, now 0.1"),
    ],
)
def test_a_folder_of_another_configuration_is_refused_with_the_first_difference(tmp_path, values, match):
    begun(tmp_path / "run")
    with pytest.raises(RunConflict, match=match):
        begun(tmp_path / "run", resume=True, **values)


def test_agents_that_are_learned_from_are_known_by_their_digests(tmp_path):
    adversary = TrainAdversary(game="tug/any", victim="some/one", run=tmp_path / "run", resume=True)

    def opened(sha256):
        agents = {"victim_sha256": sha256}
        return TrainingRun(recipe=adversary, card=find_game("tug/any"), agents=agents)

    opened("12ab").open()
    opened("12ab").check()
    with pytest.raises(RunConflict, match="trained with victim_sha256 12ab, now 99; choose another --run"):
        opened("99").check()


def test_there_is_nothing_to_go_on_with_in_an_empty_folder(tmp_path):
    with pytest.raises(InvalidInput, match=r"--resume: .*run holds no training run; leave it out to start one"):
        begun(tmp_path / "run", resume=True)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("content", ["[]", "{}", "no json", '{"training": [1]}', '{"configuration": {}}'])
def test_a_folder_of_something_else_is_refused(tmp_path, content):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.json").write_text(content)
    with pytest.raises(RunConflict, match=r"config.json: not the configuration of a training run; choose another"):
        begun(tmp_path / "run")


def test_a_run_of_another_version_is_refused(tmp_path):
    (tmp_path / "run").mkdir()
    kept = {"schema": "rlattack/training/1", "training": {"game": GAME}}
    (tmp_path / "run" / "config.json").write_text(json.dumps(kept))
    with pytest.raises(RunConflict, match="schema 'rlattack/training/2', got 'rlattack/training/1', of another"):
        begun(tmp_path / "run", resume=True)


def test_a_folder_with_other_files_is_refused(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.tex").write_text("years of work")
    with pytest.raises(RunConflict, match="holds other files and no run; choose another folder"):
        begun(tmp_path / "run")


def test_a_folder_that_cannot_be_written_is_said_before_training(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(Unwritable, match=r"cannot be written \(.*\); choose another --run"):
        begun(tmp_path / "file" / "run")


def test_an_agent_is_shipped_with_its_score(tmp_path):
    place = shipped(tmp_path / "run")
    card = read_agent_card(place)
    assert place.as_posix() == "agents/my/cartpole"
    assert card.score == SCORE.table
    assert curve(tmp_path / "run", "evaluation/return_low") == {80: 10.0}


def test_wins_are_points_of_curves(tmp_path):
    save_network(tmp_path / "run" / "agent", GAME, gaussian_network(4, 2), provenance={"steps": 7})
    rates = {"win": Rate(0.5, (0.4, 0.6)), "tie": Rate(0.1, (0.0, 0.2)), "loss": Rate(0.4, (0.3, 0.5))}
    ship(
        tmp_path / "run",
        "my/adversary",
        Score(episodes=3, seed=0, actions="sampled", command="", rates=rates),
    )
    found = {name: curve(tmp_path / "run", f"evaluation/{name}") for name in ("win_rate", "tie_rate", "win_rate_high")}
    assert found == {name: {7: pytest.approx(value)} for name, value in zip(found, (0.5, 0.1, 0.6), strict=True)}


def test_points_are_added_to_what_is_there(tmp_path):
    for steps in (10, 20):
        save_network(tmp_path / "run" / "agent", GAME, gaussian_network(4, 2), provenance={"steps": steps})
        ship(tmp_path / "run", "my/cartpole", SCORE)
    events = EventAccumulator(str(tmp_path / "run"))
    events.Reload()
    points = events.Scalars("evaluation/return_mean")
    assert [(point.step, point.value) for point in points] == [(10, 12.0), (20, 12.0)]


def test_a_full_disk_is_one_error_and_nothing_on_the_screen(tmp_path, monkeypatch, capfd):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    save_network(tmp_path / "run" / "agent", GAME, gaussian_network(4, 2), provenance={"steps": 10})
    monkeypatch.setattr(event_file_writer.RecordWriter, "write", full)
    before = threading.excepthook
    with pytest.raises(Unwritable, match=r"cannot be written \(No space left on device\); what was finished"):
        ship(tmp_path / "run", "my/cartpole", SCORE)
    assert threading.excepthook is before
    assert capfd.readouterr() == ("", "")


def test_the_agent_of_another_run_is_not_written_over(tmp_path):
    place = shipped(tmp_path / "one")
    before = read_agent_card(place)
    with pytest.raises(InvalidInput, match=r"--agent my/cartpole: .* holds another agent; choose another id"):
        begun(tmp_path / "other")
    assert read_agent_card(place) == before
    assert not (tmp_path / "other").exists()  # said before training


def test_an_agent_that_someone_put_there_is_not_written_over_by_a_run_that_goes_on(tmp_path):
    shipped(tmp_path / "run", agent="one")
    shipped(tmp_path / "other", agent="two", seed=9)
    begun(tmp_path / "run", agent="one", resume=True)  # its own
    (tmp_path / "agents" / "one").rename(tmp_path / "agents" / "kept")
    (tmp_path / "agents" / "two").rename(tmp_path / "agents" / "one")
    with pytest.raises(InvalidInput, match=r"--agent one: .* holds another agent"):
        begun(tmp_path / "run", agent="one", resume=True)


def test_an_agent_that_ships_with_rlattack_keeps_its_id(tmp_path):
    with pytest.raises(InvalidInput, match=r"agents/atari/pong/ppo holds another agent"):
        begun(tmp_path / "other", agent="atari/pong/ppo")


def test_a_card_of_something_else_is_not_written_over(tmp_path):
    (tmp_path / "agents" / "my" / "cartpole").mkdir(parents=True)
    (tmp_path / "agents" / "my" / "cartpole" / "agent.toml").write_text('name = "a secret agent"')
    with pytest.raises(InvalidInput, match="holds another agent; choose another id"):
        begun(tmp_path / "run")


@pytest.mark.parametrize("agent", ["/tmp/agent", "../agent", "my/../../agent", ".", "one,two"])
def test_an_id_that_points_elsewhere_is_refused(tmp_path, agent):
    with pytest.raises(InvalidInput, match="expected an id such as gymnasium/CartPole-v1/a2c"):
        begun(tmp_path / "run", agent=agent)


def test_a_place_that_cannot_be_written_is_said_before_training(tmp_path):
    (tmp_path / "agents").write_text("")
    with pytest.raises(Unwritable, match="--agent my/cartpole: agents/my/cartpole cannot be written; choose another"):
        begun(tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_an_agent_that_cannot_be_shipped_stays_in_its_run(tmp_path):
    save_network(tmp_path / "run" / "agent", GAME, gaussian_network(4, 2), provenance={"steps": 80})
    (tmp_path / "agents").write_text("")
    with pytest.raises(Unwritable, match=r"; the trained agent is in .*run/agent"):
        ship(tmp_path / "run", "my/cartpole", SCORE)
