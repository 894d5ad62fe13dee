"""The leaderboard of a grid is made anew of its cells: what is changed is found, and one that is whole passes."""

import json
import shutil
import subprocess
import sys

import pytest

from rlattack.benchmark import plan_grid, read_grid
from rlattack.benchmark.play import play_grid
from rlattack.benchmark.publish import write_leaderboard
from rlattack.benchmark.ranking import rank
from rlattack.benchmark.trials import plan_trials, try_all
from rlattack.benchmark.verify import Verdict
from rlattack.benchmark.verify.board import verify_board
from rlattack.errors import ContentError
from tests.benchmark.grids import COINS, chooser, planned, played, silent, two, written
from tests.benchmark.test_counterexample import made_of
from tests.benchmark.test_trials import GRID
from tests.benchmark.verify.test_imports import _WORDS
from tests.kit.forged_boards import BOARD_FORGERIES, changed


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The folder of a grid of two agents."""
    folder = tmp_path_factory.mktemp("two")
    played(planned(folder, two(folder)), folder / "run")
    return folder / "run"


@pytest.fixture
def grid(whole, tmp_path):
    """A copy of it."""
    return shutil.copytree(whole, tmp_path / "run", ignore=shutil.ignore_patterns("store", "tensorboard", "*.html"))


def test_a_leaderboard_that_nobody_has_touched_passes(grid):
    verdict = verify_board(grid, {})
    assert [(check.name, check.status) for check in verdict.checks] == [
        ("rows", "ok"), ("standings", "ok"), ("table", "ok"),
    ]  # fmt: skip


@pytest.mark.parametrize("what", BOARD_FORGERIES)
def test_tampering_with_a_leaderboard_is_found(what, grid):
    forge, check = BOARD_FORGERIES[what]
    forge(grid)
    if check == "refused":
        with pytest.raises(ContentError, match=r"leaderboard\.json"):
            verify_board(grid, {})
    else:
        assert check in {one.name for one in verify_board(grid, {}).failed}


def test_what_is_wrong_is_told_by_where_it_stands(grid):
    BOARD_FORGERIES["the best known is higher"][0](grid)
    BOARD_FORGERIES["a row of leaderboard.csv is taken out"][0](grid)
    first, second = verify_board(grid, {}).failed
    assert first.why.startswith("boards coins/any rankings observation linf raw 0.5 rows ")
    assert "best value mean: " in first.why
    assert "there, " in first.why
    assert "computed anew" in first.why
    assert second.why == "row 1 says otherwise than leaderboard.json"


def test_groups_and_several_seeds_are_made_anew(tmp_path):
    agents = [chooser(tmp_path / f"agent-{number}", number, scale=20.0) for number in range(3)]
    text = COINS.replace('["tests.kit.players:coin"]', '["mine", "tests.kit.players:coin"]')
    text = text.replace("[[tables]]", "[[tables]]\nseeds = [0, 1]")
    played(planned(tmp_path, text + f"\n[groups]\nmine = {json.dumps(agents)}\n"), tmp_path / "run")
    assert verify_board(tmp_path / "run", {}).failed == ()
    changed(tmp_path / "run", lambda content: content["boards"][0]["rankings"][1]["rows"][0].update(half=0.1))
    assert [one.name for one in verify_board(tmp_path / "run", {}).failed] == ["standings", "table"]


def test_a_run_of_an_earlier_command_is_none_of_the_leaderboard(tmp_path):
    played(planned(tmp_path), tmp_path / "run")
    played(planned(tmp_path, two(tmp_path)), tmp_path / "run")
    names = {path.parent.name for path in (tmp_path / "run").glob("*/results.json")}
    verdict = verify_board(tmp_path / "run", dict.fromkeys(names, Verdict(())))
    (left,) = (one for one in verdict.checks if one.status == "not checked")
    assert left.why.endswith("is no run of this leaderboard")
    assert verdict.ok


def test_what_counterexamples_lower_is_made_anew(tmp_path):
    counterexample, _, _ = made_of(tmp_path / "made")
    program, folder = plan_grid(read_grid(written(tmp_path, GRID))), tmp_path / "run"
    cells = play_grid(program, folder, watch=silent, workers=1)
    tried = try_all(plan_trials(program, [counterexample]), program, folder, watch=silent, workers=1)
    write_leaderboard(rank(program, cells, (), tried), folder)
    assert verify_board(folder, {}).failed == ()
    changed(folder, lambda content: content["challenges"].clear())
    assert {one.name for one in verify_board(folder, {}).failed} == {"standings"}


def test_the_folder_of_a_grid_is_verified_without_an_attack(tmp_path):
    text = COINS.replace("coins/any", "gymnasium/CartPole-v1").replace(
        "tests.kit.players:coin", "gymnasium/CartPole-v1/dqn"
    )
    text = text.replace("[0.5, 1.5]", "[0.1]").replace("episodes = 6", "episodes = 2\nmax_steps = 50\nledger = true")
    folder = tmp_path / "run"
    played(planned(tmp_path, text), folder)

    def verified():
        code = (
            "import sys; from rlattack.cli.main import main; code = main(['verify', sys.argv[1]]); "
            "print(*(name for name in sys.modules if name.startswith('rlattack.attacks')), sep='\\n'); sys.exit(code)"
        )
        return subprocess.run([sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=False)

    done = verified()
    assert done.returncode == 0, done.stdout + done.stderr
    assert {line for line in done.stdout.splitlines() if line.startswith("rlattack.attacks")} == _WORDS
    assert done.stdout.count("nothing failed") == 2
    changed(folder, lambda content: content["compared"][0].update(identity="0" * 64))
    done = verified()
    assert done.returncode == 1
    assert "was played by" in " ".join(done.stdout.split())
