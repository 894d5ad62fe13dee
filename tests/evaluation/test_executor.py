"""Episodes of tasks are handed out one by one, whatever the number of workers."""

import multiprocessing
import os
import signal
import threading
import time
from dataclasses import dataclass

import pytest

from rlattack.errors import InvalidInput, WorkerDied
from rlattack.evaluation.executor import Beat, Effort, Local, share


@dataclass(frozen=True)
class Numbers:
    """A task whose episodes are their numbers."""

    key: str = "a"
    first: int = 0
    episodes: int = 11
    envs: int = 4


def numbers(task, take):
    """Plays all slots in turns; an episode is (task, slot, number)."""
    running = list(range(task.envs))
    while running:
        for slot in tuple(running):
            episode = take(slot)
            if episode is None:
                running.remove(slot)
            else:
                yield task.key, slot, episode


def slowly(task, take):
    for episode in numbers(task, take):
        time.sleep(0.01)  # so that there is something left for others
        yield episode


def refusing(task, take):
    yield (task.key, 0, take(0))
    raise InvalidInput("it does not fit")


def failing(task, take):
    yield (task.key, 0, take(0))
    raise ZeroDivisionError("ours")


def dying(task, take):
    yield (task.key, 0, take(0))
    time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGKILL)


def episodes(items):
    return sorted(item for item in items if not isinstance(item, Effort))


@pytest.mark.parametrize("first", [0, 3, 4, 10, 11])
def test_every_episode_is_given_once_and_always_to_the_same_slot(first):
    played = episodes(share([Numbers(first=first)], numbers, 1))
    assert sorted(number for _, _, number in played) == list(range(first, 11))
    assert all(slot == number % 4 for _, slot, number in played)


def test_several_workers_play_the_same_episodes_of_all_tasks():
    tasks = [Numbers("a"), Numbers("b", episodes=1, envs=3), Numbers("c", first=2, episodes=30)]
    assert episodes(Local(3).run(tasks, slowly)) == episodes(Local(1).run(tasks, numbers))


def test_a_worker_tells_what_it_spent_on_a_task():
    items = list(share([Numbers("a"), Numbers("b", episodes=3)], numbers, 1))
    efforts = [item for item in items if isinstance(item, Effort)]
    assert [(effort.task, effort.episodes) for effort in efforts] == [("a", 11), ("b", 3)]


def test_a_beat_is_no_episode_of_a_worker():
    def beating(task, take):
        yield Beat(task.key, 5)
        yield from numbers(task, take)

    *_, effort = share([Numbers(episodes=2)], beating, 1)
    assert effort.episodes == 2


def test_nothing_is_begun_for_no_tasks():
    assert list(share([], numbers, 3)) == []


@pytest.mark.parametrize("workers", [1, 2])
def test_what_is_the_input_s_fault_is_raised_as_it_is(workers):
    with pytest.raises(InvalidInput, match="it does not fit"):
        list(share([Numbers()], refusing, workers))


def test_what_is_ours_in_another_process_comes_with_its_traceback():
    with pytest.raises(RuntimeError, match="ZeroDivisionError: ours"):
        list(share([Numbers()], failing, 2))


def test_a_worker_that_was_ended_from_outside_is_told():
    with pytest.raises(WorkerDied, match=r"a worker process was ended from outside.*finished cells are kept"):
        list(share([Numbers()], dying, 2))


def test_workers_that_began_end_where_the_next_cannot_begin(monkeypatch):
    ended = []

    class Process:
        def __init__(self, **_):
            self.pid = None

        def start(self):
            if made[0] is not self:
                raise OSError("no more processes")
            self.pid = 1

        def terminate(self):
            ended.append(self.pid)

        def join(self):
            ended.append(self.pid)

    made = []
    context = multiprocessing.get_context("spawn")
    monkeypatch.setattr(context, "Process", lambda **settings: made.append(Process(**settings)) or made[-1])
    with pytest.raises(OSError, match="no more processes"):
        list(share([Numbers()], numbers, 3))
    assert ended == [1, 1]


@pytest.mark.parametrize("others", [0, 1])
def test_workers_begin_deaf_to_ctrl_c_and_the_parent_hears_it_when_all_have_begun(monkeypatch, others):
    masks, done = [], threading.Event()

    class Process:
        pid = None

        def __init__(self, **_):
            pass

        def start(self):
            masks.append(signal.pthread_sigmask(signal.SIG_BLOCK, ()))
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.1)  # for the other thread, which is the one to take it

    monkeypatch.setattr(multiprocessing.get_context("spawn"), "Process", Process)
    handler, before = signal.getsignal(signal.SIGINT), signal.pthread_sigmask(signal.SIG_BLOCK, ())
    threads = [threading.Thread(target=done.wait) for _ in range(others)]
    for thread in threads:
        thread.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            list(share([Numbers()], numbers, 2))
    finally:
        done.set()
    assert [signal.SIGINT in mask for mask in masks] == [True, True]
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before
    assert signal.getsignal(signal.SIGINT) is handler
