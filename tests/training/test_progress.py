import os
import signal
import threading

import pytest

from rlattack.training import Watch
from rlattack.training.checkpoint import load_checkpoint
from rlattack.training.learner import learn
from rlattack.training.recipes import TrainSingle
from tests.kit.learning import CARD, SPACES, Noise, alone, curve, noise, same_step


def train(run, tell, env=None, **values):
    recipe = TrainSingle(**{"game": CARD.id, "algo": "a2c", "steps": 500, "envs": 2, **values})
    watch = Watch()
    watch.steps = lambda done, total, note: tell(done)
    return learn(alone(recipe, run, env or noise("vectors")), watch)


def test_it_tells_between_updates_how_far_the_run_is(tmp_path):
    told = []
    train(tmp_path, told.append)
    assert told == list(range(0, 501, 10))  # five steps of two copies make an update


def test_checkpoints_come_as_often_as_asked(tmp_path):
    found = []

    def tell(_):
        kept = load_checkpoint(tmp_path)
        found.append(kept.steps if kept else 0)

    train(tmp_path, tell, checkpoint_every=120)
    assert sorted(set(found)) == [0, 120, 240, 360, 480, 500]


def test_an_interrupt_waits_for_the_update_and_leaves_a_checkpoint(tmp_path):
    before = signal.getsignal(signal.SIGINT)
    told = []

    def tell(steps):
        told.append(steps)
        if steps == 200:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, tell)
    assert load_checkpoint(tmp_path).steps == told[-1] in (200, 210)
    assert signal.getsignal(signal.SIGINT) is before


def test_an_interrupt_in_the_last_update_is_not_forgotten(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, lambda steps: os.kill(os.getpid(), signal.SIGINT) if steps == 500 else None)
    assert load_checkpoint(tmp_path).steps == 500
    train(tmp_path, lambda _: None)  # finished: nothing to do


def test_a_second_interrupt_does_not_wait(tmp_path):
    def tell(steps):
        if steps == 200:
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, tell)
    assert load_checkpoint(tmp_path) is None


def test_an_ignored_interrupt_stays_ignored(tmp_path):
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as nohup leaves it
    try:
        train(tmp_path, lambda _: os.kill(os.getpid(), signal.SIGINT))
    finally:
        signal.signal(signal.SIGINT, before)
    assert load_checkpoint(tmp_path).steps == 500


def test_it_trains_in_a_thread_too(tmp_path):
    thread = threading.Thread(target=train, args=(tmp_path, lambda _: None))
    thread.start()
    thread.join()
    assert load_checkpoint(tmp_path).steps == 500


class Scored(Noise):
    """Tells the score of the whole game, which is not the sum of the rewards that are learned from."""

    def step(self, action):
        obs, reward, terminated, truncated, info = super().step(action)
        return obs, reward, terminated, truncated, info | ({"game_score": 1234.5} if terminated else {})


def test_the_score_of_whole_games_has_its_own_curve(tmp_path):
    train(tmp_path, lambda _: None, same_step([lambda: Scored(SPACES["vectors"])] * 2))
    assert set(curve(tmp_path, "rollout/game_score_mean").values()) == {1234.5}
    assert max(curve(tmp_path, "rollout/ep_rew_mean").values()) <= 7


def test_a_game_without_such_a_score_has_no_such_curve(tmp_path):
    train(tmp_path, lambda _: None)
    assert curve(tmp_path, "rollout/game_score_mean") == {}
