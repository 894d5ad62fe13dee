import dataclasses
import json

import numpy as np
import pytest
from gymnasium.spaces import Box
from small_duels import Pusher, Tug
from small_games import CARD

from rlattack.errors import InvalidInput, RlattackError, RunConflict, UnknownName
from rlattack.games import find_game
from rlattack.games.find import make_duel
from rlattack.policies.folder import AgentCard, read_agent_card, save_agent
from rlattack.policies.gaussian import GaussianNetwork, GaussianSpec
from rlattack.policies.player import LoadedPlayer
from rlattack.training import Contest, Session, TrainAdversary, contest, ship, train_adversaries
from rlattack.training.adversary_session import choose

GAME = "mujoco/run-to-goal-ants"
SCORE = {
    "win": {"rate": 0.5, "ci": [0.4, 0.6]}, "tie": {"rate": 0.1, "ci": [0.0, 0.2]},
    "loss": {"rate": 0.4, "ci": [0.3, 0.5]}, "episodes": 10, "command": "rlattack duel ...",
}  # fmt: skip


@pytest.fixture(autouse=True)
def working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def tug(duel=None, player=None):
    victim = LoadedPlayer(player=player or Pusher(), name="some/one", identity="x", sha256="12ab")
    return Contest(card=CARD, duel=duel or Tug(16), seat=0, victim=victim)


def session(run, resume=False, agent="my/adversary", **values):
    default = {
        "game": CARD.id, "victim": "some/one", "victim_sha256": "12ab", "seat": "left", "steps": 256, "envs": 16,
        "batch": 128,
    }  # fmt: skip
    return Session(
        config=TrainAdversary(**default | values), run=run, agent=agent, resume=resume, command="rlattack train ..."
    )


def train(made):
    return train_adversaries(made, tug(), lambda *_: None)


def agent(folder, game=GAME, seat=""):
    seen, done = (122,), 8
    spec = GaussianSpec(observation=seen, actions=done, hidden=(8,))
    card = AgentCard(game=game, role="victim", algorithm="ppo", seat=seat, network=spec)
    save_agent(folder, card, GaussianNetwork(spec))
    return str(folder)


def test_every_seed_has_a_folder_of_its_own_and_the_best_is_shipped(tmp_path):
    made = session(tmp_path / "run", seeds=(4, 7, 5))
    trained = train(made)
    assert [one.folder for one in trained] == [tmp_path / "run" / f"seed-{seed}" / "agent" for seed in (4, 7, 5)]
    assert len({read_agent_card(one.folder).sha256 for one in trained}) == 3
    best = choose(made, trained, [{"win": {"rate": rate}} for rate in (0.2, 0.6, 0.6)])
    assert best.seed == 7
    place = ship(made, SCORE)
    card = read_agent_card(place)
    assert place.as_posix() == "agents/my/adversary"
    assert card.sha256 == read_agent_card(best.folder).sha256
    assert card.score == SCORE
    assert card.provenance["command"] == "rlattack train ..."
    assert card.provenance["seed"] == 7
    assert [row["tuning_win_rate"] for row in card.provenance["tried"]] == [0.2, 0.6, 0.6]
    assert json.loads((tmp_path / "run" / "seeds.json").read_text()) == card.provenance["tried"]
    config = json.loads((tmp_path / "run" / "config.json").read_text())["training"]
    assert config == json.loads(json.dumps(dataclasses.asdict(made.config)))


def test_a_single_seed_needs_no_tuning(tmp_path):
    made = session(tmp_path / "run", seeds=(3,))
    assert choose(made, train(made), []).seed == 3
    assert read_agent_card(tmp_path / "run" / "agent").provenance["tried"][0]["seed"] == 3


def test_the_score_is_a_curve_in_tensorboard(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    made = session(tmp_path / "run")
    choose(made, train(made), [])
    ship(made, SCORE)
    events = EventAccumulator(str(tmp_path / "run"))
    events.Reload()
    found = {tag: events.Scalars(tag)[0].value for tag in events.Tags()["scalars"]}
    assert found == {
        f"evaluation/{name}": pytest.approx(value)
        for name, value in {
            "win_rate": 0.5, "tie_rate": 0.1, "loss_rate": 0.4, "win_rate_low": 0.4, "win_rate_high": 0.6,
        }.items()
    }  # fmt: skip


def test_a_run_can_be_made_longer_and_of_more_seeds(tmp_path):
    train(session(tmp_path / "run"))
    with pytest.raises(RunConflict, match="holds a training run; add --resume to go on"):
        train(session(tmp_path / "run"))
    trained = train(session(tmp_path / "run", resume=True, seeds=(0, 1), steps=384, cut=(10, 0.0)))
    assert [(one.seed, one.steps) for one in trained] == [(0, 384), (1, 384)]


def test_a_run_against_another_victim_is_refused(tmp_path):
    train(session(tmp_path / "run"))
    with pytest.raises(RunConflict, match="trained with victim_sha256 12ab, now 99; choose another --run"):
        train(session(tmp_path / "run", resume=True, victim_sha256="99"))


def test_a_game_that_cannot_be_learned_leaves_nothing(tmp_path):
    duel = Tug(16)
    duel.action_spaces = (Box(-1, 1, (1, 1), np.float32),) * 2
    with pytest.raises(InvalidInput, match="expected numbers to see, no images, and one number or a vector to act by"):
        train_adversaries(session(tmp_path / "run"), tug(duel), lambda *_: None)
    assert not (tmp_path / "run").exists()


def test_names_are_seated_by_the_learners_seat():
    against = tug()
    assert against.seated("learner", "victim") == ("learner", "victim")
    assert dataclasses.replace(against, seat=1).seated("learner", "victim") == ("victim", "learner")


class TestContest:
    """Who sits where in a MuJoCo game."""

    @pytest.fixture(autouse=True)
    def _mujoco(self):
        pytest.importorskip("mujoco")

    @pytest.mark.parametrize(
        ("own", "asked", "seat"), [(1, None, 0), (0, None, 1), (None, None, 1), (None, 0, 0), (1, 0, 0)]
    )
    def test_the_learner_takes_the_seat_that_the_victim_was_not_trained_for(self, tmp_path, own, asked, seat):
        seats = make_duel(find_game(GAME), 1).seats
        victim = agent(tmp_path / "victim", seat="" if own is None else seats[own])
        found = contest(GAME, victim, seat=None if asked is None else seats[asked], envs=2)
        assert found.seat == seat
        assert found.duel.slots == 2
        assert found.victim.sha256 == read_agent_card(tmp_path / "victim").sha256

    def test_the_victims_own_seat_is_refused(self, tmp_path):
        first, second = make_duel(find_game(GAME), 1).seats
        victim = agent(tmp_path / "victim", seat=second)
        with pytest.raises(
            InvalidInput, match=f"--seat {second}: that is the victim's; leave it out to take the other"
        ):
            contest(GAME, victim, seat=second)
        with pytest.raises(InvalidInput, match=f"--seat: expected {first} or {second}, got 'middle'"):
            contest(GAME, victim, seat="middle")

    @pytest.mark.parametrize("victim", ["zero", "random"])
    def test_who_is_no_agent_is_no_victim(self, victim):
        with pytest.raises(InvalidInput, match=f"--victim: expected an agent, got '{victim}'"):
            contest(GAME, victim)

    def test_a_victim_of_another_game_is_refused(self, tmp_path):
        victim = agent(tmp_path / "victim", game="mujoco/sumo-ants")
        with pytest.raises(InvalidInput, match=f"was trained for mujoco/sumo-ants, not for {GAME}"):
            contest(GAME, victim)

    def test_a_victim_that_is_not_there_is_refused(self):
        with pytest.raises(RlattackError, match="nobody/here"):
            contest(GAME, "nobody/here")


def test_a_game_of_one_seat_is_refused():
    with pytest.raises(InvalidInput, match="game gymnasium/CartPole-v1 has one seat, so nobody to meet there"):
        contest("gymnasium/CartPole-v1", "some/one")


def test_an_unknown_game_is_refused():
    with pytest.raises(UnknownName, match="did you mean 'mujoco/sumo-ants'"):
        contest("mujoco/sumo-ant", "some/one")
