"""Processes beside this one leave by themselves after a good end, and are ended at once after a bad one."""

import atexit
import itertools
import multiprocessing
import time
from pathlib import Path
from typing import Any

import pytest

from rlattack.evaluation.processes import collect, running


def leave(said: Any, folder: Path, seconds: float) -> None:
    """Has something to write when it leaves, as whatever a game or a tool registered may have."""

    def write() -> None:
        time.sleep(seconds)
        (folder / "left").touch()

    atexit.register(write)
    said.put("played")
    said.put(None)


def begin(folder: Path, seconds: float) -> tuple[Any, list[Any]]:
    context = multiprocessing.get_context("spawn")
    said = context.Queue()
    return said, [context.Process(target=leave, args=(said, folder, seconds), daemon=True)]


def test_one_that_said_its_last_word_is_left_to_leave(tmp_path: Path) -> None:
    said, processes = begin(tmp_path, 0.5)
    with running(processes):
        assert list(collect(said, processes, lambda: "died")) == ["played"]
    assert (tmp_path / "left").exists()
    assert processes[0].exitcode == 0


def test_after_an_error_nobody_waits_for_it(tmp_path: Path) -> None:
    said, processes = begin(tmp_path, 600.0)
    heard = collect(said, processes, lambda: "died")
    with pytest.raises(StopIteration), running(processes):
        next(itertools.islice(heard, 1, None))
    assert not (tmp_path / "left").exists()
