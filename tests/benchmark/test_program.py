"""What a grid plays, and that it ends alike however it is played: killed, by several workers, joined later."""

import dataclasses
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from rlattack.benchmark import plan_grid, rank, read_grid
from rlattack.benchmark.forecast import forecast
from rlattack.benchmark.play import play_grid, there, verified
from rlattack.benchmark.tables import stable
from rlattack.errors import InvalidInput, RunConflict
from rlattack.evaluation.pace import Pace
from tests.benchmark.grids import COINS, chooser, planned, played, silent, two, written


def test_an_attack_that_an_agent_cannot_have_is_listed_and_the_rest_is_played(tmp_path):
    text = COINS.replace('"fgsm:loss=margin"', '"patch"')
    found, _ = played(planned(tmp_path, text), tmp_path / "run")
    ((agent, attack, why),) = found.impossible
    assert (agent, attack) == ("tests.kit.players:coin", "patch")
    assert "a patch is for pictures" in why
    assert {ranking.rows[0].best.attack.split()[0] for ranking in found.boards[0].rankings} == {"pgd"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (COINS.replace("tests.kit.players:coin", "my/none"), "my/none"),
        (COINS.replace("coins/any", "coin/any"), "coin/any"),
        (
            COINS.replace('["tests.kit.players:coin"]', '["a", "b"]')
            + '\n[groups]\na = ["tests.kit.players:coin"]\nb = ["tests.kit.players:coin", "tests.kit.players:coin2"]\n',
            "coin2",
        ),
    ],
)
def test_who_is_not_there_is_told_before_anything_is_played(tmp_path, text, message):
    from rlattack.errors import RlattackError

    with pytest.raises(RlattackError, match=message):
        planned(tmp_path, text)


def test_one_agent_by_two_names_is_refused(tmp_path):
    for name in ("one", "two"):
        chooser(tmp_path / name, 0)
    victims = json.dumps([str(tmp_path / name) for name in ("one", "two")])
    with pytest.raises(InvalidInput, match="are the same agent by two names: leave one out"):
        planned(tmp_path, COINS.replace('["tests.kit.players:coin"]', victims))


def test_only_plays_a_part_and_the_leaderboard_shows_what_is_there(tmp_path):
    whole = planned(tmp_path, two(tmp_path))
    part = whole.only("*players:coin")
    folder = tmp_path / "run"
    assert {cell.players[0].name for cell in part.cells} == {"tests.kit.players:coin"}
    play_grid(part, folder, watch=silent, workers=1)
    kept = there(whole, folder)
    assert len(kept.cells) == len(part.cells) == len(whole.cells) // 2
    board = rank(whole, play_grid(kept, folder, watch=silent, workers=1))
    assert board.missing == len(whole.cells) // 2
    assert [row.name for row in board.boards[0].rankings[0].rows] == ["tests.kit.players:coin"]
    fgsm = whole.only("fgsm")
    assert {cell.attacks[0].spec.name if cell.attacks else "clean" for cell in fgsm.cells} == {"clean", "fgsm", "noise"}
    with pytest.raises(InvalidInput, match=r"--only chess: fits no game, attack or contender; there are tests\.kit"):
        whole.only("chess")


def test_a_forecast_counts_what_is_there_and_times_what_is_like_it(tmp_path):
    whole, folder = planned(tmp_path, two(tmp_path)), tmp_path / "run"
    before = forecast(whole, folder)
    assert (before.cells, before.there, before.episodes, before.unknown) == (14, 0, 84, 14)
    assert before.words(2) == "14 cells, 0 there, 14 to play (84 episodes); --plan measures how long"
    play_grid(whole.only("tests.kit"), folder, watch=silent, workers=1)
    after = forecast(whole, folder, measure=refusing)
    assert (after.there, after.episodes, after.unknown) == (7, 42, 0)
    assert after.seconds > 0
    assert "with 2 workers" in after.words(2)


def refusing(cell, clean):
    raise InvalidInput("this cannot be measured")


def test_what_nobody_has_played_is_measured_once_and_kept(tmp_path):
    """Two victims, clean and at two sizes under noise and two attacks, of 6 episodes in 4 slots: 8 that take 2 s."""
    whole, folder, measured = planned(tmp_path, two(tmp_path)), tmp_path / "run", []

    def measure(cell, clean):
        measured.append((cell.label, clean))
        return Pace(begin=1.0, step=0.01, length=12.5)

    found = forecast(whole, folder, measure)
    assert (found.there, found.unknown, found.seconds) == (0, 0, 14 * 2.0)
    assert found.words(2).endswith("14 to play (84 episodes): about 14 s with 2 workers")
    labels, paces = zip(*measured, strict=True)
    assert labels == ("clean", "noise 0.5", "fgsm:loss=margin 0.5", "pgd:steps=2,loss=margin 0.5")
    assert paces == (None, *[Pace(begin=1.0, step=0.01, length=12.5)] * 3)
    assert forecast(whole, folder, refusing) == forecast(whole, folder) == found


def test_what_cannot_be_measured_is_counted_and_said(tmp_path):
    said = []
    found = forecast(planned(tmp_path), tmp_path / "run", refusing, said.append)
    assert (found.unknown, found.seconds) == (7, 0)
    assert said == ["measuring coins/any, clean", "cannot be measured: this cannot be measured"]


def test_what_is_learned_before_is_counted_once(tmp_path):
    text = COINS.replace('"pgd:steps=2,loss=margin"', '"universal"').replace("[0.5, 1.5]", "[0.5]")
    program, folder = planned(tmp_path, text), tmp_path / "run"

    def measure(cell, clean):
        return Pace(begin=0.0, step=0.0, length=1.0, fit=100.0 * any(ref.fit for ref in cell.attacks))

    assert forecast(program, folder, measure).seconds == 100.0
    play_grid(program, folder, watch=silent, workers=1)
    assert forecast(program, folder, measure).words(1) == "4 cells, 4 there, 0 to play (0 episodes)"
    longer = planned(tmp_path, text.replace("episodes = 6", "episodes = 12"))
    assert forecast(longer, folder, measure).seconds < 100.0


@pytest.mark.parametrize("workers", [2, 3])
def test_the_number_of_workers_changes_no_leaderboard(board, tmp_path, workers):
    program = board[3]
    play_grid(program, tmp_path / "run", watch=silent, workers=workers)
    again = played(program, tmp_path / "run")[1]
    assert again == board[1]


def test_killed_at_any_moment_the_same_command_ends_with_the_same_leaderboard(board, tmp_path):
    file = written(tmp_path)
    command = [
        sys.executable, "-c", "import tests.kit.games, sys; from rlattack.cli.main import main; sys.exit(main())",
        "benchmark", file, "--run", str(tmp_path / "run"), "--workers", "1",
    ]  # fmt: skip
    kills = 0
    for wait in np.random.default_rng(0).uniform(1.5, 5.0, 3):
        process = subprocess.Popen(command, cwd=Path(__file__).parents[2], stdout=-3, stderr=-3)
        time.sleep(wait)
        kills += process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert kills
    assert subprocess.run(command, cwd=Path(__file__).parents[2], stdout=-3, stderr=-3, check=False).returncode == 0
    assert stable(json.loads((tmp_path / "run" / "leaderboard.json").read_text())) == board[1]


def test_a_store_of_another_version_is_refused(tmp_path):
    (tmp_path / "run" / "store").mkdir(parents=True)
    (tmp_path / "run" / "store" / "store.json").write_text('{"schema": "rlattack/store/0"}')
    with pytest.raises(RunConflict, match="expected schema 'rlattack/store/1', got 'rlattack/store/0'"):
        play_grid(planned(tmp_path), tmp_path / "run", watch=silent, workers=1)


def test_a_grid_of_other_victims_is_another_program(tmp_path):
    grid = read_grid(written(tmp_path))
    other = plan_grid(grid.with_victims([chooser(tmp_path / "other", 0)]))
    assert not {cell.key for cell in other.cells} & {cell.key for cell in plan_grid(grid).cells}
    assert dataclasses.replace(other, grid=grid).grid is grid


def test_runs_that_are_not_there_are_not_verified(board, tmp_path):
    assert verified(board[3], tmp_path) == set()


def test_a_grid_of_which_no_attack_can_be_played_is_refused(tmp_path):
    with pytest.raises(InvalidInput, match=r"grid coins: no attack can be played; fgsm:loss=margin on tests.* got -1"):
        planned(tmp_path, COINS.replace("[0.5, 1.5]", "[-1]"))


def test_who_comes_later_joins_and_nothing_is_played_again(tmp_path):
    first, folder = planned(tmp_path), tmp_path / "run"
    before, _ = played(first, folder)
    whole = planned(tmp_path, two(tmp_path))
    assert (forecast(whole, folder).there, len(whole.cells)) == (7, 14)
    board, _ = played(whole, folder)
    rows = {row.name: row for row in board.boards[0].rankings[0].rows}
    assert len(rows) == 2
    assert rows["tests.kit.players:coin"].best == before.boards[0].rankings[0].rows[0].best
    assert played(first, folder)[0].boards[0].rankings[0].rows[0].best == rows["tests.kit.players:coin"].best


def test_a_cell_whose_sizes_cannot_be_measured_anew_is_not_verified(tmp_path):
    text = COINS.replace('"pgd:steps=2,loss=margin"', '"gain"').replace("episodes = 6", "episodes = 6\nledger = true")
    program, said = planned(tmp_path, text), []
    cells = play_grid(program, tmp_path / "run", watch=silent, workers=1)
    checked = verified(program, tmp_path / "run", said.append)
    reaches = {key: one.result.attack and one.result.attack.reach for key, one in cells.items()}
    assert {reaches[key] for key in checked} == {None, "linf"}
    assert {reaches[key] for key in cells.keys() - checked} == {"gain"}
    assert any("cells are not verified: gain: natural changes count from" in line for line in said)
