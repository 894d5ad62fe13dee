import pytest

from rlattack import errors
from rlattack.errors import RlattackError, UnknownName, nearest


def test_nearest_names_the_closest_and_stays_silent_without_one():
    assert nearest("pgdd", ["fgsm", "pgd"]) == "; did you mean 'pgd'?"
    assert nearest("something else", ["fgsm", "pgd"]) == ""


def test_an_unknown_name_prints_without_the_quotes_of_a_key_error():
    assert str(UnknownName("no game 'x'")) == "no game 'x'"


@pytest.mark.parametrize(
    ("name", "base"),
    [
        ("UnknownName", KeyError),
        ("InvalidInput", ValueError),
        ("BudgetError", ValueError),
        ("ContentError", ValueError),
        ("MissingExtra", ImportError),
        ("Unwritable", OSError),
    ],
)
def test_an_error_is_ours_and_also_the_kind_that_python_users_catch(name, base):
    kind = getattr(errors, name)
    assert issubclass(kind, RlattackError)
    assert issubclass(kind, base)
