"""Processes beside this one: begun, ended with whoever let them run, and heard until each has said its last word."""

import contextlib
import queue
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from rlattack.errors import WorkerDied

_LEAVING = 30.0
"""Seconds that processes have to leave in by themselves."""


@contextlib.contextmanager
def running(processes: list[Any]) -> Iterator[None]:
    """Starts processes, and ends them with whoever let them run.

    After a good end they leave by themselves: one that is ended while it leaves may have files half written.
    """
    try:
        _start(processes)
        yield
        until = time.monotonic() + _LEAVING
        for process in processes:
            process.join(max(0.0, until - time.monotonic()))
    finally:
        begun = [process for process in processes if process.pid is not None]
        for process in begun:
            process.terminate()
        for process in begun:
            process.join()


def _start(processes: list[Any]) -> None:
    """Starts them deaf to Ctrl-C, which reaches all processes of a terminal; this one hears it when all have begun.

    Children inherit the signal mask of this thread. It does not keep the signal from other threads of this process,
    such as those of BLAS, so the handler waits as well.
    """
    heard: list[int] = []
    before = signal.getsignal(signal.SIGINT)
    waits = threading.current_thread() is threading.main_thread() and callable(before)
    if waits:
        signal.signal(signal.SIGINT, lambda number, frame: heard.append(number))
    can_block = hasattr(signal, "pthread_sigmask")  # not on Windows
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT}) if can_block else None
    try:
        for process in processes:
            process.start()
    finally:
        if mask is not None:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        if waits:
            signal.signal(signal.SIGINT, before)
    if heard:
        signal.raise_signal(signal.SIGINT)


def collect(results: Any, processes: list[Any], died: Callable[[], str]) -> Iterator[Any]:
    """What processes say, until each has said that it has nothing left to do, by None.

    Args:
        results: A queue, in which an error is one to raise.
        processes: All that put something there.
        died: Says what is to be said of one that ended without a word.

    Raises:
        WorkerDied: One was ended from outside.
    """
    left = len(processes)
    while left:
        dead = sum(process.exitcode is not None for process in processes)
        try:
            item = results.get(timeout=1.0)
        except queue.Empty:
            if dead > len(processes) - left:  # all that they said before was heard
                raise WorkerDied(died()) from None
            continue
        if item is None:
            left -= 1
        elif isinstance(item, BaseException):
            raise item
        else:
            yield item
