"""Worlds as a command names them."""

import pytest

from rlattack.errors import InvalidInput, UnknownName
from rlattack.games.dynamics import Parameter, parse_region

BODIES = ("torso", "foot")


def test_a_box_of_worlds_is_read_and_one_value_reaches_from_the_usual_one_to_itself():
    region = parse_region("mass=0.5..2, friction@foot=0.5,force-x@torso=-5,gravity=1.5")
    assert region.parameters == (
        Parameter("mass"), Parameter("friction", "foot"), Parameter("force-x", "torso"), Parameter("gravity"),
    )  # fmt: skip
    assert (region.low, region.high, region.point) == ((0.5, 0.5, -5.0, 1.0), (2.0, 1.0, 0.0, 1.5), None)


def test_a_world_is_said_as_it_is_typed():
    region = parse_region("mass=0.5,force-x@torso=-5")
    assert region.point == (0.5, -5.0)
    assert region.words(region.point) == "mass=0.5,force-x@torso=-5"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mas=2", "got 'mas'; did you mean 'mass'"),
        ("mass=200", "mass: expected a number from 0.01 to 100, got '200'"),
        ("mass=nan", "mass: expected a number from 0.01 to 100"),
        ("friction=-1", "friction: expected a number from 0 to 100"),
        ("mass", "expected mass=VALUE or mass=LOW..HIGH, got 'mass'"),
        ("mass=2..0.5", "expected mass=VALUE or mass=LOW..HIGH"),
        ("mass=2..3", "mass: expected a range around the usual value, 1, got 2..3"),
        ("mass=1", "mass: expected another value than the usual one, 1"),
        ("force-x=3", "force-x: expected force-x@BODY="),
        ("gravity@torso=2", "gravity@torso: expected gravity="),
        ("mass@=2", "mass@: expected mass="),
        ("mass=2,mass@torso=3", "mass and mass@torso: expected what is not the same"),
        ("mass=2,mass=3", "mass and mass: expected what is not the same"),
    ],
)
def test_what_is_no_world_is_refused(text, message):
    with pytest.raises(InvalidInput, match=message):
        parse_region(text)


def test_parts_of_different_bodies_may_be_named_together():
    assert len(parse_region("mass@torso=2,mass@foot=2").parameters) == 2


def test_a_force_on_a_body_that_is_none_names_those_that_are():
    with pytest.raises(UnknownName, match="force-x@leg: expected a body, torso, foot; got 'leg'"):
        parse_region("force-x@leg=2").check_bodies(BODIES)
    with pytest.raises(InvalidInput, match="expected a game of a physics engine"):
        parse_region("mass=2").check_bodies(())
