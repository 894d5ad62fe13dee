import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from rlattack.errors import ContentError, InvalidInput, MissingExtra, UnknownName
from rlattack.games import GameCard, Variant, find_game, list_games, make_game, rom_sha256, with_variant
from rlattack.games.camera import camera
from rlattack.games.card import Protocol
from rlattack.games.find import FAMILIES
from tests.kit import games as kit

_CARD = 'schema = "rlattack/game/1"\ntitle = "Mine"\n'


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A working folder of the user's own, with `envs/`."""
    (tmp_path / "envs" / "atari").mkdir(parents=True)
    (tmp_path / "envs" / "gymnasium").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path / "envs"


def test_a_rom_without_a_card_gets_the_defaults_and_no_win_rule():
    card = find_game("atari/demon_attack")
    assert card == GameCard(id="atari/demon_attack", title="Demon Attack", rom="demon_attack")
    assert card.win is None
    assert card.protocol == Protocol()


def test_a_users_card_is_a_game(here):
    (here / "atari" / "small_pong.toml").write_text(_CARD + 'rom = "pong"\n[atari]\nresize = [42, 42]\n')
    card = find_game("atari/small_pong")
    assert (card.id, card.title, card.rom, card.atari.frame) == ("atari/small_pong", "Mine", "pong", (42, 42))


def test_a_users_card_that_names_no_rom_means_the_one_of_its_name(here):
    (here / "atari" / "asterix.toml").write_text(_CARD)
    assert find_game("atari/asterix").rom == "asterix"


def test_a_users_card_never_takes_the_place_of_a_shipped_one(here):
    (here / "atari" / "pong.toml").write_text(_CARD)
    with pytest.raises(ContentError, match="two cards claim 'atari/pong'"):
        find_game("atari/pong")


def test_a_gymnasium_environment_is_a_game_with_and_without_a_card(here):
    assert find_game("gymnasium/CartPole-v1") == GameCard(id="gymnasium/CartPole-v1", title="CartPole-v1")
    (here / "gymnasium" / "CartPole-v1.toml").write_text(_CARD + '[win]\nrule = "threshold"\nscore = 475\n')
    assert find_game("gymnasium/CartPole-v1").win.score == 475


def test_a_card_outside_the_known_families_is_refused(here):
    (here / "mine.toml").write_text(_CARD)
    with pytest.raises(ContentError, match=r"mine.toml: expected it under envs/atari/ or envs/gymnasium/"):
        find_game("mine")


def test_a_file_that_is_no_card_is_named_when_it_is_asked_for(here):
    (here / "atari" / "broken.toml").write_text("title = ")
    with pytest.raises(ContentError, match=r"broken.toml: not a game card: expected .*rlattack/game/1"):
        find_game("atari/broken")


@pytest.mark.parametrize(
    ("name", "close"),
    [
        ("pong", "atari/pong"),
        ("atari/pongg", "atari/pong"),
        ("atari/MsPacman", "atari/ms_pacman"),
        ("ALE/Pong-v5", "atari/pong"),
        ("gymnasium/ALE/Pong-v5", "atari/pong"),
        ("PongNoFrameskip-v4", "atari/pong"),
        ("gymnasium/MsPacmanNoFrameskip-v4", "atari/ms_pacman"),
        ("Pong-ram-v4", "atari/pong"),
        ("SpaceInvadersDeterministic-v4", "atari/space_invaders"),
        ("Hopper-v3", "mujoco/hopper"),
        ("mujoco/Hopper-v5", "mujoco/hopper"),
        ("gymnasium/Hopper-v9", "gymnasium/Hopper-v5"),
        ("CartPole", "gymnasium/CartPole-v1"),
        ("gymnasium/cartpole-v1", "gymnasium/CartPole-v1"),
    ],
)
def test_an_unknown_game_is_answered_with_the_nearest_of_all(name, close):
    with pytest.raises(UnknownName, match=f"did you mean '{close}'"):
        find_game(name)


@pytest.mark.parametrize(
    "name", ["gymnasium/Nope", "gymnasium/Walker2DBulletEnv-v0", "Walker2DBulletEnv-v0", "atari/CartPole-v1"]
)
def test_no_game_of_another_family_or_another_name_is_hinted_at(name):
    with pytest.raises(UnknownName, match=r"^no ") as caught:
        find_game(name)
    assert "did you mean" not in str(caught.value)
    assert name.startswith("gymnasium/") == (
        "one of your own package is gymnasium/package:Name-v0" in str(caught.value)
    )


@pytest.mark.parametrize("name", ["", "mujoco/nothing-like-it", "gymnasium/os:system", "../pong"])
def test_a_name_like_no_other_is_unknown(name):
    with pytest.raises(UnknownName, match="no "):
        find_game(name)


@pytest.mark.parametrize("rom", ["combat", "joust", "maze_craze", "warlords"])
def test_a_rom_that_ends_the_process_is_refused_before_it_is_loaded(rom, here):
    with pytest.raises(InvalidInput, match="ale-py ends the process"):
        find_game(f"atari/{rom}")
    (here / "atari" / "mine.toml").write_text(_CARD + f'rom = "{rom}"\n')
    with pytest.raises(InvalidInput, match="ale-py ends the process"):
        make_game(find_game("atari/mine"), 1)


@pytest.mark.parametrize(("name", "slots"), [("atari/pong", 2), ("gymnasium/CartPole-v1", 3), ("tug/any", 2)])
def test_make_game_builds_the_game_of_the_family(name, slots):
    game = make_game(find_game(name), slots, threads=2)
    assert type(game) is FAMILIES.get(name.partition("/")[0]) or type(game) is kit.Tug
    assert game.slots == slots
    game.close()


@pytest.mark.parametrize("name", ["atari/pong", "gymnasium/CartPole-v1", "mujoco/sumo-ants", "tug/any"])
def test_a_game_needs_a_slot_and_a_thread(name):
    for slots, threads in ((0, 1), (1, 0)):
        with pytest.raises(InvalidInput, match=f"expected at least 1 slot and 1 thread, got {slots} and {threads}"):
            make_game(find_game(name), slots, threads=threads)


def test_a_family_that_was_registered_needs_no_cards_but_can_have_some(here):
    assert find_game("tug/any") == GameCard(id="tug/any", title="any")
    (here / "coins").mkdir()
    (here / "coins" / "hard.toml").write_text(_CARD + '[win]\nrule = "threshold"\nscore = 3\n')
    assert find_game("coins/hard").win.score == 3
    assert "coins/hard" in {row["id"] for row in list_games()}
    with pytest.raises(UnknownName, match="no game 'tug/'"):
        find_game("tug/")


def test_a_spawned_process_plays_a_registered_family_once_it_was_told():
    code = (
        "from rlattack.games import find_game, make_game\n"
        "from rlattack.games.find import FAMILIES\n"
        f"for name, target in {FAMILIES.added!r}.items(): FAMILIES.add(name, target)\n"
        "print(make_game(find_game('coins/any'), 2).seats[0].name)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "player\n"


def test_a_family_that_nobody_registered_makes_no_game():
    with pytest.raises(UnknownName, match="no family of games 'chess'"):
        make_game(GameCard(id="chess/blitz", title="Chess"), 1)


@pytest.mark.parametrize("name", ["count/any", "pettingzoo/connect_four_v3"])
def test_a_game_that_cannot_draw_itself_is_not_filmed(name):
    with pytest.raises(InvalidInput, match=f"^{name} cannot be filmed, only Atari and MuJoCo games can"):
        make_game(find_game(name), 1, camera=True)


def test_a_game_that_was_made_without_a_camera_may_have_none():
    with pytest.raises(InvalidInput, match="a Count cannot be filmed"):
        camera(make_game(find_game("count/any"), 1))


def test_nobody_can_be_hidden_where_there_is_nobody_else():
    with pytest.raises(InvalidInput, match="game gymnasium/CartPole-v1: only MuJoCo games can hide the other player"):
        make_game(Variant(find_game("gymnasium/CartPole-v1"), hidden=((0, "zero"),)), 1)


def test_a_mujoco_game_hides_as_the_variant_says():
    pytest.importorskip("mujoco")
    shown, hidden = (
        make_game(Variant(find_game("mujoco/sumo-ants"), hidden=hidden), 1) for hidden in ((), ((1, "zero"),))
    )
    (left, right), (same, masked) = (one.reset(np.ones(1, dtype=bool), np.array([1])) for one in (shown, hidden))
    assert np.array_equal(left.obs, same.obs)
    assert not np.array_equal(right.obs, masked.obs)


def test_a_variant_merges_options_and_keeps_the_rest():
    card = with_variant(find_game("atari/pong"), options={"noop_max": 5})
    card = with_variant(card, sticky=0.25, options={"crop": [4, 0, 80, 84], "action_set": [0, 2, 3]})
    assert (card.atari.noop_max, card.atari.crop, card.atari.action_set) == (5, (4, 0, 80, 84), (0, 2, 3))
    assert card.protocol == Protocol(actions="sampled", sticky=0.25)
    assert (card.atari.stack, card.win) == (4, find_game("atari/pong").win)


def test_no_variant_is_the_same_card():
    card = find_game("atari/pong")
    assert with_variant(card) == with_variant(card, sticky=0.0, options={}) == card


@pytest.mark.parametrize(
    ("sticky", "options", "message"),
    [
        (None, {"frameskip": 4}, "game atari/pong: options: unknown key 'frameskip'; did you mean 'frame_skip'"),
        (None, {"stack": "4"}, "game atari/pong: options: stack expects a whole number, got '4'"),
        (None, {"stack": 0}, "game atari/pong: options: stack: expected"),
        (1.5, None, r"sticky: expected a probability in \[0, 1\), got 1.5"),
    ],
)
def test_a_variant_that_does_not_fit_is_refused(sticky, options, message):
    with pytest.raises(ContentError, match=message):
        with_variant(find_game("atari/pong"), sticky=sticky, options=options)


def test_a_gymnasium_game_has_no_atari_variants():
    card = find_game("gymnasium/CartPole-v1")
    assert with_variant(card, sticky=0.0, options={}) == card
    with pytest.raises(ContentError, match="for Atari games only"):
        with_variant(card, sticky=0.25)
    with pytest.raises(ContentError, match="unknown key 'noop_max'"):
        with_variant(card, options={"noop_max": 2})


def test_the_list_holds_cards_and_roms_but_not_those_that_crash(here):
    (here / "gymnasium" / "CartPole-v1.toml").write_text(_CARD)
    rows = {row["id"]: row for row in list_games()}
    assert rows["atari/breakout"] == {
        "id": "atari/breakout", "title": "Breakout", "seats": None, "win": "threshold", "win_score": 31.8,
        "actions": "sampled", "sticky": 0.0, "random": 1.7, "human": 31.8, "agent": None, "eps": None, "card": True,
        "note": "",
    }  # fmt: skip
    assert (rows["atari/asterix"]["card"], rows["atari/asterix"]["win"]) == (False, None)
    assert rows["gymnasium/CartPole-v1"]["title"] == "Mine"
    assert "atari/combat" not in rows
    assert len(rows) > 100


def test_without_ale_py_the_list_says_what_is_missing_and_cards_are_still_found(monkeypatch):
    monkeypatch.setitem(sys.modules, "ale_py", None)
    rows = {row["id"]: row for row in list_games()}
    assert rows["atari/pong"]["note"] == 'needs ale-py: pip install "rlattack[atari]"'
    assert "atari/asterix" not in rows
    assert find_game("atari/pong").rom == "pong"
    for start in (lambda: find_game("atari/asterix"), lambda: make_game(find_game("atari/pong"), 1)):
        with pytest.raises(MissingExtra, match=r'pip install "rlattack\[atari\]"'):
            start()


def test_without_mujoco_a_game_says_what_it_needs_and_its_card_is_found():
    code = (
        "import sys; sys.modules['mujoco'] = None\n"
        "from rlattack.games import find_game, make_game\n"
        "try: make_game(find_game('mujoco/sumo-ants'), 1)\n"
        "except ImportError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == 'game mujoco/sumo-ants: MuJoCo games need mujoco: pip install "rlattack[mujoco]"\n'


def test_a_gymnasium_game_needs_neither_ale_py_nor_torch():
    code = (
        "import sys; sys.modules['ale_py'] = sys.modules['torch'] = None\n"
        "from rlattack.games import find_game, make_game\n"
        "make_game(find_game('gymnasium/CartPole-v1'), 1).close()"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_rom_of_a_game_has_a_digest():
    digest = rom_sha256(find_game("atari/pong"))
    assert len(digest) == 64
    assert digest != rom_sha256(find_game("atari/breakout"))
    assert rom_sha256(find_game("gymnasium/CartPole-v1")) is None


def test_the_checkouts_cards_are_found_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_game("atari/pong").win is not None
    assert not Path("envs").exists()


def test_one_bad_card_does_not_hide_the_others(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    place = tmp_path / "envs" / "atari"
    place.mkdir(parents=True)
    (place / "typo.toml").write_text(
        'schema = "rlattack/game/1"\ntitle = "Typo"\nrom = "pong"\n[protocol]\nstiky = 0.1'
    )
    (place / "lost.toml").write_text('schema = "rlattack/game/1"\ntitle = "Lost"\nrom = "pongg"')
    rows = {row["id"]: row for row in list_games()}
    assert "unknown key 'stiky'" in rows["atari/typo"]["note"]
    assert "lost.toml: rom 'pongg': no game 'atari/pongg'; did you mean 'atari/pong'?" in rows["atari/lost"]["note"]
    assert rows["atari/pong"]["note"] == ""


def test_the_list_names_the_seats_of_a_duel():
    rows = {row["id"]: row for row in list_games()}
    assert rows["mujoco/you-shall-not-pass"]["seats"] == "blocker, runner"
