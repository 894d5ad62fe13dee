from rlattack.evaluation.findings import finding, strongest, warnings, win_rule


def test_the_finding_names_the_smallest_budget_that_does_nearly_all_the_harm(pong_cells):
    pong_cells[5]["drop"]["win"] = 0.5
    assert finding(pong_cells).sentence == (
        "FGSM at eps 0.001 (a quarter of a grey level) takes the win rate from 100 % to 0 %; "
        "noise of the same size leaves 100 %."
    )


def test_without_a_win_rule_the_finding_speaks_of_the_return(make_cell):
    cells = [
        make_cell("c", "none", None, 482.0, None),
        make_cell("f", "fgsm", 0.01, 33.0, None, drop={"return": 449.0, "return_ci": [400.0, 500.0]}),
    ]
    assert finding(cells).sentence == "FGSM at eps 0.01 (2.55 grey levels) takes the mean return from 482 to 33."


def test_harm_that_may_be_chance_is_not_claimed(make_cell):
    drop = {"return": 0.5, "return_ci": [-0.2, 1.0], "win": 0.05, "win_ci": [-0.1, 0.2]}
    cells = [make_cell("c", "none", None, 21.0, 1.0), make_cell("f", "fgsm", 0.001, 20.5, 0.95, drop=drop)]
    assert finding(cells).sentence.startswith("No attack lowered the win rate measurably")


def test_an_unfinished_run_has_no_finding(make_cell):
    assert "clean game was not measured" in finding([make_cell("f", "fgsm", 0.001, 0.0, 0.0)]).sentence
    assert finding([make_cell("c", "none", None, 21.0, 1.0)]).sentence == "No attack was measured yet."


def test_failed_cells_do_no_harm_in_the_finding(pong_cells):
    for cell in pong_cells:
        if cell["attack"] == "fgsm":
            cell["status"] = "failed: the attack left its budget in 3 of 10 steps"
    assert finding(pong_cells).attack["attack"] == "pgd"


def test_the_strongest_attack_has_the_lowest_return_then_the_smallest_budget(pong_cells):
    pong_cells[3]["return"]["mean"] = -21.0
    assert [cell["cell"] for cell in strongest(pong_cells)[:3]] == ["f1", "f2", "p1"]


def test_warnings_name_what_weakens_the_numbers(pong_cells):
    pong_cells[0]["return"]["degenerate"] = True
    pong_cells[0]["distinct"] = 1
    pong_cells[1] |= {"stalled": 2, "truncated": 3}
    pong_cells[2]["status"] = "failed: the attack left its budget in 3 of 10 steps"
    text = "\n".join(warnings(pong_cells))
    assert "1 cell failed" in text
    assert "2 cells without noise of the same size beside: fgsm linf 0.0025, pixel l0 2" in text
    assert "In 1 cell all returns are equal" in text
    assert "In 1 cell episodes repeat each other: only 1 of 20 are distinct." in text
    assert "2 episodes were stalled" in text
    assert "3 episodes were truncated" in text


def test_a_sound_run_has_no_warnings(pong_cells):
    sound = [cell for cell in pong_cells if cell["cell"] != "x2"]
    assert warnings(sound) == []


def test_a_threshold_is_called_one(make_cell):
    cell = make_cell("f", "fgsm", 0.001, 33.0, 0.5)
    assert "above 0" in win_rule(cell)
    assert "a threshold" in win_rule(cell | {"win": {"rule": "threshold", "threshold": 30.5}})
    assert "at least 30.5" in win_rule(cell | {"win": {"rule": "threshold", "threshold": 30.5}})
    assert "no win rule" in win_rule(cell | {"win": None})
