"""`rlattack duel` as a user meets it, on a real game with players that are no agents."""

import json

import pytest
from command_line import PASS as GAME
from command_line import call, refused, save_untrained

from rlattack.errors import MissingExtra
from rlattack.evaluation.results import from_json
from rlattack.games.find import FAMILIES
from rlattack.report.encoding import find_film
from tests.kit.filmed import Staged
from tests.kit.runs import numbers, rows

pytest.importorskip("mujoco")
DUEL = ("duel", GAME, "--episodes", "2", "--envs", "2", "--workers", "1")


class Unfilmed(Staged):
    """A game that can be filmed, it says, until a camera is wanted: `unfilmed/later` when it is to draw."""

    def camera(self, size):
        shot = super().camera(size)
        if self.slots > 1 or self.variant.card.id == "unfilmed/10":
            raise MissingExtra("pictures need OpenGL: `apt-get install libegl1`")
        return shot


FAMILIES.add("unfilmed", f"{__name__}:Unfilmed")


@pytest.fixture
def runner(working_folder):
    """A runner that was never trained, with memory and statistics."""
    return save_untrained(working_folder / "me", GAME, memory=4)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((*DUEL, "--players", "zero"), "has two seats: `rlattack duel mujoco/you-shall-not-pass --players AGENT AGENT"),
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
    ],
)
def test_wrong_input_is_one_line_and_exit_code_2(capsys, arguments, expected):
    assert expected in refused(capsys, *arguments)


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
    found = from_json(json.loads((run / "results.json").read_text())["cells"])
    assert [(cell.seats[0].player, cell.seats[1].player, cell.mask and cell.mask.mode) for cell in found] == [
        *((opponent, victim, None) for opponent in ("zero", "random") for victim in (runner, "random")),
        *((opponent, runner, "zero") for opponent in ("zero", "random")),
    ]
    assert json.loads((run / "config.json").read_text())["command"].startswith(f"rlattack duel {GAME}")
    assert len(rows(run)) == 2 * 12
    assert (run / "heatmap.png").read_bytes()[:4] == b"\x89PNG"
    assert "Who beats whom" in (run / "report.html").read_text()
    assert list(run.rglob("events.out.tfevents*"))


def test_what_a_seat_sees_is_attacked_beside_noise(capsys, working_folder, runner):
    attack = ("--attack", "pgd:steps=2", "--eps", "0.05", "0.2", "--space", "sigma")
    assert call(*DUEL, "--players", "zero", runner, *attack, "--run", "run") == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "pgd steps=2" in printed
    assert "Rows are victims" not in printed
    found = from_json(json.loads((working_folder / "run" / "results.json").read_text())["cells"])
    assert [(cell.attack and cell.attack.name, cell.attack and cell.attack.eps) for cell in found] == [
        (None, None), ("noise", 0.05), ("noise", 0.2), ("pgd", 0.05), ("pgd", 0.2),
    ]  # fmt: skip
    for cell in found[1:]:
        assert cell.attacked.sizes["linf"] == pytest.approx(cell.attack.eps, rel=1e-4)
        assert (cell.status, cell.attacked.attacked, cell.attack.space) == ("ok", 1.0, "sigma")
        assert 0 < cell.attacked.action_change < 1
    assert not (working_folder / "run" / "heatmap.png").exists()


def test_duel_has_the_options_of_attack(working_folder, runner):
    """A surrogate crafts the attack, greedy players meet, several attacks and sizes stand beside each other."""
    asked = ("--attack", "pgd:steps=2", "noise", "--eps", "0.1", "--surrogate", runner, "--actions", "greedy")
    other = save_untrained(working_folder / "other", GAME, seed=1)
    assert call(*DUEL, "--players", "random", other, *asked, "--run", "run", "--json") == 0
    clean, noise, pgd = from_json(json.loads((working_folder / "run" / "results.json").read_text())["cells"])
    assert (clean.actions, noise.attack.surrogate, pgd.attack.surrogate) == ("greedy", None, runner)


def test_duel_prints_results_as_json_and_its_progress_elsewhere(capsys, working_folder):
    assert call(*DUEL, "--players", "zero", "zero", "--json") == 0
    captured = capsys.readouterr()
    (cell,) = from_json(json.loads(captured.out)["cells"])
    assert [seat.player for seat in cell.seats] == ["zero", "zero"]
    assert "zero - zero done, 2 episodes" in captured.err
    assert sorted(entry.name == "store" for entry in (working_folder / "runs").iterdir()) == [False, True]


def test_video_is_a_file_a_cell_and_stands_on_the_page(working_folder):
    assert call(*DUEL, "--players", "zero", "zero", "--run", "run", "--video") == 0
    run = working_folder / "run"
    (cell,) = numbers(run)
    film = find_film(run / "videos", cell["cell"])
    if film is None:
        pytest.skip("no GL library draws without a display here")
    assert film.stat().st_size > 1000
    assert "How it is played" in (run / "report.html").read_text()


@pytest.mark.parametrize("game", ["unfilmed/10", "unfilmed/20"])
def test_what_keeps_a_game_from_being_filmed_costs_the_films_alone(capsys, game):
    """`unfilmed/10` cannot set up a camera at all; of the other that shows when it is filmed."""
    asked = ("duel", game, "--players", "random", "random", "--episodes", "3", "--envs", "2", "--workers", "1")
    assert call(*asked, "--run", "run", "--video", "--json") == 0
    captured = capsys.readouterr()
    said = [line for line in captured.err.splitlines() if line.startswith("rlattack: ")]
    assert said == ["rlattack: no video: pictures need OpenGL: `apt-get install libegl1`"]
    assert len(json.loads(captured.out)["cells"]) == 1


def test_that_a_game_cannot_be_filmed_is_said_first_and_it_is_played_all_the_same(capsys):
    pytest.importorskip("pettingzoo.classic")
    asked = ("duel", "pettingzoo/tictactoe_v3", "--players", "random", "random", "--episodes", "2", "--workers", "1")
    assert call(*asked, "--run", "run", "--video") == 0
    first, then = capsys.readouterr().err.strip().splitlines()
    assert first == (
        "rlattack: no video: pettingzoo/tictactoe_v3 cannot be filmed, only Atari and MuJoCo games can, "
        "and Gymnasium's that draw themselves"
    )
    assert then.startswith("random - random done")
