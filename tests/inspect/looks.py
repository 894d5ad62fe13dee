"""Inspections of players whose answers are known, as tests make them."""

import dataclasses

from rlattack.inspect.look import planned
from rlattack.inspect.subject import Subject
from tests.kit import games, pictures  # noqa: F401  # which registers `coins`, `pull` and `sides`

UNSURE = {"game": "sides/any", "victim": "tests.inspect.players:unsure", "envs": 4}
COINS = {"game": "coins/any", "victim": "tests.kit.players:coin", "envs": 4}
PUSHING = {"game": "pull/any", "victim": "tests.kit.players:puller", "against": ("zero",), "envs": 4}


def subject_of(inspection):
    """Whom an inspection looks into."""
    return Subject(planned(inspection).cells[0])


def other(inspection, **changes):
    """The same with other parameters."""
    return dataclasses.replace(inspection, **changes)
