"""Names with parameters: one spelling for all that mean the same, and all parameters for who compares them."""

import json
from dataclasses import dataclass

import pytest

from rlattack.attacks import ATTACKS, SCHEDULES
from rlattack.defences import FRONTS
from rlattack.errors import InvalidInput, UnknownName
from rlattack.evaluation.study import Study
from rlattack.registry import Registry
from rlattack.specs import canonical, full_parameters, parse_spec


@dataclass(frozen=True, kw_only=True)
class Config:
    agent: str
    radius: float = 1
    speed: int | str = "slow"


class Kind:
    config_type = Config


KINDS = Registry("kind", {"some": "tests.test_specs:Kind"})


@pytest.mark.parametrize(
    ("what", "registry", "texts", "spelling"),
    [
        ("attack", ATTACKS, ["pgd", "pgd:", "pgd:steps=10", "pgd:step=none,steps=10,random_start=true"], "pgd"),
        ("attack", ATTACKS, ["pgd:steps=5,step=.10", "pgd:step=0.1,steps=5", "pgd:step=1e-1,steps=5,restarts=1"],
         "pgd:step=0.1,steps=5"),
        ("attack", ATTACKS, ["pgd:random_start=false,target=least"], "pgd:random_start=false,target=least"),
        ("front", FRONTS, ["jpeg", "jpeg:quality=75"], "jpeg"),
        ("schedule", SCHEDULES, ["every", "every:"], "every"),
        ("schedule", SCHEDULES, ["timed:share=.1", "timed:share=0.10"], "timed:share=0.1"),
        ("schedule", SCHEDULES, ["random:share=1"], "random:share=1.0"),
        ("kind", KINDS, ["some:agent=required", "some:speed=slow,radius=1.0,agent=required"], "some:agent=required"),
    ],
)  # fmt: skip
def test_all_spellings_of_the_same_have_one_in_common_which_can_be_typed(what, registry, texts, spelling):
    assert {canonical(what, registry, text) for text in (*texts, spelling)} == {spelling}


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("pgb", UnknownName, "did you mean 'pgd'"),
        ("pgd:stps=1", UnknownName, "did you mean 'steps'"),
        ("pgd:steps=0", InvalidInput, "at least 1"),
    ],
)
def test_what_cannot_be_read_has_no_spelling(text, error, message):
    with pytest.raises(error, match=message):
        canonical("attack", ATTACKS, text)


@pytest.mark.parametrize("agent", ["a,b.model", "runs+more/x.model", "a,b+c=d:e.model", "plain.model"])
def test_a_value_in_quotes_holds_what_divides_a_text(agent):
    spec = parse_spec("kind", KINDS, f'some:radius=2,agent="{agent}"')
    assert spec.parameters == {"radius": 2.0, "agent": agent}
    assert parse_spec("kind", KINDS, str(spec)) == spec
    study = Study(
        game="mujoco/hopper", players="zero", attack=(f'perturber:agent="{agent}"+mas', "pgd:step=1e+5+noise")
    )
    assert [[one.name for one in specs] for specs in study.attacks] == [["perturber", "mas"], ["pgd", "noise"]]
    assert study.attacks[0][0].parameters == {"agent": agent}


def test_a_value_that_is_divided_is_told_of_quotes():
    with pytest.raises(
        InvalidInput, match=r"kind some: expected key=value, got 'b.model'; a value with a comma or a plus"
    ):
        parse_spec("kind", KINDS, "some:agent=a,b.model")
    with pytest.raises(UnknownName, match=r"no attack 'b.model'.*; a value with a plus stands in double quotes"):
        _ = Study(game="mujoco/hopper", players="zero", attack="perturber:agent=a+b.model").attacks


def test_all_parameters_are_told_and_a_whole_number_is_a_float_where_it_stands_for_one():
    found = [full_parameters(Kind, {"agent": "me", **given}) for given in ({}, {"radius": 1}, {"radius": 1.0})]
    assert [json.dumps(one) for one in found] == ['{"agent": "me", "radius": 1.0, "speed": "slow"}'] * 3
    assert full_parameters(Kind, {"agent": "me", "speed": 3})["speed"] == 3
    pgd = full_parameters(ATTACKS.get("pgd"), {"steps": 3})
    assert pgd == {
        "loss": None,
        "target": None,
        "eot": None,
        "evade": None,
        "caution": 1.0,
        "steps": 3,
        "step": None,
        "random_start": True,
        "restarts": 1,
    }
