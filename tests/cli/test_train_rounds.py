"""`rlattack train rounds` as a user meets it."""

import json

import pytest
import torch
from command_line import call, refused
from stable_baselines3 import PPO

import tests.kit.games  # registers them
from rlattack.policies.folder import read_agent, read_agent_card
from tests.kit.agents import gaussian_agent

assert tests.kit.games
SMALL = (
    "train", "rounds", "tug/any", "--victim", "runner", "--adversary", "blocker", "--envs", "4", "--batch", "64",
    "--threads", "1", "--steps", "64", "--episodes", "2",
)  # fmt: skip


@pytest.fixture(autouse=True)
def _players(working_folder):
    for seed, (name, seat) in enumerate((("runner", "right"), ("blocker", "left"), ("other", "left"))):
        gaussian_agent(working_folder / name, "tug/any", 3, seat=seat, seed=seed)


def test_rounds_leave_agents_a_page_and_a_staircase(tmp_path, capsys):
    arguments = (*SMALL, "--opponents", "other", "--rounds", "2", "--agent", "my", "--run", "run")
    assert call(*arguments) == 0
    agents = tmp_path / "agents" / "my"
    assert sorted(path.name for path in agents.iterdir()) == ["adversary-1", "adversary-2", "victim-1", "victim-2"]
    stairs = json.loads((tmp_path / "run" / "duel-2" / "staircase.json").read_text())["stairs"]
    assert [one["number"] for one in stairs] == [[0, 0], [0, 1], [1, 1], [1, 2], [2, 2]]
    cells = json.loads((tmp_path / "run" / "duel-2" / "results.json").read_text())["cells"]
    rates = {tuple(seat["player"] for seat in cell["seats"]): cell["seats"][0]["win"]["rate"] for cell in cells}
    assert len(rates) == 12
    assert all(one["win"]["rate"] == rates[one["adversary"], one["victim"]] for one in stairs)
    said = capsys.readouterr()
    assert "the staircase" in said.out
    assert [line for line in said.err.splitlines() if line.endswith("of 2)")] == [
        f"{role}-{turn} (round {turn} of 2)" for turn in (1, 2) for role in ("victim", "adversary")
    ]
    assert "staircase" in (tmp_path / "run" / "duel-2" / "report.html").read_text()
    assert (tmp_path / "run" / "duel-2" / "staircase.png").read_bytes().startswith(b"\x89PNG")
    assert "--run run: holds a training run; add --resume to go on" in refused(capsys, *arguments)


def test_a_card_of_a_round_names_the_command_that_makes_its_agent(tmp_path):
    assert call(*SMALL, "--agent", "my", "--trust") == 0
    words = read_agent_card(tmp_path / "agents" / "my" / "victim-1").provenance["command"].split()
    assert words[:4] == ["rlattack", "train", "victim", "tug/any"]
    words[words.index("--agent") + 1] = words[words.index("--run") + 1] = "again"
    assert call(*words[1:]) == 0
    states = [read_agent(tmp_path / "agents" / name)[1].state_dict() for name in ("again", "my/victim-1")]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_an_interrupt_tells_how_to_go_on_once_something_is_kept(monkeypatch, capsys):
    learn, begun = PPO.learn, []

    def learn_once(self, *arguments, **options):
        begun.append(self)
        if len(begun) > 1:
            raise KeyboardInterrupt
        return learn(self, *arguments, **options)

    monkeypatch.setattr(PPO, "learn", learn_once)
    assert call(*SMALL, "--agent", "my") == 130
    assert capsys.readouterr().err.endswith(
        "interrupted; what was learned is kept, the same command with --resume goes on\n"
    )


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--rounds", "0"), "--rounds: expected at least 1, got 0"),
        (("--envs", "0"), "--envs: expected at least 1, got 0"),
        (("--steps", "63"), "--steps: expected at least 64, one batch, got 63; choose a smaller --batch"),
        (("--adversary-steps", "63"), "--adversary-steps: expected at least 64, one batch, got 63"),
        (("--batch", "24"), "--batch: expected a multiple of 16"),
        (("--cut", "64", "2"), "--cut: expected steps of 1 or more and a rate in [0, 1]"),
        (("--adversary", "blocker,other"), "--adversary: expected one agent, and no comma in its name"),
        (("--opponents", "blocker"), "--opponents: expected different names"),
        (("--reattack", "never"), "--reattack"),
        (("--resume",), "--resume: runs/train-tug-any-rounds holds no training run"),
    ],
)
def test_bad_input_is_refused_in_one_line_before_anything_is_trained(tmp_path, capsys, arguments, expected):
    assert expected in refused(capsys, *SMALL, *arguments)
    assert not (tmp_path / "runs").exists()
    assert not (tmp_path / "agents").exists()
