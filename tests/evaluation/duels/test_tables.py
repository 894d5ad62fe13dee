from rlattack.evaluation.duels.tables import attack_numbers, attack_table, details, duel_table, mask_words, numbers


def texts(table):
    return [
        (row.label, *(f"{value.text} {value.interval}".strip() for value in row.values))
        for group in table.groups
        for row in group.rows
    ]


def test_a_row_shows_the_rates_of_both_seats_length_and_endings(make_record):
    table = duel_table([make_record("a", "b", 0.5, 0.2)], numbers(make_record("a", "b", 0.5)))
    assert [column.title for column in table.columns] == ["blocker wins", "runner wins", "tie", "length", "endings"]
    assert texts(table) == [
        ("a – b", "50 % [40, 60]", "30 % [20, 40]", "20 % [10, 30]", "167.2 [160.0, 175.0]", "fallen 60, goal 40")
    ]


def test_details_show_returns_of_both_seats_with_a_star_where_all_are_equal(make_record):
    record = make_record("a", "b", 0.5)
    record["return"][1] |= {"degenerate": True}
    (row,) = texts(duel_table([record], details(record)))
    assert row[1:3] == ("12.5 [10.0, 15.0]", "-1250 [-1300, -1200]*")


def test_cells_are_grouped_by_what_is_hidden(heat):
    table = duel_table([*heat[:2], heat[4], *heat[2:4]], numbers(heat[0]))
    assert [group.title for group in table.groups] == [
        "Nothing is hidden", "Hidden from the runner: the other player (mask initial)",
    ]  # fmt: skip
    assert [len(group.rows) for group in table.groups] == [4, 1]
    assert mask_words(heat[4]) == table.groups[1].title


def test_what_was_not_measured_is_a_dash_or_left_out(make_record):
    record = make_record("a", "b", 0.5)
    table = duel_table([record, {"players": ["a", "c"], "seats": record["seats"]}], numbers(record))
    assert set(texts(table)[1][1:]) == {"–"}
    assert table.groups[0].rows[1].status == "no status"


def test_attacks_stand_in_their_own_table_below_the_clean_games_of_the_pair(assault):
    table = attack_table(assault, attack_numbers(assault[0]))
    (group,) = table.groups
    assert group.title == "zero – runner: what the runner sees is perturbed, linf in units of a standard deviation"
    assert [row.label for row in group.rows] == ["clean", "noise 0.05", "noise 0.2", "pgd 0.05", "pgd 0.2"]
    assert [row.control for row in group.rows] == [False, True, True, False, False]
    titles = [column.title for column in table.columns]
    assert "action change" not in titles
    row = dict(zip(titles, texts(table)[3][1:], strict=True))
    assert (row["attacked wins"], row["drop"]) == ("40 % [30, 50]", "60 % [50, 70]")
    assert (row["largest size"], row["attacked steps"], row["gradients"]) == ("0.05", "100.0 %", "10")
    assert [row[0] for row in texts(duel_table(assault, numbers(assault[0])))] == [
        "zero – runner",
        "adversary – runner",
    ]


def test_pixels_masks_and_changed_actions_are_told(assault):
    pixels = assault[4] | {"norm": "l0", "eps": 2, "action_change": 0.25, "mask": {"seat": "runner", "mode": "zero"}}
    table = attack_table([pixels], attack_numbers(pixels))
    assert table.groups[0].title.endswith("is perturbed, pixels; Hidden from the runner: the other player (mask zero)")
    assert texts(table)[0][0] == "pgd 2"
    assert "25.0 %" in texts(table)[0]
    assert attack_table(assault[:1], attack_numbers(pixels)).groups == []
