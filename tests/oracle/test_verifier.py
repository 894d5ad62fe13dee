"""The second verifier agrees with `rlattack verify`, on runs that nobody has touched and on others."""

from pathlib import Path

import pytest

from tests.kit.forged import Forgery
from tests.kit.forgeries import FORGERIES
from tests.kit.runs import CARTPOLE, evaluated
from tests.oracle.verifier import problems

AGENTS = Path(__file__).parents[2] / "agents"


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    folder = tmp_path_factory.mktemp("played") / "run"
    evaluated(folder, **CARTPOLE)
    return folder


def test_a_run_that_nobody_has_touched_passes(played):
    assert problems(played, AGENTS) == []


@pytest.mark.parametrize("what", FORGERIES)
def test_tampering_is_found_by_the_second_verifier_too(what, played, tmp_path):
    run = Forgery(played, tmp_path / "run")
    FORGERIES[what][0](run)
    assert problems(run.folder, AGENTS)


def test_the_second_verifier_is_short_and_imports_the_game_alone():
    text = (Path(__file__).parent / "verifier.py").read_text()
    assert len(text.splitlines()) < 300
    ours = [line for line in text.splitlines() if "import" in line and "rlattack" in line]
    assert ours == ["from rlattack.games import Variant, find_game, make_game"]
