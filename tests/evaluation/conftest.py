"""What tests of evaluations share."""

import pytest

from tests.kit.agents import gaussian_agent


@pytest.fixture
def agent(tmp_path):
    """A Gaussian agent of the rope, by its folder."""
    return gaussian_agent(tmp_path / "agent", "pull/any", hidden=(4,))
