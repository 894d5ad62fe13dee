"""Two runs cell by cell: numbers that are known by hand, and what is not paired."""

from dataclasses import replace

import numpy as np
import pytest

from rlattack.errors import ContentError
from rlattack.evaluation.statistics import bca, holm, paired_rates, sign_flips
from rlattack.report.paired import paired
from rlattack.report.runs import read_run
from tests.kit.results import PONG, WinRule, duel, heat, pong_cell, write_episodes, write_folder

SEEDS = range(100, 108)
BEFORE = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]
AFTER = [3.0, 2.5, 6.0, 4.5, 9.0, 8.0, 7.5, 12.0]


def cells(*keys, **changes):
    """A clean cell and FGSM at two sizes."""
    names = [("clean", None), ("fgsm", 0.001), ("fgsm", 0.002)]
    return [pong_cell(key, *name, 5.0, 0.5, episodes=8, **changes) for key, name in zip(keys, names, strict=False)]


def games(scores, seeds=SEEDS):
    """Episodes, which are won above 4."""
    return [(seed, score, "win" if score > 4 else "loss") for seed, score in zip(seeds, scores, strict=True)]


@pytest.fixture
def pair(tmp_path):
    def build(first, second, played):
        runs = []
        for name, of in (("old", first), ("new", second)):
            folder = write_folder(tmp_path / name, of)
            write_episodes(folder, {cell.cell: played[cell.cell] for cell in of if cell.cell in played})
            runs.append(read_run(folder))
        return paired(*runs)

    return build


def test_a_difference_is_of_the_second_run_minus_the_first_over_the_same_episodes(pair):
    found = pair(cells("a0"), cells("b0"), {"a0": games(BEFORE), "b0": games(AFTER)})
    (one,) = found.found
    apart = np.array(AFTER) - BEFORE
    assert (one.who, one.what, one.episodes) == ("ppo", "clean", 8)
    assert (one.returns.first, one.returns.second) == (4.5, 6.5625)
    assert (one.returns.apart.mean, one.returns.apart.ci) == (pytest.approx(apart.mean()), bca(apart))
    lost, kept = (np.array([float(score > 4) for score in scores]) for scores in (BEFORE, AFTER))
    assert (one.win.first, one.win.second, one.win.apart.rate) == (0.5, 0.75, 0.25)
    assert one.win.apart.ci == paired_rates(kept, lost)
    assert [one.returns.p, one.win.p] == pytest.approx(holm([sign_flips(apart), sign_flips(kept - lost)]))
    assert (one.returns.differs, one.win.differs) == (True, False)
    assert found.sentence == "new minus old (ppo), over the same episodes: 1 of 2 comparisons differs (Holm, 5 %)."
    assert found.notes == ()


def test_p_values_are_corrected_over_all_cells(pair):
    played = {"a0": games(BEFORE), "b0": games(AFTER), "a1": games(BEFORE), "b1": games(BEFORE)}
    alone = pair(cells("a0"), cells("b0"), played).found[0].returns.p
    both = pair(cells("a0", "a1"), cells("b0", "b1"), played).found
    assert both[0].returns.p == pytest.approx(2 * alone)
    assert both[1].returns.p == 1.0


def test_episodes_are_paired_by_number_and_seed(pair):
    after = games([*AFTER, 0.0, 0.0], range(100, 110))
    found = pair(cells("a0"), cells("b0"), {"a0": games(BEFORE), "b0": after})
    assert found.found[0].episodes == 8
    assert found.found[0].returns.second == 6.5625
    moved = [*after[:4], *[(0, 99.0, "win")] * 4]
    found = pair(cells("a0"), cells("b0"), {"a0": games(BEFORE), "b0": moved})
    assert (found.found[0].episodes, found.found[0].returns.second) == (4, 4.0)
    assert found.notes == ("paired over the 4 episodes that both have: ppo: clean",)


def test_other_seeds_are_said_and_not_paired(pair):
    second = cells("b0", seed=7)
    found = pair(cells("a0"), second, {"a0": games(BEFORE), "b0": games(AFTER, range(8))})
    assert found.found == ()
    assert found.sentence == "old and new have no cell that can be paired."
    assert found.notes == ("other seeds (--seed 0 and 7): no episode is the same, so nothing is paired: ppo: clean",)


def test_what_only_one_run_has_is_said(pair):
    played = {"a0": games(BEFORE), "a1": games(BEFORE), "b0": games(AFTER)}
    found = pair(cells("a0", "a1", "a2"), cells("b0"), played)
    assert len(found.found) == 1
    (note,) = found.notes
    assert note.startswith("only in old: ppo: fgsm at eps 0.001")
    assert pair(cells("b0"), cells("a0", "a1", "a2"), played).notes[0].startswith("only in new: ppo: fgsm at eps 0.001")


def test_another_game_is_said(pair):
    found = pair(cells("a0"), cells("b0", game="atari/breakout"), {"a0": games(BEFORE), "b0": games(AFTER)})
    assert found.found == ()
    assert found.notes[0].startswith(f"new does not play {PONG}, as old does: ppo: clean")
    assert found.notes[1].startswith("old does not play atari/breakout, as new does")


def test_another_protocol_is_said(pair):
    second = cells("b0", actions="sampled", sticky=0.25)
    found = pair(cells("a0"), second, {"a0": games(BEFORE), "b0": games(AFTER)})
    assert found.notes[0] == (
        "played otherwise in old (greedy actions) and new (sampled actions, sticky 0.25): ppo: clean"
    )


def test_victims_of_other_names_are_paired_where_each_run_has_one(pair):
    second = cells("b0", defence="blur")
    found = pair(cells("a0"), second, {"a0": games(BEFORE), "b0": games(AFTER)})
    assert [one.who for one in found.found] == ["ppo → ppo behind blur"]


def test_victims_of_several_are_paired_by_their_names_alone(pair):
    first = [*cells("a0"), *cells("a1", defence="blur")]
    second = [*cells("b0", defence="jpeg"), *cells("b1", defence="blur")]
    played = {"a0": games(BEFORE), "a1": games(BEFORE), "b0": games(AFTER), "b1": games(AFTER)}
    found = pair(first, second, played)
    assert [one.who for one in found.found] == ["ppo behind blur"]
    assert found.notes == (
        "with another victim or opponent in new: ppo: clean",
        "with another victim or opponent in old: ppo behind jpeg: clean",
    )  # fmt: skip


def test_opponents_have_the_same_names(pair):
    first, second = heat()[:1], [duel("zero", "runner", 0.02)]
    assert pair(first, second, {}).notes[0].startswith("with another victim or opponent in new: adversary – runner")


def test_cells_of_one_name_are_not_guessed_among(pair):
    second = [*cells("b0"), *cells("b1")]
    found = pair(cells("a0"), second, {"a0": games(BEFORE), "b0": games(AFTER), "b1": games(AFTER)})
    assert found.found == ()
    assert found.notes == ("several cells of one name in new: ppo: clean, ppo: clean, ppo: clean",)


def test_the_same_cell_in_both_is_no_comparison(pair):
    found = pair(cells("a0"), cells("a0"), {"a0": games(BEFORE)})
    assert (found.found, found.notes) == ((), ("the same cell in both, so not compared: ppo: clean",))


def test_a_failed_cell_is_not_compared(pair):
    second = [replace(cell, status="failed: left") for cell in cells("b0")]
    found = pair(cells("a0"), second, {"a0": games(BEFORE), "b0": games(AFTER)})
    assert (found.found, found.notes) == ((), ("failed in new: ppo: clean",))


def test_wins_by_another_rule_are_not_compared(pair):
    second = cells("b0", win_rule=WinRule("threshold", 30.5))
    found = pair(cells("a0"), second, {"a0": games(BEFORE), "b0": games(AFTER)})
    assert found.found[0].win is None
    assert found.notes == ("won by another rule, so wins are not compared: ppo: clean",)


def test_without_outcomes_there_are_returns_alone(pair):
    played = {key: [(seed, score, "") for seed, score, _ in games(of)] for key, of in (("a0", BEFORE), ("b0", AFTER))}
    (one,) = pair(cells("a0"), cells("b0"), played).found
    assert one.win is None
    assert len(one.changes) == 1


def test_runs_of_one_name_are_told_apart_by_their_folders(tmp_path):
    runs = []
    for place, key in (("one", "a0"), ("two", "b0")):
        folder = write_folder(tmp_path / place / "run", cells(key))
        runs.append(read_run(write_episodes(folder, {key: games(BEFORE)})))
    assert paired(*runs).names == ("one/run", "two/run")
    assert paired(runs[0], runs[0]).names == ("one/run (first)", "one/run (second)")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "episodes.csv: missing; differences are of episodes"),
        ("", "damaged: expected a column cell"),
        ("cell,episode,seed,seat,player,return,outcome\na0,0,1,player,x,nan,\n", "damaged: nan is no finite number"),
        ("cell,episode,seed,seat,player,return,outcome\na0,zero,1,player,x,1.0,\n", "damaged: invalid literal"),
        ("cell,episode,seed,seat,player,return,outcome\na0,0\n", "damaged: "),
        (b"\xff\xfe", "damaged: "),
    ],
)
def test_episodes_that_are_missing_or_damaged_are_refused(tmp_path, content, words):
    folder = write_folder(tmp_path / "run", cells("a0"))
    if content is not None:
        (folder / "episodes.csv").write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(ContentError, match=words):
        paired(read_run(folder), read_run(folder))
