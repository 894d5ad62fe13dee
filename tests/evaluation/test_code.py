"""What of the code that plays is in a cell's key: versions of engines, and the source of what is not the project's."""

import dataclasses
import importlib
import importlib.metadata
import sys

import gymnasium
import numpy as np
import pytest
from gymnasium.envs.registration import WrapperSpec

from rlattack.attacks import ATTACKS, SCHEDULES
from rlattack.defences import FRONTS
from rlattack.errors import RefusedFile
from rlattack.evaluation.code import check_code, foreign_code, game_code
from rlattack.evaluation.plan import plan
from rlattack.evaluation.study import Study
from rlattack.games import find_game
from rlattack.games.find import FAMILIES
from rlattack.source import own_digest
from tests.evaluation import sly  # registers attacks that are not the project's
from tests.kit.agents import gaussian_agent


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Writes a module of the user's and forgets all of them that was imported, as a new process would.

    What was registered of it stays so in this process.
    """
    monkeypatch.syspath_prepend(tmp_path)

    def write(name, text, forget=True):
        (tmp_path / f"{name}.py").write_text(text)
        importlib.invalidate_caches()
        for path in tmp_path.glob("*.py") if forget else ():
            sys.modules.pop(path.stem, None)

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
    assert found.keys() == {"rlattack", "torch", "numpy", "gymnasium", "spec"}
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


class Rules:
    def __init__(self, paid):
        self.paid = paid


REGISTERED = [
    {},
    {"max_episode_steps": 5},
    {"kwargs": {"pay": 1.0}},
    {"kwargs": {"pay": 7.0}},
    {"kwargs": {"pay": [7.0]}},
    {"kwargs": {"rules": Rules(1)}},
    {"kwargs": {"rules": Rules(2)}},
    {"kwargs": {"table": np.arange(5000) == 2500}},
    {"kwargs": {"table": np.arange(5000) == 2501}},
    {"kwargs": {"kind": Rules}},
    {"additional_wrappers": (WrapperSpec("stop", "gymnasium.wrappers:TimeLimit", {"max_episode_steps": 3}),)},
    {"additional_wrappers": (WrapperSpec("stop", "gymnasium.wrappers:TimeLimit", {"max_episode_steps": 4}),)},
    {"additional_wrappers": (WrapperSpec("stop", "own_wrapper:Wrap", {"max_episode_steps": 4}),)},
]


def test_what_an_environment_was_registered_with_is_told(module):
    def told(registered):
        gymnasium.register("Own-v1", "own_world:World", **registered)
        try:
            return game_code(find_game("gymnasium/Own-v1"))
        finally:
            del gymnasium.registry["Own-v1"]

    module("own_world", ENVIRONMENT.format(helper="math"))
    module("own_wrapper", "class Wrap: ...")
    found = [told(registered) for registered in REGISTERED]
    assert [told(registered) for registered in REGISTERED] == found
    assert len({one["spec"] for one in found}) == len(found)
    assert len({one["source"] for one in found}) == 1
    module("own_wrapper", "class Wrap: ... # edited")
    assert told(REGISTERED[-1])["spec"] != found[-1]["spec"]


FAMILY = "from tests.kit.games import Coins\n\ndef make(variant, slots, threads=1):\n    return Coins(slots)\n"
SCHEDULE = "from rlattack.attacks.schedule import Every\n\nclass Own(Every): ...\n"
FRONT = "from rlattack.defences.jpeg import Jpeg\n\nclass Own(Jpeg):\n    def check(self, seat): ...\n"


def test_an_edited_family_of_games_changes_its_cells(module):
    module("own_family", FAMILY)
    FAMILIES.add("own-family", "own_family:make")
    asked = Study(game="own-family/any", players=("zero",))
    before = plan(asked).cells[0].key
    module("own_family", FAMILY + "# edited\n")
    assert plan(asked).cells[0].key != before


ATTACK = """
from rlattack.attacks import ObservationAttack

class Own(ObservationAttack):
    name = "own-attack"
    knowledge = "none"

    def perturb(self, victim, obs, reach, draws):
        return obs
"""


def test_an_edited_attack_changes_its_cells_and_no_others(module):
    module("own_attack", ATTACK)
    ATTACKS.add("own-attack", "own_attack:Own")
    asked = Study(
        game="coins/any", players=("tests.kit.players:coin",), attack=("own-attack", "fgsm:loss=margin"), eps=(0.5,),
        space="raw",
    )  # fmt: skip
    before = {cell.label: cell.key for cell in plan(asked).cells}
    module("own_attack", ATTACK + "# edited\n")
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


def test_code_that_changed_since_the_cell_was_planned_is_refused(module):
    module("own_attack", ATTACK)
    module("own_family", FAMILY)
    module("own_schedule", SCHEDULE)
    module("own_front", FRONT)
    ATTACKS.add("own-attack", "own_attack:Own")
    FAMILIES.add("own-family", "own_family:make")
    SCHEDULES.add("own-schedule", "own_schedule:Own")
    FRONTS.add("own-front", "own_front:Own")
    asked = Study(
        game="own-family/any", players=("tests.kit.players:coin",), attack=("own-attack",), eps=(0.5,), space="raw",
        when=("own-schedule",), defence=("own-front",),
    )  # fmt: skip
    (cell,) = [cell for cell in plan(asked).cells if cell.attacks and not cell.control]
    check_code(cell)
    for name, text, refused in (
        ("own_attack", ATTACK, "attack own-attack"),
        ("own_schedule", SCHEDULE, "attack own-attack"),
        ("own_family", FAMILY, "game own-family/any"),
        ("own_front", FRONT, "defence"),
    ):
        module(name, text + "# edited\n")
        with pytest.raises(RefusedFile, match=rf"^{refused}: changed while the run played; .* run it again$"):
            check_code(cell)
        module(name, text)
        check_code(cell)


def test_a_cell_without_code_of_others_is_as_it_was_planned():
    (cell,) = plan(Study(game="coins/any", players=("tests.kit.players:coin",))).cells
    check_code(cell)
    check_code(dataclasses.replace(cell, code={}))
    with pytest.raises(RefusedFile, match=r"^game coins/any: changed while the run played"):
        check_code(dataclasses.replace(cell, code=cell.code | {"torch": "0.1"}))


def test_what_this_process_imported_and_was_edited_since_is_not_planned_with(module):
    """As in a notebook: the new key would get the numbers of the old code."""
    module("own_player", "from tests.kit.players import coin\n")
    asked = Study(game="coins/any", players=("own_player:coin",))
    plan(asked)
    module("own_player", "from tests.kit.players import coin  # edited\n", forget=False)
    with pytest.raises(RefusedFile, match="own_player changed since it was imported: start anew"):
        plan(asked)


def test_the_project_s_own_source_is_in_the_keys_where_it_is_edited_in_place():
    (cell,) = plan(Study(game="coins/any", players=("zero",))).cells
    assert cell.code.get("rlattack source", "") == own_digest()
