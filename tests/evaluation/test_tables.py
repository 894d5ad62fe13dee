from rlattack.evaluation.curves import styles
from rlattack.evaluation.series import lines
from rlattack.evaluation.tables import DETAILS, NUMBERS, table


def rows(made, title):
    column = [column.title for column in made.columns].index(title)
    return {row.label: row.values[column] for group in made.groups for row in group.rows}


def test_numbers_stand_with_their_intervals(pong_cells):
    made = table(pong_cells[:4], NUMBERS, styles(lines(pong_cells)))
    fgsm = rows(made, "mean return")["fgsm"]
    assert (fgsm.text, fgsm.interval) == ("-18.2", "[-19.0, -17.4]")
    rate = rows(made, "win rate")["fgsm"]
    assert (rate.text, rate.interval) == ("0 %", "[0, 16]")
    assert rows(made, "grey levels")["fgsm"].text == "0.255"


def test_groups_are_the_clean_cell_and_the_norms(pong_cells):
    made = table(pong_cells, NUMBERS, {})
    assert [group.title.split(":")[0] for group in made.groups] == ["No attack", "L∞", "L0"]
    assert [row.label for row in made.groups[2].rows] == ["pixel", "pixel", "noise"]


def test_columns_in_which_nothing_was_measured_are_left_out(make_cell):
    made = table(
        [make_cell("c", "none", None, 500.0, None), make_cell("f", "fgsm", 0.1, 9.0, None, space="raw")], NUMBERS, {}
    )
    assert [column.title for column in made.columns] == ["eps", "mean return", "fall of return", "actions changed"]


def test_a_failed_cell_shows_its_status(make_cell):
    made = table([make_cell("f", "fgsm", 0.1, 9.0, 0.0, status="failed: why")], NUMBERS, {})
    assert made.groups[0].rows[0].status == "failed: why"
    assert table([{"attack": "fgsm"}], NUMBERS, {}).groups[0].rows[0].status == "no status"


def test_an_interval_of_equal_returns_has_a_star(make_cell):
    cell = make_cell("f", "fgsm", 0.001, -21.0, 0.0)
    cell["return"] |= {"ci": [-21.0, -21.0], "degenerate": True}
    cell["drop"] |= {"return_degenerate": True}
    made = table([cell], NUMBERS, {})
    assert rows(made, "mean return")["fgsm"].interval == "[-21.0, -21.0]*"
    assert rows(made, "fall of return")["fgsm"].interval.endswith("*")
    assert not rows(made, "win rate")["fgsm"].interval.endswith("*")


def test_large_returns_have_no_decimals_and_zero_has_no_sign(make_cell):
    large = table([make_cell("q", "fgsm", 0.1, 15935.4, 0.0)], NUMBERS, {})
    assert rows(large, "mean return")["fgsm"].text == "15935"
    small = table([make_cell("q", "fgsm", 0.1, -0.001, 0.0)], NUMBERS, {})
    assert rows(small, "mean return")["fgsm"].text == "0.00"


def test_details_show_the_size_in_the_norm_of_the_budget(make_cell):
    cell = make_cell("f", "fgsm", 0.001, 0.0, 0.0, norm="l2", radius=0.168)
    made = table([cell], DETAILS, {})
    assert rows(made, "radius")["fgsm"].text == "0.168"
    assert rows(made, "largest")["fgsm"].text == "0.168"
    assert rows(made, "cell")["fgsm"].text == "f"
