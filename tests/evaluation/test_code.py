"""What of the code that plays is in a cell's key: versions of engines, and the source of what is not the project's."""

import importlib
import importlib.metadata

import gymnasium
import pytest

from rlattack.attacks import ATTACKS, SCHEDULES
from rlattack.defences import FRONTS
from rlattack.evaluation.code import foreign_code, game_code
from rlattack.evaluation.plan import plan
from rlattack.evaluation.study import Study
from rlattack.games import find_game
from rlattack.games.find import FAMILIES
from tests.evaluation import sly  # registers attacks that are not the project's
from tests.kit.agents import gaussian_agent


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Writes a module of the user's, which can be imported; what was registered of it stays so in this process."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(name, text):
        (tmp_path / f"{name}.py").write_text(text)
        importlib.invalidate_caches()

    return write


@pytest.mark.parametrize(
    ("game", "engine"),
    [
        ("atari/pong", "ale-py"),
        ("mujoco/sumo-ants", "mujoco"),
        ("pettingzoo/connect_four_v3", "pettingzoo"),
        ("gymnasium/LunarLander-v3", "box2d"),
        ("gymnasium/Ant-v5", "mujoco"),
    ],
)
def test_the_versions_of_the_engines_that_play_are_told(game, engine):
    try:
        version = importlib.metadata.version(engine)
    except importlib.metadata.PackageNotFoundError:
        pytest.skip(f"{engine} is not installed")
    assert game_code(find_game(game))[engine] == version


def test_the_rom_of_an_atari_game_is_told():
    pytest.importorskip("ale_py")
    assert len(game_code(find_game("atari/pong"))["rom"]) == 64


def test_an_environment_of_gymnasium_itself_is_told_by_its_version():
    found = game_code(find_game("gymnasium/CartPole-v1"))
    assert found.keys() == {"rlattack", "torch", "numpy", "gymnasium"}
    assert found["gymnasium"] == gymnasium.__version__


def test_versions_of_engines_are_in_the_configuration_and_in_the_keys():
    pytest.importorskip("mujoco")
    planned = plan(Study(game="mujoco/sumo-ants", players=("zero", "zero")))
    version = importlib.metadata.version("mujoco")
    assert planned.configuration["versions"]["mujoco"] == planned.circumstances["versions"]["mujoco"] == version
    assert planned.cells[0].code["mujoco"] == version


ENVIRONMENT = """
import gymnasium, numpy as np
import {helper}

class World(gymnasium.Env):
    observation_space = gymnasium.spaces.Box(-1, 1, (4,), np.float32)
    action_space = gymnasium.spaces.Discrete(2)
"""


def test_an_edited_environment_of_the_user_or_what_it_imports_changes_its_cells(module):
    module("own_world", ENVIRONMENT.format(helper="own_rules"))
    module("own_rules", "PAID = 1\n")
    gymnasium.register("Own-v0", "own_world:World")
    try:
        asked = Study(game="gymnasium/Own-v0", players=("tests.kit.players:balance",))
        keys = [plan(asked).cells[0].key]
        module("own_rules", "PAID = 2\n")
        keys.append(plan(asked).cells[0].key)
        module("own_world", ENVIRONMENT.format(helper="own_rules") + "# edited\n")
        keys.append(plan(asked).cells[0].key)
        module("own_rules", "PAID = 1\n")
        module("own_world", ENVIRONMENT.format(helper="own_rules"))
        assert len(set(keys)) == 3
        assert plan(asked).cells[0].key == keys[0]
    finally:
        del gymnasium.registry["Own-v0"]


def test_an_edited_family_of_games_changes_its_cells(module):
    text = "from tests.kit.games import Coins\n\ndef make(variant, slots, threads=1):\n    return Coins(slots)\n"
    module("own_family", text)
    FAMILIES.add("own-family", "own_family:make")
    asked = Study(game="own-family/any", players=("zero",))
    before = plan(asked).cells[0].key
    module("own_family", text + "# edited\n")
    assert plan(asked).cells[0].key != before


def test_an_edited_attack_changes_its_cells_and_no_others(module):
    text = """
from rlattack.attacks import ObservationAttack

class Own(ObservationAttack):
    name = "own-attack"
    knowledge = "none"

    def perturb(self, victim, obs, reach, draws):
        return obs
"""
    module("own_attack", text)
    ATTACKS.add("own-attack", "own_attack:Own")
    asked = Study(
        game="coins/any", players=("tests.kit.players:coin",), attack=("own-attack", "fgsm:loss=margin"), eps=(0.5,),
        space="raw",
    )  # fmt: skip
    before = {cell.label: cell.key for cell in plan(asked).cells}
    module("own_attack", text + "# edited\n")
    after = {cell.label: cell.key for cell in plan(asked).cells}
    assert [label for label in before if before[label] != after[label]] == ["own-attack 0.5"]


def test_a_player_s_module_or_what_it_imports_changes_the_cells_it_plays_in(module):
    text = "import own_weights\nfrom tests.kit.players import coin\n"
    module("own_player", text)
    module("own_weights", "SIZE = 1\n")
    asked = Study(game="coins/any", players=("own_player:coin",))
    keys = [plan(asked).cells[0].key]
    module("own_weights", "SIZE = 2\n")
    keys.append(plan(asked).cells[0].key)
    module("own_player", text + "# edited\n")
    keys.append(plan(asked).cells[0].key)
    assert len(set(keys)) == 3


def test_an_agent_s_weights_are_in_the_keys_and_where_they_lie_is_not(tmp_path):
    folders = [
        gaussian_agent(tmp_path / name, "pull/any", hidden=(4,), seed=seed)
        for name, seed in (("one", 0), ("copy", 0), ("other", 1))
    ]
    one, copy, other = (plan(Study(game="pull/any", players=("zero", folder))).cells[0].key for folder in folders)
    assert one == copy != other


def test_what_is_the_project_s_own_needs_no_digest_and_others_have_one_each():
    own = [ATTACKS.get("pgd"), SCHEDULES.get("timed"), FRONTS.get("jpeg")]
    assert foreign_code(*own) == foreign_code() == ""
    assert len(foreign_code(*own, sly.InPlace)) == 64
    assert foreign_code(sly.InPlace, sly.Late) == foreign_code(sly.InPlace)
