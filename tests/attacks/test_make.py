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
    assert parse_attack("pgd:step=none,target=none,").parameters == {"step": None, "target": None}
    assert parse_attack("none").parameters == parse_attack("pixel-de:").parameters == {}


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
        ("fgsm:loss=mse", InvalidInput, "expected 'ce' or 'margin' or 'kl' or none, got 'mse'"),
        ("fgsm:target=most", InvalidInput, "got 'most'"),
        ("pgd:steps=0", InvalidInput, "at least 1"),
        ("pgd:steps=2,steps=3", InvalidInput, "expected steps=value once, got 'pgd:steps=2,steps=3'"),
        ("pgd:steps=none", InvalidInput, "expected a whole number, got 'none'"),
        ("pgd:step=nan", InvalidInput, "step is a number above 0, got nan"),
        ("pgd:step=inf", InvalidInput, "step is a number above 0, got inf"),
        ("pgd:step=-1", InvalidInput, "step is a number above 0, got -1"),
        ("fgsm:target=most", InvalidInput, "expected a whole number or 'least' or none, got 'most'"),
        ("pixel-de:generations=-1", InvalidInput, "generations 0, got 16, -1"),
        ("pixel-de:weight=1.5", InvalidInput, r"weight and crossover in \(0, 1\]"),
        ("pixel-de:crossover=nan", InvalidInput, r"weight and crossover in \(0, 1\]"),
    ],
)
def test_what_cannot_be_read_is_one_line(text, error, message):
    with pytest.raises(error, match=message):
        parse_attack(text)


def test_make_attack_names_the_closest_parameter():
    with pytest.raises(UnknownName, match="did you mean 'steps'"):
        make_attack("pgd", Budget(eps=0.1), stpes=3)


def test_only_parameters_that_differ_from_their_defaults_are_told():
    assert make_attack("pgd", Budget(eps=0.1), steps=50, restarts=1).parameters == {"steps": 50}
    assert make_attack("noise", Budget(eps=0.1)).parameters == {}


def test_an_unknown_attack_names_the_closest_one():
    with pytest.raises(UnknownName, match="no attack 'pixels'; did you mean 'pixel'"):
        make_attack("pixels", Budget(norm="l0", eps=1))
