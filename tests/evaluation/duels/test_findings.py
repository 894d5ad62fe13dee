from rlattack.evaluation.duels.findings import duel_finding, duel_warnings


def test_the_strongest_opponent_is_named_with_others_and_with_the_mask_beside(heat):
    found = duel_finding(heat)
    assert found.sentence == (
        "adversary (blocker) wins 86 % of its games against runner (runner), which wins 14 %; against the same "
        "victim, zero wins 2 %. With the other player hidden from the runner (mask initial), adversary wins 12 %."
    )
    assert [cell["win"]["rate"] for cell in found.cells] == [0.86, 0.12, 0.02]


def test_ties_are_said(make_record):
    assert duel_finding([make_record("a", "b", 0.5, 0.2)]).sentence == (
        "a (blocker) wins 50 % of its games against b (runner), which wins 30 % and ties 20 %."
    )


def test_of_many_opponents_a_few_are_named(make_record):
    sentence = duel_finding(
        [make_record(name, "b", wins) for name, wins in zip("acdefg", (9, 5, 4, 3, 2, 1), strict=True)]
    ).sentence
    assert sentence.endswith("c wins 500 %, d wins 400 %, e wins 300 % and 2 more were tried.")


def test_masked_cells_alone_have_a_finding(make_record):
    hidden = make_record("a", "b", 0.5, mask={"seat": "runner", "mode": "zero"})
    assert "wins 50 %" in duel_finding([hidden]).sentence


def test_nothing_measured_is_said():
    assert duel_finding([{"players": ["a", "b"]}]).sentence == "No duel was measured yet."


def test_what_weakens_the_numbers_is_said(make_record):
    equal = [{"mean": 0.0, "ci": [0.0, 0.0], "degenerate": True}] * 2
    records = [
        make_record("a", "b", 0.5, unstable=3, distinct=40), make_record("d", "b", 0.5, distinct=99),
        make_record("c", "b", 0.5, **{"return": equal}),
    ]  # fmt: skip
    unstable, alike, degenerate = duel_warnings(records)
    assert unstable.startswith("In 3 games the simulation broke down.")
    assert alike.startswith("In 2 cells episodes repeat each other: in the worst only 40 of 100 are distinct.")
    assert degenerate.startswith("In 1 cell all returns of a seat are equal.")
    assert duel_warnings([make_record("a", "b", 0.5)]) == []


def test_the_strongest_attack_on_what_a_seat_sees_is_told_beside_noise_of_its_size(assault):
    found = duel_finding(assault)
    assert found.sentence.startswith("adversary (blocker) wins 86 % of its games against runner (runner)")
    assert found.sentence.endswith(
        " With pgd at eps 0.2 standard deviations on what it sees, runner (runner) wins 0 % of its games against zero, "
        "and 100 % without (under noise of that size 98 %)."
    )
    assert [record["cell"] for record in found.cells[1:2]] == ["pgd0.2"]


def test_of_attacks_of_equal_effect_the_smallest_is_told_and_failed_ones_are_not(assault):
    assault[3]["drop"] = assault[4]["drop"]
    assert "With pgd at eps 0.05" in duel_finding(assault).sentence
    assault[3]["status"] = "failed: the attack left its budget in 1 of 2 steps"
    assert "With pgd at eps 0.2" in duel_finding(assault).sentence
    assert "In 1 cell the attack left its budget. They show no numbers." in duel_warnings(assault)


def test_a_victim_that_is_no_agent_is_no_headline(make_record):
    records = [make_record("adversary", "zero", 1.0), make_record("adversary", "runner", 0.6)]
    assert duel_finding(records).sentence.startswith("adversary (blocker) wins 60 %")
    assert duel_finding(records[:1]).sentence.startswith("adversary (blocker) wins 100 %")
