import pytest

from rlattack import errors
from rlattack.errors import InvalidInput, RlattackError, UnknownName, nearest, told_by


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


def test_errors_of_others_are_one_line_with_their_name_and_ours_stay():
    with (
        pytest.raises(InvalidInput, match=r"^attack mine: ZeroDivisionError: division by zero$") as caught,
        told_by("attack mine"),
    ):
        1 / 0  # noqa: B018
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    with pytest.raises(UnknownName, match=r"^no game$"), told_by("attack mine"):
        raise UnknownName("no game")
