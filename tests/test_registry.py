import sys

import pytest

from rlattack.errors import InvalidInput, UnknownName
from rlattack.registry import Registry


@pytest.fixture
def shapes():
    return Registry[type]("shape", {"box": "decimal:Decimal", "ball": "fractions:Fraction"})


def test_names_are_listed_without_importing_them():
    registry = Registry[object]("shape", {"none": "a_module_that_is_not_there:x"})
    assert list(registry) == ["none"]
    assert "a_module_that_is_not_there" not in sys.modules


def test_a_name_is_imported_when_it_is_asked_for(shapes):
    from fractions import Fraction

    assert shapes.get("ball") is Fraction


def test_a_name_can_be_added_once(shapes):
    shapes.add("line", "pathlib:Path")
    shapes.add("line", "pathlib:Path")
    assert list(shapes) == ["box", "ball", "line"]
    with pytest.raises(ValueError, match="shape 'line' is registered already as pathlib:Path"):
        shapes.add("line", "os:PathLike")


def test_an_unknown_name_is_answered_with_the_nearest(shapes):
    with pytest.raises(UnknownName, match=r"no shape 'boks'; did you mean 'box'\? \(known: box, ball\)"):
        shapes.get("boks")


def test_what_was_added_is_told_for_another_process(shapes):
    shapes.add("line", "pathlib:Path")
    shapes.add("ball", "fractions:Fraction")  # one of its own
    assert shapes.added == {"line": "pathlib:Path"}
    other = Registry[type]("shape", {"box": "decimal:Decimal"})
    for name, target in shapes.added.items():
        other.add(name, target)
    assert other.get("line") is shapes.get("line")


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Installs a package that gives names in the group `rlattack.shapes`."""

    def make(lines: str) -> None:
        folder = tmp_path / "somebodys-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: somebodys\nVersion: 1.0\n")
        (folder / "entry_points.txt").write_text(f"[rlattack.shapes]\n{lines}\n")
        monkeypatch.syspath_prepend(tmp_path)

    return make


def test_installed_packages_add_names_by_entry_points(install):
    from pathlib import Path

    install("line = pathlib:Path")
    shapes = Registry[type]("shape", {"box": "decimal:Decimal"}, group="rlattack.shapes")
    assert list(shapes) == ["box", "line"]
    assert shapes.get("line") is Path
    assert shapes.added == {}  # another process finds it by itself
    assert list(Registry[type]("shape", {"box": "decimal:Decimal"})) == ["box"]


def test_a_name_that_two_packages_give_is_refused(install):
    install("box = pathlib:Path")
    shapes = Registry[type]("shape", {"box": "decimal:Decimal"}, group="rlattack.shapes")
    with pytest.raises(InvalidInput, match="two shapes are called 'box': decimal:Decimal and pathlib:Path of an inst"):
        shapes.get("box")
