"""`rlattack duel` as a user meets it, on a real game with players that are no agents."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from command_line import PASS as GAME
from command_line import call, numbers, refused

from rlattack.cli import duel_table
from rlattack.errors import InvalidInput, MissingExtra
from rlattack.evaluation.activations import Embedding
from rlattack.evaluation.duels.film import find_film
from rlattack.policies.folder import AgentCard, save_agent
from rlattack.policies.gaussian import GaussianNetwork, GaussianSpec

pytest.importorskip("mujoco")
DUEL = ("duel", GAME, "--episodes", "2", "--envs", "2", "--workers", "1")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((*DUEL, "--players", "zero"), "--players: expected two"),
        ((*DUEL, "--players", "zero", "zero", "zero"), "--players: expected two"),
        ((*DUEL, "--players", "zero", "nobody"), "no agent and no file 'nobody'"),
        ((*DUEL, "--players", "zero", "zero", "--mask", "runer"), "did you mean 'runner'"),
        ((*DUEL, "--players", "zero", "zero", "--mask", "runner:nois"), "did you mean 'noise'"),
        ((*DUEL, "--players", "zero", "zero", "--victim", "bloker"), "did you mean 'blocker'"),
        ((*DUEL, "--players", "zero", "zero", "--victim", "2"), "expected blocker (0) or runner (1), got '2'"),
        ((*DUEL, "--players", "zero,random", "zero", "--activations", "1"), "zero shows none"),
        ((*DUEL[:2], "--players", "zero", "zero", "--episodes", "0"), "--episodes: expected at least 1"),
        ((*DUEL[:2], "--players", "zero", "zero", "--workers", "0"), "--workers: expected at least 1"),
        ((*DUEL, "--players", "zero", "zero", "--attack", "pgd"), "--eps: expected at least one size"),
        ((*DUEL, "--players", "zero", "zero", "--attack", "pgd", "--eps", "0.1"), "zero looks at nothing"),
        ((*DUEL, "--players", "zero", "zero", "--eps", "0.1", "--attacked", "runer"), "did you mean 'runner'"),
        (("duel", "mujoco/you-shall-not-pas", "--players", "zero", "zero"), f"did you mean '{GAME}'"),
        (("duel", "gymnasium/CartPole-v1", "--players", "zero", "zero"), "has one seat: `rlattack attack"),
        (("attack", GAME, "--victim", "zero"), "has two seats: `rlattack duel"),
    ],
)  # fmt: skip
def test_wrong_input_is_one_line_and_exit_code_2(capsys, arguments, expected):
    assert expected in refused(capsys, *arguments)


@pytest.mark.parametrize(("width", "last"), [(60, "runner wins"), (80, "tie"), (160, "distinct")])
def test_columns_that_do_not_fit_are_left_out_and_no_number_is_cut(capsys, monkeypatch, width, last):
    monkeypatch.setattr(duel_table, "_WIDE", width)
    assert call(*DUEL, "--players", "zero", "random", "--run", "run") == 0
    lines = capsys.readouterr().out.splitlines()
    heading = next(line for line in lines if "blocker wins" in line)
    assert last in heading.split("┃")[-2]
    assert "…" not in "".join(lines)
    assert max(len(line) for line in lines if line[:1] in "┏┃│└") <= width


def test_duel_leaves_a_whole_run_folder_and_prints_tables(capsys, working_folder, runner):
    players = ("--players", "zero,random", f"{runner},random")
    assert call(*DUEL, *players, "--mask", "none", "1:zero", "--run", "run") == 0
    printed, said = (" ".join(text.split()) for text in capsys.readouterr())
    assert "blocker wins" in printed
    assert "blind (mask zero)" in printed
    assert "run/report.html" in printed
    assert said.startswith(
        "rlattack: --mask: random sees nothing that could be hidden, so under it 2 pairs are not played again"
    )
    run = working_folder / "run"
    cells = json.loads((run / "results.json").read_text())["cells"]
    assert [(cell["players"][0], cell["players"][1] == runner, cell["mask"]) for cell in cells] == [
        *((opponent, agent, None) for opponent in ("zero", "random") for agent in (True, False)),
        *((opponent, True, {"seat": "runner", "mode": "zero"}) for opponent in ("zero", "random")),
    ]
    assert json.loads((run / "config.json").read_text())["command"].startswith(f"rlattack duel {GAME}")
    with (run / "episodes.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 12
    assert (run / "heatmap.png").read_bytes()[:4] == b"\x89PNG"
    assert "Who beats whom" in (run / "report.html").read_text()
    assert list(run.rglob("events.out.tfevents*"))


@pytest.fixture
def runner(working_folder):
    """A runner that was never trained, with memory and statistics."""
    torch.manual_seed(0)
    network = GaussianNetwork(GaussianSpec(observation=(380,), actions=17, hidden=(8,), memory=4))
    network.obs_std *= 0.5
    save_agent(
        working_folder / "me", AgentCard(game=GAME, role="victim", algorithm="ppo", network=network.spec), network
    )
    return str(working_folder / "me")


def test_what_a_seat_sees_is_attacked_beside_noise_and_shown_in_its_own_table(capsys, working_folder, runner):
    attack = ("--attack", "pgd:steps=2", "--eps", "0.05", "0.2", "--space", "sigma")
    assert call(*DUEL, "--players", "zero", runner, *attack, "--run", "run") == 0
    printed = " ".join(capsys.readouterr().out.split())  # the path of the agent breaks the line
    assert "what the runner sees is perturbed, linf in units of a standard deviation" in printed
    assert "pgd steps=2 0.2" in printed
    assert "Rows are victims" not in printed
    cells = json.loads((working_folder / "run" / "results.json").read_text())["cells"]
    assert [(cell["attack"], cell.get("eps")) for cell in cells] == [
        ("none", None), ("noise", 0.05), ("noise", 0.2), ("pgd", 0.05), ("pgd", 0.2),
    ]  # fmt: skip
    for cell in cells[1:]:
        assert cell["size"]["linf"] == pytest.approx(cell["eps"], rel=1e-4)
        assert (cell["status"], cell["attacked"], cell["action_change"]) == ("ok", 1.0, None)
    assert "Attacks on what a player sees" in (working_folder / "run" / "report.html").read_text()
    assert not (working_folder / "run" / "heatmap.png").exists()


def test_an_attack_that_left_its_budget_is_told_by_the_exit_code(capsys, runner, monkeypatch):
    monkeypatch.setattr("rlattack.evaluation.judge.TOLERANCE", -0.5)
    assert call(*DUEL, "--players", "zero", runner, "--eps", "0.2", "--run", "run") == 1
    printed = " ".join(capsys.readouterr().out.split())
    assert "In 1 cell the attack left its budget" in printed


def test_duel_prints_results_as_json_and_nothing_else(capsys, working_folder):
    assert call(*DUEL, "--players", "zero", "zero", "--json") == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["cells"][0]["players"] == ["zero", "zero"]
    assert captured.err == ""
    assert len(list((working_folder / "runs").iterdir())) == 1


def test_video_is_a_file_a_cell_and_stands_on_the_page(working_folder):
    assert call(*DUEL, "--players", "zero", "zero", "--run", "run", "--video") == 0
    run = working_folder / "run"
    (cell,) = json.loads((run / "results.json").read_text())["cells"]
    film = find_film(run / "videos", cell["cell"])
    if film is None:
        pytest.skip("no GL library draws without a display here")
    assert film.stat().st_size > 1000
    assert "How they play" in (run / "report.html").read_text()


def test_without_a_gl_library_the_evaluation_goes_on_and_one_line_says_what_to_install(
    capsys, working_folder, monkeypatch
):
    def missing(*_):
        raise MissingExtra("pictures need OpenGL: `apt-get install libegl1`")

    monkeypatch.setattr("rlattack.evaluation.duels.film._camera", missing)
    assert call(*DUEL, "--players", "zero", "zero", "--run", "run", "--video", "--json") == 0
    captured = capsys.readouterr()
    assert captured.err.strip() == "rlattack: no video: pictures need OpenGL: `apt-get install libegl1`"
    assert json.loads(captured.out)["cells"]


def test_what_goes_wrong_while_filming_costs_the_films_alone(capsys, monkeypatch):
    def broken(*_):
        raise InvalidInput("it went wrong")

    monkeypatch.setattr("rlattack.evaluation.duels.film.film_cells", broken)
    monkeypatch.setattr("rlattack.evaluation.duels.film.check_camera", lambda _: None)
    assert call(*DUEL, "--players", "zero", "zero", "--run", "run", "--video", "--json") == 0
    captured = capsys.readouterr()
    assert captured.err.strip() == "rlattack: no video: it went wrong"
    assert json.loads(captured.out)["cells"]


def test_that_a_game_cannot_be_filmed_is_said_first_and_it_is_played_all_the_same(capsys):
    pytest.importorskip("pettingzoo.classic")
    asked = ("duel", "pettingzoo/tictactoe_v3", "--players", "random", "random", "--episodes", "2", "--workers", "1")
    assert call(*asked, "--run", "run", "--video") == 0
    first, then = capsys.readouterr().err.strip().splitlines()
    assert first == "rlattack: no video: pettingzoo/tictactoe_v3 cannot be filmed, only MuJoCo games can"
    assert then.startswith("random - random done")


def test_a_log_says_what_begins_after_the_games(capsys, runner, monkeypatch):
    pytest.importorskip("sklearn")
    placed = Embedding(np.zeros((2, 2), dtype=np.float32), ["zero", "random"], 1.0)
    monkeypatch.setattr("rlattack.evaluation.duels.minds.embed", lambda _: placed)  # t-SNE takes its time
    asked = (*DUEL[:2], "--players", "zero,random", runner, "--episodes", "4", "--workers", "1", "--run", "run")
    assert call(*asked, "--activations", "1") == 0
    captured = capsys.readouterr()
    assert captured.err.splitlines()[2:] == [
        "recording the runner's activations in 8 games", "fitting a Gaussian mixture to play against zero",
        "placing activations in the plane (t-SNE)",
    ]  # fmt: skip
    assert "log-likelihood of the runner's activations" in captured.out


LONG = (
    "duel", GAME, "--players", "zero,random", "random,zero", "--episodes", "6", "--envs", "3", "--workers", "1",
)  # fmt: skip


def test_a_killed_run_goes_on_and_ends_with_the_same_numbers(begin, working_folder):
    process = begin(*LONG, "--run", "run", until=lambda: list(working_folder.glob("run/cells/*.json")))
    process.kill()
    process.communicate()
    kept = {path: path.stat().st_mtime_ns for path in working_folder.glob("run/cells/*.json")}
    assert call(*LONG, "--run", "run") == 0
    assert all(path.stat().st_mtime_ns == written for path, written in kept.items())
    assert call(*LONG, "--run", "whole") == 0
    assert numbers(working_folder / "run") == numbers(working_folder / "whole")


def test_a_star_is_explained_where_there_is_one(capsys, make_duel_record):
    records = [make_duel_record(degenerate) for degenerate in (False, True)]
    duel_table.print_duels(records[:1], Path("run"))
    assert "*" not in capsys.readouterr().out
    duel_table.print_duels(records, Path("run"))
    printed = capsys.readouterr().out
    assert "167.0 [167.0, 167.0]*" in printed
    assert "\n* all values are equal, so the interval is only their point\n" in printed


@pytest.fixture
def make_duel_record():
    """A cell of `results.json`; without spread, if so asked."""

    def make(degenerate):
        rate = {"rate": 0.5, "ci": [0.4, 0.6]}
        length = {"mean": 167.0, "ci": [167.0 - (not degenerate), 167.0], "degenerate": degenerate}
        return {
            "cell": str(degenerate), "status": "ok", "game": GAME, "players": ["zero", "runner"],
            "seats": ["blocker", "runner"], "victim_seat": "runner", "mask": None, "attack": "none",
            "actions": "sampled", "seed": 0, "episodes": 100, "distinct": 100, "win": rate, "tie": rate, "loss": rate,
            "length": length, "endings": {"goal": 100},
        }  # fmt: skip

    return make


@pytest.mark.parametrize(("opponents", "whole"), [(2, True), (6, False)])
def test_a_grid_too_wide_for_the_terminal_is_left_out_whole(make_duel_record, capsys, monkeypatch, opponents, whole):
    monkeypatch.setattr(duel_table, "_WIDE", 80)
    names = [f"mine/adversary-number-{number}" for number in range(opponents)]
    cells = [make_duel_record(False) | {"cell": name, "players": [name, "runner"]} for name in names]
    duel_table.print_duels(cells, Path("run"))
    printed = capsys.readouterr().out
    assert ("blocker wins (victim wins, ties)" in printed) == whole
    assert ("too narrow for the grid" in printed) != whole
    assert printed.count("50 (50, 50)") == (opponents if whole else 0)
    assert "…" not in printed


def test_a_pair_that_was_not_played_is_a_dash_in_the_grid():
    assert duel_table._square(None) == "–"
