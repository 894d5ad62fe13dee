import sys

import pytest

from rlattack.errors import UnknownName
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
