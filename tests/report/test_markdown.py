"""The summary for a pull request: what GitHub shows of it is what was measured."""

from dataclasses import replace

import pytest

from rlattack.report.condition import Condition
from rlattack.report.markdown import escape, lines, markdown
from rlattack.report.runs import read_run
from tests.kit.results import heat, pong, write_folder


@pytest.fixture
def summary(tmp_path):
    def build(cells, condition=None, **more):
        text = markdown([read_run(write_folder(tmp_path / "run", cells, **more))], condition and Condition(condition))
        return text, [line for line in text.splitlines() if line.startswith("|")]

    return build


def test_a_summary_has_the_finding_and_a_row_a_cell(summary):
    text, table = summary(pong())
    assert text.startswith("### atari/pong: atari/pong/ppo under attack\n\nFGSM at eps 0.001")
    assert len(table) == 2 + len(pong())
    assert len({line.count(" | ") for line in table}) == 1
    (row,) = [line for line in table if "pgd steps=10" in line]
    assert "linf 0.001" in row
    assert r"0 % \[0, 16\]" in row
    assert "rlattack attack atari/pong" in text
    assert "torch 2.13.0" in text


def test_the_condition_is_said_first(summary):
    failed, _ = summary(pong(), "win_drop > 0.95")
    assert failed.startswith(r'**Failed: --fail-if "win\_drop &gt; 0.95"** (3 of 6 attacked cells)')
    assert r"holds in ppo: fgsm at eps 0.001" in failed
    passed, _ = summary(pong(), "win_drop > 1.5")
    assert passed.startswith(r'**Passed: --fail-if "win\_drop &gt; 1.5"** (6 attacked cells)')


def test_a_failed_cell_shows_its_status_and_no_numbers(summary):
    _, table = summary([replace(cell, status="failed: left") if cell.cell == "f2" else cell for cell in pong()])
    (row,) = [line for line in table if "failed: left" in line]
    assert "-21" not in row


def test_who_plays_a_duel_stands_in_the_table(summary):
    text, table = summary(heat())
    assert "adversary – runner" in text
    (masked,) = [line for line in table if "hidden from the runner" in line]
    assert table.index(masked) == len(table) - 2  # above the cell that it is about


def test_a_run_that_is_not_finished_says_so(summary):
    text, _ = summary(pong()[:3])
    assert "Not finished: 3 of 10 cells." in text
    text, _ = summary([])
    assert "This run has no finished cell yet." in text


def test_text_of_others_changes_no_markup():
    assert escape("a|b *c* `d` [e](f) <g> @h\ni") == r"a\|b \*c\* \`d\` \[e\](f) &lt;g&gt; &#64;h i"
    assert lines(["x", "y"], [["a|b", "c"]]).splitlines() == ["| x | y |", "| :-- | --: |", r"| a\|b | c |"]
