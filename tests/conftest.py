"""One torch thread, the same random numbers in every run, and the agents that others trained."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from rlattack.errors import typed

torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def _typed(request: pytest.FixtureRequest) -> Iterator[None]:
    """Messages as they are written, with options; of tests marked `library` as a program reads them."""
    with typed(request.node.get_closest_marker("library") is None):
        yield


@pytest.fixture(scope="session")
def zoo() -> Path:
    """Folder of safetensors of Atari agents that others trained; not part of the project."""
    folder = Path(__file__).parents[2] / "shared" / "zoo" / "atari"
    if not folder.is_dir():
        pytest.skip("the agents that others trained are not on this machine")
    return folder
