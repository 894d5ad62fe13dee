"""Cells whose world was attacked: played again in it, and measured anew."""

import numpy as np
import pytest

from rlattack.benchmark.verify import verify
from rlattack.evaluation.ledger import Ledger, read_ledger, write_ledger
from tests.kit.runs import evaluated

HOPPER = {
    "game": "mujoco/hopper", "players": ("mujoco/hopper/ppo",), "max_steps": 30, "episodes": 2, "envs": 2,
    "ledger": True, "attack": ('world:at="mass=1.3,force-x@torso=-0.7"',), "eps": (50.0,),
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    pytest.importorskip("mujoco")
    folder = tmp_path_factory.mktemp("worlds") / "run"
    evaluated(folder, **HOPPER)
    return folder


def status(folder, name):
    return {check.status for check in verify(folder).checks if check.name == name}


def forged(folder, change, name="world.0"):
    """The same run with other worlds, or another array, in the ledgers of whoever was attacked."""
    before = {}
    for path in (folder / "ledgers").glob("*.npz"):
        ledger = read_ledger(path)
        before[path] = path.read_bytes()
        if "world.0" in ledger.arrays:
            write_ledger(path, Ledger(ledger.said, {**ledger.arrays, name: change(ledger.arrays[name])}))
    return before


def test_a_world_that_was_attacked_is_played_again_and_measured(folder):
    assert status(folder, "replay") == status(folder, "shown") == status(folder, "reach") == {"ok"}


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (lambda worlds: np.ones_like(worlds), "replay"),
        (lambda worlds: worlds + np.float32([1.0, 0.0]), "reach"),
        (lambda worlds: worlds[:, :1], "ledger"),
    ],
)
def test_another_world_than_was_played_is_found(folder, change, name):
    before = forged(folder, change)
    try:
        assert "failed" in status(folder, name)
    finally:
        for path, content in before.items():
            path.write_bytes(content)


def test_who_is_attacked_by_a_world_alone_received_what_was_shown(folder):
    before = forged(folder, lambda planes: planes ^ np.uint8([[1], [0], [0], [0]]), "received.0")
    try:
        whys = [check.why for check in verify(folder).checks if check.name == "reach"]
        assert any("player is not attacked, and received something else" in why for why in whys)
    finally:
        for path, content in before.items():
            path.write_bytes(content)
