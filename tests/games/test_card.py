import pytest

from rlattack.errors import ContentError, InvalidInput
from rlattack.games import find_game, with_variant
from rlattack.games.card import AtariOptions, GameCard, Protocol, Stall, Variant, Win, parse_card
from rlattack.games.table import parse_table


def test_a_card_with_a_title_alone_gets_the_defaults():
    card = parse_card("atari/x", {"schema": "rlattack/game/1", "title": "X"})
    assert card == GameCard(id="atari/x", title="X")
    assert (card.protocol, card.win, card.stall) == (Protocol(actions="sampled", sticky=0.0), None, None)


def test_lists_become_tuples():
    card = parse_card(
        "atari/x", {"title": "X", "atari": {"resize": [96, 64], "crop": [2, 0, 90, 64], "action_set": [0, 3]}}
    )
    assert (card.atari.resize, card.atari.crop, card.atari.action_set) == ((96, 64), (2, 0, 90, 64), (0, 3))
    assert card.atari.frame == (90, 64)


def test_the_family_is_the_first_part_of_the_id():
    assert GameCard(id="gymnasium/phys2d/CartPole-v1", title="").family == "gymnasium"


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({}, "the card has no title"),
        ({"title": "X", "protocl": {}}, "unknown key 'protocl'; did you mean 'protocol'"),
        ({"title": "X", "stand_in": float("nan")}, "stand_in: expected a finite number, got nan"),
        ({"title": "X", "win": 3}, r"\[win\]: expected a table, got 3"),
        ({"title": "X", "win": {"rules": "score"}}, r"\[win\]: unknown key 'rules'; did you mean 'rule'"),
        ({"title": "X", "win": {}}, r"\[win\]: rule is missing"),
        ({"title": "X", "win": {"rule": "best"}}, r"\[win\]: rule expects .*'score', 'threshold'.*, got 'best'"),
        ({"title": "X", "win": {"rule": "score", "score": 1.0}}, r"\[win\]: rule 'threshold' needs a score"),
        ({"title": "X", "win": {"rule": "threshold"}}, r"\[win\]: rule 'threshold' needs a score"),
        ({"title": "X", "win": {"rule": "threshold", "score": float("nan")}}, "score expects .*, got nan"),
        ({"title": "X", "protocol": {"sticky": 1.0}}, r"\[protocol\]: sticky: expected a probability"),
        ({"title": "X", "protocol": {"sticky": True}}, "sticky expects a finite number, got True"),
        ({"title": "X", "stall": {"steps": 0}}, r"\[stall\]: steps: expected more than 0, got 0"),
        ({"title": "X", "stall": {"steps": 2.5}}, "steps expects a whole number, got 2.5"),
        ({"title": "X", "reference": {"random": 0}}, r"\[reference\]: source is missing"),
        (
            {"title": "X", "reference": {"random": 0, "source": "s"}},
            r"one of human and agent, got None and None",
        ),
        (
            {"title": "X", "reference": {"random": 0, "human": 1, "agent": 2, "source": "s"}},
            r"expected one of human and agent, got 1 and 2",
        ),
        (
            {"title": "X", "reference": {"random": 0, "agent": 2, "eps": 0, "source": "s"}},
            r"\[reference\]: eps: expected more than 0, got 0",
        ),
        ({"title": "X", "atari": {"stack": 0}}, r"\[atari\]: stack: expected more than 0, got 0"),
        ({"title": "X", "atari": {"noop_max": -1}}, "noop_max: expected 0 or more"),
        ({"title": "X", "atari": {"resize": [84]}}, r"resize expects a list of 2, each a whole number, got \[84\]"),
        ({"title": "X", "atari": {"resize": [84, 0]}}, r"resize: expected \[height, width\], got \[84, 0\]"),
        (
            {"title": "X", "atari": {"crop": [0, 0, 85, 84]}},
            r"crop: \[0, 0, 85, 84\] does not fit in resize \[84, 84\]",
        ),
        ({"title": "X", "atari": {"crop": [-1, 0, 80, 80]}}, "crop: .* does not fit"),
        ({"title": "X", "atari": {"action_set": [0, 18]}}, r"action_set: expected ALE actions, 0 to 17, got \[0, 18\]"),
        ({"title": "X", "atari": {"action_set": []}}, "action_set: expected ALE actions"),
        ({"title": "X", "atari": {"action_set": "some"}}, "action_set expects .*, got 'some'"),
    ],
)
def test_a_card_that_does_not_fit_is_refused_with_its_name(table, message):
    with pytest.raises(ContentError, match=f"game atari/x: .*{message}"):
        parse_card("atari/x", table)


@pytest.mark.parametrize(
    "table", [{"rom": "pong"}, {"atari": {"stack": 2}}, {"protocol": {"sticky": 0.25}}], ids=["rom", "atari", "sticky"]
)
def test_only_an_atari_card_may_say_what_only_the_emulator_knows(table):
    with pytest.raises(ContentError, match=r"game gymnasium/X-v0: .* for Atari games only"):
        parse_card("gymnasium/X-v0", {"title": "X", **table})


def test_a_table_is_parsed_into_any_of_the_dataclasses():
    assert parse_table(Stall, {"steps": 5}, "here") == Stall(steps=5)
    assert parse_table(Win, {"rule": "threshold", "score": 3}, "here") == Win(rule="threshold", score=3)
    assert parse_table(AtariOptions, {}, "here") == AtariOptions()


@pytest.mark.parametrize(
    ("win", "outcomes"),
    [
        (Win(rule="score"), ["loss", "tie", "win", "win"]),
        (Win(rule="threshold", score=2.0), ["loss", "loss", "loss", "win"]),
        (Win(rule="threshold", score=0.0), ["loss", "win", "win", "win"]),
    ],
)
def test_a_return_is_won_by_its_sign_or_at_a_threshold(win, outcomes):
    assert [win.outcome(score) for score in (-1.0, 0.0, 1.0, 2.0)] == outcomes


def test_a_card_tells_the_seats_that_it_knows():
    assert GameCard(id="atari/x", title="").seats == GameCard(id="gymnasium/X-v0", title="").seats == ("player",)
    assert find_game("mujoco/you-shall-not-pass").seats == ("blocker", "runner")
    assert GameCard(id="pettingzoo/x_v0", title="").seats is None


@pytest.mark.parametrize("table", [{"win": {"rule": "score"}}, {"stall": {"steps": 5}}])
def test_a_game_with_opponents_has_no_rule_for_returns(table):
    with pytest.raises(ContentError, match=r"game pettingzoo/x_v0: \[win\], \[stall\] and \[reference\] are for games"):
        parse_card("pettingzoo/x_v0", {"title": "X", **table})


def test_a_variant_hides_nothing_unless_it_says_so():
    card = GameCard(id="atari/x", title="")
    Variant(card).check_nothing_hidden()
    with pytest.raises(InvalidInput, match="game atari/x: only MuJoCo games can hide the other player from a seat"):
        Variant(card, hidden=((0, "zero"),)).check_nothing_hidden()


@pytest.mark.parametrize(
    ("game", "options", "same"),
    [
        ("atari/pong", {"stack": 2, "resize": [42, 42]}, True),
        ("atari/pong", {"noop_max": 1}, False),
        ("gymnasium/CartPole-v1", {"args": {"max_episode_steps": 5000}}, False),
        ("mujoco/hopper", {"args": {"max_steps": 5000}}, False),
        ("mujoco/hopper", {"args": {"healthy": 9.0}}, False),
    ],
)
def test_how_a_game_is_shown_is_no_rule_of_it_and_all_else_is(game, options, same):
    card = find_game(game)
    assert (with_variant(card, options=options).rules == card.rules) is same
