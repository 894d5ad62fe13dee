import dataclasses
import json

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box
from rlattack.games.opponent import EmbedOpponent
from rlattack.policies.player import GaussianPlayer, LoadedPlayer
from rlattack.training.adversary_learner import export_adversary, make_adversary, normaliser
from small_duels import Count, Pusher, Tug
from small_games import CARD
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from rlattack.errors import InvalidInput, RunConflict
from rlattack.policies.folder import load_agent, read_agent_card
from rlattack.policies.gaussian import GaussianNetwork, GaussianPolicy, GaussianSpec
from rlattack.training import Session, TrainSelfPlay, train_self_play
from rlattack.training.checkpoint import load_checkpoint
from rlattack.training.selfplay import Learner, Match, part, rivals
from rlattack.training.vecenv import DuelVecEnv


class Crash(Exception):
    """In place of a SIGKILL."""


@pytest.fixture(autouse=True)
def working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def configure(**values):
    default = {"game": CARD.id, "seat": "left", "steps": 512, "envs": 16, "batch": 128, "snapshot_every": 1}
    return TrainSelfPlay(**default | values)


def alone(duel=None, seat=0, **values):
    duel = duel or Tug(16)
    learner = Learner(name=duel.seats[seat], duel=duel, seat=seat)
    return Match(card=CARD, seat=learner.name, learners=(learner,), **values)


def pair(make=lambda: Tug(16)):
    learners = tuple(Learner(name=name, duel=make(), seat=seat) for seat, name in enumerate(make().seats))
    return Match(card=CARD, seat="each", learners=learners)


def loaded(player, name="some/one"):
    return LoadedPlayer(player=player, name=name, identity="x", sha256="12ab")


def session(run, resume=False, **values):
    return Session(
        config=configure(**values), run=run, agent="my/victim", resume=resume, command="rlattack train victim ..."
    )


def train(run, arranged=None, crash_at=None, resume=False, **values):
    told = []

    def tell(seat, steps, win):
        told.append((seat, steps, win))
        if crash_at == (seat, steps):
            raise Crash

    return train_self_play(session(run, resume, **values), arranged or alone(), tell), told


def mean(network, obs=(0.0, 0.0, 0.0)):
    return float(GaussianPolicy(network)(torch.tensor([obs])).mean)


def curve(run, tag):
    events = EventAccumulator(str(run), size_guidance={"scalars": 0})
    events.Reload()
    return {point.step: point.value for point in events.Scalars(tag)} if tag in events.Tags()["scalars"] else {}


def network(hidden=(8, 4), **values):
    made = GaussianNetwork(GaussianSpec(observation=(3,), actions=1, hidden=hidden, **values))
    with torch.no_grad():
        made.obs_mean.copy_(torch.tensor([1.0, -2.0, 5.852784449356555]))
        made.obs_std.copy_(torch.tensor([0.5, 3.0, 1e-4]))
        made.log_std.fill_(-1.5)
        made.value_mean.fill_(7.0)
        made.value_std.fill_(2.5)
    return made


def test_in_self_play_it_learns_to_push(tmp_path):
    """Pushing hard wins whatever the other does, and a learner that starts at random pushes as often back."""
    (one,), told = train(tmp_path / "run", steps=7_680, learning_rate=3e-3, anneal=0.0, snapshot_every=3)
    _, network = load_agent(one.folder)
    assert mean(network) > 0.7
    assert told[0] == ("left", 0, None)
    versions = sorted(int(folder.name) for folder in (tmp_path / "run" / "left" / "past").iterdir())
    assert (len(versions), versions[0], versions[-1]) == (10, 3840, 7680 - 384)


def test_the_dense_reward_alone_is_learned_while_the_curriculum_lasts(tmp_path):
    class Backwards(Tug):
        """Who pushes is paid, but the lower sum wins."""

        def step(self, actions):
            step = super().step(actions)
            winner = np.where(step.winner == -1, -1, 1 - step.winner)
            return dataclasses.replace(step, winner=winner, sparse=-step.sparse, rewards=step.rewards - 2 * step.sparse)

    def pushed(run, anneal):
        values = {"steps": 5_120, "learning_rate": 3e-3, "snapshot_every": 5, "sparse": 0.001, "dense": 10.0}
        (one,), _ = train(tmp_path / run, alone(Backwards(16)), anneal=anneal, **values)
        return mean(load_agent(one.folder)[1])

    assert pushed("sparse", 0.0) < -0.5
    assert pushed("dense", 1.0) > 0.5


def test_weights_go_over_from_the_way_to_the_end():
    config = configure(steps=1000, anneal=0.2, sparse=0.5, dense=2.0)
    assert [config.alpha(steps) for steps in (0, 50, 100, 200, 900)] == [1.0, 0.75, 0.5, 0.0, 0.0]
    assert [config.weights(steps) for steps in (0, 100, 200)] == [(0.0, 2.0), (0.25, 1.0), (0.5, 0.0)]
    assert configure(anneal=0.0).weights(0) == (0.01, 0.0)


def test_alpha_snapshots_and_outcomes_are_curves(tmp_path):
    train(tmp_path / "run", anneal=1.0, delta=0.0)
    folder = tmp_path / "run" / "left"
    assert curve(folder, "curriculum/alpha") == {128: 0.75, 256: 0.5, 384: 0.25}
    assert curve(folder, "curriculum/snapshots") == {128: 2, 256: 3, 384: 4}
    rates = [curve(folder, f"victim/{name}_rate")[512] for name in ("win", "tie", "loss")]
    assert sum(rates) == pytest.approx(1)


def test_a_run_leaves_an_agent_whose_card_says_how_it_came_to_be(tmp_path):
    made = session(tmp_path / "run", seed=3)
    (one,) = train_self_play(made, alone(), lambda *_: None)
    card, _ = load_agent(one.folder)
    assert (card.role, card.seat, card.algorithm, card.game) == ("victim", "left", "ppo", CARD.id)
    assert card.provenance["command"] == "rlattack train victim ..."
    assert (card.provenance["seed"], card.provenance["steps"]) == (3, 512)
    assert (card.provenance["delta"], card.provenance["anneal"]) == (0.5, 0.15)
    assert "torch" in card.provenance["versions"]
    kept = json.loads((tmp_path / "run" / "config.json").read_text())["training"]
    assert kept == json.loads(json.dumps(dataclasses.asdict(made.config)))


def test_its_past_can_take_the_other_seat_and_everybody_s_player_judges_it(tmp_path):
    made = session(tmp_path / "run")
    train_self_play(made, alone(), lambda *_: None)
    assert rivals(made, alone(), alone().learners[0]) == ["random"]
    assert read_agent_card(tmp_path / "run" / "left" / "past" / "384").seat == ""


def test_a_killed_run_goes_on_with_its_past(tmp_path):
    with pytest.raises(Crash):
        train(tmp_path / "run", crash_at=("left", 512), checkpoint_every=256, delta=0.0, steps=1024)
    folder = tmp_path / "run" / "left"
    assert load_checkpoint(folder).steps == 256 or load_checkpoint(folder).steps == 512
    before = {path.parent.name: path.read_bytes() for path in folder.glob("past/*/policy.safetensors")}
    assert set(before) == {"0", "128", "256", "384", "512"}
    with pytest.raises(RunConflict, match="holds a training run; add --resume"):
        train(tmp_path / "run", checkpoint_every=256, delta=0.0, steps=1024)
    done = load_checkpoint(folder).steps
    (one,), told = train(tmp_path / "run", resume=True, checkpoint_every=256, delta=0.0, steps=1024)
    assert told[0] == ("left", done, None)
    assert one.steps == 1024
    for name in ("0", "128", "256"):
        assert (folder / "past" / name / "policy.safetensors").read_bytes() == before[name]
    assert {path.name for path in (folder / "past").iterdir()} == {str(steps) for steps in range(0, 1024, 128)}


@pytest.mark.parametrize(("other", "kept"), [({"delta": 0.2}, "0.5"), ({"checkpoint_every": 7}, "\\d+")])
def test_another_delta_or_spacing_of_checkpoints_is_another_run(tmp_path, other, kept):
    train(tmp_path / "run")
    ((name, value),) = other.items()
    with pytest.raises(RunConflict, match=f"trained with {name} {kept}, now {value}; choose another --run"):
        train(tmp_path / "run", resume=True, **other)


def test_a_finished_run_stays_as_it_is(tmp_path):
    (one,), _ = train(tmp_path / "run")
    before = read_agent_card(one.folder)
    (_,), told = train(tmp_path / "run", resume=True)
    assert (read_agent_card(one.folder), told) == (before, [])


def test_fixed_opponents_are_met_in_turn_and_named(tmp_path):
    strong, weak = loaded(Pusher(0.9), "a/strong"), loaded(Pusher(-0.9), "a/weak")
    arranged = alone(opponents=(strong, weak))
    (one,), _ = train(tmp_path / "run", arranged, opponents=(("a/strong", "12ab"), ("a/weak", "12ab")))
    assert not (tmp_path / "run" / "left" / "past").exists()
    assert 0.3 < one.win < 0.7  # an untrained one beats the weak one alone
    met = read_agent_card(one.folder).provenance["opponents"]
    assert met == [{"id": "a/strong", "sha256": "12ab"}, {"id": "a/weak", "sha256": "12ab"}]
    assert rivals(session(tmp_path / "run"), arranged, arranged.learners[0]) == ["a/strong", "a/weak"]


def test_against_a_fixed_opponent_it_learns_to_win(tmp_path):
    arranged = alone(seat=1, opponents=(loaded(Pusher(0.5)),))
    _, told = train(
        tmp_path / "run", arranged, seat="right", opponents=(("a", "b"),), steps=12_800, learning_rate=3e-3, anneal=0.0
    )
    assert told[-1][2] > 0.9


def test_two_learners_train_in_turns_each_against_the_others_past(tmp_path):
    trained, told = train(tmp_path / "run", pair(), seat="each", turns=2, steps=512)
    order = [seat for seat, steps, _ in told if steps % 256]
    assert order == ["left", "right", "left", "right"]
    assert [one.steps for one in trained] == [512, 512]
    for name, one in zip(("left", "right"), trained, strict=True):
        card = read_agent_card(one.folder)
        assert (card.seat, card.role) == (name, "victim")
        assert {read_agent_card(path).seat for path in (tmp_path / "run" / name / "past").iterdir()} == {name}
    arranged, made = pair(), session(tmp_path / "run")
    assert [part(made, arranged, one).agent for one in arranged.learners] == ["my/victim/left", "my/victim/right"]
    assert rivals(made, arranged, arranged.learners[0]) == [str(tmp_path / "run" / "right" / "agent")]


def test_two_learners_go_on_where_they_were_killed(tmp_path):
    with pytest.raises(Crash):
        train(tmp_path / "run", pair(), crash_at=("right", 384), seat="each", turns=2)
    assert load_checkpoint(tmp_path / "run" / "left").steps == 512
    trained, told = train(tmp_path / "run", pair(), resume=True, seat="each", turns=2)
    assert told[0][:2] == ("right", 256)
    assert [one.steps for one in trained] == [512, 512]


def test_two_learners_both_learn_to_push(tmp_path):
    # a push is paid by itself: of winning alone the weaker one may learn nothing, by chance and by the machine
    shaped = {"anneal": 1.0, "dense": 1.0}
    trained, _ = train(
        tmp_path / "run", pair(), seat="each", turns=10, steps=7_680, learning_rate=3e-3, snapshot_every=5, **shaped
    )
    assert min(mean(load_agent(one.folder)[1]) for one in trained) > 0.5


def test_in_a_game_of_turns_it_meets_its_past_too(tmp_path):
    (one,), _ = train(tmp_path / "run", alone(Count(16)), seat="first", anneal=0.0)
    assert load_agent(one.folder)[0].network.actions == 3


def test_a_learner_that_goes_on_from_an_agent_plays_as_it_does():
    first = network()
    learner = make_adversary(configure(), DuelVecEnv(EmbedOpponent(Tug(16), 0, Pusher())), 0, first)
    rng = np.random.default_rng(0)
    obs = (np.array([1, -2, 5.8527844]) + rng.normal(size=(500, 3)) * [2, 9, 3e-4]).astype(np.float32)
    normal = normaliser(learner)
    with torch.no_grad():
        seen = torch.from_numpy(normal.normalize_obs(obs))
        theirs = learner.policy.get_distribution(seen).distribution
        values = learner.policy.predict_values(seen)[:, 0]
    out = GaussianPolicy(first)(torch.from_numpy(obs))
    assert float(seen.abs().max()) == first.spec.clip
    torch.testing.assert_close(theirs.mean, out.mean, atol=1e-6, rtol=0)
    torch.testing.assert_close(theirs.stddev, out.deviation.expand(500, 1))
    torch.testing.assert_close(values * 2.5, first.values(torch.from_numpy(obs))[0])
    _, exported = export_adversary(learner, configure(), 0, CARD)
    again = GaussianPolicy(exported)(torch.from_numpy(obs))
    assert exported.spec == first.spec
    torch.testing.assert_close(again.mean, out.mean, atol=1e-6, rtol=0)


def test_its_statistics_stay_frozen_while_it_learns_and_when_it_is_resumed(tmp_path):
    arranged = alone(init=loaded(GaussianPlayer(GaussianPolicy(network()))))
    values = {"init": "some/one", "init_sha256": "12ab"}
    (one,), _ = train(tmp_path / "run", arranged, **values)
    (one,), _ = train(tmp_path / "run", arranged, resume=True, **values, steps=640)
    card, exported = load_agent(one.folder)
    torch.testing.assert_close(exported.obs_mean, network().obs_mean, atol=0, rtol=0)
    torch.testing.assert_close(exported.obs_std, network().obs_std, atol=0, rtol=1e-6)
    assert not exported.log_std.equal(network().log_std)  # it did learn
    assert card.provenance["init"] == {"id": "some/one", "sha256": "12ab"}
    assert card.network.hidden == (8, 4)


def test_a_game_that_cannot_be_learned_leaves_nothing(tmp_path):
    duel = Tug(16)
    duel.observation_spaces = (Box(0, 255, (3, 40, 40), np.uint8),) * 2
    with pytest.raises(InvalidInput, match="expected numbers to see, no images"):
        train(tmp_path / "run", alone(duel))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"delta": 1.5}, r"--delta: expected a share in \[0, 1\], got 1.5"),
        ({"anneal": -0.1}, r"--anneal: expected a share in \[0, 1\], got -0.1"),
        ({"snapshot_every": 0}, "--snapshot-every: expected at least 1, got 0"),
        ({"turns": 0}, "--turns: expected at least 1, got 0"),
        ({"seed": -1}, "--seed: expected 0 to 2147483647, got -1"),
        ({"steps": 5}, "--steps: expected at least 128, one batch, got 5"),
    ],
)
def test_a_value_outside_its_range_is_refused(values, message):
    with pytest.raises(InvalidInput, match=message):
        configure(**values)
