from rlattack.evaluation.duels.grid import (
    attacked_pairs,
    attacked_seat,
    duel_settings,
    fair,
    grid,
    masked,
    opponent_wins,
    player,
    seat_wins,
    seats,
)


def test_rows_are_victims_and_columns_opponents(heat):
    laid = grid(heat)
    assert laid.rows == ["runner", "tuned", "runner, blind (mask initial)"]
    assert laid.columns == ["adversary", "zero"]
    assert laid.seats == ("runner", "blocker")
    wins = {place: opponent_wins(record).value for place, record in laid.cells.items()}
    assert wins == {(0, 0): 0.86, (1, 0): 0.25, (0, 1): 0.02, (1, 1): 0.04, (2, 0): 0.12}


def test_with_the_other_seat_as_victim_the_grid_is_turned(heat):
    laid = grid([record | {"victim_seat": "blocker"} for record in heat])
    assert laid.rows == ["adversary", "zero"]
    assert opponent_wins(laid.cells[0, 1]).value == 0.75


def test_a_masked_opponent_is_another_column(make_record):
    hidden = make_record("a", "b", 0.5, mask={"seat": "blocker", "mode": "zero"})
    laid = grid([make_record("a", "b", 0.6), make_record("zero", "b", 0.1), hidden])
    assert laid.columns == ["a", "zero", "a, blind (mask zero)"]  # `zero` alone is a player


def test_wins_of_the_second_seat_are_the_losses_of_the_first(make_record):
    record = make_record("a", "b", 0.5, 0.2)
    assert (seat_wins(record, 0).value, seat_wins(record, 1).value) == (0.5, 0.3)


def test_only_cells_of_one_game_and_protocol_are_compared(make_record):
    records = [make_record("a", "b", 0.5), make_record("c", "b", 0.5), make_record("a", "b", 0.5, seed=1)]
    assert [len(group) for group in duel_settings(records)] == [2, 1]


def test_a_record_with_hardly_any_key_has_its_place():
    laid = grid([{"players": ["a", "b"]}])
    assert (laid.rows, laid.columns) == (["b"], ["a"])
    assert opponent_wins(laid.cells[0, 0]) is None
    assert (seats({}), player({"players": 3}, 0), masked({"mask": {"seat": "nobody"}})) == (
        ("seat 0", "seat 1"),
        "?",
        None,
    )
    assert fair({})


def test_attacked_cells_are_not_in_the_grid(assault):
    laid = grid(assault)
    assert (laid.rows, laid.columns) == (["runner"], ["zero", "adversary"])
    assert opponent_wins(laid.cells[0, 0]).value == 0.0
    assert grid(assault[1:5]).cells == {}


def test_attacked_pairs_have_their_clean_cell_first(assault):
    hidden = [record | {"mask": {"seat": "runner", "mode": "zero"}} for record in assault[3:5]]
    pairs = attacked_pairs([*assault, *hidden])
    assert [[record["cell"] for record in pair] for pair in pairs] == [
        [assault[0]["cell"], "noise0.05", "noise0.2", "pgd0.05", "pgd0.2"], ["pgd0.05", "pgd0.2"],
    ]  # fmt: skip
    assert attacked_pairs(assault[:1]) == []


def test_the_attacked_seat_is_the_victim_s_where_nothing_says(assault):
    assert attacked_seat(assault[0]) == attacked_seat(assault[1]) == 1
    assert attacked_seat(assault[1] | {"attacked_seat": "blocker"}) == 0
