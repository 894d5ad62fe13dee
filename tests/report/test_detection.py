"""What detectors made of cells, in tables, curves and words."""

import dataclasses
import io
import re

from rich.console import Console

from rlattack.evaluation.results import Detection, RocPoint, from_json, to_json
from rlattack.report.comparison import settings
from rlattack.report.curves import svg
from rlattack.report.detection import curves, detection, roc_map, scalars
from rlattack.report.terminal import print_results
from rlattack.report.warnings import warnings
from tests.kit.results import mean, pong_cell, rate

POINTS = (RocPoint(0.0, 0.5, 0.4, 0.6), RocPoint(0.01, 0.75, 0.7, 0.8), RocPoint(1.0, 1.0, 1.0, 1.0))
FALSE = Detection(steps=mean(0.004, 0.001), episodes=rate(0.5), delay=mean(40.0, 5.0))
SEEN = Detection(mean(0.9, 0.02), mean(0.71, 0.05), rate(1.0), mean(3.0, 1.0), POINTS)
MISSED = Detection(mean(0.4, 0.02), mean(0.002, 0.001), rate(0.1), None, POINTS)
OFTEN = dataclasses.replace(FALSE, steps=mean(0.2, 0.05))


def cells(clean=FALSE, blur=SEEN, **names):
    one = {name: {"detection": {"squeeze": found}} for name, found in names.items()}
    natural = {"reach": "blur"}
    return [
        pong_cell("c", "clean", None, 21.0, 1.0, seat={"detection": {"squeeze": clean}}),
        pong_cell("n", "noise", 0.001, 21.0, 1.0, seat=one.get("noise", {"detection": {"squeeze": MISSED}})),
        pong_cell("p", "pgd", 0.001, -20.0, 0.0, seat=one.get("pgd", {"detection": {"squeeze": SEEN}})),
        pong_cell("b", "blur", 1.0, 3.0, 0.5, about=natural, seat={"detection": {"squeeze": blur}}),
    ]


def setting(**changes):
    return settings(cells(**changes))[0]


def test_each_detector_has_a_group_clean_play_first_then_natural_changes():
    (group,) = detection(setting()).groups
    assert group.title == "squeeze"
    assert [row.label for row in group.rows] == [
        "clean: false alarms",
        "noise at eps 0.001 (a quarter of a grey level)",
        "blur at 1 pixel (natural)",
        "pgd at eps 0.001 (a quarter of a grey level)",
    ]
    told = [[str(value) for value in row.values] for row in group.rows]
    assert told[0] == ["–", "0.4 % [0.3, 0.5]", "–", "50 % [40, 60]", "40.0 [35.0, 45.0]"]
    assert told[3][:3] == ["0.900 [0.880, 0.920]", "71.0 % [66.0, 76.0]", "75.0 % [70.0, 80.0]"]
    assert [row.control for row in group.rows] == [False, True, False, False]


def test_where_nobody_looked_on_there_is_no_table_and_no_curve():
    bare = settings([pong_cell("c", "clean", None, 21.0, 1.0), pong_cell("p", "pgd", 0.001, 2.0, 0.0)])[0]
    assert (detection(bare), curves(bare)) == (None, [])


def test_curves_are_of_attacks_and_natural_changes_and_take_the_colours_of_the_page():
    drawn = curves(setting())
    assert [(one.detector, one.cell.partition(" ")[0]) for one in drawn] == [("squeeze", "blur"), ("squeeze", "pgd")]
    text = svg("roc", lambda: roc_map(drawn))
    assert "var(--line-0)" in text
    assert re.search(r"false alarms, of clean steps", text)


def test_alarms_that_are_too_many_and_alarms_without_an_attack_are_said():
    calm = [line for line in warnings(setting(blur=MISSED)) if "alarms" in line.lower()]
    assert calm == []
    said = [line for line in warnings(setting(clean=OFTEN)) if "alarms" in line.lower()]
    assert said[0] == (
        "More false alarms in clean play than were asked for: squeeze 20 % for 1 %. episodes= sets it better."
    )
    assert re.fullmatch(
        r"Alarms where nothing attacks, but the picture changed: squeeze 71 % under blur .*\(natural\)\.", said[1]
    )


def test_a_rate_of_episodes_is_no_rate_of_steps():
    found = [
        dataclasses.replace(
            cell,
            seats=(dataclasses.replace(cell.seats[0], detection={"squeeze:episodes=20,per=episode,rate=0.05": OFTEN}),),
        )
        for cell in cells()
    ]
    assert not [line for line in warnings(settings(found)[0]) if "More false alarms" in line]


def test_the_terminal_prints_a_table_a_detector(tmp_path):
    console = Console(width=160, record=True)
    print_results(cells(), tmp_path, console)
    text = console.export_text()
    assert "squeeze: alarms, of attacked steps" in text
    assert re.search(r"pgd at eps 0\.001.*│ 0\.900 \[0\.880, 0\.920\] │ 71\.0 % \[66\.0, 76\.0\]", text)


def test_a_narrow_terminal_shows_the_columns_of_a_detector_that_fit_and_names_the_others(tmp_path):
    shown = io.StringIO()
    print_results(cells(), tmp_path, Console(file=shown, width=80))
    assert "AUC" in shown.getvalue()
    assert "too narrow for the alarms" not in shown.getvalue()
    assert re.search(r"no room for .*delay.*: a wider terminal", " ".join(shown.getvalue().split()))


def test_scalars_are_named_by_what_they_are_and_the_detector():
    clean, _, pgd, _ = cells()
    assert set(scalars(clean)) == {"alarms squeeze", "episodes squeeze", "delay squeeze"}
    assert scalars(pgd)["auc squeeze"].value == 0.9


def test_results_come_back_from_json_as_they_were():
    assert from_json(to_json(cells())) == cells()
