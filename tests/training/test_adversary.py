import json
import os
import signal

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box
from rlattack.games.opponent import EmbedOpponent
from rlattack.training.adversary_learner import export_adversary, make_adversary, normaliser
from small_duels import Count, Pusher, Remembering, Tug
from small_games import CARD
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from rlattack.errors import InvalidInput, RefusedFile
from rlattack.policies.folder import load_agent, read_agent_card
from rlattack.policies.gaussian import GaussianPolicy
from rlattack.training import TrainAdversary, train_adversary
from rlattack.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from rlattack.training.vecenv import DuelVecEnv


class Crash(Exception):
    """In place of a SIGKILL: nothing of ours catches it."""


def configure(**values):
    default = {
        "game": CARD.id, "victim": "some/one", "victim_sha256": "12ab", "seat": "left", "steps": 512, "envs": 16,
        "batch": 128,
    }  # fmt: skip
    return TrainAdversary(**default | values)


def tug(length=4, push=0.5):
    return EmbedOpponent(Tug(16, length), 0, Pusher(push))


def train(run, env=None, crash_at=None, seed=0, **values):
    told = []

    def tell(number, steps, win):
        told.append((number, steps, win))
        if crash_at is not None and steps >= crash_at:
            raise Crash

    run.mkdir(exist_ok=True)
    return train_adversary(configure(**values), seed, CARD, env or tug(), run, tell), told


def curve(run, tag):
    events = EventAccumulator(str(run), size_guidance={"scalars": 0})
    events.Reload()
    return {point.step: point.value for point in events.Scalars(tag)} if tag in events.Tags()["scalars"] else {}


def learned(steps=512):
    return make_adversary(configure(), DuelVecEnv(tug()), 0).learn(steps)


def test_the_settings_are_the_papers():
    env = EmbedOpponent(Tug(64), 0, Pusher())
    learner = make_adversary(configure(envs=64, batch=16_384, steps=20_000_000), DuelVecEnv(env), 0)
    assert learner.n_steps * learner.n_envs == 16_384
    assert (learner.batch_size, learner.n_epochs) == (4096, 4)
    assert (learner.gamma, learner.gae_lambda, learner.ent_coef, learner.vf_coef) == (0.99, 0.95, 0.0, 0.5)
    assert learner.max_grad_norm == 0.5
    for rest in (1.0, 0.5, 0.0):
        assert learner.lr_schedule(rest) == 3e-4
        assert learner.clip_range(rest) == 0.2
    shapes = [tuple(t.shape) for name, t in learner.policy.state_dict().items() if name.endswith("weight")]
    assert shapes == [(64, 3), (64, 64), (64, 3), (64, 64), (1, 64), (1, 64)]
    normal = learner.get_vec_normalize_env()
    assert normal.norm_obs
    assert normal.norm_reward


def test_the_agent_acts_and_values_as_the_learner_does():
    learner = learned()
    card, network = export_adversary(learner, configure(), 0, CARD)
    normal = learner.get_vec_normalize_env()
    rng = np.random.default_rng(0)
    spread = np.sqrt(normal.obs_rms.var)
    obs = (normal.obs_rms.mean + rng.normal(size=(1000, 3)) * spread * rng.choice([1, 30], (1000, 1))).astype(
        np.float32
    )
    seen = torch.from_numpy(normal.normalize_obs(obs))
    assert float(seen.abs().max()) == normal.clip_obs == card.network.clip
    out = GaussianPolicy(network)(torch.from_numpy(obs))
    with torch.no_grad():
        theirs = learner.policy.get_distribution(seen).distribution
        ours, _ = network.values(torch.from_numpy(obs))
        values = learner.policy.predict_values(seen)[:, 0] * np.sqrt(normal.ret_rms.var + normal.epsilon)
    assert float(theirs.mean.std()) > 0.01
    torch.testing.assert_close(out.mean, theirs.mean, atol=1e-5, rtol=0)
    torch.testing.assert_close(out.deviation.expand(1000, 1), theirs.stddev)
    torch.testing.assert_close(ours, values.float(), atol=1e-4, rtol=1e-4)


def test_an_entry_that_hardly_varies_is_seen_as_the_learner_sees_it():
    """Its mean in float32 is more than a thousandth of a deviation off, as that of a body's mass is."""
    learner = learned(128)
    seen = normaliser(learner).obs_rms
    seen.mean[:], seen.var[:] = 5.852784449356555, 0.0
    obs = np.asarray(5.8527844 + 1e-4 * np.random.default_rng(0).normal(size=(50, 3)), dtype=np.float32)
    _, network = export_adversary(learner, configure(), 0, CARD)
    assert abs(float(network.obs_mean[0]) - 5.852784449356555) / float(network.obs_std[0]) > 1e-3
    with torch.no_grad():
        theirs = learner.policy.get_distribution(torch.from_numpy(normaliser(learner).normalize_obs(obs))).distribution
    torch.testing.assert_close(GaussianPolicy(network)(torch.from_numpy(obs)).mean, theirs.mean, atol=1e-6, rtol=0)


def test_a_learner_learns_to_win(tmp_path):
    _, told = train(tmp_path, steps=12_800, learning_rate=3e-3)
    assert told[-1][2] > 0.9
    won = curve(tmp_path, "adversary/win_rate")
    assert won[min(won)] < 0.4


def test_a_run_leaves_an_agent_whose_card_names_its_victim(tmp_path):
    trained, told = train(tmp_path, seed=3)
    card, _ = load_agent(trained.folder)
    assert (card.role, card.seat, card.algorithm, card.game) == ("adversary", "left", "ppo", CARD.id)
    assert card.provenance["victim"] == {"id": "some/one", "sha256": "12ab"}
    assert (card.provenance["seed"], card.provenance["steps"]) == (3, 512)
    assert (trained.seed, trained.steps, trained.cut) == (3, 512, False)
    assert [steps for _, steps, _ in told] == [0, 128, 256, 384, 512]
    assert told[0] == (3, 0, None)
    assert trained.win == told[-1][2]


def test_outcomes_and_lengths_of_games_are_curves(tmp_path):
    train(tmp_path, tug(length=3, push=0.0))
    rates = [curve(tmp_path, f"adversary/{name}_rate") for name in ("win", "tie", "loss")]
    assert rates[0].keys() == {128, 256, 384, 512}
    for step in rates[0]:
        assert sum(rate[step] for rate in rates) == pytest.approx(1)
    assert set(curve(tmp_path, "adversary/episode_length").values()) == {3}
    assert curve(tmp_path, "rollout/ep_rew_mean")
    assert curve(tmp_path, "time/fps")
    assert curve(tmp_path, "train/value_loss")


def test_a_killed_run_goes_on_with_weights_optimiser_and_statistics(tmp_path):
    with pytest.raises(Crash):
        train(tmp_path / "run", crash_at=384, checkpoint_every=256)
    kept = load_checkpoint(tmp_path / "run")
    assert kept.steps == 256
    assert float(kept.statistics["obs_count"]) == pytest.approx(256 + 16, abs=0.01)  # and the first ones
    assert read_agent_card(tmp_path / "run" / "agent").provenance["steps"] == 256  # of use already
    before = {name: value.clone() for name, value in kept.statistics.items()}
    trained, told = train(tmp_path / "run", checkpoint_every=256)
    assert [steps for _, steps, _ in told] == [256, 384, 512]
    after = load_checkpoint(tmp_path / "run")
    assert (after.steps, trained.steps) == (512, 512)
    assert float(after.statistics["obs_count"]) == pytest.approx(float(before["obs_count"]) + 256 + 16)


def test_a_restored_learner_is_the_one_that_was_kept(tmp_path):
    learner = learned()
    save_checkpoint(tmp_path, Checkpoint.of(learner.policy, 512, learner.get_vec_normalize_env()))
    kept, other = load_checkpoint(tmp_path), make_adversary(configure(), DuelVecEnv(tug()), 1)
    kept.restore(other.policy, "here")
    kept.restore_statistics(other.get_vec_normalize_env(), "here")
    mine, its = (export_adversary(one, configure(), 0, CARD)[1].state_dict() for one in (learner, other))
    assert all(tensor.equal(its[name]) for name, tensor in mine.items())
    assert other.get_vec_normalize_env().ret_rms.count == learner.get_vec_normalize_env().ret_rms.count


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("obs_mean"), r"here: statistics obs_mean: expected shape \(3,\), got NoneType"),
        (lambda s: s.update(more=torch.zeros(1)), r"here: statistics more: expected shape none, got \(1,\)"),
        (lambda s: s.update(obs_mean=torch.zeros(4)), r"obs_mean: expected shape \(3,\), got \(4,\)"),
        (lambda s: s.update(obs_mean=torch.full((3,), torch.nan)), "obs_mean: values that are not finite"),
        (lambda s: s.update(obs_variance=-torch.ones(3)), "obs_variance: values below 0"),
        (lambda s: s.update(return_count=-torch.ones(())), "return_count: values below 0"),
    ],
)
def test_statistics_that_do_not_fit_are_refused(change, message):
    normal = learned(128).get_vec_normalize_env()
    kept = Checkpoint.of(learned(128).policy, 128, normal)
    change(kept.statistics)
    with pytest.raises(RefusedFile, match=message):
        kept.restore_statistics(normal, "here")


def test_a_checkpoint_of_a_victim_is_refused(tmp_path):
    learner = learned(128)
    save_checkpoint(tmp_path, Checkpoint.of(learner.policy, 128))
    with pytest.raises(RefusedFile, match=r"checkpoint.pt: statistics obs_count: expected shape \(\), got NoneType"):
        train(tmp_path)


def test_an_interrupt_waits_for_the_update_and_leaves_a_checkpoint(tmp_path):
    def tell(seed, steps, win):
        if steps == 128:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        train_adversary(configure(), 0, CARD, tug(), tmp_path, tell)
    assert load_checkpoint(tmp_path).steps in (128, 256)


def test_a_seed_that_wins_too_little_is_given_up_and_stays_so(tmp_path):
    hopeless = {"push": 2.0, "length": 1}
    trained, told = train(tmp_path, tug(**hopeless), steps=5120, cut=(256, 0.5))
    assert trained.cut
    assert trained.steps == told[-1][1] == 512  # where 500 games were over
    assert load_checkpoint(tmp_path).steps == 512
    again, told = train(tmp_path, tug(**hopeless), steps=5120, cut=(256, 0.5))
    assert (again.cut, again.steps, again.win, told) == (True, 512, 0.0, [])
    longer, _ = train(tmp_path, tug(**hopeless), steps=640)
    assert (longer.cut, longer.steps) == (False, 640)  # without the rule it goes on


def test_a_seed_that_wins_enough_is_not_given_up(tmp_path):
    trained, _ = train(tmp_path, tug(push=-2.0, length=1), steps=1024, cut=(256, 0.5))
    assert (trained.cut, trained.steps, trained.win) == (False, 1024, 1.0)


def test_a_seed_is_judged_once(tmp_path):
    train(tmp_path, tug(push=-2.0, length=1), steps=640, cut=(256, 0.5))
    trained, _ = train(tmp_path, tug(push=2.0, length=1), steps=1920, cut=(256, 0.5))
    assert (trained.cut, trained.win) == (False, 0.0)


@pytest.mark.parametrize("content", ["no json", "[]", '{"win": "all", "cut": true}'])
def test_nonsense_beside_the_checkpoint_is_no_matter(tmp_path, content):
    train(tmp_path)
    (tmp_path / "progress.json").write_text(content)
    trained, _ = train(tmp_path, cut=(128, 0.5))
    assert (trained.steps, trained.win, trained.cut) == (512, None, False)


def test_the_same_seed_gives_the_same_agent(tmp_path):
    def digest(name, seed):
        trained, _ = train(tmp_path / name, tug(push=None), seed=seed, steps=256)
        return read_agent_card(trained.folder).sha256

    assert digest("one", 0) == digest("two", 0)
    assert digest("one", 0) != digest("three", 1)


def test_in_a_game_of_turns_it_learns_by_legal_actions_to_win(tmp_path):
    """Against an opponent that always takes one it can always win, but on a heap of one that it has left itself."""
    env = EmbedOpponent(Count(16), 0, Remembering())  # which refuses what is illegal
    trained, told = train(tmp_path, env, steps=12_800, learning_rate=3e-3)
    assert told[-1][2] > 0.95
    card, network = load_agent(trained.folder)
    assert (card.network.actions, card.network.observation) == (3, (1,))
    with torch.no_grad():
        scores = network(torch.tensor([[1.0], [2.0]]))[0]
    best = [int(row[: heap + 1].argmax()) for heap, row in enumerate(scores)]
    assert best == [0, 1]  # takes all that is left


def test_a_killed_learner_of_discrete_actions_goes_on(tmp_path):
    with pytest.raises(Crash):
        train(tmp_path, EmbedOpponent(Count(16), 0, Remembering()), crash_at=384, checkpoint_every=256)
    kept = load_checkpoint(tmp_path)
    assert kept.statistics.keys() == {"return_mean", "return_variance", "return_count"}
    _, told = train(tmp_path, EmbedOpponent(Count(16), 0, Remembering()))
    assert told[0][1] == 256


def test_images_are_refused():
    game = Tug(16)
    game.observation_spaces = (Box(0, 255, (3, 40, 40), np.uint8),) * 2
    with pytest.raises(InvalidInput, match=r"expected numbers to see, no images, .* got Box.* and Box"):
        make_adversary(configure(), DuelVecEnv(EmbedOpponent(game, 0, Pusher())), 0)


def test_what_is_kept_of_a_seed_says_how_it_did(tmp_path):
    trained, _ = train(tmp_path)
    kept = json.loads((tmp_path / "progress.json").read_text())
    assert kept == {"steps": 512, "win": trained.win, "cut": False}
