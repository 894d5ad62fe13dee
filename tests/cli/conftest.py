"""A working folder and one core for every test of this folder, which may import `command_line`."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(autouse=True)
def working_folder(tmp_path, monkeypatch):
    """Where the command works."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})  # evaluates in this process
    return tmp_path


@pytest.fixture
def begin():
    """Begins a command in a process of its own, and returns that as soon as `until` holds."""
    begun = []

    def begin(*arguments, until=lambda: True):
        process = subprocess.Popen(
            [sys.executable, "-m", "rlattack.cli.main", *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip
        begun.append(process)
        deadline = time.monotonic() + 120
        while not until():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        return process

    yield begin
    for process in begun:
        process.kill()  # does nothing to those that ended
        process.communicate()
