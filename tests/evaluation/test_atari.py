"""Evaluations on Atari: short games by random weights, and (slow) the published figures on real agents."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from rlattack.evaluation import Study, evaluate
from rlattack.policies.folder import agent_cards
from rlattack.policies.importer import import_agent
from tests.kit.agents import short_pong
from tests.kit.runs import rows

pytest.importorskip("ale_py")

WON = """
[win]
rule = "threshold"
score = 0
[stall]
steps = 60
"""


@pytest.fixture
def short(tmp_path, monkeypatch):
    """A working folder with a game of at most 120 steps and an agent that plays it at random."""
    monkeypatch.chdir(tmp_path)
    short_pong(tmp_path, 480, about=WON)
    return tmp_path


def run(folder, workers=1, **values):
    """What came of a study of one victim, but its speed."""
    values = {"game": "atari/short", "players": ("me",), "episodes": 5, "envs": 3} | values
    found = evaluate(Study(**values), run=folder, workers=workers).cells
    return [dataclasses.replace(cell, steps_per_second=None) for cell in found]


@pytest.mark.parametrize(
    "values",
    [
        {"attack": ("fgsm", "pgd:steps=2"), "eps": (0.002,), "model": "frame"},
        {"attack": ("pixel", "pixel-de:population=4,generations=1"), "eps": (2,), "norm": "l0"},
        {"attack": ("fgsm",), "eps": (0.01,), "grid": True, "sticky": 0.25, "actions": "greedy"},
    ],
)
def test_atari_results_do_not_depend_on_workers(short, values):
    one = run(short / "one", **values)
    two = run(short / "two", workers=2, **values)
    assert one == two
    assert all(cell.ok for cell in one)
    assert (short / "one" / "episodes.csv").read_bytes() == (short / "two" / "episodes.csv").read_bytes()


def test_stalled_and_truncated_episodes_are_counted_apart(short):
    (cell,) = run(short / "run", episodes=6)
    assert cell.stalled > 0
    assert (cell.win_rule.rule, cell.win_rule.threshold) == ("threshold", 0)
    assert cell.stalled + cell.truncated <= 6
    assert sum(int(row["stalled"]) for row in rows(short / "run")) == cell.stalled


def test_a_recording_shows_what_the_victim_received(short):
    cells = run(short / "run", attack=("fgsm",), eps=(0.01,), grid=True)
    clip = np.load(short / "run" / "clips" / f"{cells[2].cell}.npz")
    length = len(clip["clean"])
    assert 0 < length <= 300
    assert clip["clean"].shape == clip["attacked"].shape == (length, 84, 84)
    assert np.abs(clip["attacked"] - clip["clean"]).max() == 2  # two whole grey levels
    assert clip["probabilities"].shape == (length, 6)
    assert np.allclose(clip["probabilities"].sum(axis=1), 1, atol=1e-5)
    assert (clip["probabilities_clean"].argmax(axis=1) == clip["greedy"]).all()
    assert clip["rewards"].shape == clip["actions"].shape == (length,)
    assert not (short / "run" / "clips" / f"{cells[0].cell}.npz").exists()


@pytest.fixture(scope="session")
def imported(zoo: Path, tmp_path_factory):
    """A working folder with the agents that others trained."""
    folder = tmp_path_factory.mktemp("zoo")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name in ("pong-ppo", "pong-ppo-advtrained", "breakout-ppo"):
            import_agent("a2c-ppo-acktr", zoo / f"{name}.safetensors", f"zoo/{name}")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(
    ("values", "limits"),
    [
        ({"attack": ("fgsm",), "eps": (0.001,)}, {"none": (21, 21), "noise": (20, 21), "fgsm": (-21, -15)}),
        ({"attack": ("noise",), "eps": (0.0025, 0.005, 0.01)}, {"noise": (20, 21)}),
        ({"attack": ("pixel",), "eps": (1,), "norm": "l0"}, {"noise": (20, 21), "pixel": (-21, 10)}),
        ({"attack": ("pixel",), "eps": (2,), "norm": "l0"}, {"pixel": (-21, -8)}),
        ({"players": ("zoo/pong-ppo-advtrained",), "attack": ("fgsm",), "eps": (0.0025,)}, {"fgsm": (-21, -15)}),
        (
            {"players": ("zoo/pong-ppo-advtrained",), "surrogate": "zoo/pong-ppo", "attack": ("fgsm",), "eps": (0.01,)},
            {"fgsm": (5, 21)},
        ),
        (
            {"game": "atari/breakout", "players": ("zoo/breakout-ppo",), "actions": "sampled", "attack": ("fgsm",),
             "eps": (0.001,)},
            {"none": (300, 900), "noise": (300, 900), "fgsm": (0, 80)},
        ),
    ],
)  # fmt: skip
def test_published_agents_fall_as_measured(imported, tmp_path, monkeypatch, values, limits):
    monkeypatch.chdir(imported)
    asked = {"game": "atari/pong", "players": ("zoo/pong-ppo",), "actions": "greedy", "episodes": 10, "envs": 8}
    for cell in run(tmp_path / "run", workers=2, **asked | values):
        low, high = limits.get("none" if cell.attack is None else cell.attack.name, (-1000, 1000))
        assert low <= cell.attacked.returns.mean <= high, cell


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, card in agent_cards() if card.game.startswith("atari/")])
def test_a_shipped_agent_scores_what_its_card_says(name, tmp_path):
    score = dict(agent_cards())[name].score
    (cell,) = run(
        tmp_path / "run", workers=2, game=dict(agent_cards())[name].game, players=(name,), episodes=score["episodes"],
        seed=score["seed"], sticky=score["sticky"], actions=score["actions"], envs=8,
    )  # fmt: skip
    assert cell.attacked.returns.mean == pytest.approx(score["mean"])
    assert cell.attacked.returns.ci == pytest.approx(score["ci"])
