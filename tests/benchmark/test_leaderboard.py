"""A leaderboard of what was played: who stands where, by which numbers, and what is said of them."""

import csv
import dataclasses
import json
import re

import numpy as np
import pytest

from rlattack.benchmark import rank
from rlattack.benchmark.play import play_grid
from rlattack.benchmark.tables import stable, to_csv
from rlattack.evaluation import Study, evaluate
from tests.benchmark.grids import COINS, chooser, planned, played, silent, two


def test_the_numbers_of_a_row_are_those_of_its_cells(board, tmp_path):
    found, *_ = board
    study = Study(
        game="coins/any", players="tests.kit.players:coin", attack=("fgsm:loss=margin", "pgd:steps=2,loss=margin"),
        eps=(0.5, 1.5), space="raw", episodes=6, envs=4,
    )  # fmt: skip
    cells = {(one.attack and one.attack.name, one.eps): one for one in evaluate(study, run=tmp_path / "run").cells}
    (of_game,) = found.boards
    assert [ranking.threat.eps for ranking in of_game.rankings] == [0.5, 1.5]
    for ranking in of_game.rankings:
        (row,) = ranking.rows
        eps, clean = ranking.threat.eps, cells[None, None].victim_seat.returns
        assert (row.clean.mean, row.clean.ci) == (clean.mean, clean.ci)
        assert row.control.mean == cells["noise", eps].victim_seat.returns.mean
        left = {name: cells[name, eps].victim_seat.returns.mean for name in ("fgsm", "pgd")}
        assert row.best.value.mean == min(left.values())
        assert row.best.value.ci == min((cells[n, eps].victim_seat.returns for n in left), key=lambda m: m.mean).ci
        assert row.standard is None
        assert row.tier == "smoke"
        assert "autoattack was not played on all of it" in row.reasons
        assert "cells of fewer than 20 episodes" in row.reasons


def test_the_area_and_the_half_size_are_those_of_the_least_left(board):
    (of_game,) = board[0].boards
    small, large = (ranking.rows[0] for ranking in of_game.rankings)
    clean, half, one = small.clean.mean, small.best.value.mean, large.best.value.mean
    assert small.area == large.area == pytest.approx((0.5 * (clean + half) / 2 + 1.0 * (half + one) / 2) / 1.5)
    assert one < clean / 2
    assert small.half is not None
    assert small.half <= 1.5


def test_the_command_of_a_row_plays_its_number_again(board, tmp_path, monkeypatch):
    from rlattack.cli.main import main

    (of_game,) = board[0].boards
    agent = of_game.rankings[1].rows[0].agents[0]
    program, *words = agent.command.split()
    assert program == "rlattack"
    assert main([*words, "--run", str(tmp_path / "again"), "--workers", "1"]) == 0
    *_, attacked = json.loads((tmp_path / "again" / "results.json").read_text())["cells"]
    assert attacked["seats"][0]["return"]["mean"] == agent.best
    assert attacked["attacks"][0]["eps"] == 1.5


def test_attackers_are_ranked_by_how_often_they_leave_least(board):
    (of_game,) = board[0].boards
    assert {one.name.split()[0] for one in of_game.attackers} == {"fgsm", "pgd"}
    assert [one.met for one in of_game.attackers] == [2, 2]
    apart = [one for one in of_game.attackers if one.strongest]
    assert sum(one.strongest for one in apart) <= 2
    assert all(one.margin is not None and one.margin > 0 for one in apart)
    assert all(one.margin is None for one in of_game.attackers if not one.strongest)


def test_a_group_is_ranked_over_its_seeds_and_told_one_by_one(tmp_path):
    for number in range(3):
        chooser(tmp_path / f"agent-{number}", number, scale=20.0)
    agents = [str(tmp_path / f"agent-{number}") for number in range(3)]
    text = COINS.replace('["tests.kit.players:coin"]', '["mine", "tests.kit.players:coin"]')
    found, _ = played(planned(tmp_path, text + f"\n[groups]\nmine = {json.dumps(agents)}\n"), tmp_path / "run")
    (of_game,) = found.boards
    row = next(row for row in of_game.rankings[0].rows if row.group)
    assert [one.agent for one in row.agents] == agents
    assert row.best.value.mean == pytest.approx(np.mean([one.best for one in row.agents]))
    assert row.best.value.median == pytest.approx(np.median([one.best for one in row.agents]))
    assert (row.best.value.seeds, row.best.value.episodes) == (3, 18)
    low, high = row.best.value.ci
    assert low <= row.best.value.mean <= high
    assert "Intervals over 3 training seeds mean little, and are too narrow: compare 5 or more." in row.warnings
    page = (tmp_path / "run" / "leaderboard.html").read_text()
    assert f"median {row.best.value.median:.4g}, interquartile mean {row.best.value.iqm:.4g}" in page


def test_who_is_no_worse_beyond_doubt_shares_a_rank(tmp_path):
    found, _ = played(
        planned(tmp_path, two(tmp_path, COINS.replace("episodes = 6", "episodes = 20"))), tmp_path / "run"
    )
    (of_game,) = found.boards
    for ranking in of_game.rankings:
        first, second = ranking.rows
        apart = second.best.value.ci[1] < first.best.value.ci[0]
        assert (first.rank, second.rank) == (1, 2 if apart else 1)
        (difference,) = ranking.differences
        assert difference.apart == first.best.value.mean - second.best.value.mean >= 0


def test_what_is_reported_stands_beside(tmp_path):
    stated = (
        '\n[[reported]]\nagent = "tests.kit.players:coin"\nclean = 4.0\nattacked = 3.5\neps = 1.5\nsource = "a paper"\n'
    )
    found, _ = played(planned(tmp_path, COINS + stated), tmp_path / "run")
    (of_game,) = found.boards
    assert [ranking.rows[0].reported for ranking in of_game.rankings] == [None, 3.5]
    assert of_game.rankings[1].rows[0].source == "a paper"


def test_several_run_seeds_are_pooled(tmp_path):
    one, _ = played(planned(tmp_path), tmp_path / "one")
    both, _ = played(planned(tmp_path, COINS.replace("[[tables]]", "[[tables]]\nseeds = [0, 1]")), tmp_path / "two")
    row = both.boards[0].rankings[0].rows[0]
    assert row.seeds == (0, 1)
    commands = row.agents[0].command.splitlines()
    assert ["--seed 0" in commands[0], "--seed 1" in commands[1]] == [True, True]
    assert row.best.value.episodes == 12 == 2 * one.boards[0].rankings[0].rows[0].best.value.episodes


def test_the_files_say_the_same(board):
    found, content, folder, _ = board
    assert content["schema"] == "rlattack/leaderboard/1"
    rows = list(csv.DictReader((folder / "leaderboard.csv").read_text().splitlines()))
    assert [float(row["eps"]) for row in rows] == [0.5, 1.5]
    for row, ranking in zip(rows, content["boards"][0]["rankings"], strict=True):
        best = ranking["rows"][0]["best"]["value"]
        assert float(row["best"]) == best["mean"]
        assert [float(row["best_low"]), float(row["best_high"])] == best["ci"]
    page = (folder / "leaderboard.html").read_text()
    assert "http" not in page.replace("http-equiv", "").replace("http://www.w3.org", "")
    assert page.count("tests.kit.players:coin") >= 2
    assert to_csv(found) == (folder / "leaderboard.csv").read_text()
    assert list((folder / "tensorboard").iterdir())


def test_speeds_and_dates_alone_are_left_out_of_what_runs_share():
    content = {"a": [{"seconds": 1.0, "date": "x", "mean": 2.0}], "seconds": 3}
    assert stable(content) == {"a": [{"mean": 2.0}]}


def test_several_games_have_a_page_each_and_an_index(tmp_path):
    played(planned(tmp_path, COINS.replace('"coins/any"', '"coins/any", "coins/else"')), tmp_path / "run")
    index = (tmp_path / "run" / "leaderboard.html").read_text()
    files = re.findall(r'href="(leaderboard-[^"]+)"', index)
    assert len(files) == 2
    assert "<table>" not in index
    for game, file in zip(("coins/any", "coins/else"), files, strict=True):
        page = (tmp_path / "run" / file).read_text()
        assert f"<h2>{game}</h2>" in page
        assert page.count("<h2>") == 1


def test_a_page_shows_the_columns_that_somebody_knows(board):
    page = (board[2] / "leaderboard.html").read_text()
    assert ">best known</th>" in page
    assert ">certified</th>" not in page


def test_who_met_less_than_others_is_told_so_and_is_no_higher_for_it(tmp_path):
    other = chooser(tmp_path / "other", 0, scale=20.0)
    less = f"""
[[tables]]
games = ["coins/any"]
victims = [{json.dumps(other)}]
attack = ["fgsm:loss=margin"]
eps = [0.5]
"""
    found, _ = played(planned(tmp_path, COINS + less), tmp_path / "run")
    rows = {row.name: row for row in found.boards[0].rankings[0].rows}
    unmet = "not all attacks of this table were played on it: pgd loss=margin steps=2"
    assert unmet in rows[other].reasons
    assert rows[other].area is None
    assert not [reason for reason in rows["tests.kit.players:coin"].reasons if "not all" in reason]
    assert rows["tests.kit.players:coin"].area is not None


def test_of_a_group_the_agents_that_met_nothing_are_counted(tmp_path):
    agents = [chooser(tmp_path / f"agent-{number}", number, scale=20.0) for number in range(2)]
    text = COINS.replace("tests.kit.players:coin", "mine") + f"\n[groups]\nmine = {json.dumps(agents)}\n"
    program = planned(tmp_path, text)
    cells = play_grid(program.only("agent-0"), tmp_path / "run", watch=silent, workers=1)
    (row,) = rank(program, cells).boards[0].rankings[0].rows
    assert "1 of its agents met none of them" in row.reasons


@pytest.mark.parametrize(
    ("status", "counts"),
    [("failed: an attack changed 1 actions that were certified: the certificate is wrong", True),
     ("failed: the attack left its budget in 1 of 9 steps", False)],
)  # fmt: skip
def test_an_attack_that_breaks_a_certificate_lowers_the_row_and_one_beyond_its_size_does_not(board, status, counts):
    found, _, folder, program = board
    cells = dict(play_grid(program, folder, watch=silent, workers=1))
    before = found.boards[0].rankings[1].rows[0]
    for key, one in cells.items():
        if one.result.attack is not None and not one.result.control and one.result.eps == 1.5:
            cells[key] = dataclasses.replace(one, result=dataclasses.replace(one.result, status=status))
    after = rank(program, cells).boards[0]
    assert len(after.rankings[1].rows if len(after.rankings) > 1 else ()) == counts
    if counts:
        (row,) = after.rankings[1].rows
        assert row.best == before.best
        assert row.certificate is not None
        assert row.certificate.voided
        assert "2 cells failed" in row.reasons


def test_each_command_has_the_options_of_its_own_table(tmp_path):
    table = COINS[COINS.index("[[tables]]") :].replace("[0.5, 1.5]", "[2.5]")
    table += f"surrogate = {json.dumps([chooser(tmp_path / 'other', 0)])}\n"
    found, _ = played(planned(tmp_path, COINS + table), tmp_path / "run")
    commands = [ranking.rows[0].agents[0].command for ranking in found.boards[0].rankings]
    assert ["--surrogate" in command for command in commands] == [False, False, True]


def test_autoattack_has_a_command_beside_that_of_the_least(tmp_path):
    text = COINS.replace('"pgd:steps=2,loss=margin"', '"autoattack"').replace("[0.5, 1.5]", "[0.5]")
    found, content = played(planned(tmp_path, text), tmp_path / "run")
    row = found.boards[0].rankings[0].rows[0]
    (agent,) = row.agents
    assert row.standard is not None
    assert agent.standard == row.standard.value.mean
    assert "--attack autoattack" in agent.standard_command
    assert content["boards"][0]["rankings"][0]["rows"][0]["agents"][0]["identity"] == agent.identity
