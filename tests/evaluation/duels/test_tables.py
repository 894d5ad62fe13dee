from rlattack.evaluation.duels.tables import details, duel_table, mask_words, numbers


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
        "Nothing is hidden", "Hidden from the runner: the other player (initial)",
    ]  # fmt: skip
    assert [len(group.rows) for group in table.groups] == [4, 1]
    assert mask_words(heat[4]) == table.groups[1].title


def test_what_was_not_measured_is_a_dash_or_left_out(make_record):
    record = make_record("a", "b", 0.5)
    table = duel_table([record, {"players": ["a", "c"], "seats": record["seats"]}], numbers(record))
    assert set(texts(table)[1][1:]) == {"–"}
    assert table.groups[0].rows[1].status == "no status"
