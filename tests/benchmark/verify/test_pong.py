"""Pong: pictures in whole bytes, sampled actions; both verifiers look at the same run."""

from pathlib import Path

import numpy as np
import pytest

from rlattack.benchmark.verify import verify
from tests.kit.forged import Forgery
from tests.kit.runs import evaluated
from tests.oracle.verifier import problems

AGENTS = Path(__file__).parents[3] / "agents"
PONG = {
    "game": "atari/pong", "players": ("atari/pong/ppo",), "attack": ("pgd:steps=2",), "eps": (0.008,), "grid": True,
    "episodes": 2, "envs": 2, "max_steps": 60, "ledger": True,
}  # fmt: skip


@pytest.fixture(scope="module")
def pong(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pong") / "run"
    evaluated(folder, **PONG)
    return folder


def failed(folder: Path) -> set[str]:
    return {check.name for check in verify(folder).failed}


def test_both_verifiers_pass_pong(pong):
    assert verify(pong).failed == ()
    assert problems(pong, AGENTS) == []


def test_half_a_grey_level_in_one_pixel_is_no_whole_byte(pong, tmp_path):
    run = Forgery(pong, tmp_path / "run")
    run.received(lambda values: values.__setitem__((0, 3, 40, 40), values[0, 3, 40, 40] + 0.5))
    assert {"range", "reach"} <= failed(run.folder)
    assert problems(run.folder, AGENTS)


def test_sticky_actions_that_were_none_show_something_else(pong, tmp_path):
    run = Forgery(pong, tmp_path / "run")
    run.renamed(lambda played: played["game"].update(sticky=0.9))
    run.results(lambda result: result.update(sticky=0.9))
    assert "shown" in failed(run.folder)
    assert problems(run.folder, AGENTS)


def test_an_action_that_the_seed_did_not_draw_is_found(pong, tmp_path):
    run = Forgery(pong, tmp_path / "run")

    def least_likely(values: np.ndarray) -> None:
        values[0] = (values[0] + 3) % 6

    run.array("chosen.0", least_likely)
    assert failed(run.folder) == {"said"}
    assert problems(run.folder, AGENTS)
