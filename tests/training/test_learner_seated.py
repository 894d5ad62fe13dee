"""Learners at a seat: what they won is told, they go on, and are given up where they win too little."""

import dataclasses
import os
import signal

import pytest
import torch

from rlattack.errors import InvalidInput, RefusedFile
from rlattack.policies.folder import read_agent, read_agent_card
from rlattack.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from rlattack.training.learner import begin, learn
from tests.kit.by_hand import Remembering
from tests.kit.games import Count
from tests.kit.learning import Crash, Diary, curve, seated, tug
from tests.training.learners import HOPELESS, adversary, learned


def test_a_learner_learns_to_win(tmp_path):
    _, watch = adversary(tmp_path, steps=12_800, learning_rate=3e-3)
    assert watch.wins[-1] > 0.9
    won = curve(tmp_path, "adversary/win_rate")
    assert won[min(won)] < 0.4


def test_it_tells_between_updates_how_far_it_is_and_what_it_won(tmp_path):
    trained, watch = adversary(tmp_path, seed=3)
    assert [steps for _, steps in watch.told] == [0, 128, 256, 384, 512]
    assert watch.wins[0] is None
    assert (trained.seed, trained.steps, trained.cut) == (3, 512, False)
    assert trained.win == pytest.approx(watch.wins[-1], abs=0.005)


def test_outcomes_and_lengths_of_games_are_curves(tmp_path):
    adversary(tmp_path, tug(length=3, push=0.0))
    rates = [curve(tmp_path, f"adversary/{name}_rate") for name in ("win", "tie", "loss")]
    assert rates[0].keys() == {128, 256, 384, 512}
    for step in rates[0]:
        assert sum(rate[step] for rate in rates) == pytest.approx(1)
    assert set(curve(tmp_path, "adversary/episode_length").values()) == {3}
    assert curve(tmp_path, "rollout/ep_rew_mean")
    assert curve(tmp_path, "time/fps")
    assert curve(tmp_path, "train/value_loss")


def test_a_killed_learner_goes_on_with_the_statistics_that_it_normalises_by(tmp_path):
    with pytest.raises(Crash):
        adversary(tmp_path, crash_at=384, checkpoint_every=256)
    kept = load_checkpoint(tmp_path)
    assert kept.steps == 256
    assert float(kept.statistics["obs_count"]) == pytest.approx(256 + 16, abs=0.01)  # and the first ones
    before = {name: value.clone() for name, value in kept.statistics.items()}
    trained, watch = adversary(tmp_path, checkpoint_every=256)
    assert [steps for _, steps in watch.told] == [256, 384, 512]
    after = load_checkpoint(tmp_path)
    assert (after.steps, trained.steps) == (512, 512)
    assert float(after.statistics["obs_count"]) == pytest.approx(float(before["obs_count"]) + 256 + 16)


def test_a_killed_learner_of_discrete_actions_goes_on(tmp_path):
    with pytest.raises(Crash):
        adversary(tmp_path, (Count(16), 0, Remembering()), crash_at=384, checkpoint_every=256)
    assert load_checkpoint(tmp_path).statistics.keys() == {"return_mean", "return_variance", "return_count"}
    _, watch = adversary(tmp_path, (Count(16), 0, Remembering()))
    assert watch.told[0] == ("", 256)


def test_a_checkpoint_without_statistics_is_refused_where_there_are_some(tmp_path):
    made = seated(tmp_path, tug())
    save_checkpoint(tmp_path, dataclasses.replace(Checkpoint.of(made.make(0)), statistics={}))
    with pytest.raises(RefusedFile, match=r"checkpoint.pt: statistics obs_count: expected shape \(\), got NoneType"):
        learned(made)


def test_an_interrupt_waits_for_the_update_and_leaves_a_checkpoint(tmp_path):
    class Interrupting(Diary):
        def steps(self, done, total, note=""):
            if done == 128:
                os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        learn(seated(tmp_path, tug()), Interrupting())
    assert load_checkpoint(tmp_path).steps in (128, 256)


def test_a_seed_that_wins_too_little_is_given_up_and_stays_so(tmp_path):
    trained, watch = adversary(tmp_path, tug(**HOPELESS), steps=5120, cut=(256, 0.5))
    assert trained.cut
    assert trained.steps == watch.told[-1][1] == 512  # where 500 games were over
    assert load_checkpoint(tmp_path).steps == 512
    again, watch = adversary(tmp_path, tug(**HOPELESS), steps=5120, cut=(256, 0.5))
    assert (again.cut, again.steps, again.win, watch.told) == (True, 512, 0.0, [])
    longer, _ = adversary(tmp_path, tug(**HOPELESS), steps=640)
    assert (longer.cut, longer.steps) == (False, 640)  # without the rule it goes on


def test_a_seed_that_wins_enough_is_not_given_up(tmp_path):
    trained, _ = adversary(tmp_path, tug(push=-2.0, length=1), steps=1024, cut=(256, 0.5))
    assert (trained.cut, trained.steps, trained.win) == (False, 1024, 1.0)


def test_a_seed_is_judged_once(tmp_path):
    adversary(tmp_path, tug(push=-2.0, length=1), steps=640, cut=(256, 0.5))
    trained, _ = adversary(tmp_path, tug(push=2.0, length=1), steps=1920, cut=(256, 0.5))
    assert (trained.cut, trained.win) == (False, 0.0)


@pytest.mark.parametrize("content", ["no json", "[]", '{"win": "all", "cut": true}'])
def test_nonsense_beside_the_checkpoint_is_no_matter(tmp_path, content):
    adversary(tmp_path)
    (tmp_path / "progress.json").write_text(content)
    trained, _ = adversary(tmp_path, cut=(128, 0.5))
    assert (trained.steps, trained.win, trained.cut) == (512, None, False)


def test_it_can_stop_before_the_end_and_go_on(tmp_path):
    first, _ = learned(seated(tmp_path, tug()), until=256)
    rest, watch = learned(seated(tmp_path, tug()))
    assert (first.steps, watch.told[0][1], rest.steps) == (256, 256, 512)


def test_the_same_seed_gives_the_same_agent(tmp_path):
    def digest(name, seed):
        trained, _ = adversary(tmp_path / name, tug(push=None), seed=seed, steps=256)
        return read_agent_card(trained.folder).sha256

    assert digest("one", 0) == digest("two", 0)
    assert digest("one", 0) != digest("three", 1)


def test_fewer_steps_than_were_learned_from_are_refused(tmp_path):
    adversary(tmp_path)
    begin([seated(tmp_path, tug(), steps=385)])  # a batch may end above
    begin([seated(tmp_path / "nobody", tug(), steps=128)])
    with pytest.raises(InvalidInput, match=r"--steps 384: .* has learned from 512 already; ask for at least that many"):
        begin([seated(tmp_path, tug(), steps=384)])


def test_in_a_game_of_turns_it_learns_by_legal_actions_to_win(tmp_path):
    """Against an opponent that always takes one it can always win, but on a heap of one that it has left itself."""
    env = (Count(16), 0, Remembering())  # which refuses what is illegal
    trained, watch = adversary(tmp_path, env, steps=12_800, learning_rate=3e-3)
    assert watch.wins[-1] > 0.95
    card, network = read_agent(trained.folder)
    assert (card.network.actions, card.network.observation) == (3, (1,))
    with torch.no_grad():
        scores = network(torch.tensor([[1.0], [2.0]]))[0]
    best = [int(row[: heap + 1].argmax()) for heap, row in enumerate(scores)]
    assert best == [0, 1]  # takes all that is left
