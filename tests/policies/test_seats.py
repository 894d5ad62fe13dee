"""Agents and placeholders in the seats of games, and those that do not fit."""

import dataclasses

import numpy as np
import pytest
import torch
from functions import LINEAR
from gymnasium.spaces import Box, Discrete

from rlattack.errors import InvalidInput, UnknownName
from rlattack.games.game import PLAYER, Seat
from rlattack.policies import GaussianPolicy, agent_options, load_agent
from rlattack.policies.normalised import Normalised
from rlattack.policies.placeholders import PLACEHOLDERS
from rlattack.policies.policy import Normaliser
from tests.kit.agents import CARTPOLE, act, gaussian_agent, network_agent, random_linear_policy, streams

GAME = "mujoco/you-shall-not-pass"
SEEN = Box(-np.inf, np.inf, (3,), np.float32)
DONE = Box(np.float32([-0.4, -1]), np.float32([0.4, 3]), dtype=np.float32)
RUNNER, CHOOSER = Seat("runner", SEEN, DONE), Seat("runner", SEEN, Discrete(6))


@pytest.fixture
def gaussian(workplace):
    """Saves a Gaussian agent with memory as `mine` and returns its name."""

    def make(game: str = GAME, **changes) -> str:
        gaussian_agent(workplace / "agents" / "mine", game, 3, 2, **{"memory": 4} | changes)
        return "mine"

    return make


@pytest.mark.parametrize(
    ("sees", "shows", "stacked", "hint"),
    [
        ((16,), (4,), 1, "; --frame-stack 4 shows that"),
        ((16,), (32,), 8, "; --frame-stack 4 shows that"),
        ((4,), (8,), 2, "; --frame-stack 1 shows that"),
        ((12, 16, 14), (16, 14, 3), 1, "; --frame-stack 4 shows that"),
        ((16, 14, 12), (16, 14, 3), 1, "; --frame-stack 4 shows that"),
        ((12, 16, 14), (3, 16, 14), 1, "; --frame-stack 4 shows that"),
        ((2, 84, 84), (4, 84, 84), 4, "; --frame-stack 2 shows that"),
        ((4, 16, 14), (16, 14), 1, "; --frame-stack 4 shows that"),
        ((5,), (4,), 1, ""), ((2,), (4,), 1, ""), ((3, 14, 16), (16, 14, 3), 1, ""), ((12, 14, 16), (16, 14, 3), 1, ""),
    ],
)  # fmt: skip
def test_an_agent_of_another_stack_is_told_the_option(sees, shows, stacked, hint):
    seat = Seat(PLAYER, Box(-1, 1, shows), Discrete(3), stacked=stacked)
    with pytest.raises(InvalidInput, match=f"the game shows .* and takes one of 3{hint}$"):
        load_agent(random_linear_policy(sees), seat)


@pytest.mark.parametrize(("stack", "options"), [(1, "--channels first"), (4, "--frame-stack 4 --channels first")])
def test_an_agent_with_statistics_of_turned_pictures_is_told_the_option(stack, options):
    shape = (3 * stack, 16, 14)
    policy = Normalised(random_linear_policy(shape), Normaliser(torch.zeros(shape), torch.ones(shape), 1.0), "mine")
    with pytest.raises(InvalidInput, match=f"and takes one of 3; {options} shows that$"):
        load_agent(policy, Seat(PLAYER, Box(-1, 1, (16, 14, 3)), Discrete(3)))
    assert load_agent(policy, Seat(PLAYER, Box(-1, 1, shape), Discrete(3))).policy.observation == shape


def test_an_agent_of_other_actions_is_told_no_option():
    with pytest.raises(InvalidInput, match=r"and takes one of 3$"):
        load_agent(random_linear_policy((8,), 2), Seat(PLAYER, Box(-1, 1, (4,)), Discrete(3)))


def test_an_agent_of_continuous_actions_takes_its_seat(gaussian):
    loaded = load_agent(gaussian(seat="runner"), RUNNER, game=GAME)
    obs = np.random.default_rng(0).standard_normal((5, 3))
    actions, state = act(loaded.policy, obs, streams(*range(5)))
    assert (actions.shape, state.shape) == ((5, 2), (5, 8))
    assert (loaded.name, loaded.card.seat, loaded.foreign, loaded.looks) == ("mine", "runner", False, True)
    assert isinstance(loaded.policy, GaussianPolicy)
    assert loaded.policy.action == DONE
    assert len(loaded.sha256) == 64


def test_an_agent_of_continuous_actions_takes_the_seat_of_a_game_of_one(gaussian):
    seat = Seat(PLAYER, SEEN, DONE)
    assert load_agent(gaussian("gymnasium/Two"), seat, game="gymnasium/Two").policy.action == DONE
    assert load_agent("mine").policy.action == Box(-np.inf, np.inf, (2,), np.float32)


def test_an_agent_of_discrete_actions_takes_its_seat(make_agent, vector):
    folder = make_agent("pettingzoo/mine", vector, game="pettingzoo/mine_v0")
    seat = dataclasses.replace(CARTPOLE, name="a")
    loaded = load_agent(str(folder), seat, game="pettingzoo/mine_v0")
    assert len(loaded.identity) > 0
    assert loaded.card.game == "pettingzoo/mine_v0"
    legal = np.array([[True, False], [False, True]])
    assert act(loaded.policy, torch.randn(2, 4), streams(1, 2), legal=legal)[0].tolist() == [0, 1]


def test_an_agent_without_a_seat_takes_either(gaussian):
    name = gaussian()
    for seat in ("blocker", "runner"):
        assert load_agent(name, dataclasses.replace(RUNNER, name=seat), game=GAME).card.seat == ""


def test_the_identity_is_that_of_weights_and_network(gaussian):
    def identity(**change) -> str:
        return load_agent(gaussian(**change), RUNNER, game=GAME).identity

    assert identity() == identity()
    assert len({identity(), identity(clip=10.0), identity(hidden=(5,)), identity(seed=1)}) == 4


@pytest.mark.parametrize(
    ("card", "message"),
    [
        ({"game": "mujoco/sumo-ants"}, f"agent mine was trained for mujoco/sumo-ants, not for {GAME}$"),
        ({"seat": "blocker"}, "trained for the seat 'blocker', not for 'runner'; swap the players"),
    ],
)
def test_another_game_or_seat_is_refused(gaussian, card, message):
    with pytest.raises(InvalidInput, match=message):
        load_agent(gaussian(**card), RUNNER, game=GAME)


def test_discrete_agents_of_another_game_or_seat_are_refused(make_agent, vector):
    folder = str(make_agent("pettingzoo/mine", vector, game="pettingzoo/mine_v0", seat="a"))
    a, b = (dataclasses.replace(CARTPOLE, name=name) for name in "ab")
    with pytest.raises(InvalidInput, match=r"was trained for pettingzoo/mine_v0, not for pettingzoo/yours_v0$"):
        load_agent(folder, a, game="pettingzoo/yours_v0")
    with pytest.raises(InvalidInput, match="was trained for the seat 'a', not for 'b'; swap the players"):
        load_agent(folder, b, game="pettingzoo/mine_v0")


def test_the_way_out_of_another_seat_is_the_caller_s(gaussian):
    with pytest.raises(InvalidInput, match="not for 'runner'; leave out --seat"):
        load_agent(gaussian(seat="blocker"), RUNNER, game=GAME, way_out="leave out --seat")


@pytest.mark.parametrize(
    ("seat", "message"),
    [
        (Seat("runner", Box(-1, 1, (4,)), DONE), r"sees \(3,\) and acts by 2 numbers; seat runner of .* shows \(4,\)"),
        (Seat("runner", SEEN, Box(-1, 1, (3,))), r"by 2 numbers; seat runner of .* shows \(3,\) and takes \(3,\)"),
        (CHOOSER, r"acts by 2 numbers; seat runner of .* shows \(3,\) and takes one of 6"),
    ],
)
def test_another_shape_is_refused(gaussian, seat, message):
    with pytest.raises(InvalidInput, match=message):
        load_agent(gaussian(), seat, game=GAME)


def test_an_agent_of_discrete_actions_is_refused_in_a_seat_of_numbers(workplace):
    network_agent(workplace / "agents" / "mine", GAME)
    with pytest.raises(InvalidInput, match=r"agent mine has discrete actions, seat runner of .* takes Box"):
        load_agent("mine", RUNNER, game=GAME)


def test_a_file_of_discrete_actions_is_refused_in_a_seat_of_numbers(tmp_path, make_model):
    make_model("ppo").save(tmp_path / "agent.zip")
    with pytest.raises(InvalidInput, match="has discrete actions, seat runner"):
        load_agent(str(tmp_path / "agent.zip"), RUNNER, game=GAME)


def test_a_module_acts_by_numbers_in_a_seat_of_numbers(script):
    done = Box(-1, 1, (2,))
    agent = load_agent(script(LINEAR), Seat(PLAYER, Box(-1, 1, (4,)), done))
    torch.manual_seed(0)
    assert agent.policy(torch.ones(3, 4)).actions.greedy.equal(torch.nn.Linear(4, 2)(torch.ones(3, 4)))
    assert agent.policy.action == done


def test_a_module_that_acts_by_other_numbers_is_refused(script):
    with pytest.raises(InvalidInput, match=r"expected actions of shape \(2, 3\) for 2 observations, got \(2, 2\)"):
        load_agent(script(LINEAR), Seat(PLAYER, Box(-1, 1, (4,)), Box(-1, 1, (3,))))


@pytest.mark.parametrize("seat", [RUNNER, CHOOSER])
def test_an_unknown_agent_is_told_as_unknown(gaussian, seat):
    gaussian()
    with pytest.raises(UnknownName, match="no agent and no file 'mien'; did you mean 'mine'"):
        load_agent("mien", seat, game=GAME)


@pytest.mark.parametrize("name", PLACEHOLDERS)
@pytest.mark.parametrize("seat", [RUNNER, CHOOSER, CARTPOLE])
def test_placeholders_take_any_seat(name, seat):
    loaded = load_agent(name, seat, game="pettingzoo/connect_four_v3")
    assert isinstance(loaded.policy, PLACEHOLDERS[name])
    assert (loaded.name, loaded.identity, loaded.card) == (name, name, None)
    assert (loaded.foreign, loaded.looks, loaded.sha256) == (False, False, "")


@pytest.mark.parametrize("name", PLACEHOLDERS)
def test_placeholders_need_a_seat_and_ask_for_no_options(name):
    with pytest.raises(InvalidInput, match=f"{name} plays whatever seat it is given, and here is none"):
        load_agent(name)
    assert agent_options(name) == {}
