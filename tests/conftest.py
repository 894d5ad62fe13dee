"""One torch thread, the same random numbers in every run, and the agents that others trained."""

from pathlib import Path

import pytest
import torch

torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def zoo() -> Path:
    """Folder of safetensors of Atari agents that others trained; not part of the project."""
    folder = Path(__file__).parents[2] / "shared" / "zoo" / "atari"
    if not folder.is_dir():
        pytest.skip("the agents that others trained are not on this machine")
    return folder
