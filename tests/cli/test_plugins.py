"""What packages and modules of others add: by entry points, by `--plugin`, by the place of a class."""

import os
import subprocess
import sys
from pathlib import Path

import gymnasium
import pytest
from command_line import call, refused

from rlattack.attacks import ATTACKS
from rlattack.registry import Registry

ROOT = Path(__file__).parents[2]
FILES = {
    "plug.py": """
import gymnasium
from dataclasses import dataclass
from rlattack.attacks import ATTACKS, ObservationAttack

gymnasium.register("Plugged-v0", "gymnasium.envs.classic_control.cartpole:CartPoleEnv", max_episode_steps=60)

@dataclass(frozen=True, kw_only=True)
class Way:
    sign: int = 1

class Push(ObservationAttack):
    \"\"\"Pushes everything one way.\"\"\"

    name = "push"
    knowledge = "none"
    config_type = Way

    def perturb(self, victim, obs, reach, draws):
        return obs + self.config.sign * reach.radius

ATTACKS.add("plugged", "plug:Push")
""",
    "player.py": """
import torch

def balance():
    layer = torch.nn.Linear(4, 2)
    layer.weight.data = torch.tensor([[0.0, 0.0, 0.0, 0.0], [1.5, 3.5, 15.0, 10.0]])
    layer.bias.data.zero_()
    return layer
""",
    "front.py": """
from rlattack.defences import Front

class Glass(Front):
    \"\"\"Lets all through.\"\"\"

    name = "glass"

    def seen(self, obs, draws):
        return obs.clone()
""",
    "coins.py": """
from rlattack.games.gymnasium_games import GymnasiumGame
from rlattack.games.card import GameCard, Variant

def make(variant, slots, threads):
    return GymnasiumGame(Variant(GameCard(id="gymnasium/CartPole-v1", title="")), slots, threads)
""",
    "imports.py": """
from rlattack.errors import InvalidInput

def read(source, trust):
    raise InvalidInput(f"{source}: read by an importer of others")
""",
    "site/theirs-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: theirs\nVersion: 1.0\n",
    "site/theirs-1.0.dist-info/entry_points.txt": """
[rlattack.attacks]
theirs = plug:Push
gone = a_package_that_is_gone:Attack
[rlattack.defences]
glass = front:Glass
hole = front:Hole
[rlattack.games]
theirs = coins:make
[rlattack.importers]
theirs = imports:read
""",
}


@pytest.fixture
def package(working_folder):
    for name, text in FILES.items():
        path = working_folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return working_folder


def run(package, *arguments, code=""):
    """Runs a command, or code, in a process of its own, where the package is installed."""
    paths = os.pathsep.join([str(package), str(package / "site"), str(ROOT)])
    words = ["-c", code] if code else ["-m", "rlattack.cli.main", *arguments]
    return subprocess.run(
        [sys.executable, *words], cwd=package, capture_output=True, text=True,
        check=False, timeout=300, env=os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip


def attacked(package, game, *more):
    done = run(
        package, "attack", game, "--victim", "player:balance", "--eps", "0.5", "--space", "raw", "--episodes", "3",
        *more,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_a_plugin_is_imported_by_workers_too_and_its_source_is_in_the_keys(package):
    asked = ("gymnasium/Plugged-v0", "--plugin", "plug", "--attack", "plugged", "plug:Push:sign=-1", "--workers", "2")
    said = attacked(package, *asked)
    assert "Plugged at eps 0.5" in said or "Push" in said
    assert "plug:Push sign=-1" in said
    cells = set((package / "runs" / "store" / "cells").iterdir())
    attacked(package, *asked)
    assert set((package / "runs" / "store" / "cells").iterdir()) == cells  # all was there
    (package / "plug.py").write_text(FILES["plug.py"] + "# edited\n")
    attacked(package, *asked[:-1], "1", "--run", "runs/edited")
    assert len(set((package / "runs" / "store" / "cells").iterdir())) == 2 * len(cells)


def test_every_command_that_names_something_imports_plugins_first(capsys, working_folder):
    (working_folder / "known_by_plugin.py").write_text(
        'import gymnasium\ngymnasium.register("ByPlugin-v0", "gymnasium.envs.classic_control.cartpole:CartPoleEnv")\n'
    )
    (working_folder / "importing_plugin.py").write_text("")
    game, plugin = "gymnasium/ByPlugin-v0", ("--plugin", "known_by_plugin")
    assert "no Gymnasium environment 'ByPlugin-v0'" in refused(capsys, "perf", game)
    assert "no agent for gymnasium/ByPlugin-v0 ships" in refused(capsys, "perf", game, *plugin)
    asked = ("train", "victim", game, "--algo", "sac", "--agent", "a/b")
    assert "--algo sac: gymnasium/ByPlugin-v0 has discrete actions" in refused(capsys, *asked, *plugin)
    refused(capsys, "import", "auto", "nowhere.zip", "--agent", "a", "--plugin", "importing_plugin")
    assert "importing_plugin" in sys.modules
    gymnasium.registry.pop("ByPlugin-v0")


def test_what_installed_packages_add_is_played(package):
    said = attacked(package, "theirs/any", "--attack", "theirs", "--defence", "glass", "--workers", "1")
    assert "Theirs at eps 0.5" in said
    assert run(package, "import", "theirs", "file", "--agent", "a").stderr.strip() == (
        "rlattack: file: read by an importer of others"
    )


def test_what_cannot_be_imported_is_named_in_a_line_and_the_rest_works(package):
    code = "from rlattack.cli.main import main; print([main(['list', kind]) for kind in ('attacks', 'defences')])"
    done = run(package, code=code)
    assert "[0, 0]" in done.stdout, done.stderr
    of_attacks, of_defences = done.stderr.splitlines()
    assert of_attacks == (
        "rlattack: left out: attack 'gone' of the package theirs cannot be imported: ModuleNotFoundError: No module "
        "named 'a_package_that_is_gone'"
    )
    assert "theirs: Pushes everything one way." in done.stdout
    assert "'Hole'" in of_defences


REFUSED = {
    "no_module:Push": "no attack 'no_module:Push'",
    "plug:Puhs": "attack 'plug:Puhs' cannot be imported: AttributeError: module 'plug' has no attribute 'Puhs'",
    "plug:Way": "attack plug:Way: expected a class of attacks, got <class 'plug.Way'>",
    "front:Glass": "attack front:Glass: expected a subclass of ObservationAttack, ActionAttack or DynamicsAttack",
    "plug:Push:sing=1": "attack plug:Push has no parameter 'sing'; did you mean 'sign'?",
    "plug:Push:sign": "attack plug:Push: expected sign=value once, got 'plug:Push:sign'",
    "fgms:loss=kl": "no attack 'fgms'; did you mean 'fgsm'?",
    "gone": "attack 'gone' of the package theirs cannot be imported: ModuleNotFoundError",
}


def test_a_place_that_holds_no_attack_is_refused(package):
    asked = [
        "attack",
        "gymnasium/CartPole-v1",
        "--victim",
        "player:balance",
        "--eps",
        "1",
        "--space",
        "raw",
        "--attack",
    ]
    code = f"from rlattack.cli.main import main; print([main([*{asked}, attack]) for attack in {list(REFUSED)}])"
    done = run(package, code=code)
    assert done.stdout.strip() == str([2] * len(REFUSED)), done.stderr
    for line, message in zip(done.stderr.splitlines(), REFUSED.values(), strict=True):
        assert line.startswith(f"rlattack: {message}")


def test_a_plugin_that_fails_or_is_nowhere_is_a_line(capsys, working_folder):
    asked = ("attack", "gymnasium/CartPole-v1", "--victim", "zero", "--plugin")
    assert "--plugin nowhere_at_all: ModuleNotFoundError" in refused(capsys, *asked, "nowhere_at_all")
    (working_folder / "broken_plugin.py").write_text("1 / 0\n")
    assert "--plugin broken_plugin: ZeroDivisionError: division by zero" in refused(capsys, *asked, "broken_plugin")
    (working_folder / "leaving_plugin.py").write_text("import sys\nsys.exit(3)\n")
    assert "--plugin leaving_plugin: SystemExit: 3" in refused(capsys, "list", "--plugin", "leaving_plugin")
    for command in (("perf",), ("train", "victim", "atari/pong"), ("import", "auto", "a", "--agent", "b")):
        assert "--plugin nowhere_at_all: ModuleNotFoundError" in refused(capsys, *command, "--plugin", "nowhere_at_all")


def test_a_broken_name_is_told_and_the_working_ones_are_given():
    shapes = Registry("shape", {"box": "decimal:Decimal", "lost": "a_package_that_is_gone:x", "hole": "decimal:Hole"})
    assert [name for name, _ in shapes.working()] == ["box"]
    assert list(shapes.broken()) == ["lost", "hole"]
    assert "shape 'hole' cannot be imported: AttributeError" in shapes.broken()["hole"]
    assert ATTACKS.broken() == {}
    assert call("list", "schedules") == 0
