"""Evaluations on Atari: short games by random weights, and (slow) the published figures on real agents."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from rlattack.evaluation.evaluate import evaluate
from rlattack.evaluation.plan import Evaluation, plan
from rlattack.policies.folder import AgentCard, agent_cards, save_agent
from rlattack.policies.importer import import_agent
from rlattack.policies.network import SMALL, Network, NetworkSpec

pytest.importorskip("ale_py")

SHORT = """
schema = "rlattack/game/1"
title = "A short Pong"
rom = "pong"
[win]
rule = "threshold"
score = 0
[stall]
steps = 60
[atari]
max_frames = 800
"""


@pytest.fixture
def short(tmp_path, monkeypatch):
    """A working folder with a game of at most 200 steps and an agent that plays it at random."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "envs" / "atari").mkdir(parents=True)
    (tmp_path / "envs" / "atari" / "short.toml").write_text(SHORT)
    torch.manual_seed(0)
    spec = NetworkSpec(observation=(4, 84, 84), actions=6, head="actor-critic", convolutions=SMALL, hidden=(32,))
    card = AgentCard(game="atari/short", role="victim", algorithm="ppo", network=spec)
    save_agent(tmp_path / "agents" / "me", card, Network(spec))
    return tmp_path


def run(folder, workers=1, **values):
    values = {"game": "atari/short", "victim": "me", "episodes": 5, "envs": 3} | values
    evaluate(plan(Evaluation(**values)), folder, workers, lambda _: None)
    cells = json.loads((folder / "results.json").read_text())["cells"]
    return [{key: value for key, value in cell.items() if key != "steps_per_second"} for cell in cells]


@pytest.mark.parametrize(
    "values",
    [
        {"attacks": ("fgsm", "pgd:steps=2"), "eps": (0.002,), "model": "frame"},
        {"attacks": ("pixel", "pixel-de:population=4,generations=1"), "eps": (2,), "norm": "l0"},
        {"attacks": ("fgsm",), "eps": (0.01,), "grid": True, "sticky": 0.25, "actions": "greedy"},
    ],
)
def test_atari_results_do_not_depend_on_workers(short, values):
    one = run(short / "one", **values)
    two = run(short / "two", workers=2, **values)
    assert one == two
    assert all(cell["status"] == "ok" for cell in one)
    assert (short / "one" / "episodes.csv").read_bytes() == (short / "two" / "episodes.csv").read_bytes()


def test_stalled_and_truncated_episodes_are_counted_apart(short):
    (cell,) = run(short / "run", episodes=6)
    assert cell["stalled"] > 0
    assert cell["win"]["rule"] == "threshold"
    assert cell["stalled"] + cell["truncated"] <= 6
    rows = (short / "run" / "episodes.csv").read_text().splitlines()[1:]
    assert sum(int(row.split(",")[-1]) for row in rows) == cell["stalled"]


def test_a_recording_shows_what_the_victim_received(short):
    cells = run(short / "run", attacks=("fgsm",), eps=(0.01,), grid=True)
    clip = np.load(short / "run" / "clips" / f"{cells[2]['cell']}.npz")
    length = len(clip["clean"])
    assert 0 < length <= 300
    assert clip["clean"].shape == clip["attacked"].shape == (length, 84, 84)
    assert np.abs(clip["attacked"] - clip["clean"]).max() == 2  # two whole grey levels
    assert clip["probabilities"].shape == (length, 6)
    assert np.allclose(clip["probabilities"].sum(axis=1), 1, atol=1e-5)
    assert (clip["probabilities_clean"].argmax(axis=1) == clip["greedy"]).all()
    assert clip["rewards"].shape == clip["actions"].shape == (length,)
    assert not (short / "run" / "clips" / f"{cells[0]['cell']}.npz").exists()


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
        ({"attacks": ("fgsm",), "eps": (0.001,)}, {"none": (21, 21), "noise": (20, 21), "fgsm": (-21, -15)}),
        ({"attacks": ("noise",), "eps": (0.0025, 0.005, 0.01)}, {"noise": (20, 21)}),
        ({"attacks": ("pixel",), "eps": (1,), "norm": "l0"}, {"noise": (20, 21), "pixel": (-21, 10)}),
        ({"attacks": ("pixel",), "eps": (2,), "norm": "l0"}, {"pixel": (-21, -8)}),
        ({"victim": "zoo/pong-ppo-advtrained", "attacks": ("fgsm",), "eps": (0.0025,)}, {"fgsm": (-21, -15)}),
        (
            {"victim": "zoo/pong-ppo-advtrained", "surrogate": "zoo/pong-ppo", "attacks": ("fgsm",), "eps": (0.01,)},
            {"fgsm": (5, 21)},
        ),
        (
            {"game": "atari/breakout", "victim": "zoo/breakout-ppo", "actions": "sampled", "attacks": ("fgsm",),
             "eps": (0.001,)},
            {"none": (300, 900), "noise": (300, 900), "fgsm": (0, 80)},
        ),
    ],
)  # fmt: skip
def test_published_agents_fall_as_measured(imported, tmp_path, monkeypatch, values, limits):
    monkeypatch.chdir(imported)
    values = {"game": "atari/pong", "victim": "zoo/pong-ppo", "actions": "greedy", "episodes": 10, "envs": 8} | values
    for cell in run(tmp_path / "run", workers=2, **values):
        low, high = limits.get(cell["attack"], (-1000, 1000))
        assert low <= cell["return"]["mean"] <= high, cell


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, card in agent_cards() if card.game.startswith("atari/")])
def test_a_shipped_agent_scores_what_its_card_says(name, tmp_path):
    score = dict(agent_cards())[name].score
    (cell,) = run(
        tmp_path / "run", workers=2, game=dict(agent_cards())[name].game, victim=name, episodes=score["episodes"],
        seed=score["seed"], sticky=score["sticky"], actions=score["actions"], envs=8,
    )  # fmt: skip
    assert cell["return"]["mean"] == pytest.approx(score["mean"])
    assert cell["return"]["ci"] == pytest.approx(score["ci"])
