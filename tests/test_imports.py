"""Imports point one way, and importing does no work."""

import ast
import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import rlattack

_ROOT = Path(rlattack.__file__).parent
_LAYERS = [
    {"errors", "content", "registry", "files", "budget"},
    {"games"},
    {"policies"},
    {"attacks"},
    {"defences"},
    {"training"},
    {"evaluation"},
    {"cli"},
]
_RANK = {part: rank for rank, layer in enumerate(_LAYERS) for part in layer}
_MODULES = sorted(path for path in _ROOT.rglob("*.py") if path != _ROOT / "__init__.py")


def part_of(path: Path) -> str:
    return path.relative_to(_ROOT).with_suffix("").parts[0]


def imports(tree: ast.AST) -> Iterator[str]:
    """Every imported module, in functions and under TYPE_CHECKING too, `from rlattack import x` as `rlattack.x`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith("rlattack."):
            yield node.value.replace(":", ".")  # of a registry, or for importlib


@pytest.mark.parametrize("path", _MODULES, ids=lambda path: path.relative_to(_ROOT).as_posix())
def test_imports_point_one_way(path):
    rank = _RANK[part_of(path)]
    targets = {name.split(".")[1] for name in imports(ast.parse(path.read_text())) if name.startswith("rlattack.")}
    assert {target for target in targets if _RANK.get(target, -1) > rank} == set()


def test_every_part_of_the_package_has_its_place():
    assert {part_of(path) for path in _MODULES} <= set(_RANK)


def test_a_package_says_what_it_offers():
    for path in _ROOT.rglob("__init__.py"):
        module = importlib.import_module(".".join(("rlattack", *path.parent.relative_to(_ROOT).parts)))
        for name in module.__all__:
            assert getattr(module, name) is not None
    assert len(rlattack.__all__) <= 12


@pytest.mark.parametrize("module", ["rlattack", "rlattack.games", "rlattack.errors", "rlattack.content"])
def test_importing_pulls_in_nothing_heavy(module):
    heavy = ("torch", "mujoco", "pettingzoo", "pygame", "ale_py", "stable_baselines3", "matplotlib", "scipy")
    code = f"import sys, {module}; print(sorted(set({heavy}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
    assert done.stderr == ""


def test_a_name_that_is_not_there_is_an_attribute_error():
    for module in (rlattack, importlib.import_module("rlattack.games")):
        with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
            _ = module.nothing
