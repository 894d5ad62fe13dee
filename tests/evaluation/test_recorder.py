"""The recorder: the beginning of an attacked episode as a seat sees it, whatever its images are like."""

import numpy as np
import pytest
import torch

from rlattack.evaluation.observer import Moment
from rlattack.evaluation.recorder import LENGTH, Recorder
from rlattack.games.game import NOBODY, Step
from rlattack.policies.distributions import Categorical, Point
from rlattack.policies.policy import Output
from rlattack.report.clip import read_frames, still


def moment(shown, received, out, clean, *, seat=0, acting=(True, True), episode=(0, 1)):
    """What a seat of two slots sees and does."""
    asked = Output(clean)
    return Moment(
        seat=seat, acting=np.asarray(acting), episode=np.where(acting, episode, -1), shown=shown,
        received=torch.from_numpy(received.astype(np.float32)), before=None, out=Output(out), chosen=out.greedy,
        action=out.greedy, legal=None, ask=lambda: asked,
    )  # fmt: skip


def brought(*rewards):
    """A step in which each seat earned so much in slot 0, and 9 in slot 1."""
    earned = np.asarray([[reward, 9.0] for reward in rewards])
    nothing = np.zeros(2, dtype=np.bool_)
    return Step((), earned, nothing, nothing, np.full(2, NOBODY), np.zeros(2, dtype=np.int64))


def scores(*rows):
    return Categorical(torch.log(torch.as_tensor(rows, dtype=torch.float32)))


def images(step, shape=(4, 24, 20)):
    return np.full((2, *shape), step + 1, dtype=np.uint8)


@pytest.fixture
def recorder():
    started = Recorder()
    started.begin(np.asarray([0, 1]), np.asarray([0, 1]))
    return started


def see(recorder, step, shape=(4, 24, 20), **more):
    clean, attacked = scores([0.8, 0.2], [0.5, 0.5]), scores([0.3, 0.7], [0.5, 0.5])
    recorder.see(moment(images(step, shape), images(step, shape) + 0.5, attacked, clean, **more))


def test_frames_distributions_actions_and_rewards_of_episode_0_are_kept(recorder, tmp_path):
    for step in range(3):
        see(recorder, step)
        recorder.after(brought(step))
    recorder.save(tmp_path / "a.npz")
    frames = read_frames(tmp_path / "a.npz")
    assert frames.clean.shape == (3, 24, 20)
    assert frames.clean[:, 0, 0].tolist() == [1, 2, 3]
    assert frames.attacked[:, 0, 0].tolist() == [1.5, 2.5, 3.5]
    assert frames.probabilities_clean[0] == pytest.approx([0.8, 0.2])
    assert frames.probabilities[0] == pytest.approx([0.3, 0.7])
    assert (frames.greedy.tolist(), frames.actions.tolist()) == ([0, 0, 0], [1, 1, 1])
    assert frames.rewards.tolist() == [0, 1, 2]


def test_the_recording_ends_with_its_episode_and_after_so_many_steps(recorder, tmp_path):
    see(recorder, 0)
    recorder.after(brought(1.0))
    assert recorder.collect(1) == recorder.collect(0) == {}
    recorder.begin(np.asarray([0]), np.asarray([2]))
    see(recorder, 1, episode=(2, 1))
    recorder.after(brought(5.0))
    recorder.save(tmp_path / "a.npz")
    assert read_frames(tmp_path / "a.npz").rewards.tolist() == [1.0]
    long = Recorder()
    long.begin(np.asarray([0]), np.asarray([0]))
    for step in range(LENGTH + 5):
        see(long, step % 200)
        long.after(brought(1.0))
    long.save(tmp_path / "b.npz")
    assert read_frames(tmp_path / "b.npz").rewards.sum() == LENGTH


def test_episode_0_is_found_in_whichever_slot_it_is_played(tmp_path):
    recorder = Recorder()
    recorder.begin(np.asarray([0, 1]), np.asarray([1, 0]))
    see(recorder, 0, episode=(1, 0))
    recorder.after(brought(1.0))
    recorder.save(tmp_path / "a.npz")
    assert read_frames(tmp_path / "a.npz").rewards.tolist() == [9.0]


def test_in_a_game_of_turns_what_others_bring_is_added_to_the_last_step(tmp_path):
    recorder = Recorder(1)
    recorder.begin(np.asarray([0]), np.asarray([0]))
    see(recorder, 0, seat=1)
    see(recorder, 7, seat=0)
    recorder.after(brought(100.0, 1.0))
    see(recorder, 8, seat=1, acting=(False, True))
    recorder.after(brought(100.0, 2.0))
    see(recorder, 1, seat=1)
    recorder.after(brought(100.0, 4.0))
    recorder.save(tmp_path / "a.npz")
    frames = read_frames(tmp_path / "a.npz")
    assert frames.rewards.tolist() == [3.0, 4.0]
    assert frames.clean[:, 0, 0].tolist() == [1, 2]


@pytest.mark.parametrize("shape", [(24, 20), (24, 20, 3), (24, 20, 1), (3, 24, 20)])
def test_images_of_any_layout_become_grey_frames(recorder, tmp_path, shape):
    see(recorder, 99, shape)
    recorder.save(tmp_path / "a.npz")
    frames = read_frames(tmp_path / "a.npz")
    assert frames.clean.shape == (1, 24, 20)
    assert abs(int(frames.clean[0, 0, 0]) - 100) <= 1
    assert frames.attacked[0, 0, 0] == pytest.approx(100.5, abs=0.1)


def test_continuous_actions_have_no_probabilities_and_are_kept_as_numbers(recorder, tmp_path):
    low, high = -torch.ones(2), torch.ones(2)
    clean, attacked = (Point(torch.full((2, 2), value), low, high) for value in (0.25, -0.5))
    recorder.see(moment(images(0), images(0), attacked, clean))
    recorder.save(tmp_path / "a.npz")
    frames = read_frames(tmp_path / "a.npz")
    assert frames.probabilities is None
    assert frames.greedy.tolist() == [[0.25, 0.25]]
    assert frames.greedy_attacked.tolist() == frames.actions.tolist() == [[-0.5, -0.5]]
    assert still(frames)[:4] == b"\x89PNG"


@pytest.mark.parametrize(
    "shown", [np.zeros((2, 5), dtype=np.float32), np.zeros((2, 6, 7, 2), dtype=np.uint8), np.zeros((2, 24, 20))]
)
def test_what_is_no_image_is_not_recorded(recorder, tmp_path, shown):
    recorder.see(moment(shown, shown, scores([0.8, 0.2], [0.5, 0.5]), scores([0.8, 0.2], [0.5, 0.5])))
    recorder.after(brought(1.0))
    recorder.save(tmp_path / "a.npz")
    assert not list(tmp_path.iterdir())


def test_what_is_kept_is_a_copy(recorder, tmp_path):
    shown, received = images(0), images(0).astype(np.float32)
    seen = moment(shown, received, scores([0.8, 0.2], [0.5, 0.5]), scores([0.8, 0.2], [0.5, 0.5]))
    recorder.see(seen)
    shown[:], seen.received[:] = 77, 77
    recorder.save(tmp_path / "a.npz")
    frames = read_frames(tmp_path / "a.npz")
    assert (frames.clean[0, 0, 0], frames.attacked[0, 0, 0]) == (1, 1)
