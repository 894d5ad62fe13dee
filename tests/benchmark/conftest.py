"""What tests of leaderboards share."""

import pytest

from tests.benchmark.grids import planned, played


@pytest.fixture(scope="module")
def board(tmp_path_factory):
    """The grid of one agent, its leaderboard, and the folder."""
    folder = tmp_path_factory.mktemp("coins")
    program = planned(folder)
    return (*played(program, folder / "run"), folder / "run", program)
