"""The second verifier agrees on every claim that ships: the commands on agents' cards, played with a ledger.

All episodes of a claim are verified where they take seconds, and its mean and interval compared with the card's; of
Atari, of duels and of attacks the first ones alone (under attack in Atari their first 200 steps), which say that the
command plays what the ledger says on the card's seed, and not what the mean over all is. The numbers of a card that
follow from each other are checked for all.
"""

import json
import math
import shlex
from pathlib import Path

import pytest

from rlattack.cli.main import main
from rlattack.policies.folder import agent_cards
from tests.oracle.verifier import problems

AGENTS = Path(__file__).parents[2] / "agents"
ZOO = Path(__file__).parents[2] / "../shared/zoo/mujoco"
CARDS = dict(agent_cards())
FEW = 2
"""Episodes of a claim of which all take long."""


def tables(card):
    """The tables of a score: its own, under noise, under attack."""
    yield "score", card.score
    yield from ((name, table) for name, table in card.score.items() if isinstance(table, dict) and "mean" in table)


CLAIMS = {
    f"{name}-{part}-{number}": (name, part, command)
    for name, card in CARDS.items()
    for part, table in tables(card)
    for number, command in enumerate(table["command"].split(" && ") if "command" in table else ())
}


def agents_beside(folder, command):
    """A folder of agents: those that ship, and those of 2018 that a command names, imported."""
    (folder / "agents").mkdir()
    for path in AGENTS.iterdir():
        (folder / "agents" / path.name).symlink_to(path)
    for player in (word for word in shlex.split(command) if word.startswith("zoo/")):
        _, game, file = player.split("/")
        if not ZOO.is_dir():
            pytest.skip("the zoo of 2018 is not there")
        source = str(ZOO / game / f"{file}.safetensors")
        assert main(["import", "bansal", source, "--agent", player, "--game", f"mujoco/{game}"]) == 0
    return folder / "agents"


@pytest.mark.slow
@pytest.mark.parametrize("claim", CLAIMS)
def test_the_second_verifier_agrees_on_a_claim_that_ships(claim, tmp_path, monkeypatch):
    name, part, command = CLAIMS[claim]
    card, words = CARDS[name], shlex.split(command)[1:]
    if card.game.startswith("mujoco/") or card.game.startswith("atari/"):
        pytest.importorskip("mujoco" if card.game.startswith("mujoco/") else "ale_py")
    whole = part == "score" and "mean" in card.score and card.role == "victim" and not card.game.startswith("atari/")
    if not whole:
        words[words.index("--episodes") + 1] = str(FEW)
        words += ["--max-steps", "200"] if part != "score" and card.game.startswith("atari/") else []
    monkeypatch.chdir(tmp_path)
    agents = agents_beside(tmp_path, command)
    assert main([*words, "--ledger", "--workers", "1", "--run", str(tmp_path / "run")]) == 0
    assert problems(tmp_path / "run", agents) == []
    (*_, cell) = json.loads((tmp_path / "run" / "results.json").read_text())["cells"]
    assert cell["seed"] == card.score["seed"]
    if whole:
        seat = cell["seats"][0]["return"]
        assert [seat["mean"], *seat["ci"]] == pytest.approx([card.score["mean"], *card.score["ci"]], rel=1e-6)


def wilson(rate, count):
    """The score interval of a share (Wilson 1927), 95 %."""
    z = 1.959963984540054
    middle, wide = rate + z * z / (2 * count), z * math.sqrt(rate * (1 - rate) / count + z * z / (4 * count * count))
    return [(middle - wide) / (1 + z * z / count), (middle + wide) / (1 + z * z / count)]


@pytest.mark.parametrize("name", [name for name, card in CARDS.items() if card.score])
def test_the_numbers_on_a_card_follow_from_each_other(name):
    score, game = CARDS[name].score, CARDS[name].game
    for _, table in tables(CARDS[name]):
        if "mean" in table:
            assert table["ci"][0] <= table["mean"] <= table["ci"][1]
        if "mean" in table and game in ("atari/pong", "gymnasium/CartPole-v1"):  # which pay whole numbers
            assert table["mean"] * score["episodes"] == pytest.approx(round(table["mean"] * score["episodes"]))
    rates = [score[kind] for kind in ("win", "tie", "loss") if kind in score]
    assert not rates or sum(one["rate"] for one in rates) == pytest.approx(1)
    for one in rates:
        assert one["rate"] * score["episodes"] == pytest.approx(round(one["rate"] * score["episodes"]))
        assert one["ci"] == pytest.approx(wilson(one["rate"], score["episodes"]), abs=1e-9)
    assert score.get("distinct", 0) <= score["episodes"]
    for command in (one for _, table in tables(CARDS[name]) for one in table.get("command", "").split(" && ") if one):
        words = shlex.split(command)
        assert name in words or any(name in word for word in words if "agent=" in word)
        assert words[words.index("--seed") + 1] == str(score["seed"])
    episodes = [int(words[words.index("--episodes") + 1]) for words in map(shlex.split, score["command"].split(" && "))]
    assert sum(episodes) == score["episodes"]
