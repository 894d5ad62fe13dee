"""`rlattack train victim` in games of two seats, as a user meets it."""

import json
import shlex

import pytest
from command_line import PASS, SUMO, call, refused, save_untrained

from rlattack.policies.folder import read_agent_card

pytest.importorskip("mujoco")
SMALL = ("--envs", "4", "--batch", "64", "--threads", "1")


@pytest.fixture(autouse=True)
def _ant(working_folder):
    """Plays in either seat."""
    save_untrained(working_folder / "ant", SUMO)


def test_self_play_leaves_a_victim_with_a_score_that_anybody_can_play_again(tmp_path, capsys):
    arguments = ("train", "victim", SUMO, *SMALL, "--steps", "128", "--episodes", "2", "--snapshot-every", "1")
    assert call(*arguments) == 0
    card = read_agent_card(tmp_path / "agents" / "mujoco" / "sumo-ants" / "victim")
    assert (card.role, card.seat, card.game) == ("victim", "", SUMO)
    assert card.provenance["command"] == shlex.join(["rlattack", *arguments])
    assert card.score["episodes"] == 2
    assert len(card.score["win"]["ci"]) == 2
    assert [one["opponent"] for one in card.score["against"]] == ["random", "random"]
    said = capsys.readouterr()
    assert "128 of 128 steps, both" in said.err
    assert "both: wins" in said.out
    assert "of 2 fresh episodes against random" in said.out
    assert "--players mujoco/sumo-ants/victim random" in card.score["command"]
    assert "add --resume to go on" in refused(capsys, *arguments)
    assert call(*arguments, "--resume") == 0
    assert read_agent_card(tmp_path / "agents" / "mujoco" / "sumo-ants" / "victim") == card
    won = 0
    for seat, command in enumerate(card.score["command"].split(" && ")):
        assert call(*shlex.split(command)[1:], "--run", f"again-{seat}") == 0
        (cell,) = json.loads((tmp_path / f"again-{seat}" / "results.json").read_text())["cells"]
        won += cell["seats"][seat]["win"]["rate"] * cell["episodes"]
    assert seat == 1
    assert won / card.score["episodes"] == card.score["win"]["rate"]


def test_two_roles_leave_two_agents_that_met_each_other(tmp_path):
    assert (
        call("train", "victim", PASS, *SMALL, "--steps", "128", "--turns", "1", "--episodes", "1", "--agent", "me") == 0
    )
    blocker, runner = (read_agent_card(tmp_path / "agents" / "me" / seat) for seat in ("blocker", "runner"))
    assert (blocker.seat, runner.seat) == ("blocker", "runner")
    assert blocker.score["win"]["rate"] == runner.score["loss"]["rate"]
    for card, other in ((blocker, "me/runner"), (runner, "me/blocker")):  # by names that hold beyond the run
        assert [one["opponent"] for one in card.score["against"]] == [other]
        assert "--players me/blocker me/runner --episodes 1" in card.score["command"]


def test_an_agent_goes_on_against_fixed_opponents(tmp_path):
    opponents = ("--init", "ant", "--opponents", "ant,zero")
    assert call("train", "victim", SUMO, *SMALL, *opponents, "--steps", "64", "--episodes", "2") == 0
    card = read_agent_card(tmp_path / "agents" / "mujoco" / "sumo-ants" / "victim")
    sha = read_agent_card(tmp_path / "ant").sha256
    assert card.provenance["init"] == {"id": "ant", "sha256": sha}
    assert card.provenance["opponents"] == [{"id": "ant", "sha256": sha}, {"id": "zero", "sha256": ""}]
    assert card.provenance["anneal"] == 0.0
    assert [one["opponent"] for one in card.score["against"]] == ["ant", "zero"]
    assert card.network.hidden == (8,)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((SUMO, "--steps", "10"), "--steps: expected at least 16384, one batch, got 10"),
        ((SUMO, "--envs", "0"), "--envs: expected at least 1, got 0"),
        ((SUMO, "--threads", "0"), "--threads: expected at least 1, got 0"),
        ((SUMO, "--episodes", "0"), "--episodes: expected at least 1, got 0"),
        ((SUMO, "--delta", "2"), "--delta: expected a share in [0, 1], got 2.0"),
        ((SUMO, "--algo", "a2c"), "--algo, --network and --sticky: are for games of one seat"),
        ((SUMO, "--seat", "left"), "--seat: expected first, second, both or each, got 'left'"),
        ((SUMO, "--opponents", "zero,,"), "--opponents: expected different names with commas between them"),
        ((SUMO, "--opponents", "zero,zero"), "--opponents: expected different names with commas between them"),
        ((PASS, "--opponents", "ant"), "agent ant was trained for mujoco/sumo-ants"),
        ((PASS, "--seat", "runner"), "are different roles"),
        (("atari/pong", "--delta", "0.5"), "--delta: is for games of two seats, atari/pong has one"),
        (("gymnasium/CartPole-v1", "--init", "ant"), "--init: is for games of two seats"),
    ],
)
def test_bad_input_is_refused_in_one_line(tmp_path, capsys, arguments, expected):
    assert expected in refused(capsys, "train", "victim", *arguments)
    assert [path.name for path in tmp_path.iterdir()] == ["ant"]
