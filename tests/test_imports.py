"""Imports point down and in no circle, no folder outgrows the others, and importing does no work."""

import ast
import importlib
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

import rlattack

_ROOT = Path(rlattack.__file__).parent
_FLOORS = [
    {"errors", "arrays"},
    {"budget", "device", "draws", "content", "files", "registry", "source", "specs"},
    {"games"},
    {"policies"},
    {"attacks"},
    {"defences"},
    {"evaluation"},
    {"training", "report"},
    {"benchmark", "perf", "inspect"},
    {"experiment"},
    {"cli"},
    {"__main__"},
]
"""As DESIGN.md has them, the lowest first."""
_RANK = {part: rank for rank, floor in enumerate(_FLOORS) for part in floor}
_FOUNDATIONS = _FLOORS[0] | _FLOORS[1]
"""Single nouns, which may use one another; above them, parts of one floor do not know each other."""


def name_of(path: Path) -> str:
    """`rlattack.games.find`, or `rlattack.games` for its `__init__.py`."""
    parts = path.relative_to(_ROOT).with_suffix("").parts
    return ".".join(("rlattack", *(parts[:-1] if parts[-1] == "__init__" else parts)))


_TREES = {name_of(path): ast.parse(path.read_text()) for path in sorted(_ROOT.rglob("*.py"))}
_MODULES = [name for name in _TREES if name != "rlattack"]


def part_of(module: str) -> str:
    return module.split(".")[1]


def without_type_checking(tree: ast.AST) -> Iterator[ast.AST]:
    """Every node but those that only a type checker reads."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        yield node
        yield from without_type_checking(node)


def imports(nodes: Iterable[ast.AST]) -> Iterator[tuple[str, str]]:
    """Every imported module with the name that is taken from it, in functions too; "" where none is."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from ((str(node.module), alias.name) for alias in node.names)


def registered(module: str) -> set[str]:
    """Our modules that a registry in this one names, which nothing in it depends on: others could be in their place."""
    strings = [str(node.value) for node in ast.walk(_TREES[module]) if isinstance(node, ast.Constant)]
    return {text.partition(":")[0] for text in strings if re.fullmatch(r"rlattack[.\w]+:\w+", text)}


def targets(nodes: Iterable[ast.AST]) -> set[str]:
    """Our modules that are imported; a name that a package only offers counts as the module that it comes from."""
    found = set()
    for module, name in imports(nodes):
        place = f"{module}.{name}"
        if place in _TREES:
            found.add(place)
        elif module in _TREES:
            homes = {home for home, offered in imports(ast.walk(_TREES[module])) if offered == name and home in _TREES}
            found |= {module, *homes}
    return found - {"rlattack"}


@pytest.mark.parametrize("module", _MODULES)
def test_imports_point_down(module):
    own, rank = part_of(module), _RANK[part_of(module)]
    named = targets(ast.walk(_TREES[module])) | registered(module)
    others = {part_of(target) for target in named} - {own}
    beside = _FOUNDATIONS if own in _FOUNDATIONS else set()
    assert {other for other in others if _RANK[other] >= rank} - beside == set()


def test_every_part_of_the_package_has_its_floor():
    assert {part_of(module) for module in _MODULES} <= set(_RANK)


def test_no_module_imports_itself_by_a_detour():
    left = {module: targets(without_type_checking(_TREES[module])) - {module} for module in _MODULES}
    while free := [module for module, imported in left.items() if not imported & left.keys()]:
        for module in free:
            del left[module]
    while unused := [module for module in left if not any(module in imported for imported in left.values())]:
        for module in unused:
            del left[module]
    assert {module: sorted(imported & left.keys()) for module, imported in left.items()} == {}


def test_no_folder_holds_more_than_a_quarter_of_the_code():
    lines = dict.fromkeys(map(part_of, _MODULES), 0)
    for path in _ROOT.rglob("*.py"):
        if path != _ROOT / "__init__.py":
            lines[part_of(name_of(path))] += len(path.read_text().splitlines())
    assert {part: count for part, count in lines.items() if count > sum(lines.values()) / 4} == {}


@pytest.mark.parametrize("package", sorted(name_of(path) for path in _ROOT.rglob("__init__.py")))
def test_a_package_says_what_it_offers(package):
    module = importlib.import_module(package)
    assert module.__all__ == sorted(set(module.__all__), key=module.__all__.index)
    for name in module.__all__:
        assert getattr(module, name) is not None


def test_the_package_offers_few_names():
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
