import dataclasses
import math
import tomllib
from pathlib import Path

import pytest

from rlattack.errors import ContentError
from rlattack.games.card import parse_card
from rlattack.games.mujoco.card import parse_mujoco

_CARDS = Path(__file__).parents[3] / "envs" / "mujoco"
_NAMES = sorted(path.stem for path in _CARDS.glob("*.toml") if "[duel]" in path.read_text())


def tables(name):
    return tomllib.loads((_CARDS / f"{name}.toml").read_text())


def numbers(name):
    """Every table and key of a card that holds numbers."""
    return [
        (table, key)
        for table, values in tables(name).items()
        if isinstance(values, dict)
        for key, value in values.items()
        if isinstance(value, list | float | int) and not isinstance(value, bool) and table != "duel"
    ]


def parse(name, table, key, value):
    card = tables(name)
    card[table][key] = value
    return parse_card(f"mujoco/{name}", card)


@pytest.mark.parametrize("name", _NAMES)
def test_a_shipped_card_says_every_number_of_its_game(name):
    card = parse_card(f"mujoco/{name}", tables(name)).mujoco
    for table in ("scene", "reset", "reward", "rules"):
        fields = {field.name for field in dataclasses.fields(getattr(card, table))}
        assert fields == set(tables(name)[table])


@pytest.mark.parametrize(("name", "table", "key"), [(name, *at) for name in _NAMES for at in numbers(name)])
def test_a_number_that_is_missing_or_nan_is_named(name, table, key):
    card = tables(name)
    value = card[table].pop(key)
    with pytest.raises(ContentError, match=rf"game mujoco/{name}: \[{table}\]: {key} is missing"):
        parse_card(f"mujoco/{name}", card)
    for wrong in (math.nan, math.inf, "much"):
        with pytest.raises(ContentError, match=rf"\[{table}\]: {key} expects .*, got "):
            parse(name, table, key, [wrong] * len(value) if isinstance(value, list) else wrong)


@pytest.mark.parametrize(
    ("name", "table", "key", "value", "message"),
    [
        ("sumo-ants", "scene", "timestep", 0.0, "timestep: expected more than 0, got 0.0"),
        ("sumo-ants", "scene", "timestep", -0.1, "timestep: expected more than 0"),
        ("sumo-ants", "scene", "frame_skip", 0, "frame_skip: expected more than 0"),
        ("sumo-ants", "scene", "frame_skip", 5000, "frame_skip: expected at most 1,000, got 5,000"),
        ("sumo-ants", "scene", "max_steps", 0, "max_steps: expected more than 0"),
        ("sumo-ants", "scene", "max_steps", 10**9, "max_steps: expected at most 100,000"),
        ("sumo-ants", "scene", "margin", -0.01, "margin: expected 0 or more, got -0.01"),
        ("sumo-ants", "scene", "margin", 1e9, "margin: expected at most 0.1"),
        ("sumo-ants", "scene", "margin", 10**400, "margin expects a finite number, got 1000"),
        ("sumo-ants", "scene", "margin", float("nan"), "margin expects a finite number, got nan"),
        ("sumo-ants", "scene", "timestep", 10.0, "timestep: expected at most 0.1, got 10.0"),
        ("sumo-ants", "reset", "position", 1e6, "position: expected at most 10.0"),
        ("sumo-ants", "scene", "body", "cat", "body expects .*ant.*, got 'cat'"),
        ("sumo-ants", "scene", "start", [0.0, 0.0, 1.0], "start expects a list of 6, each a finite number, got"),
        ("sumo-ants", "scene", "start", [-1.0, 0.0, 2.5, 1.0, 0.0, -1.0], r"start: expected \[.*\] above the floor"),
        ("sumo-ants", "scene", "start", [-1e9, 0.0, 2.5, 1.0, 0.0, 2.5], r"start: expected \[.*\] .*within 1,000"),
        ("sumo-ants", "rules", "radius", [1e300, 1e300], r"radius: expected at most 1,000, got 1e\+300"),
        ("run-to-goal-ants", "rules", "line", 1e300, "line: expected at most 1,000"),
        ("sumo-ants", "scene", "yaw", [180.0], "yaw expects"),
        ("sumo-ants", "reset", "position", -0.1, "position: expected 0 or more"),
        ("sumo-ants", "reset", "velocity", -0.1, "velocity: expected 0 or more"),
        ("sumo-ants", "reward", "progress_time", 0.0, "progress_time: expected more than 0"),
        *[
            ("sumo-ants", "reward", key, -1.0, f"{key}: expected 0 or more, got -1.0")
            for key in (
                "goal", "progress", "control", "contact", "contact_clip", "contact_most", "alive", "alive_height",
            )
        ],
        ("sumo-ants", "rules", "radius", [0.0, 2.0], r"radius: expected \[smallest, largest\] above 0"),
        ("sumo-ants", "rules", "radius", [3.0, 2.0], r"radius: expected .*, got \[3.0, 2.0\]"),
        ("sumo-ants", "rules", "gap", 0.7, "gap: expected less than a quarter .*, 0.625, .* got 0.7"),
        ("sumo-ants", "rules", "gap", -0.1, "gap: expected 0 or more"),
        ("sumo-ants", "rules", "height", 0.0, "height: expected more than 0"),
        ("sumo-ants", "rules", "fallen", -0.1, "fallen: expected 0 or more"),
        ("sumo-ants", "rules", "fallen", 2.0, r"\[scene\] start: the first starts at 2.5, .* down at 2.5 by \[rules\]"),
        ("sumo-ants", "rules", "auto_contact", 1, "auto_contact expects true or false, got 1"),
        ("run-to-goal-ants", "rules", "line", 0.0, "line: expected more than 0"),
        ("run-to-goal-ants", "rules", "line", 1.0, r"the right starts at -1, behind the line at 1 of \[rules\]"),
        ("run-to-goal-ants", "rules", "fallen", -1.0, "fallen: expected 0 or more"),
        ("run-to-goal-ants", "rules", "distance", -1.0, "distance: expected 0 or more"),
        ("you-shall-not-pass", "rules", "line", -4.0, "line: expected more than 0"),
        ("you-shall-not-pass", "rules", "fallen", -1.0, "fallen: expected 0 or more"),
        ("you-shall-not-pass", "rules", "fallen", 1.4, "the blocker starts at 1.4, and is down at 1.4"),
        *[
            ("kick-and-defend", "rules", key, -1.0, f"{key}: expected 0 or more")
            for key in ("stopped", "touch", "standing", "standing_height", "kicker_fallen", "keeper_fallen", "roll")
        ],
        *[("kick-and-defend", "rules", key, 0.0, f"{key}: expected more than 0") for key in ("line", "post", "foul")],
        ("kick-and-defend", "rules", "keeper_fallen", 1.6, "the keeper starts at 1.5, and is down at 1.6"),
        ("kick-and-defend", "rules", "ball", [0.15, -0.1], "ball: expected a radius and a mass above 0"),
        ("kick-and-defend", "rules", "ball", [0.0, 0.1], "ball: expected a radius and a mass above 0"),
        ("kick-and-defend", "rules", "ball_height", 0.1, "ball_height: expected at least the radius 0.15, got 0.1"),
        ("kick-and-defend", "rules", "ball_place", [-2.0, 5.0, -4.0, 4.0], "ball_place: expected x up to the line"),
        ("kick-and-defend", "rules", "ball_place", [1.0, -2.0, -4.0, 4.0], "ball_place: expected .low x, high x"),
        ("kick-and-defend", "rules", "kicker_place", [-1.0, 0.0, 2.0, -2.0], "kicker_place: expected .low x"),
        ("kick-and-defend", "rules", "keeper_place", [1.0, 3.0, -2.0, 2.0], "keeper_place: expected x up to 2.5 from"),
        ("sumo-ants", "duel", "rules", "sumoo", r"\[duel\] rules: expected .*, got 'sumoo'; did you mean 'sumo'"),
        ("sumo-ants", "duel", "seats", ["a", "a"], r"\[duel\] seats: expected two names, got \['a', 'a'\]"),
        ("sumo-ants", "duel", "seats", ["a", ""], r"\[duel\] seats: expected two names"),
    ],
)  # fmt: skip
def test_an_impossible_number_is_refused_in_one_line(name, table, key, value, message):
    with pytest.raises(ContentError, match=rf"^game mujoco/{name}: .*{message}") as caught:
        parse(name, table, key, value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("table", ["duel", "scene", "reset", "reward", "rules"])
def test_a_table_that_is_missing_is_named(table):
    card = tables("sumo-ants")
    del card[table]
    with pytest.raises(ContentError, match=rf"here: the table \[{table}\] is missing"):
        parse_mujoco(card, "here")


def test_another_number_on_a_card_makes_a_variant():
    card = parse("run-to-goal-ants", "rules", "line", 6.0).mujoco
    assert (card.rules.line, card.scene.max_steps, card.cut) == (6.0, 500, True)
    assert not parse("sumo-ants", "rules", "auto_contact", False).mujoco.rules.auto_contact
