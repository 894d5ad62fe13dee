"""Code of the user's, in a package that is edited where it lies: what it gave before is not shown as of now."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rlattack.evaluation.results import from_json

FILES = {
    "mine/__init__.py": """
import gymnasium

gymnasium.register("Mine-v0", "mine.world:World")
""",
    "mine/world.py": """
import gymnasium
import numpy as np
from mine.rules import PAID

class World(gymnasium.Env):
    observation_space = gymnasium.spaces.Box(-1.0, 1.0, (2,), np.float32)
    action_space = gymnasium.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.time = 0
        return np.zeros(2, np.float32), {}

    def step(self, action):
        self.time += 1
        return np.zeros(2, np.float32), PAID * float(action), self.time == 4, False, {}
""",
    "mine/rules.py": "PAID = 1.0\n",
    "mine/attack.py": """
from mine.aim import TOWARDS
from rlattack.attacks import AttackSpec, ObservationAttack

class Shift(ObservationAttack):
    name = "shift"
    knowledge = "none"

    def perturb(self, victim, obs, reach, draws):
        return obs + TOWARDS * reach.radius
""",
    "mine/aim.py": "TOWARDS = 1.0\n",
    "mine/player.py": """
import torch

def walk():
    layer = torch.nn.Linear(2, 2, bias=False)
    layer.weight.data = torch.tensor([[0.0, 0.0], [1.0, 1.0]])
    return layer
""",
    "mine-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: mine\nVersion: 1.0\n",
    "mine-1.0.dist-info/entry_points.txt": """
[rlattack.attacks]
shift = mine.attack:Shift
""",
}
ROOT = str(Path(__file__).parents[2])
COMMAND = (
    "attack", "gymnasium/mine:Mine-v0", "--victim", "mine.player:walk", "--attack", "shift", "--eps", "0.5",
    "--space", "raw", "--actions", "greedy", "--episodes", "2", "--workers", "1", "--json",
)  # fmt: skip


@pytest.fixture
def package(working_folder):
    """A package with an environment, an attack and a player, which is found as an editable installation is."""
    for name, text in FILES.items():
        path = working_folder / "site" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return working_folder / "site"


def played(package):
    """Runs the command in a process of its own, since this one keeps the modules that it has read; its results."""
    path = f"{package}{os.pathsep}{ROOT}"
    done = subprocess.run(
        [sys.executable, "-m", "rlattack", *COMMAND], capture_output=True, text=True, check=False,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": path},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return from_json(json.loads(done.stdout)["cells"])


def test_what_an_edited_environment_or_attack_gave_before_is_not_shown_as_what_it_gives_now(package):
    clean, _, shift = played(package)
    assert (clean.attacked.returns.mean, shift.attacked.returns.mean) == (0.0, 4.0)

    (package / "mine" / "rules.py").write_text("PAID = -2000.0\n")  # which the environment imports
    clean_after, _, shift_after = played(package)
    assert (clean_after.attacked.returns.mean, shift_after.attacked.returns.mean) == (0.0, -8000.0)
    assert {clean.cell, shift.cell}.isdisjoint({clean_after.cell, shift_after.cell})

    (package / "mine" / "aim.py").write_text("TOWARDS = -1.0\n")  # which the attack imports
    clean_again, noise_again, shift_again = played(package)
    assert (clean_again.cell, clean_again.attacked) == (clean_after.cell, clean_after.attacked)
    assert shift_again.attacked.returns.mean == 0.0
    assert shift_again.cell != shift_after.cell
    assert noise_again.ok

    (package / "mine" / "aim.py").write_text("TOWARDS = 1.0\n")
    assert [cell.cell for cell in played(package)] == [clean_after.cell, noise_again.cell, shift_after.cell]
