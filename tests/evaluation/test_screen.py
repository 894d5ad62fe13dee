"""Attacks on the screen of Atari games, from the study to the verdict."""

import numpy as np
import pytest

from rlattack.benchmark.verify import verify
from rlattack.cli.main import main
from rlattack.evaluation import Study, evaluate
from rlattack.evaluation.plan import plan
from tests.kit.agents import short_pong
from tests.kit.forged import Forgery

pytest.importorskip("ale_py")

STUDY = {
    "game": "atari/short", "players": ("me",), "model": "screen", "space": "raw", "eps": (8,), "episodes": 1, "envs": 1,
}  # fmt: skip


@pytest.fixture
def short(tmp_path, monkeypatch):
    """A working folder with a game of 50 steps and an agent that plays it at random."""
    monkeypatch.chdir(tmp_path)
    short_pong(tmp_path, 200)
    return tmp_path


def test_attacks_on_the_screen_are_judged_there_and_verified_as_far_as_a_ledger_goes(short):
    study = Study(**STUDY, attack=("fgsm", "universal:states=50,epochs=1"), ledger=True)
    cells = evaluate(study, run=short / "run").cells
    assert all(cell.ok for cell in cells)
    found = {cell.attack.name: (cell.attack, cell.seats[0]) for cell in cells[1:]}
    assert {(one.access, one.model, one.grid) for one, _ in found.values()} == {("screen", "screen", True)}
    assert {name: seat.sizes["linf"] for name, (_, seat) in found.items()} == dict.fromkeys(
        ["noise", "fgsm", "universal"], 8
    )
    verdict = verify(short / "run", say=lambda line: None)
    assert verdict.ok
    left = "of changes there only the sizes that were stated, and that frames are no further off"
    whys = {check.why for check in verdict.checks if check.name == "reach"}
    assert whys == {"", f"no ledger holds what a screen showed: {left}"}
    forged = Forgery(short / "run", short / "forged")
    forged.received(_further_off, cell="noise")
    failed = {check.name: check.why for check in verify(forged.folder, say=lambda line: None).failed}
    assert "a screen within the budget makes no such frame" in failed["reach"]


def _further_off(received):
    """Frames of which a pixel is ten grey levels further than the screen could bring it."""
    received[:, -1, 0, 0] += np.where(received[:, -1, 0, 0] < 128, 20, -20)


@pytest.mark.slow
def test_a_patch_covers_the_screen_beside_its_control(short):
    study = Study(**STUDY | {"eps": (30,)}, attack="patch:states=50,epochs=1", ledger=True)
    cells = evaluate(study, run=short / "run").cells
    assert [(cell.ok, cell.seats[0].sizes.get("patch")) for cell in cells[1:]] == [(True, 30), (True, 30)]
    assert verify(short / "run", say=lambda line: None).ok


@pytest.mark.slow
def test_screen_attacks_do_not_depend_on_workers(short):
    study = Study(**STUDY | {"episodes": 4, "envs": 2}, attack="pgd:steps=2")
    one, two = (evaluate(study, run=short / str(workers), workers=workers).cells for workers in (1, 2))
    assert [cell.seats for cell in one] == [cell.seats for cell in two]


def test_natural_changes_leave_the_screen_out(short):
    found = plan(Study(**STUDY | {"eps": (), "space": "unit"}, attack="natural:all"))
    assert {ref.access for cell in found.cells for ref in cell.attacks} <= {"action"}
    assert "natural:all leaves out what there is none of here: rotate" in found.note


def test_a_game_without_a_screen_is_refused_in_a_line(capsys):
    asked = ["--victim", "gymnasium/CartPole-v1/dqn", "--attack", "fgsm", "--eps", "0.1", "--space", "raw"]
    assert main(["attack", "gymnasium/CartPole-v1", *asked, "--model", "screen"]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert said.endswith("and this game has none: leave --model out, or play an atari/ game")
