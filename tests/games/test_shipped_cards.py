"""The contract that every shipped game card keeps."""

import tomllib
from pathlib import Path

import pytest

from rlattack.games import find_game

_CARDS = Path(__file__).parents[2] / "envs"
_NAMES = sorted(path.relative_to(_CARDS).with_suffix("").as_posix() for path in _CARDS.rglob("*.toml"))
_ATARI = [name for name in _NAMES if name.startswith("atari/")]
_BANSAL_2018 = {
    "run-to-goal-ants", "run-to-goal-humans", "you-shall-not-pass", "sumo-ants", "sumo-humans", "kick-and-defend",
}  # fmt: skip
_MNIH_2015 = {
    "pong": (-20.7, 9.3),
    "breakout": (1.7, 31.8),
    "seaquest": (68.4, 20182),
    "space_invaders": (148, 1652),
    "chopper_command": (811, 9882),
    "qbert": (163.9, 13455),
    "ms_pacman": (307.3, 15693),
    "enduro": (0, 309.6),
    "freeway": (0, 29.6),
    "road_runner": (11.5, 7845),
    "bank_heist": (14.2, 734.4),
    "boxing": (0.1, 4.3),
}


def test_the_promised_games_have_cards():
    promised = {f"atari/{rom}" for rom in _MNIH_2015} | {f"mujoco/{name}" for name in _BANSAL_2018}
    assert promised <= set(_NAMES)


@pytest.mark.parametrize("name", _ATARI)
def test_a_shipped_card_parses_and_says_how_it_is_won_and_when_it_stalls(name):
    card = find_game(name)
    assert card.id == name
    assert card.win is not None
    assert card.stall is not None
    assert card.reference is not None
    assert card.reference.source
    assert card.reference.random < card.reference.human


@pytest.mark.parametrize("name", _ATARI)
def test_a_shipped_card_without_opponent_is_won_at_the_human_reference(name):
    card = find_game(name)
    if name in ("atari/pong", "atari/boxing"):
        assert (card.win.rule, card.win.score) == ("score", None)
    else:
        assert (card.win.rule, card.win.score) == ("threshold", card.reference.human)


@pytest.mark.parametrize("rom", _MNIH_2015)
def test_a_shipped_reference_is_the_published_one(rom):
    reference = find_game(f"atari/{rom}").reference
    assert (reference.random, reference.human) == _MNIH_2015[rom]
    assert "Extended Data Table 2" in reference.source


@pytest.mark.parametrize("name", _ATARI)
def test_a_shipped_card_states_its_protocol(name):
    table = tomllib.loads((_CARDS / f"{name}.toml").read_text())
    assert table["protocol"].keys() == {"actions", "sticky"}


@pytest.mark.parametrize("name", _BANSAL_2018)
def test_a_shipped_duel_has_two_named_seats(name):
    card = find_game(f"mujoco/{name}")
    assert len(set(card.seats)) == 2


# Agent steps after which these games end whatever is played (idle and random play, 8 episodes each)
@pytest.mark.parametrize(("rom", "longest"), [("freeway", 2048), ("boxing", 1785), ("enduro", 2 * 3330)])
def test_a_stall_rule_does_not_cut_a_game_that_has_its_own_clock(rom, longest):
    assert find_game(f"atari/{rom}").stall.steps > longest
