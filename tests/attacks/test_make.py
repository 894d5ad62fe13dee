import pytest

from rlattack.attacks import make_attack, parse_attack
from rlattack.budget import Budget
from rlattack.errors import InvalidInput, UnknownName


def test_parameters_are_read_by_their_types():
    spec = parse_attack("pgd:steps=50,restarts=2,step=0.01,random_start=true,loss=margin,target=least")
    assert spec.parameters == {
        "steps": 50, "restarts": 2, "step": 0.01, "random_start": True, "loss": "margin", "target": "least",
    }  # fmt: skip
    assert parse_attack("fgsm:target=2").parameters == {"target": 2}
    assert parse_attack("none").parameters == {}


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("fgms", UnknownName, "no attack 'fgms'; did you mean 'fgsm'"),
        ("pgd:stps=3", UnknownName, "no parameter 'stps'; did you mean 'steps'"),
        ("noise:level=3", UnknownName, "no parameter 'level'"),
        ("none:steps=3", InvalidInput, "none takes no parameters"),
        ("pgd:steps", InvalidInput, "expected steps=value"),
        ("pgd:steps=2.5", InvalidInput, "expected a whole number, got '2.5'"),
        ("pgd:step=big", InvalidInput, "a number"),
        ("pgd:random_start=maybe", InvalidInput, "expected true or false"),
        ("fgsm:loss=mse", InvalidInput, "expected 'ce' or 'margin', got 'mse'"),
        ("fgsm:target=most", InvalidInput, "got 'most'"),
        ("pgd:steps=0", InvalidInput, "at least 1"),
    ],
)
def test_what_cannot_be_read_is_one_line(text, error, message):
    with pytest.raises(error, match=message):
        parse_attack(text)


def test_make_attack_names_the_closest_parameter():
    with pytest.raises(UnknownName, match="did you mean 'steps'"):
        make_attack("pgd", Budget(eps=0.1), stpes=3)
