"""Scripts and notebooks that evaluate: what their own code defines is played, in other processes where it can be."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

pytestmark = pytest.mark.library


def run_python(folder, code, *arguments):
    """Runs a script in a process of its own, where only this checkout can be imported; what it said."""
    done = subprocess.run(
        [sys.executable, *arguments, *([] if code is None else ["-c", textwrap.dedent(code)])], cwd=folder,
        capture_output=True, text=True, check=False, timeout=300,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1]), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done


SETUP = """
import torch
from rlattack import Study, evaluate
from rlattack.attacks import ObservationAttack

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(4, 2)
        self.layer.weight.data = torch.tensor([[0.0, 0, -4, -2], [0.0, 0, 4, 2]])

    def forward(self, obs):
        return self.layer(obs)

class Mine(ObservationAttack):
    name = "mine"
    knowledge = "none"

    def perturb(self, victim, obs, reach, draws):
        return obs + SIGN * reach.radius

SIGN = 1
torch.manual_seed(0)
net = Net()
"""


PLAY = """
results = evaluate(Study(game="gymnasium/CartPole-v1", players=net, attack=(Mine,), eps=0.2, space="raw", episodes=3),
                   workers=2)
print([row["return"] for row in results.to_dicts()])
"""


def test_a_notebook_evaluates_what_its_cells_define_and_says_why_in_one_process(tmp_path):
    cells = [SETUP, PLAY, "results.to_dicts()[0]['attack']\nprint(results.report().name)"]
    code = "import sys, types\nmain = sys.modules['__main__']\n" + "".join(
        f"exec(compile({cell!r}, '<cell {number}>', 'exec'), main.__dict__)\n" for number, cell in enumerate(cells)
    )
    done = run_python(tmp_path, code)
    assert "plays in one process: Net@" in done.stderr
    assert " and mine are code that no other process can import" in done.stderr
    assert done.stdout.splitlines()[-1] == "report.html"
    (tmp_path / "script").mkdir()
    script = tmp_path / "script" / "mine.py"
    script.write_text(SETUP + "if __name__ == '__main__':\n" + textwrap.indent(PLAY, "    "))
    guarded = run_python(tmp_path / "script", None, "mine.py")
    assert "one process" not in guarded.stderr  # two workers have imported it
    assert guarded.stdout == done.stdout.replace("report.html\n", "")


def test_a_script_that_plays_while_it_is_imported_plays_in_one_process(tmp_path):
    script = tmp_path / "bare.py"
    script.write_text(SETUP + PLAY)
    done = run_python(tmp_path, None, "bare.py")
    assert "plays in one process: this script plays while it is imported" in done.stderr
    assert len(done.stdout.splitlines()) == 1  # it ran once


def test_an_environment_that_was_registered_here_is_played_by_workers_too(tmp_path):
    (tmp_path / "own.py").write_text(
        "import gymnasium\n"
        "from gymnasium.envs.classic_control.cartpole import CartPoleEnv\n"
        "class Own(CartPoleEnv):\n    pass\n"
        "gymnasium.register('Own-v0', Own, max_episode_steps=30)\n"
        "def player():\n    import torch\n    torch.manual_seed(0)\n    return torch.nn.Linear(4, 2)\n"
    )
    code = """
        import own
        from rlattack import Study, evaluate
        study = Study(game="gymnasium/Own-v0", players="own:player", attack="fgsm", eps=0.2, space="raw", episodes=3)
        print(len(evaluate(study, workers=2).cells))
    """
    done = run_python(tmp_path, code)
    assert (done.stdout, "one process" in done.stderr) == ("3\n", False)
    lost = code.replace("import own", "import own, gymnasium\n        gymnasium.register('Lost-v0', lambda: own.Own())")
    told_why = run_python(tmp_path, lost.replace("gymnasium/Own-v0", "gymnasium/Lost-v0")).stderr
    assert "plays in one process: Lost-v0 is code that no other process can import" in told_why
