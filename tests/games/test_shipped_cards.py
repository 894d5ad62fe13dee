"""The contract that every shipped game card keeps."""

import tomllib
from pathlib import Path

import pytest

from rlattack.evaluation.evaluator import evaluate
from rlattack.evaluation.plan import plan
from rlattack.evaluation.study import Study
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
_TASKS = {
    "hopper": 0.075, "walker2d": 0.05, "half-cheetah": 0.15, "ant": 0.15, "humanoid": 0.075, "swimmer": None,
    "inverted-pendulum": None, "reacher": None,
}  # fmt: skip
"""With the eps of Zhang et al. 2020 and 2021."""


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


@pytest.mark.parametrize("name", _TASKS)
def test_the_card_of_a_control_task_says_what_a_return_is_read_against(name):
    reference = find_game(f"mujoco/{name}").reference
    assert reference.random < reference.agent
    assert reference.eps == _TASKS[name]
    assert reference.source


@pytest.mark.slow
@pytest.mark.parametrize("name", _TASKS)
def test_a_random_policy_scores_what_the_card_says(tmp_path, name):
    pytest.importorskip("mujoco")
    study = Study(game=f"mujoco/{name}", players=("random",), episodes=100, seed=0, envs=25)
    (cell,) = evaluate(plan(study), run=tmp_path).cells
    mean = cell.seats[0].returns.mean
    assert mean == pytest.approx(find_game(f"mujoco/{name}").reference.random, abs=0.051)


@pytest.mark.parametrize("rom", _MNIH_2015)
def test_a_shipped_reference_is_the_published_one(rom):
    reference = find_game(f"atari/{rom}").reference
    assert (reference.random, reference.human) == _MNIH_2015[rom]
    assert "Extended Data Table 2" in reference.source


@pytest.mark.parametrize("name", _ATARI)
def test_a_shipped_card_states_its_protocol(name):
    table = tomllib.loads((_CARDS / f"{name}.toml").read_text())
    assert table["protocol"].keys() == {"actions", "sticky"}


@pytest.mark.parametrize("name", sorted(_BANSAL_2018))
def test_a_shipped_duel_has_two_named_seats(name):
    card = find_game(f"mujoco/{name}")
    assert len(set(card.seats)) == 2


# Agent steps after which these games end whatever is played (idle and random play, 8 episodes each)
@pytest.mark.parametrize(("rom", "longest"), [("freeway", 2048), ("boxing", 1785), ("enduro", 2 * 3330)])
def test_a_stall_rule_does_not_cut_a_game_that_has_its_own_clock(rom, longest):
    assert find_game(f"atari/{rom}").stall.steps > longest
