from dataclasses import replace

import pytest

from rlattack.report.comparison import Setting
from rlattack.report.warnings import warnings
from tests.kit.results import assault, duel, mean, pong, pong_cell


def said(cells):
    return warnings(Setting(tuple(cells)))


def test_warnings_name_what_weakens_the_numbers():
    cells = pong()
    cells[0] = pong_cell("c0", "clean", None, 21.0, 1.0, returns=mean(21.0, 0.0), distinct=1)
    cells[1] = replace(cells[1], stalled=2, truncated=3)
    cells[2] = replace(cells[2], status="failed: the attack left its budget in 3 of 10 steps")
    text = "\n".join(said(cells))
    assert "1 cell failed" in text
    assert "2 cells without a control of the same size beside: fgsm linf 0.0025, pixel l0 2" in text
    assert "In 1 cell all returns are equal" in text
    assert "In 1 cell episodes repeat each other: only 1 of 20 are distinct." in text
    assert "too narrow there: try --actions sampled or --sticky 0.25." in text
    assert "2 episodes were stopped after too long without reward" in text
    assert "3 episodes were cut by the time limit" in text


def test_episodes_that_all_have_one_length_are_not_said_to_be_cut():
    cells = [replace(cell, truncated=cell.episodes) for cell in pong() if cell.cell != "x2"]
    assert said(cells) == []
    short = replace(cells[1], truncated=cells[1].episodes - 1)
    assert said([cells[0], short]) == [
        f"{2 * short.episodes - 1} episodes were cut by the time limit. Their returns count as they stood."
    ]


def test_that_an_attack_plays_the_game_ahead_is_said():
    cells = [cell for cell in pong() if cell.cell != "x2"]
    ahead = [replace(one, schedule="critical:n=1", looks_ahead=True) for one in cells[-1].attacks]
    told = said([*cells[:-1], replace(cells[-1], attacks=tuple(ahead))])
    assert "critical:n=1 plays ahead in the game itself: no attacker outside of it knows as much." in told


@pytest.mark.parametrize(("control", "lines"), [(0.25, 1), (0.34, 0)])
def test_a_control_that_acted_clearly_more_or_less_often_is_said(control, lines):
    about = {"schedule": "timed:share=0.4"}
    cells = [
        pong_cell("c", "clean", None, 21.0, 1.0),
        pong_cell("n", "noise", 0.001, 21.0, 1.0, about=about, seat={"attacked": control}),
        pong_cell("f", "fgsm", 0.001, 3.0, 0.5, about=about, seat={"attacked": 0.35}),
    ]
    told = said(cells)
    assert len(told) == lines
    if told:
        shares = "fgsm when timed:share=0.4 linf 0.001 35 % beside noise when timed:share=0.4 linf 0.001 25 %."
        assert told[0].endswith(f"so they are not of one size: {shares}")


@pytest.mark.parametrize(("episodes", "words"), [(1, "1 episode"), (7, "7 episodes"), (8, "")])
def test_intervals_of_few_episodes_are_said_to_mean_little(episodes, words):
    told = said([pong_cell("c", "clean", None, 21.0, 1.0, episodes=episodes, distinct=episodes)])
    assert len(told) == bool(words)
    assert all(line.startswith(f"Intervals of {words} mean little") for line in told)


def test_a_sound_run_has_no_warnings():
    assert said(cell for cell in pong() if cell.cell != "x2") == []
    assert said(assault()) == []


def test_what_weakens_the_numbers_of_a_duel_is_said():
    cells = [
        duel("a", "b", 0.5, unstable=3, truncated=3, distinct=40), duel("d", "b", 0.5, distinct=99),
        duel("c", "b", 0.5, returns=[mean(0.0, 0.0)] * 2),
    ]  # fmt: skip
    degenerate, alike, unstable = said(cells)
    assert unstable == "In 3 episodes the simulation broke down. They ended there, and count as ties."
    assert alike.startswith("In 2 cells episodes repeat each other: in the worst only 40 of 100 are distinct.")
    assert alike.endswith("too narrow there.")
    assert degenerate.startswith("In 1 cell all returns of a seat are equal.")


def test_of_many_lonely_cells_a_few_are_named():
    cells = [pong_cell(str(i), "pgd", 0.001, 0.0, 0.0, about={"parameters": {"steps": i}}) for i in range(6)]
    (lonely,) = said(cells)
    assert lonely.startswith("6 cells without a control")
    assert lonely.endswith("pgd steps=3 linf 0.001 and 2 more.")


def test_a_change_that_a_front_rounds_away_is_said():
    cells = pong()
    assert not any("rounds to whole grey levels" in line for line in said(cells))
    (line,) = [line for line in said([replace(cell, defence="jpeg:quality=30") for cell in cells]) if "rounds" in line]
    small = sum(cell.eps == 0.001 and cell.spaces[0] == "linf" for cell in cells)
    assert line.startswith(f"In {small} cells jpeg:quality=30 rounds to whole grey levels")
    assert "says nothing of the defence" in line


def test_a_schedule_that_never_fires_is_said():
    about = {"schedule": "value:above=99"}
    idle = pong_cell("a", "fgsm", 0.001, 20.0, 1.0, about=about, seat={"attacked": 0.0})
    cells = [pong_cell("c", "clean", None, 20.0, 1.0), pong_cell("n", "noise", 0.001, 20.0, 1.0, about=about), idle]
    assert "In 1 cell nothing was changed: value:above=99 never fired." in said(cells)


def test_a_black_box_that_beats_every_white_box_is_said():
    about = {"knowledge": "scores"}
    others = [
        pong_cell("c", "clean", None, 21.0, 1.0), pong_cell("n", "noise", 0.001, 20.0, 1.0),
        pong_cell("w", "pgd", 0.001, 15.0, 1.0),
    ]  # fmt: skip

    def masked(eps, score):
        lines = said([*others, pong_cell("b", "square", eps, score, 0.0, about=about)])
        return [line for line in lines if "masked" in line]

    (line,) = masked(0.001, -20.0)
    assert line.startswith("square 0.001 has no gradients and does more harm than all that have them")
    assert masked(0.001, 14.9) == masked(0.002, -20.0) == []


def test_what_an_attack_did_otherwise_than_asked_is_said_once():
    cells = pong()
    noted = replace(cells[1].attacks[0], name="apgd", note="loss=margin is climbed")
    cells[1:3] = [replace(cell, attacks=(noted,)) for cell in cells[1:3]]
    assert said(cells).count("APGD: loss=margin is climbed.") == 1
