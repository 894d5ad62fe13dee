"""The matrix of victims and of what is done to them, with what none of them was trained for."""

import io
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from rlattack.evaluation.results import Mean, Rate
from rlattack.evaluation.statistics import average, difference
from rlattack.policies.claim import Claim
from rlattack.report import print_results, write_run
from rlattack.report.comparison import settings
from rlattack.report.curves import svg
from rlattack.report.foreseen import foreseen
from rlattack.report.matrix import matrices, matrix_map, notes, written
from tests.kit.results import attack, crossed, duel, mean, pong, pong_cell, write_folder

SA = Claim("sa:kappa=0.3", ("linf",), 0.004, "unit")
NATURAL = Claim("natural:changes=rotate", ("rotate",))
DONE = {
    "pgd": attack("pgd", 0.004), "large": attack("pgd", 0.008), "l2": attack("pgd", 0.004, reach="l2"),
    "turned": attack("rotate", 3.0, reach="rotation"),
}  # fmt: skip


def victim(name, clean, left, claim=None, half=1.0, **changes):
    """The clean game of a victim and what is left of it, by attack."""
    done = [("clean", None, clean), *((one, DONE[one], score) for one, score in left.items())]
    cells = [
        pong_cell(f"{name} {one}", "clean", None, 0.0, None, returns=mean(score, half), claim=claim, **changes)
        for one, _, score in done
    ]
    cells = [replace(cell, attacks=(how,) if how else ()) for cell, (_, how, _) in zip(cells, done, strict=True)]
    return [replace(cell, seats=(replace(cell.seats[0], player=name),)) for cell in cells]


BARE = victim("atari/pong/plain", 20.0, {"pgd": -20.0, "large": -21.0, "l2": -10.0, "turned": 10.0})
HARD = victim("atari/pong/sa", 18.0, {"pgd": 17.0, "large": 6.0, "l2": 4.0, "turned": -4.0}, SA)
TURNED = victim("atari/pong/turned", 19.0, {"pgd": -21.0, "large": -21.0, "l2": -15.0, "turned": 18.0}, NATURAL)


def matrix(*cells):
    (found,) = matrices(settings([one for of in cells for one in of]))
    return found


def test_the_mean_is_over_what_no_training_met_and_stands_beside_the_undefended_one_over_the_same():
    laid = matrix(BARE, HARD, TURNED)
    assert laid.columns == ("pgd linf 0.004", "pgd linf 0.008", "pgd l2 0.004", "rotate 3 degrees")
    plain, hard, turned = laid.rows
    assert [one.kind for one in hard.met.values()] == ["foreseen", "larger", "unforeseen", "unforeseen"]
    assert [one.kind for one in turned.met.values()] == ["unforeseen"] * 3 + ["foreseen"]
    assert (hard.unforeseen.mean, hard.beside.mean) == (0.0, 0.0)  # (4 - 4) / 2, (-10 + 10) / 2
    assert (turned.unforeseen.mean, turned.beside.mean) == (-19.0, -17.0)
    assert (plain.unforeseen.mean, plain.beside, plain.cost) == (-10.25, None, None)
    assert (hard.cost.mean, turned.cost.mean) == (2.0, 1.0)
    assert hard.cost.ci == pytest.approx((2 - 2**0.5, 2 + 2**0.5))
    assert [laid.columns[row.worst] for row in laid.rows] == ["pgd linf 0.008", "rotate 3 degrees", "pgd linf 0.004"]
    assert notes(laid) == []


def test_a_line_a_victim_says_what_it_stands_and_marks_what_its_training_met():
    heads, plain, hard, _ = written(matrix(BARE, HARD, TURNED))
    assert heads[:7] == ["", "trained to stand", "clean", "cost", "worst", "unforeseen", "undefended there"]
    assert plain[:4] == ["plain", "–", "20.0 [19.0, 21.0]", "–"]
    assert hard[:3] == ["sa", "sa:kappa=0.3, linf 0.004", "18.0 [17.0, 19.0]"]
    assert hard[7:] == ["17.0 [16.0, 18.0]†", "6.0 [5.0, 7.0]‡", "4.0 [3.0, 5.0]", "-4.0 [-5.0, -3.0]"]


def test_without_an_undefended_victim_there_is_no_cost_and_that_is_said():
    laid = matrix(HARD, TURNED)
    assert [row.cost for row in laid.rows] == [None, None]
    assert "cost" not in written(laid)[0]
    (line,) = notes(laid)
    assert line.startswith("No victim without a defence is among these")


def test_undefended_victims_alone_have_no_unforeseen_attacks():
    heads = written(matrix(BARE, victim("atari/pong/other", 19.0, {"pgd": 0.0})))[0]
    assert heads[:3] == ["", "clean", "worst"]


def test_a_victim_behind_a_front_is_defended_and_unforeseen_is_all():
    behind = victim("atari/pong/plain", 19.0, {"pgd": -19.0}, defence="jpeg")
    row = matrix(BARE, behind).rows[1]
    assert (row.name, row.bare, row.unforeseen.mean, row.cost.mean) == ("plain behind jpeg", False, -19.0, 1.0)


def test_victims_of_one_short_name_have_their_whole_names():
    laid = matrix(BARE, victim("plain", 1.0, {"pgd": 0.0}))
    assert [row.name for row in laid.rows] == ["atari/pong/plain", "plain"]
    laid = matrix(BARE, victim("atari/pong/plain", 1.0, {"pgd": 0.0}, actions="sampled"))
    assert [row.name for row in laid.rows] == ["atari/pong/plain, greedy", "atari/pong/plain, sampled"]


def test_what_was_not_played_is_a_dash_and_what_failed_or_was_crafted_on_others_is_not_there():
    few = victim("atari/pong/sa", 18.0, {"pgd": 17.0, "l2": 3.0}, SA)
    few[1] = replace(few[1], status="failed: left its budget")
    laid = matrix(BARE, few)
    assert written(laid)[2][-4:] == ["–", "–", "3.0 [2.0, 4.0]", "–"]
    assert laid.rows[1].beside.mean == -10.0
    for none in (crossed(), pong(), BARE, [BARE[0], HARD[0]], []):
        assert matrices(settings(none)) == []


@pytest.mark.parametrize(
    ("claim", "about", "kind"),
    [
        (SA, {"space": "raw"}, "larger"),
        (SA, {"access": "action"}, "unforeseen"),
        (replace(SA, eps=None), {}, "larger"),
        (SA, {"eps": None}, "larger"),
        (NATURAL, {"name": "rotate", "reach": "rotation", "eps": 90.0}, "foreseen"),
        (Claim("natural", ("delay",)), {"name": "action-delay", "reach": "delay", "access": "action"}, "unforeseen"),
        (Claim("natural", ("action-slip",)), {"name": "action-slip", "reach": "slip", "access": "action"}, "foreseen"),
        (None, {}, "unforeseen"),
    ],
)
def test_what_is_foreseen_has_the_norm_the_unit_and_the_size_or_the_name(claim, about, kind):
    assert foreseen(claim, [replace(DONE["pgd"], **about)]) == kind


def test_several_attacks_at_once_are_as_little_foreseen_as_the_least_of_them():
    assert foreseen(SA, [DONE["pgd"], DONE["turned"]]) == "unforeseen"


def test_opponents_and_attacks_are_columns_of_one_matrix_of_win_rates():
    hit = [attack("pgd", 0.2, "runner", space="raw")]
    learned = Claim("learned against", ("blocker",))
    cells = []
    for number, (runner, claim) in enumerate((("old", None), ("new", learned))):
        cells += [
            duel("zero", runner, 0.1 + number / 10, claim=claim),
            duel("zero", runner, 0.9, attacks=hit, claim=claim),
            duel("blocker", runner, 0.8 - number / 2, claim=claim),
            duel("stranger", runner, 0.7, claim=claim),
        ]
    laid = matrix(cells)
    assert laid.columns == ("pgd linf 0.2 against zero", "against blocker", "against stranger")
    old, new = laid.rows
    assert [one.kind for one in new.met.values()] == ["unforeseen", "foreseen", "unforeseen"]
    assert (new.clean.value, new.cost.value) == pytest.approx((0.8, 0.1))
    assert (new.unforeseen.value, new.beside.value) == pytest.approx((0.2, 0.2))
    assert isinstance(old.clean, Rate)
    assert written(laid)[2][1:3] == ["learned against blocker", "80 % [70, 90]"]


def test_the_average_is_as_wide_as_if_all_moved_together():
    assert average([Mean(1.0, (0.0, 3.0)), Mean(3.0, (2.0, 4.0))]) == Mean(2.0, (1.0, 3.5))
    assert difference(Rate(0.9, (0.6, 1.0)), Rate(0.5, (0.1, 0.9))).ci == pytest.approx((-0.1, 0.4 + 0.17**0.5))


def test_the_terminal_turns_it_where_it_is_wide_and_says_what_marks_mean():
    def printed(width, *cells):
        out = io.StringIO()
        print_results([one for of in cells for one in of], Path("run"), Console(file=out, width=width))
        return " ".join(out.getvalue().split())

    assert "What is left: rows are victims" in printed(240, BARE, HARD)
    narrow = printed(90, BARE, HARD)
    assert "What is left: columns are victims" in narrow
    assert "│ pgd linf 0.008 │ -21.0 [-22.0, -20.0] │ 6.0 [5.0, 7.0]‡ │" in narrow
    assert "† its training met such" in narrow
    assert "No victim without a defence is among these" in printed(90, HARD, TURNED)
    assert "too narrow for the matrix of what victims stand" in printed(30, BARE, HARD)


def test_page_picture_and_json_show_it(tmp_path, page):
    cells = [*BARE, *HARD]
    run = write_folder(tmp_path / "run", cells)
    write_run(run, cells)
    (found,) = json.loads((run / "matrix.json").read_text())["matrices"]
    assert found["rows"][1]["claim"]["defence"] == "sa:kappa=0.3"
    assert found["rows"][1]["met"]["pgd linf 0.004"]["left"]["mean"] == 17.0
    assert found["rows"][0]["worst"] == "pgd linf 0.008"
    assert list((run / "tensorboard" / "matrix").rglob("sa/events*"))
    shown = page(BARE, HARD)  # the victims of two runs are compared, too
    assert "robust against what?" in shown.text
    assert "17.0 [16.0, 18.0]†" in shown.text
    words = re.findall(r">([^<>]+)</t(?:ext|span)>", svg("here", lambda: matrix_map(matrix(BARE, HARD))))
    assert {"17.0†", "foreseen", "-4.0", "sa", "plain", "nothing", "below the best clean one"} <= set(words)
    write_run(run, BARE)
    assert not (run / "matrix.json").exists()
