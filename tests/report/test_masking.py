"""Signs that an attack failed, from results that are known by hand, and the members of an ensemble beside them."""

from dataclasses import replace

import pytest

from rlattack.attacks.ensemble import Ensemble, Member, Probe
from rlattack.evaluation.results import from_json, to_json
from rlattack.report.comparison import Setting
from rlattack.report.masking import doubts
from rlattack.report.members import member_lines, members
from tests.kit.results import mean, pong_cell

MEMBERS = (Member("search", 11.25, 0.0, 1.0, 1600), Member("square:queries=9", -3.5, 9.0, 0.0))
FINE = tuple(Probe(kind, "a", "b", 1.0, 1.2, 1.3) for kind in ("steps", "size", "black box", "random starts"))
FOUND = Ensemble("square:queries=9", MEMBERS, 12, FINE, 256)


def cells(ensemble=FOUND, score=10.0, noise=20.0, wins=(1.0, 0.5)):
    """The clean game, noise and an ensemble."""
    return [
        pong_cell("c", "clean", None, 21.0, 1.0), pong_cell("n", "noise", 0.001, noise, wins[0]),
        pong_cell("a", "autoattack", 0.001, score, wins[1], about={"ensemble": ensemble}),
    ]  # fmt: skip


def said(found):
    return list(doubts(Setting(tuple(found))))


def test_nothing_is_said_where_gradients_tell_the_truth():
    assert said(cells()) == []


@pytest.mark.parametrize(
    ("kind", "sign"),
    [
        ("steps", "more steps weaken it, so its gradients lead astray"),
        ("size", "a larger size weakens it, so its gradients lead astray"),
        ("black box", "what has no gradients is stronger, so the victim's may be masked"),
        ("random starts", "chance is stronger, so the victim's gradients may be masked"),
    ],
)
def test_a_probe_that_failed_is_a_sign(kind, sign):
    where = "autoattack at eps 0.001 (a quarter of a grey level), 256 states of tuning episodes"
    failed = replace(FOUND, probes=(Probe(kind, "the weak", "the strong", 2.0, 1.5, 0.89),))
    assert said(cells(failed)) == [f"{where}: the strong raises the loss by 1.5, the weak by 2: {sign}."]
    for most in (0.91, None):
        assert said(cells(replace(FOUND, probes=(Probe(kind, "a", "b", 2.0, 1.5, most),)))) == []


def test_states_without_a_slope_are_a_sign_where_they_are_many():
    assert said(cells(replace(FOUND, flat=0.05))) == []
    (line,) = said(cells(replace(FOUND, flat=0.3)))
    assert "in 30 % of them the loss has no slope where an attack starts" in line


@pytest.mark.parametrize(("knowing", "told"), [(5.0, False), (15.0, True)])
def test_who_does_not_know_of_a_defence_and_does_more_harm_is_a_sign(knowing, told):
    bare = {"surrogate": "atari/pong/ppo", "oblivious": True, "knowledge": "none"}
    found = [
        pong_cell("c", "clean", None, 21.0, 1.0, defence="jpeg"),
        pong_cell("n", "noise", 0.001, 21.0, 1.0, defence="jpeg"),
        pong_cell("k", "pgd", 0.001, knowing, 0.5, defence="jpeg"),
        pong_cell("o", "pgd", 0.001, 10.0, 0.5, about=bare, defence="jpeg"),
    ]
    lines = [line for line in said(found) if "goes through the defence" in line]
    assert len(lines) == told
    assert not told or "leaves 15, where 10 is left by who does not know of it" in lines[0]


@pytest.mark.parametrize(("like", "told"), [(0.9, 0), (0.5, 1)])
def test_an_attack_that_leads_a_victim_is_not_judged_by_what_it_leaves(like, told):
    found = cells(score=10.0, noise=10.0, wins=(0.5, 0.5))
    for number, one in enumerate((0.4, 0.5, like)):
        seat = replace(found[number].seats[0], observed={"likeness": mean(one, 0.02)})
        found[number] = replace(found[number], seats=(seat,))
    assert len(said(found)) == told


def test_an_attack_that_does_no_more_than_noise_is_a_sign_where_noise_does_harm():
    (line,) = said(cells(score=10.0, noise=10.5, wins=(0.5, 0.5)))
    assert line.startswith(
        "autoattack at eps 0.001 (a quarter of a grey level) does not measurably more harm than noise"
    )
    assert said(cells(score=21.0, noise=21.0, wins=(1.0, 1.0))) == []  # a victim that nothing harms
    assert said(cells(score=-12.0, noise=10.5, wins=(0.5, 0.5))) == []  # it earns less, though it wins as often
    natural = [pong_cell("s", "shift-x", 0.001, 10.0, 0.5) if cell.attack and not cell.control else cell
               for cell in cells(score=10.0, noise=10.5, wins=(0.5, 0.5))]  # fmt: skip
    assert said(natural) == []  # nobody chose it to do harm
    clean, noise, attack = cells(score=10.0, noise=10.5, wins=(0.5, 0.5))
    smallest = [replace(cell, attacks=(replace(cell.attacks[0], eps=None),)) for cell in (noise, attack)]
    assert said([clean, *smallest]) == []  # they are of no size in common


def test_attacks_that_look_for_the_smallest_size_are_not_read_by_what_is_left():
    control = pong_cell("r", "direction", None, 10.5, 0.5, about={"control": True})
    assert said([pong_cell("c", "clean", None, 21.0, 1.0), control, pong_cell("d", "deepfool", None, 10.0, 0.5)]) == []


def test_a_larger_size_that_does_less_harm_is_a_sign():
    def swept(larger):
        sizes = [pong_cell(f"n{eps}", "noise", eps, 21.0, 1.0) for eps in (0.001, 0.002)]
        played = [pong_cell(f"f{eps}", "fgsm", eps, score, 0.0) for eps, score in ((0.001, -10.0), (0.002, larger))]
        return said([pong_cell("c", "clean", None, 21.0, 1.0), *sizes, *played])

    assert swept(-12.0) == swept(-9.0) == []
    (line,) = swept(5.0)
    assert line.startswith("fgsm does less harm at eps 0.002 (half a grey level) than at the next smaller size")


def test_members_stand_beside_each_other_with_what_they_cost(page):
    setting = Setting(tuple(cells()))
    laid = members(setting)
    assert [column.title for column in laid.columns] == ["left", "queries", "gradients", "learned in"]
    (group,) = laid.groups
    assert [(row.label, *map(str, row.values)) for row in group.rows] == [
        ("search", "11.2", "0", "1", "1600"), ("square:queries=9 (plays)", "-3.5", "9", "0", "0"),
    ]  # fmt: skip
    assert member_lines(setting) == [
        "autoattack at eps 0.001 (a quarter of a grey level), what 12 tuning episodes left the victim: search 11.2, "
        "square:queries=9 (plays) -3.5"
    ]
    assert "square:queries=9 (plays) -3.5 9 0 0 All play the same tuning episodes" in page(cells()).text
    alone = Setting(tuple(cells(None)))
    assert (members(alone), member_lines(alone)) == (None, [])


def test_what_an_ensemble_found_comes_back_from_what_is_written():
    found = cells(replace(FOUND, random=True))
    assert from_json(to_json(found)) == found
