"""The six games, and what was recorded of them in 2018."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from rlattack.games import find_game
from rlattack.games.mujoco.card import MujocoCard


@pytest.fixture(scope="session")
def zoo() -> Path:
    """Folder of safetensors of the players of 2018; not part of the project."""
    return _shared("zoo", "mujoco")


@pytest.fixture(scope="session")
def recording() -> Path:
    """Two episodes of sumo-ants in MuJoCo 1.31; not part of the project."""
    return _shared("zoo", "originals") / "sumo-ants-recording.npz"


@pytest.fixture(scope="session")
def card() -> Callable[..., MujocoCard]:
    """Makes the card of a game with other numbers in some of its tables: `card("sumo-ants", rules={"gap": 0.1})`."""

    def make(name: str, **changes: dict[str, object]) -> MujocoCard:
        found = find_game(f"mujoco/{name}").mujoco
        assert found is not None
        for table, values in changes.items():
            changed = dataclasses.replace(getattr(found, table), **values)
            found = dataclasses.replace(found, **{table: changed})
        return found

    return make


def _shared(*names: str) -> Path:
    folder = Path(__file__).parents[4].joinpath("shared", *names)
    if not folder.is_dir():
        pytest.skip("what others trained and recorded is not on this machine")
    return folder
