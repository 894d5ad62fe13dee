"""PettingZoo's own games: found by name, played, and refused with what to install."""

import sys

import numpy as np
import pettingzoo
import pytest
from gymnasium import spaces

from rlattack.errors import MissingExtra, UnknownName
from rlattack.games.find import find_game, make_game
from rlattack.games.game import NOBODY
from rlattack.games.pettingzoo_games import pettingzoo_ids
from tests.games.random_play import both, seen_by_all


@pytest.mark.parametrize(
    ("name", "close"),
    [
        ("pettingzoo/pong", "pong_v3"),
        ("pettingzoo/pong_v2", "pong_v3"),
        ("pettingzoo/classic/connect_four-v3", "connect_four_v3"),
        ("connect_four", "connect_four_v3"),
        ("pettingzoo/leduc_holdem", "leduc_holdem_v4"),
    ],
)
def test_an_unknown_game_is_answered_with_the_nearest(name, close):
    with pytest.raises(UnknownName, match=f"no .*did you mean 'pettingzoo/{close}'"):
        find_game(name)


def test_without_pettingzoo_its_games_say_what_to_install_and_the_others_stay(monkeypatch):
    monkeypatch.setitem(sys.modules, "pettingzoo", None)
    with pytest.raises(MissingExtra, match=r'pip install "rlattack\[pettingzoo\]"'):
        find_game("pettingzoo/connect_four_v3")
    with pytest.raises(UnknownName, match="did you mean 'atari/pong'"):
        find_game("pong")


@pytest.mark.parametrize(
    ("name", "module", "extra"),
    [
        ("connect_four_v3", "pygame", "classic"),
        ("leduc_holdem_v4", "rlcard", "classic"),
        ("pong_v3", "multi_agent_ale_py", "atari"),
    ],
)
def test_a_missing_package_is_named_with_what_brings_it(name, module, extra, monkeypatch):
    for loaded in [known for known in sys.modules if known.startswith(("pettingzoo.classic", "pettingzoo.atari"))]:
        monkeypatch.delitem(sys.modules, loaded)
    monkeypatch.setitem(sys.modules, module, None)
    pettingzoo.env_registry.spec._load_env_creator.cache_clear()
    with pytest.raises(MissingExtra, match=rf'game pettingzoo/{name} needs {module}: pip install "pettingzoo\[{extra}'):
        make_game(find_game(f"pettingzoo/{name}"), 1)


def test_a_missing_rom_is_told(monkeypatch):
    pytest.importorskip("multi_agent_ale_py")
    monkeypatch.setitem(sys.modules, "ale_py", None)
    with pytest.raises(MissingExtra, match=r'needs its ROM: pip install "rlattack\[atari\]"'):
        make_game(find_game("pettingzoo/pong_v3"), 1)


def test_connect_four_goes_to_who_has_four_in_a_column():
    pytest.importorskip("pygame")
    duel = make_game(find_game("pettingzoo/connect_four_v3"), 2)
    first, _ = duel.reset(np.ones(2, dtype=bool), np.array([1, 2]))
    assert first.legal.all()
    for move in range(7):  # in slot 1 the second player prefers the first one's column
        step = duel.step(both(move % 2, 0 if move < 6 else 1))
        assert step.terminated.tolist() == [move == 6, False]
    assert step.rewards.tolist() == [[1, 0], [-1, 0]]
    assert step.winner.tolist() == [0, NOBODY]
    assert not step.views[1].legal[1, 0]  # the column of slot 1 is full
    assert step.views[1].legal[1, 1:].all()


def test_atari_players_see_the_same_screen_and_pong_is_a_zero_sum():
    pytest.importorskip("multi_agent_ale_py")
    duel = make_game(find_game("pettingzoo/pong_v3"), 1)
    views = duel.reset(np.ones(1, dtype=bool), np.array([1]))
    assert [(seat.name, seat.action) for seat in duel.seats] == [
        ("first_0", spaces.Discrete(6)), ("second_0", spaces.Discrete(6)),
    ]  # fmt: skip
    assert np.array_equal(*seen_by_all(views))
    total = np.zeros((2, 1))
    for _ in range(400):
        total += duel.step((np.array([1]), np.array([1]))).rewards  # FIRE serves
    assert total[0] == -total[1] != 0
    duel.close()


def test_pettingzoos_own_names_are_known_without_loading_its_games():
    ids = pettingzoo_ids()
    assert ids["leduc_holdem_v4"] == "classic/leduc_holdem-v4"
    assert ids["boxing_v2"] == "atari/boxing-v2"
