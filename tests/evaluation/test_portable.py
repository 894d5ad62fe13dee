"""Without what only Linux has: no affinity, no signal masks, no locks of files, no `/proc`, no glibc."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
POORER = """
import builtins, ctypes, io, os, pathlib, signal, sys

for module, names in (
    (os, "sched_getaffinity sched_setaffinity getloadavg fork forkpty getuid geteuid"),
    (signal, "pthread_sigmask SIG_BLOCK SIG_SETMASK SIG_UNBLOCK SIGKILL SIGALRM setitimer"),
):
    for name in names.split():
        if hasattr(module, name):
            delattr(module, name)
for name in ("fcntl", "resource"):
    sys.modules[name] = None
_read = pathlib.Path.read_text

def read_text(self, *more, **settings):
    if str(self).startswith("/proc"):
        raise FileNotFoundError(str(self))
    return _read(self, *more, **settings)

pathlib.Path.read_text = read_text
_load = ctypes.CDLL.__init__

def load(self, name, *more, **settings):
    if name is None:
        raise TypeError("bad argument type for built-in operation")  # as on Windows
    if "EGL" in str(name) or "OSMesa" in str(name):
        raise OSError(f"{name}: not there")
    _load(self, name, *more, **settings)

ctypes.CDLL.__init__ = load
"""
"""What every process of the command runs before all else, workers too."""
COMMAND = (
    "gymnasium/CartPole-v1", "--victim", "gymnasium/CartPole-v1/dqn", "--attack", "fgsm", "--eps", "0.2", "--space",
    "raw", "--episodes", "4", "--json",
)  # fmt: skip


def attacked(folder, *more, poorer):
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(POORER if poorer else "")
    done = subprocess.run(
        [sys.executable, "-m", "rlattack.cli.main", "attack", *COMMAND, *more], cwd=folder, capture_output=True,
        text=True, check=False, timeout=300,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)]), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert len(re.findall(r"^\S+.* done, 4 episodes", done.stderr, re.MULTILINE)) == 3
    assert "Traceback" not in done.stderr
    assert "rlattack: " not in done.stderr
    return [line for line in done.stdout.splitlines() if "steps_per_second" not in line]


@pytest.mark.parametrize("workers", ["1", "2"])
def test_an_attack_is_played_without_what_only_linux_has(tmp_path, workers):
    poor = attacked(tmp_path / "poor", "--workers", workers, poorer=True)
    assert poor == attacked(tmp_path / "rich", "--workers", "1", poorer=False)


def test_the_poorer_python_is_poorer(tmp_path):
    (tmp_path / "sitecustomize.py").write_text(POORER)
    code = "import os, signal; print(hasattr(os, 'sched_getaffinity'), hasattr(signal, 'pthread_sigmask'))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
    )  # fmt: skip
    assert done.stdout == "False False\n"
