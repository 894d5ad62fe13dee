"""`rlattack train defended` as a user meets it."""

import json
from pathlib import Path

import pytest
import torch
from command_line import PASS as GAME
from command_line import call, refused, save_untrained

from rlattack.policies.folder import load_agent, read_agent_card

pytest.importorskip("mujoco")
SMALL = (
    "train", "defended", GAME, "--victim", "runner", "--envs", "4", "--batch", "64", "--threads", "1", "--steps", "64",
    "--episodes", "2",
)  # fmt: skip


@pytest.fixture(autouse=True)
def _players(working_folder):
    for seed, (name, seat) in enumerate((("runner", "runner"), ("blocker", "blocker"), ("other", "blocker"))):
        save_untrained(working_folder / name, GAME, seat=seat, seed=seed)


def test_rounds_leave_agents_that_learned_from_each_other_and_a_staircase(tmp_path, capsys):
    arguments = (*SMALL, "--adversary", "blocker", "--opponents", "other", "--rounds", "2", "--agent", "my")
    assert call(*arguments, "--run", "run") == 0
    agents = tmp_path / "agents" / "my"
    assert sorted(path.name for path in agents.iterdir()) == ["adversary-1", "adversary-2", "victim-1", "victim-2"]
    cards = {path.name: read_agent_card(path) for path in agents.iterdir()}
    assert {card.seat for name, card in cards.items() if name.startswith("victim")} == {"runner"}
    met = {name: [one["id"] for one in cards[name].provenance["opponents"]] for name in ("victim-1", "victim-2")}
    assert met == {"victim-1": ["blocker", "other"], "victim-2": ["my/adversary-1", "other"]}
    assert cards["victim-2"].provenance["init"] == {"id": "my/victim-1", "sha256": cards["victim-1"].sha256}
    for number in (1, 2):
        victim = {"id": f"my/victim-{number}", "sha256": cards[f"victim-{number}"].sha256}
        assert cards[f"adversary-{number}"].provenance["victim"] == victim
    stairs = json.loads((tmp_path / "run" / "duel-2" / "staircase.json").read_text())["stairs"]
    assert [one["number"] for one in stairs] == [[0, 0], [0, 1], [1, 1], [1, 2], [2, 2]]
    cells = json.loads((tmp_path / "run" / "duel-2" / "results.json").read_text())["cells"]
    rates = {tuple(cell["players"]): cell["win"]["rate"] for cell in cells}
    assert len(rates) == 12
    assert all(one["win"]["rate"] == rates[one["adversary"], one["victim"]] for one in stairs)
    said = capsys.readouterr()
    assert "the staircase" in said.out
    assert [line for line in said.err.splitlines() if line.endswith("of 2)")] == [
        f"{role}-{turn} (round {turn} of 2)" for turn in (1, 2) for role in ("victim", "adversary")
    ]
    assert "staircase" in (tmp_path / "run" / "duel-2" / "report.html").read_text()


def test_a_card_of_a_round_names_the_command_that_makes_its_agent(tmp_path):
    assert call(*SMALL, "--adversary", "blocker", "--agent", "my", "--trust") == 0
    card = read_agent_card(tmp_path / "agents" / "my" / "victim-1")
    words = card.provenance["command"].split()
    assert words[:4] == ["rlattack", "train", "victim", GAME]
    assert "--trust" in words
    words[words.index("--agent") + 1] = "again"
    words[words.index("--run") + 1] = "again"
    assert call(*words[1:]) == 0
    assert same(tmp_path / "agents" / "again", tmp_path / "agents" / "my" / "victim-1")


def same(first, second):
    states = [load_agent(folder)[1].state_dict() for folder in (first, second)]
    return all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_without_an_adversary_one_is_trained_first_and_finetuning_goes_on_from_it(tmp_path):
    assert call(*SMALL, "--agent", "my", "--reattack", "finetune", "--adversary-steps", "128") == 0
    cards = {path.name: read_agent_card(path) for path in (tmp_path / "agents" / "my").iterdir()}
    assert sorted(cards) == ["adversary-0", "adversary-1", "victim-1"]
    assert cards["adversary-0"].provenance["victim"]["id"] == "runner"
    assert cards["adversary-1"].provenance["init"]["id"] == "my/adversary-0"
    assert [cards[name].provenance["steps"] for name in sorted(cards)] == [128, 128, 64]
    assert [one["id"] for one in cards["victim-1"].provenance["opponents"]] == ["my/adversary-0"]


def test_a_run_goes_on_with_more_rounds_and_repeats_none(tmp_path, capsys):
    arguments = (*SMALL, "--adversary", "blocker", "--agent", "my", "--run", "run")
    assert call(*arguments) == 0
    before = (tmp_path / "run" / "victim-1" / "runner" / "checkpoint.pt").stat().st_mtime_ns
    assert "--run run: holds a training run; add --resume to go on" in refused(capsys, *arguments)
    assert call(*arguments, "--resume", "--rounds", "2") == 0
    assert (tmp_path / "run" / "victim-1" / "runner" / "checkpoint.pt").stat().st_mtime_ns == before
    assert (tmp_path / "run" / "duel-2" / "staircase.png").read_bytes().startswith(b"\x89PNG")


def test_what_came_of_a_training_keeps_it_as_it_is(tmp_path, capsys):
    arguments = (*SMALL, "--adversary", "blocker", "--agent", "my", "--run", "run")
    assert call(*arguments) == 0
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("checkpoint.pt")}
    for asked, expected in (
        (("--steps", "128"), "--steps: run/victim-1 has 64, of which came adversary-1, got 128; choose another --run"),
        (("--adversary-steps", "128"), "--adversary-steps: run/adversary-1 has 64, of which came duel-1, got 128"),
        (("--seeds", "0", "1"), "--seeds: run/adversary-1 has [0], of which came duel-1, got (0, 1)"),
        (("--cut", "64", "0.1"), "--cut: run/adversary-1 has None, of which came duel-1, got (64, 0.1)"),
        (("--episodes", "3"), "--episodes: run/duel-1 has 2, of which came its games, got 3; choose another --run"),
    ):
        assert expected in refused(capsys, *arguments, "--resume", *asked)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert call(*arguments, "--resume") == 0


def test_the_last_training_of_all_may_go_on(tmp_path, monkeypatch):
    arguments = (*SMALL, "--adversary", "blocker", "--agent", "my", "--run", "run")
    monkeypatch.setattr("rlattack.cli.train_defended.Defended._meet", lambda *_: 0)
    assert call(*arguments) == 0
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    assert call(*arguments, "--resume", "--adversary-steps", "128") == 0
    assert read_agent_card(tmp_path / "agents" / "my" / "adversary-1").provenance["steps"] == 128


def test_an_interrupt_in_the_last_games_tells_how_to_go_on(monkeypatch, capsys):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("rlattack.cli.duel.Duel.__call__", stop)
    assert call(*SMALL, "--adversary", "blocker", "--agent", "my") == 130
    assert "the same command with --resume goes on" in capsys.readouterr().err


def test_an_interrupt_ends_the_rounds(monkeypatch, tmp_path):
    monkeypatch.setattr("rlattack.cli.train_adversary.Adversary.__call__", lambda self, command: 130)
    assert call(*SMALL, "--agent", "my") == 130
    assert not (tmp_path / "agents").exists()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--rounds", "0"), "--rounds: expected at least 1, got 0"),
        (("--episodes", "0"), "--episodes: expected at least 1, got 0"),
        (("--envs", "0"), "--envs: expected at least 1, got 0"),
        (("--threads", "0"), "--threads: expected at least 1, got 0"),
        (("--steps", "63"), "--steps: expected at least 64, one batch, got 63; choose a smaller --batch"),
        (("--adversary-steps", "63"), "--adversary-steps: expected at least 64, one batch, got 63"),
        (("--batch", "24"), "--batch: expected a multiple of 16"),
        (("--seeds", "1", "1"), "--seeds: expected different numbers"),
        (("--cut", "64", "2"), "--cut: expected steps of 1 or more and a rate in [0, 1]"),
        (("--victim", "zero"), "--victim: expected an agent, got 'zero'"),
        (("--victim", "lstm"), "--victim lstm: has a memory (LSTM), which is not supported here"),
        (("--adversary", "runner"), "runner"),
        (("--adversary", "zero", "--reattack", "finetune"), "--adversary: expected an agent, got 'zero'"),
        (("--adversary", "blocker,other"), "--adversary: expected one agent, and no comma in its name"),
        (("--victim", "run,ner"), "--victim: expected one agent, and no comma in its name, got 'run,ner'"),
        (("--opponents", "blocker,"), "--opponents: expected different names"),
        (("--opponents", "blocker"), "--opponents: expected different names"),
        (("--adversary", "nobody"), "nobody"),
        (("--resume",), "--resume: runs/train-mujoco-you-shall-not-pass-defended holds no training run"),
        (("--agent", "../x"), "--agent '../x/victim-1': expected an id such as"),
    ],
)
def test_bad_input_is_refused_in_one_line_before_anything_is_trained(tmp_path, capsys, arguments, expected):
    save_untrained(tmp_path / "lstm", GAME, seat="runner", memory=8)
    assert expected in refused(capsys, *SMALL, "--adversary", "blocker", *arguments)
    assert not (tmp_path / "runs").exists()
    assert not Path("agents").exists()
