"""The tables at the end of an evaluation, as a terminal of some width shows them."""

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from rlattack.report import activations, print_results
from tests.kit.results import assault, attack, crossed, duel, heat, mean, pong, pong_cell, three, transferred

RUN = Path("run")


@pytest.fixture
def printed():
    def show(cells, width=160, folder=RUN):
        out = io.StringIO()
        print_results(cells, folder, Console(file=out, width=width))
        return out.getvalue()

    return show


def test_a_natural_change_has_its_size_in_its_own_unit_and_a_defended_victim_its_front(printed):
    cells = [
        pong_cell("c0", "clean", None, 21.0, 1.0, defence="jpeg"),
        pong_cell("r1", "rotate", 3.0, -18.2, 0.0, defence="jpeg", about={"reach": "rotation"}),
    ]
    text = printed(cells)
    assert "atari/pong/ppo behind jpeg in atari/pong: 20 episodes" in text
    assert "│ rotate │ 3 degrees │" in text
    assert "at 3 degrees takes the win rate from 100 % to 0 %" in text


def words(text):
    return " ".join(text.split())


def test_an_attack_shows_a_row_a_cell_the_finding_and_where_the_rest_is(printed):
    text = printed(pong())
    assert "atari/pong/ppo in atari/pong: 20 episodes, greedy actions, seed 0" in text
    assert "│ pixel                    │ 1 pixel     │   70 % [54, 86] │" in text
    assert "takes the win rate from 100 % to 0 %" in text
    assert "A win is a return above 0" in text
    assert text.count("noise (control)") == 3
    assert "1 cell without a control of the same size beside: pixel l0 2." in text
    assert text.splitlines()[-1] == "run/report.html shows it all; or: tensorboard --logdir run"


def test_the_matrix_of_transfer_follows_the_tables_where_there_is_room(printed):
    text = printed(crossed())
    assert "fgsm at eps 0.004 (one grey level), what is left (and the fall): rows are victims" in text
    assert "│ a2c │ 18 (fell 3) │ -20 (fell 41) │ -8 (fell 29) │ 15 (fell 6) │" in words(text)
    assert "too narrow for the matrix of transfer" in printed(crossed(), width=50)
    path = "/home/somebody/projects/agents/pong/model-of-the-third-seed.zip"
    far = transferred("atari/pong/ppo", {path: 3.0, f"{path}.2": 1.0, None: -21.0})
    assert "too narrow for the matrix" not in printed(far, width=120)


def test_a_duel_shows_who_wins_the_grid_and_the_finding(printed):
    text = printed(heat())
    assert f"{duel('a', 'b', 0.5).game}: blocker against runner: 100 episodes, sampled actions, seed 0" in text
    assert "blocker wins (victim wins, ties), percent: rows are victims" in words(text)
    assert "│ runner, blind (mask initial) │   12 (88, 0) │            – │" in text
    assert "No attack; hidden from the runner: the other player (mask initial)" in words(text.replace("│", ""))
    assert "adversary (blocker) wins 86 % of its games" in text


def test_an_attacked_duel_has_the_same_columns_below(printed):
    text = printed(assault())
    assert "zero – runner: what the" in text
    assert "linf 0.05 sigma" in text
    assert "fall of win rate" in text
    assert "actions changed compares the most likely actions" in text


@pytest.mark.parametrize(("width", "last"), [(62, "runner wins"), (80, "tie"), (160, "distinct")])
def test_columns_that_do_not_fit_are_left_out_and_no_number_is_cut(printed, width, last):
    lines = printed([duel("zero", "random", 0.5)], width).splitlines()
    heading = next(line for line in lines if "blocker wins" in line)
    assert last in heading.split("┃")[-2]
    assert "…" not in "".join(lines)
    assert max(len(line) for line in lines if line[:1] in "┏┃│└") <= width
    assert any(line.startswith("no room for") and "distinct" in line for line in lines) == (last != "distinct")


def test_a_failed_cell_shows_its_state_and_no_numbers(printed):
    cells = pong()
    cells[3] = pong_cell("f1", "fgsm", 0.001, -77.7, 0.0, status="failed: the attack left its budget in 1 of 9 steps")
    text = printed(cells)
    assert "│ fgsm                     │ linf 0.001  │          failed │" in text
    assert "fgsm linf 0.001: failed: the attack left its budget in 1 of 9 steps" in text
    assert "-77.7" not in text
    assert "1 cell failed" in text


def test_a_star_is_explained_where_there_is_one(printed):
    plain, equal = duel("zero", "runner", 0.5), duel("a", "runner", 0.5, length=mean(167.0, 0.0))
    assert "*" not in printed([plain])
    text = printed([plain, equal])
    assert "167.0 [167.0, 167.0]*" in text
    assert "\n* all values are equal, so the interval is only their point\n" in text
    warned = printed([plain, duel("a", "runner", 0.5, returns=[mean(0.0, 0.0)] * 2)])
    assert warned.count("equal") == 1  # the warning explains the star


@pytest.mark.parametrize(("opponents", "whole"), [(2, True), (6, False)])
def test_a_grid_too_wide_for_the_terminal_is_left_out_whole(printed, opponents, whole):
    cells = [duel(f"mine/adversary-number-{number}", "runner", 0.5) for number in range(opponents)]
    text = printed(cells, 80)
    assert ("blocker wins (victim wins, ties)" in text) == whole
    assert ("too narrow for the grid" in text) != whole
    assert text.count("50 (50, 0)") == (opponents if whole else 0)
    assert "…" not in text


def test_a_game_without_a_win_rule_says_so(printed):
    assert "no win rule" in printed([pong_cell("c", "clean", None, 500.0, None)])


def test_repeated_episodes_come_with_what_to_try(printed):
    cells = [replace(pong()[0], distinct=1), *pong()[1:]]
    assert "try --actions sampled or --sticky 0.25" in printed(cells)


def test_three_seats_and_two_settings_are_tables_like_the_others(printed):
    hit = three(cell="a", attacks=[attack("pgd", 0.1, "east")], wins=(0.1, 0.4, 0.5))
    text = printed([three(), hit, *pong()])
    assert "east – north – west" in text
    assert "cards/hearts: north and west against east" in text
    assert "atari/pong/ppo in atari/pong" in text


def test_likelihoods_of_activations_stand_below(printed, tmp_path):
    found = {
        "schema": activations.SCHEMA, "seat": "runner", "normal": "zero", "components": 2, "rows": 10,
        "parameters": 35,
        "log_likelihood": {"train": {"mean": 1.5, "ci": [1.0, 2.0]}, "random": {"mean": -9.0, "ci": [-10.0, -8.0]}},
    }  # fmt: skip
    (tmp_path / activations.FILE).write_text(json.dumps(found))
    (tmp_path / activations.PICTURE).write_bytes(b"picture")
    text = printed(heat(), folder=tmp_path)
    assert "log-likelihood of the runner's activations, by a mixture fitted to play against zero" in text
    assert "│ zero (train) │     1.5 [1.0, 2.0] │" in text
    assert "│ random       │ -9.0 [-10.0, -8.0] │" in text
    assert "play at least 4 times as many games" in text


def test_names_are_text_and_never_markup(printed):
    assert "[bold]me[/bold]" in printed([duel("[bold]me[/bold]", "runner", 0.5)])


def test_without_a_console_it_is_printed_wide(capsys):
    print_results(heat(), RUN)
    assert "blocker wins" in capsys.readouterr().out
