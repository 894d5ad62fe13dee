"""A short run with ledgers, of which each test has a copy."""

from pathlib import Path

import pytest

from tests.kit.forged import Forgery
from tests.kit.runs import CARTPOLE, evaluated


@pytest.fixture(scope="session")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nobody has touched."""
    folder = tmp_path_factory.mktemp("played") / "run"
    evaluated(folder, **CARTPOLE)
    return folder


@pytest.fixture
def run(played: Path, tmp_path: Path) -> Forgery:
    """A copy of it."""
    return Forgery(played, tmp_path / "run")
