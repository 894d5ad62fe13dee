"""The agents that ship play what their cards say."""

import json
import shlex
from pathlib import Path

import pytest

from rlattack.cli.main import main, parse
from rlattack.evaluation.results import from_json
from rlattack.games import find_game
from rlattack.policies.folder import agent_cards, read_agent_card
from rlattack.policies.load import agent_folder
from rlattack.training import TrainDefended
from rlattack.training.defended import Room

pytest.importorskip("mujoco")
ZOO = Path(__file__).parents[2] / "../shared/zoo/mujoco"
SHIPPED = {name: card for name, card in agent_cards() if "win" in card.score}
TRAINED = {name: card.provenance["command"] for name, card in agent_cards() if "command" in card.provenance}
ALONE = {name: card for name, card in agent_cards() if card.game.startswith("mujoco/") and "mean" in card.score}


@pytest.mark.parametrize("game", ["mujoco/hopper", "mujoco/half-cheetah"])
def test_a_control_task_ships_with_a_victim_that_plays_far_better_than_chance(game):
    card, reference = ALONE[f"{game}/ppo"], find_game(game).reference
    assert (card.game, card.score["actions"], card.score["distinct"]) == (game, "greedy", card.score["episodes"])
    low, high = card.score["ci"]
    assert low < card.score["mean"] < high
    assert low > reference.random + 0.1 * (reference.agent - reference.random)
    assert (agent_folder(f"{game}/ppo") / "policy.safetensors").stat().st_size < 2_000_000


@pytest.mark.slow
@pytest.mark.parametrize("name", ALONE)
def test_an_agent_of_a_control_task_scores_what_its_card_says(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main([*shlex.split(ALONE[name].score["command"])[1:], "--json"]) == 0
    (*_, cell) = from_json(json.loads(capsys.readouterr().out)["cells"])  # of an adversary the attack
    assert cell.seats[0].returns.mean == pytest.approx(ALONE[name].score["mean"])


@pytest.mark.parametrize("name", TRAINED)
def test_the_command_that_trained_an_agent_is_not_refused(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    verb = parse(shlex.split(TRAINED[name])[1:]).verb
    recipe = verb.recipe(**vars(verb))
    assert recipe.game == read_agent_card(agent_folder(name)).game
    if isinstance(recipe, TrainDefended):
        assert Room(recipe, "").ground.budget.eps == recipe.eps


@pytest.mark.parametrize("name", SHIPPED)
def test_a_card_names_who_was_met_and_how_the_score_was_come_by(name):
    card = SHIPPED[name]
    words = shlex.split(card.score["command"])
    assert words[:3] == ["rlattack", "duel", card.game]
    assert name in words
    assert card.score["episodes"] >= 1000
    assert sum(card.score[kind]["rate"] for kind in ("win", "tie", "loss")) == pytest.approx(1)
    victim = card.provenance.get("victim")
    assert card.role != "adversary" or len(victim["sha256"]) == 64
    if victim is not None and not victim["id"].startswith("zoo/"):
        assert SHIPPED[victim["id"]].sha256 == victim["sha256"]


@pytest.mark.slow
@pytest.mark.parametrize("name", SHIPPED)
def test_an_agent_wins_as_often_as_its_card_says(name, tmp_path, monkeypatch, capsys):
    card = SHIPPED[name]
    monkeypatch.chdir(tmp_path)
    won = 0.0
    for command in card.score["command"].split(" && "):
        words = shlex.split(command)
        players = words[words.index("--players") + 1 :][:2]
        for player in players:
            if player.startswith("zoo/"):
                _, game, file = player.split("/")
                if not ZOO.is_dir():
                    pytest.skip("the zoo of 2018 is not there")
                source = str(ZOO / game / f"{file}.safetensors")
                assert main(["import", "bansal", source, "--agent", player, "--game", card.game]) == 0
        capsys.readouterr()
        assert main([*words[1:], "--json"]) == 0
        (cell,) = from_json(json.loads(capsys.readouterr().out)["cells"])
        seat = cell.seats[0 if players[0] == name else 1]
        assert seat.win is not None
        won += seat.win.rate * cell.episodes
    low, high = card.score["win"]["ci"]
    assert low <= won / card.score["episodes"] <= high
    victim = card.provenance.get("victim")
    if victim is not None and agent_folder(victim["id"]) is not None:
        assert dict(agent_cards())[victim["id"]].sha256 == victim["sha256"]
