from dataclasses import replace

from rlattack.evaluation.results import Drop, Rate, WinRule
from rlattack.report.comparison import Setting
from rlattack.report.findings import finding, strongest, title, win_rule
from tests.kit.results import assault, attack, duel, heat, mean, pong, pong_cell, three


def found(cells):
    return finding(Setting(tuple(cells)))


def fell(cell, returns, win=None):
    """The cell with another fall of its only seat."""
    drop = Drop(returns, win)
    return replace(cell, seats=(replace(cell.seats[0], drop=drop),))


def test_the_finding_names_the_smallest_budget_that_does_nearly_all_the_harm():
    cells = pong()
    cells[5] = fell(cells[5], mean(41.1), Rate(0.5, (0.4, 0.6)))
    assert found(cells).sentence == (
        "FGSM at eps 0.001 (a quarter of a grey level) takes the win rate from 100 % to 0 %; "
        "noise of the same size leaves 100 %."
    )


def test_an_attack_that_does_no_more_than_its_control_is_told_so():
    cells = [
        pong_cell("c", "clean", None, 482.0, None),
        pong_cell("f", "fgsm", 0.01, 33.0, None, before=(0.0, 482.0), returns=mean(33.0, 5.0)),
        pong_cell("n", "noise", 0.01, 38.0, None, before=(0.0, 482.0), returns=mean(38.0, 5.0)),
    ]
    assert found(cells).sentence == (
        "FGSM at eps 0.01 (2.55 grey levels) takes the mean return from 482 to 33; noise of the same size leaves 38, "
        "not measurably more (their intervals overlap)."
    )
    apart = [*cells[:2], pong_cell("n", "noise", 0.01, 90.0, None, before=(0.0, 482.0), returns=mean(90.0, 5.0))]
    assert found(apart).sentence.endswith("noise of the same size leaves 90.")


def test_what_well_chosen_steps_do_is_read_beside_random_ones():
    timed, random, other = (
        pong_cell(when, "fgsm", 0.001, score, win, about={"schedule": when})
        for when, score, win in (
            ("timed:share=0.1", -20.0, 0.0), ("random:share=0.1", 12.0, 0.9), ("random:share=0.2", 3.0, 0.6),
        )
    )  # fmt: skip
    told = found([pong_cell("c", "clean", None, 21.0, 1.0), timed, other, random])
    assert told.sentence == (
        "FGSM when timed:share=0.1 at eps 0.001 (a quarter of a grey level) takes the win rate from 100 % to 0 %; "
        "at random steps of the same share it leaves 90 %."
    )
    assert "at random steps" not in found([pong_cell("c", "clean", None, 21.0, 1.0), timed, other]).sentence


def test_without_a_win_rule_the_finding_speaks_of_the_return():
    cells = [
        pong_cell("c", "clean", None, 482.0, None),
        pong_cell("f", "fgsm", 0.01, 33.0, None, before=(0.0, 482.0)),
    ]
    assert found(cells).sentence == "FGSM at eps 0.01 (2.55 grey levels) takes the mean return from 482 to 33."


def test_harm_that_may_be_chance_is_not_claimed():
    attacked = pong_cell("f", "fgsm", 0.001, 20.5, 0.95)
    attacked = fell(attacked, mean(0.5), Rate(0.05, (-0.1, 0.2)))
    told = found([pong_cell("c", "clean", None, 21.0, 1.0), attacked])
    assert told.sentence == (
        "No attack lowered the win rate measurably: FGSM at eps 0.001 (a quarter of a grey level), the strongest, "
        "leaves 95 % of 100 %."
    )
    assert told.attack is attacked


def test_of_attacks_that_leave_the_same_none_is_the_strongest():
    none = mean(0.0), Rate(0.0, (0.0, 0.0))
    cells = [fell(pong_cell(name, name, 0.001, 21.0, 1.0), *none) for name in ("fgsm", "pgd")]
    told = found([pong_cell("c", "clean", None, 21.0, 1.0), *cells])
    assert told.sentence == "No attack lowered the win rate measurably: all leave 100 % of 100 %."


def test_an_unfinished_run_has_no_finding():
    assert "clean game was not measured" in found([pong_cell("f", "fgsm", 0.001, 0.0, 0.0)]).sentence
    assert found([pong_cell("c", "clean", None, 21.0, 1.0)]).sentence == "No attack was measured yet."
    lonely = pong_cell("f", "fgsm", 0.001, 0.0, 0.0, seat={"drop": None})
    assert "No attack was compared" in found([pong_cell("c", "clean", None, 21.0, 1.0), lonely]).sentence


def test_failed_cells_do_no_harm_in_the_finding():
    failed = "failed: the attack left its budget in 3 of 10 steps"
    cells = [replace(cell, status=failed) if cell.attack and cell.attack.name == "fgsm" else cell for cell in pong()]
    assert found(cells).attack.attack.name == "pgd"


def test_the_strongest_attack_has_the_lowest_return_then_the_smallest_budget():
    cells = pong()
    cells[3] = pong_cell("f1", "fgsm", 0.001, -21.0, 0.0)
    assert [cell.cell for cell in strongest(Setting(tuple(cells)))[:3]] == ["f1", "f2", "p1"]


def test_a_threshold_is_called_one():
    cell = pong_cell("f", "fgsm", 0.001, 33.0, 0.5)
    assert "above 0" in win_rule(cell)
    assert "at least 30.5: a threshold" in win_rule(replace(cell, win_rule=WinRule("threshold", 30.5)))
    assert "the score on the game's card: a threshold" in win_rule(replace(cell, win_rule=WinRule("threshold")))
    assert "no win rule" in win_rule(replace(cell, win_rule=None))
    assert win_rule(duel("a", "b", 0.5)) == "Who wins is the game's own rule."


def test_the_strongest_opponent_is_named_with_others_and_with_the_mask_beside():
    told = found(heat())
    assert told.sentence == (
        "adversary (blocker) wins 86 % of its games against runner (runner), which wins 14 %; against the same "
        "victim, zero wins 2 %. With the other player hidden from the runner (mask initial), adversary wins 12 %."
    )
    assert [cell.seats[0].win.rate for cell in told.meetings] == [0.86, 0.12, 0.02]
    assert told.attack is None


def test_ties_are_said():
    assert found([duel("a", "b", 0.5, 0.2)]).sentence == (
        "a (blocker) wins 50 % of its games against b (runner), which wins 30 % and ties 20 %."
    )


def test_of_many_opponents_a_few_are_named():
    cells = [duel(name, "b", wins) for name, wins in zip("acdefg", (0.9, 0.5, 0.4, 0.3, 0.2, 0.1), strict=True)]
    assert found(cells).sentence.endswith("c wins 50 %, d wins 40 %, e wins 30 % and 2 more were tried.")


def test_masked_cells_alone_have_a_finding():
    assert "wins 50 %" in found([duel("a", "b", 0.5, mask="zero")]).sentence


def test_nothing_measured_is_said():
    failed = duel("a", "b", 0.5, status="failed")
    assert found([failed]).sentence == "No game without an attack was measured yet."


def test_of_games_that_were_all_cut_nobody_is_said_to_have_won():
    cell = duel("a", "b", 0.5, endings={"--max-steps": 100})
    cut = replace(cell, seats=tuple(replace(seat, win=None, tie=None, loss=None) for seat in cell.seats))
    assert found([cut]).sentence == "No game without an attack ended, so nobody won one: --max-steps cut them all."


def test_the_strongest_attack_of_a_duel_is_told_beside_noise_of_its_size():
    told = found(assault())
    assert told.sentence.startswith("adversary (blocker) wins 86 % of its games against runner (runner)")
    assert told.sentence.endswith(
        " PGD at eps 0.2 standard deviations on what the runner sees takes the win rate of runner (runner) against "
        "zero from 100 % to 0 %; noise of the same size leaves 98 %."
    )
    assert [told.clean.cell, told.attack.cell, told.control.cell] == [assault()[0].cell, "pgd0.2", "noise0.2"]


def test_of_attacks_of_nearly_equal_effect_the_smallest_is_told_and_failed_ones_are_not():
    cells = assault()
    cells[3] = replace(cells[3], seats=(cells[3].seats[0], replace(cells[3].seats[1], drop=cells[4].seats[1].drop)))
    assert "PGD at eps 0.05" in found(cells).sentence
    cells[3] = replace(cells[3], status="failed: the attack left its budget in 1 of 2 steps")
    assert "PGD at eps 0.2" in found(cells).sentence


def test_a_victim_that_is_no_agent_is_no_headline():
    cells = [duel("adversary", "zero", 1.0), duel("adversary", "runner", 0.6)]
    assert found(cells).sentence.startswith("adversary (blocker) wins 60 %")
    assert found(cells[:1]).sentence.startswith("adversary (blocker) wins 100 %")


def test_several_opponents_win_together():
    hit = three(cell="a", attacks=[attack("pgd", 0.1, "east", space="raw")], wins=(0.1, 0.4, 0.5))
    assert found([three(), hit]).sentence == (
        "random (north) and mine/west (west) win 50 % of their games against mine/east (east), which wins 50 %. PGD "
        "at eps 0.1 on what the east sees takes the win rate of mine/east (east) against random and mine/west from "
        "50 % to 10 %."
    )


def test_an_attack_on_an_opponent_is_told_of_that_seat():
    cells = [duel("a", "b", 0.8), duel("a", "b", 0.2, attacks=[attack("pgd", 0.1, "blocker")], before=(0.8, 0.0))]
    assert "takes the win rate of a (blocker) against b from 80 % to 20 %" in found(cells).sentence


def test_an_attack_of_somebody_else_is_called_by_its_name():
    assert title(pong_cell("f", "shake", 0.1, 0.0, 0.0, about={"parameters": {"times": 3}})) == "Shake times=3"
    assert title(pong()[5]) == "PGD steps=10"


def test_an_attack_without_a_size_is_told_without_one():
    sleep = pong_cell("z", "sleep", None, 3.0, 0.0, about={"reach": None, "space": None})
    assert found([pong()[0], sleep]).sentence == "Sleep takes the win rate from 100 % to 0 %."


def test_an_attack_that_looks_for_the_smallest_change_is_told_by_the_size_that_it_found():
    def sized(name, median, share, **about):
        cell = pong_cell(name[0], name, None, -20.0, 0.0, about={"radius": None, **about})
        sizes = {"found": mean(share), "size found, median": mean(median / 255)}
        seat = replace(cell.seats[0], observed={**sizes, "size found, median, grey levels": mean(median)})
        return replace(cell, seats=(seat,))

    clean = pong_cell("c", "clean", None, 21.0, 1.0)
    told = found([clean, sized("deepfool", 0.0235, 0.98), sized("direction", 6.33, 0.97, control=True)])
    assert told.sentence == (
        "DeepFool turns the action in 98 % of the steps by a change of 0.0235 grey levels (median size an entry); "
        "a random direction needs 6.33 grey levels."
    )


def test_a_smallest_number_of_pixels_is_told_as_one():
    def pixels(name, median, **about):
        cell = pong_cell(name[0], name, None, -20.0, 0.0, about={"radius": None, "reach": "l0", **about})
        observed = {"found": mean(1.0), "size found, median": mean(median)}
        return replace(cell, seats=(replace(cell.seats[0], observed=observed),))

    clean = pong_cell("c", "clean", None, 21.0, 1.0)
    told = found([clean, pixels("jsma", 2.0), pixels("direction", 43.0, control=True)])
    assert told.sentence == (
        "JSMA turns the action in 100 % of the steps by a change of 2 pixels (median); a random direction needs 43 "
        "pixels."
    )
