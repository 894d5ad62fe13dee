"""Episodes of tasks are handed out one by one, whatever the number of workers."""

import contextlib
import dataclasses
import functools
import multiprocessing
import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from rlattack.errors import InvalidInput, WorkerDied
from rlattack.evaluation.executor import Beat, Effort, Local, Task
from tests.kit.cells import make_cell


def to_play(name="a", first=0, episodes=11, envs=4):
    """A task whose episodes are their numbers."""
    return Task(dataclasses.replace(NAMED[name], episodes=episodes, envs=envs), first)


NAMED = {name: make_cell("coins/any", seed=seed) for seed, name in enumerate("abc")}


def numbers(task, take):
    """Plays all slots in turns; an episode is (task, slot, number)."""
    running = list(range(task.cell.envs))
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


def leaving(task, take):
    yield (task.key, 0, take(0))
    sys.exit(0)


def vanishing(task, take):
    yield (task.key, 0, take(0))
    time.sleep(0.5)
    os._exit(0)


def where(task, take):
    for _ in numbers(task, take):
        yield os.getpid()


def dying(task, take):
    yield (task.key, 0, take(0))
    time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGKILL)


def squared(folder, say, number):
    say(f"squaring {number}")
    time.sleep(0.2)  # so that there is something left for others
    return number**2, os.getpid()


def unfit(folder, say):
    raise InvalidInput("it does not fit")


def killed(folder, say):
    os.kill(os.getpid(), signal.SIGKILL)


def episodes(items):
    return sorted(item for item in items if not isinstance(item, Effort))


@pytest.mark.parametrize("first", [0, 3, 4, 10, 11])
def test_every_episode_is_given_once_and_always_to_the_same_slot(first):
    played = episodes(Local(1).run([to_play(first=first)], numbers))
    assert sorted(number for _, _, number in played) == list(range(first, 11))
    assert all(slot == number % 4 for _, slot, number in played)


def test_several_workers_play_the_same_episodes_of_all_tasks():
    tasks = [to_play("a"), to_play("b", episodes=1, envs=3), to_play("c", first=2, episodes=30)]
    assert episodes(Local(3).run(tasks, slowly)) == episodes(Local(1).run(tasks, numbers))


def test_a_worker_tells_what_it_spent_on_a_task():
    items = list(Local(1).run([to_play("a"), to_play("b", episodes=3)], numbers))
    efforts = [item for item in items if isinstance(item, Effort)]
    assert [(effort.task, effort.episodes) for effort in efforts] == [(NAMED["a"].key, 11), (NAMED["b"].key, 3)]


def test_a_beat_is_no_episode_of_a_worker():
    def beating(task, take):
        yield Beat(task.key, 5)
        yield from numbers(task, take)

    *_, effort = Local(1).run([to_play(episodes=2)], beating)
    assert effort.episodes == 2


def test_nothing_is_begun_for_no_tasks():
    assert list(Local(3).run([], numbers)) == []


@pytest.mark.parametrize("workers", [1, 2])
def test_what_is_the_input_s_fault_is_raised_as_it_is(workers):
    with pytest.raises(InvalidInput, match="it does not fit"):
        list(Local(workers).run([to_play()], refusing))


def test_what_is_ours_in_another_process_comes_with_its_traceback():
    with pytest.raises(RuntimeError, match="ZeroDivisionError: ours"):
        list(Local(2).run([to_play()], failing))


@pytest.mark.parametrize(
    ("play", "said"),
    [
        (dying, "a worker process was ended from outside, mostly for want of memory; .*with fewer --workers"),
        (vanishing, r"the code that plays ended the worker process \(exit code 0\); finished cells are kept$"),
    ],
)
def test_a_worker_that_was_ended_without_a_word_is_told_with_what_it_played(play, said):
    with pytest.raises(WorkerDied, match=rf"^game coins/any, episode \d+: {said}"):
        list(Local(2).run([to_play()], play))


@pytest.mark.parametrize("workers", [1, 2])
def test_code_that_leaves_by_sys_exit_is_the_input_s_fault(workers):
    with pytest.raises(InvalidInput, match=r"code that played called sys.exit\(0\); finished cells are kept"):
        list(Local(workers).run([to_play()], leaving))


def test_there_are_no_more_workers_than_episodes():
    tasks = [to_play(first=10), to_play("b", first=11)]
    assert [item for item in Local(64).run(tasks, where) if not isinstance(item, Effort)] == [os.getpid()]


def test_who_closes_what_is_played_ends_the_workers():
    with contextlib.closing(Local(2).run([to_play(episodes=400)], slowly)) as items:
        next(items)
        assert len(multiprocessing.active_children()) == 2
    assert multiprocessing.active_children() == []


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
        list(Local(3).run([to_play()], numbers))
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
            list(Local(2).run([to_play()], numbers))
    finally:
        done.set()
    assert [signal.SIGINT in mask for mask in masks] == [True, True]
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before
    assert signal.getsignal(signal.SIGINT) is handler


@pytest.mark.parametrize("workers", [1, 2])
def test_each_job_is_done_once_and_what_it_says_is_heard(workers):
    said = []
    jobs = [functools.partial(squared, number=number) for number in range(5)]
    done = dict(Local(workers).each(jobs, [NAMED["a"]], Path(), said.append))
    assert {number: square for number, (square, _) in done.items()} == {n: n**2 for n in range(5)}
    assert sorted(said) == [f"squaring {number}" for number in range(5)]
    assert len({process for _, process in done.values()}) == workers
    assert multiprocessing.active_children() == []


def test_a_single_job_is_done_in_this_process():
    assert list(Local(2).each([functools.partial(squared, number=3)], [], Path(), print)) == [(0, (9, os.getpid()))]


@pytest.mark.parametrize(
    ("job", "kind", "message"),
    [
        (unfit, InvalidInput, "^it does not fit$"),
        (killed, WorkerDied, "^a worker process was ended from outside, mostly for want of memory; finished cells"),
    ],
)
def test_a_job_that_fails_ends_all(job, kind, message):
    with pytest.raises(kind, match=message):
        list(Local(2).each([job, functools.partial(squared, number=1)], [], Path(), print))
    assert multiprocessing.active_children() == []
