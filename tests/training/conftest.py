"""A working folder of its own, and one core, for every test of this folder."""

import os

import pytest

import tests.kit.games  # registers them

assert tests.kit.games


@pytest.fixture(autouse=True)
def working_folder(tmp_path, monkeypatch):
    """Where agents are written."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})  # plays in this process
    return tmp_path
