from dataclasses import replace

from rlattack.report.columns import details, numbers
from rlattack.report.comparison import Setting
from rlattack.report.tables import table
from tests.kit.results import assault, attack, duel, heat, mean, pong, pong_cell, rate, struck, three


def laid(cells, columns=numbers):
    setting = Setting(tuple(cells))
    return table(setting, columns(setting))


def column(made, title):
    place = [one.title for one in made.columns].index(title)
    return {row.label: row.values[place] for row in made.rows}


def texts(made):
    return [(row.label, *map(str, row.values)) for row in made.rows]


def titles(made):
    return [one.title for one in made.columns]


def test_numbers_stand_with_their_intervals():
    made = laid(pong()[:4])
    assert str(column(made, "mean return")["fgsm"]) == "-18.2 [-19.0, -17.4]"
    assert str(column(made, "win rate")["fgsm"]) == "0 % [0, 16]"
    assert column(made, "grey levels")["fgsm"].text == "0.255"
    assert str(column(made, "fall of win rate")["clean"]) == "–"


def test_how_often_an_attack_came_to_act_stands_beside_what_it_did_where_it_was_timed():
    timed = [
        pong_cell("c", "clean", None, 21.0, 1.0),
        pong_cell("t", "fgsm", 0.001, 0.0, 0.5, about={"schedule": "timed:share=0.1"}),
    ]
    assert "attacked" in titles(laid(timed))
    assert "attacked" not in titles(laid(pong()))


def test_groups_are_the_clean_cell_and_the_norms():
    made = laid(pong())
    assert [group.title.split(":")[0] for group in made.groups] == ["No attack", "L∞", "L0"]
    assert [row.label for row in made.groups[2].rows] == ["pixel", "pixel", "noise"]
    assert [row.control for row in made.groups[2].rows] == [False, False, True]


def test_columns_in_which_nothing_was_measured_are_left_out():
    raw = {"space": "raw"}
    made = laid([pong_cell("c", "clean", None, 500.0, None), pong_cell("f", "fgsm", 0.1, 9.0, None, about=raw)])
    assert titles(made) == ["eps", "mean return", "fall of return", "actions changed"]


def test_an_attack_on_actions_has_no_share_of_actions_that_what_is_seen_changed():
    about = {"access": "action", "reach": "slip"}
    slip = pong_cell("s", "action-slip", 5.0, 9.0, 0.5, about=about, seat={"action_change": 0.0})
    found = column(laid([*pong()[:4], slip]), "actions changed")
    assert (str(found["action-slip"]), str(found["fgsm"])) == ("–", "95.0 %")


def test_counts_of_what_never_happened_are_left_out():
    assert not {"stalled", "truncated", "unstable"} & set(titles(laid(pong(), details)))
    made = laid([*pong()[:3], replace(pong()[3], stalled=2)], details)
    assert column(made, "stalled")["fgsm"].text == "2"
    assert column(made, "stalled")["clean"].text == "0"


def test_a_failed_cell_shows_its_status():
    (group,) = laid([pong_cell("f", "fgsm", 0.1, 9.0, 0.0, status="failed: why")]).groups
    assert group.rows[0].status == "failed: why"


def test_an_interval_of_equal_returns_has_a_star():
    made = laid([pong_cell("f", "fgsm", 0.001, -21.0, 0.0, returns=mean(-21.0, 0.0))])
    assert column(made, "mean return")["fgsm"].interval == "[-21.0, -21.0]*"
    assert column(made, "fall of return")["fgsm"].interval.endswith("*")
    assert not column(made, "win rate")["fgsm"].interval.endswith("*")
    assert made.starred


def test_returns_of_a_setting_have_as_many_decimals_as_suits_the_largest_that_is_good():
    cells = [pong_cell("c", "clean", None, 12.34, 1.0), pong_cell("q", "fgsm", 0.1, 15935.4, 0.0)]
    assert column(laid(cells), "mean return")["clean"].text == "12"
    failed = replace(cells[1], status="failed: why")
    assert column(laid([cells[0], failed]), "mean return")["clean"].text == "12.3"
    assert column(laid([pong_cell("q", "fgsm", 0.1, -0.001, 0.0)]), "mean return")["fgsm"].text == "0.00"


def test_details_show_the_size_in_the_norm_of_the_budget_and_who_asked_how_much():
    made = laid([pong_cell("f", "fgsm", 0.001, 0.0, 0.0, about={"reach": "l2", "radius": 0.168})], details)
    assert column(made, "radius")["fgsm"].text == "0.168"
    assert column(made, "largest")["fgsm"].text == "0.168"
    assert column(made, "gradients")["fgsm"].text == "1"
    assert column(made, "cell")["fgsm"].text == "f"


def test_details_show_the_size_of_an_attack_on_actions():
    seat = {"sizes": {"action l2": 0.3, "action linf": 0.1}}
    made = laid([pong_cell("m", "mas", 0.1, 0.0, 0.0, about={"reach": "l2", "access": "action"}, seat=seat)], details)
    assert column(made, "largest")["mas"].text == "0.3"


def test_a_row_of_a_duel_shows_the_rates_of_both_seats_length_and_endings():
    made = laid([duel("a", "b", 0.5, 0.2)])
    assert titles(made) == ["blocker wins", "runner wins", "tie", "length", "endings"]
    assert texts(made) == [
        ("a – b", "50 % [40, 60]", "30 % [20, 40]", "20 % [10, 30]", "167.2 [159.8, 174.8]", "fallen 60, goal 40")
    ]
    assert [group.title for group in made.groups] == ["No attack"]


def test_details_of_a_duel_show_returns_of_both_seats_with_a_star_where_all_are_equal():
    made = laid([duel("a", "b", 0.5, returns=[mean(12.5, 2.5), mean(-1250.0, 0.0)])], details)
    (row,) = texts(made)
    assert row[1:3] == ("12.5 [10.0, 15.0]", "-1250 [-1250, -1250]*")


def test_cells_without_an_attack_are_grouped_by_what_is_hidden():
    cells = heat()
    made = laid([*cells[:2], cells[4], *cells[2:4]])
    assert [group.title for group in made.groups] == [
        "No attack; nothing is hidden", "No attack; hidden from the runner: the other player (mask initial)",
    ]  # fmt: skip
    assert [len(group.rows) for group in made.groups] == [4, 1]


def test_attacks_stand_below_the_cells_without_one_in_the_same_table():
    made = laid(assault())
    clean, attacked = made.groups
    assert [row.label for row in clean.rows] == ["zero – runner", "adversary – runner"]
    assert attacked.title == (
        "zero – runner: what the runner sees is attacked; L∞: eps is the largest entry; in standard deviations of "
        "each entry"
    )
    assert [row.label for row in attacked.rows] == ["pgd", "pgd", "noise", "noise"]
    assert [row.control for row in attacked.rows] == [False, False, True, True]
    row = dict(zip(titles(made), map(str, attacked.rows[0].values), strict=True))
    assert (row["runner wins"], row["fall of win rate"], row["eps"]) == ("40 % [30, 50]", "60 % [50, 70]", "0.05")
    assert row["actions changed"] == "95.0 %"


def test_with_several_pairings_the_cell_without_an_attack_is_repeated_above_each():
    other = duel("adversary", "runner", 0.9, attacks=[attack("pgd", 0.2, "runner", space="sigma")], cell="o")
    first, second = laid([*assault(), other]).groups[1:]
    assert [row.label for row in first.rows] == ["clean", "pgd", "pgd", "noise", "noise"]
    assert [row.label for row in second.rows] == ["clean", "pgd"]
    assert second.who == "adversary – runner: what the runner sees is attacked"


def test_pixels_and_masks_are_told_above_a_group():
    pixels = struck("pgd", 2, 1.0, reach="l0", mask="zero")
    (group,) = laid([pixels]).groups
    assert group.title == (
        "zero – runner: what the runner sees is attacked; hidden from the runner: the other player (mask zero); "
        "L0: eps is the number of pixels"
    )


def test_a_game_of_three_seats_has_a_column_of_wins_a_seat():
    made = laid([three(), three(cell="a", attacks=[attack("pgd", 0.1, "east")], wins=(0.1, 0.4, 0.5))])
    assert titles(made)[2:6] == ["east wins", "north wins", "west wins", "tie"]
    assert str(column(made, "fall of win rate")["pgd"]) == "40 % [30, 50]"


def test_what_observers_collected_has_columns():
    cells = [pong_cell("c", "clean", None, 21.0, 1.0, seat={"observed": {"certified_radius": mean(0.5, 0.1)}})]
    assert str(column(laid(cells, details), "certified radius")["clean"]) == "0.50 [0.40, 0.60]"
    cell = duel("a", "b", 0.5, seat={"observed": {"alarms": mean(3.0, 1.0)}})
    assert str(column(laid([cell], details), "alarms of blocker")["a – b"]) == "3.0 [2.0, 4.0]"


def test_how_like_a_target_a_victim_plays_stands_among_the_first_numbers():
    cells = [pong_cell("c", "clean", None, 21.0, 1.0, seat={"observed": {"likeness": mean(0.5, 0.1)}})]
    assert str(column(laid(cells), "likeness")["clean"]) == "0.50 [0.40, 0.60]"
    assert "likeness" not in titles(laid(cells, details))
    assert "likeness" not in titles(laid([pong()[0]]))


def test_an_attack_without_a_size_has_a_group_of_its_own():
    sleep = pong_cell("z", "sleep", None, 3.0, 0.5, about={"reach": None, "space": None, "radius": None})
    made = laid([pong()[0], sleep])
    assert [group.title for group in made.groups] == ["No attack", "Without a size"]
    assert "eps" not in titles(made)


def test_ties_and_losses_of_a_game_of_one_seat_are_details():
    made = laid([pong_cell("c", "clean", None, 21.0, 0.5, tie=0.1)], details)
    assert str(column(made, "tie")["clean"]) == "10 % [0, 26]"
    assert str(column(made, "loss")["clean"]) == f"40 % [{100 * rate(0.4, 0.16).ci[0]:.0f}, 56]"
