"""Inspections on another device find what the CPU finds, where both compute alike."""

import dataclasses

import pytest

from rlattack.device import on
from rlattack.inspect.kinds import WORK, Fooling, Occlusion, Reprogram, Saliency, Units
from rlattack.inspect.look import planned
from rlattack.inspect.subject import Subject
from tests.inspect.looks import COINS, UNSURE
from tests.inspect.test_units import SPEC
from tests.kit.agents import network_agent
from tests.kit.second_device import SECOND, second_device

pytestmark = pytest.mark.library
SMALL = {"states": 2, "shuffles": 2, "every": 2, "film": 0}
INSPECTIONS = [
    Occlusion(**UNSURE, **SMALL, block=12, stride=8, by=("blur",)),
    Saliency(**UNSURE, **SMALL),
    Units(**COINS, states=20, every=1, top=3, units=5),
    Fooling(**UNSURE, queries=20, starts=1, steps=2, repeats=1, others=("tests.kit.pictures:looker",), sure=0.51),
    Reprogram(**UNSURE, picture=8, updates=2, batch=4, fresh=10),
]


def found(inspection, device):
    cell = dataclasses.replace(planned(inspection).cells[0], device=device)
    subject = Subject(cell)
    with on(device):
        return WORK.get(inspection.name)(subject, inspection).to_json({})


@pytest.mark.parametrize("inspection", INSPECTIONS, ids=lambda one: one.name)
def test_another_device_finds_the_same(inspection, tmp_path):
    if inspection.name == "units":
        agent = network_agent(tmp_path / "agent", "coins/any", SPEC, seed=3)
        inspection = dataclasses.replace(inspection, victim=agent)
    with second_device():
        there = found(inspection, SECOND)
    assert there == found(inspection, "cpu")
