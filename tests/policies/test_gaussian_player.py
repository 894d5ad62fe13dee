import dataclasses

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete

from rlattack.attacks.streams import Streams
from rlattack.errors import InvalidInput, UnknownName
from rlattack.policies.folder import AgentCard, save_agent
from rlattack.policies.gaussian import GaussianNetwork, GaussianPolicy, GaussianSpec
from rlattack.policies.network import Network
from rlattack.policies.player import GaussianPlayer, Random, Zero, load_player

GAME = "mujoco/you-shall-not-pass"
SPEC = GaussianSpec(observation=(3,), actions=2, hidden=(4,), memory=4)
SEEN = Box(-np.inf, np.inf, (3,), np.float32)
DONE = Box(np.float32([-0.4, -1]), np.float32([0.4, 3]), dtype=np.float32)


def streams(slots: int, seed: int = 0) -> Streams:
    draws = Streams(slots)
    for slot in range(slots):
        draws.restart(slot, np.random.SeedSequence((seed, slot)))
    return draws


@pytest.fixture
def policy():
    return GaussianPolicy(GaussianNetwork(SPEC))


@pytest.fixture
def player(policy):
    return GaussianPlayer(policy)


@pytest.fixture
def obs():
    return np.random.default_rng(0).standard_normal((5, 3))


@pytest.fixture
def agent(workplace):
    """Saves a Gaussian agent as `mine` and returns its name."""

    def make(spec: GaussianSpec = SPEC, **card) -> str:
        about = AgentCard(**{"game": GAME, "role": "victim", "algorithm": "ppo", "network": spec} | card)
        save_agent(workplace / "agents" / "mine", about, GaussianNetwork(spec))
        return "mine"

    return make


def test_same_draws_give_same_actions(player, obs):
    state = player.initial_state(5)
    first, _ = player.act(obs, state, streams(5))
    again, _ = player.act(obs, state, streams(5))
    other, _ = player.act(obs, state, streams(5, seed=1))
    assert (first.shape, first.dtype) == ((5, 2), np.float32)
    np.testing.assert_array_equal(first, again)
    assert (first != other).all()


def test_greedy_is_the_mean_and_draws_nothing(player, policy, obs):
    draws = streams(5)
    actions, _ = player.act(obs, player.initial_state(5), draws, greedy=True)
    mean = policy(torch.from_numpy(obs).float(), policy.initial_state(5)).mean
    np.testing.assert_array_equal(actions, mean)
    torch.testing.assert_close(draws.uniform(2), streams(5).uniform(2))


def test_actions_spread_by_the_deviation_of_the_policy(player, policy):
    policy.network.log_std.copy_(torch.tensor([0.5, 2.0]).log())
    obs, draws = np.zeros((4000, 3)), streams(4000)
    actions, _ = player.act(obs, player.initial_state(4000), draws)
    mean, _ = player.act(obs, player.initial_state(4000), draws, greedy=True)
    np.testing.assert_allclose((actions - mean).std(axis=0), [0.5, 2.0], rtol=0.06)


def test_a_slot_s_actions_are_its_own(player, obs):
    """Neither what the others see nor that they are idle changes them."""
    changed, draws = obs.copy(), streams(5)
    changed[1:] = 7.0
    draws.active[1:] = False
    one, _ = player.act(obs, player.initial_state(5), streams(5))
    two, _ = player.act(changed, player.initial_state(5), draws)
    np.testing.assert_array_equal(one[0], two[0])


def test_the_state_goes_on(player, policy, obs):
    state = player.initial_state(5)
    _, after = player.act(obs, state, streams(5))
    assert state.equal(torch.zeros(5, 8))
    assert after.equal(policy(torch.from_numpy(obs).float(), state).state)
    one, _ = player.act(obs, state, streams(5), greedy=True)
    two, _ = player.act(obs, after, streams(5), greedy=True)
    assert (one != two).any()


def test_nothing_is_kept_between_calls(player, obs):
    before, _ = player.act(obs, player.initial_state(5), streams(5))
    player.act(-obs, player.initial_state(5), streams(5))
    after, _ = player.act(obs, player.initial_state(5), streams(5))
    np.testing.assert_array_equal(before, after)


def test_gradients_are_not_kept(player, obs):
    _, state = player.act(obs, player.initial_state(5), streams(5))
    assert not state.requires_grad


def test_an_agent_takes_its_seat(agent, obs):
    loaded = load_player(agent(seat="runner"), GAME, "runner", SEEN, DONE)
    actions, state = loaded.player.act(obs, loaded.player.initial_state(5), streams(5))
    assert (actions.shape, state.shape) == ((5, 2), (5, 8))
    assert (loaded.name, loaded.card.seat, loaded.foreign) == ("mine", "runner", False)
    assert len(loaded.sha256) == 64


def test_an_agent_without_a_seat_takes_either(agent):
    name = agent()
    for seat in ("blocker", "runner"):
        assert load_player(name, GAME, seat, SEEN, DONE).card.seat == ""


def test_the_identity_is_that_of_weights_and_network(agent):
    def identity(**change) -> str:
        torch.manual_seed(0)
        return load_player(agent(dataclasses.replace(SPEC, **change)), GAME, "runner", SEEN, DONE).identity

    assert identity() == identity()
    assert len({identity(), identity(clip=10.0), identity(hidden=(5,))}) == 3


@pytest.mark.parametrize(
    ("card", "seat", "message"),
    [
        ({"game": "mujoco/sumo-ants"}, "runner", f"agent mine was trained for mujoco/sumo-ants, not for {GAME}"),
        ({"seat": "blocker"}, "runner", "trained for the seat 'blocker', not for 'runner'; swap the --players"),
    ],
)
def test_another_game_or_seat_is_refused(agent, card, seat, message):
    with pytest.raises(InvalidInput, match=message):
        load_player(agent(**card), GAME, seat, SEEN, DONE)


@pytest.mark.parametrize(
    ("seen", "done", "message"),
    [
        (Box(-1, 1, (4,), np.float32), DONE, r"sees \(3,\) and acts by 2 numbers; seat runner shows \(4,\)"),
        (SEEN, Box(-1, 1, (3,), np.float32), r"acts by 2 numbers; seat runner shows \(3,\) and takes \(3,\)"),
        (SEEN, Discrete(6), r"acts by 2 numbers; seat runner shows \(3,\) and takes one of 6"),
    ],
)
def test_another_shape_is_refused(agent, seen, done, message):
    with pytest.raises(InvalidInput, match=message):
        load_player(agent(), GAME, "runner", seen, done)


def test_a_discrete_agent_is_refused_in_a_seat_of_numbers(workplace, vector):
    card = AgentCard(game=GAME, role="victim", algorithm="dqn", network=vector)
    save_agent(workplace / "agents" / "mine", card, Network(vector))
    with pytest.raises(InvalidInput, match=r"agent mine: has discrete actions, seat runner of .* takes Box"):
        load_player("mine", GAME, "runner", SEEN, DONE)


def test_a_file_of_discrete_actions_is_refused_in_a_seat_of_numbers(tmp_path, make_model):
    make_model("ppo").save(tmp_path / "agent.zip")
    with pytest.raises(InvalidInput, match="has discrete actions, seat runner"):
        load_player(str(tmp_path / "agent.zip"), GAME, "runner", SEEN, DONE)


@pytest.mark.parametrize("action", [DONE, Discrete(7)])
def test_an_unknown_agent_is_told_as_unknown(workplace, agent, action):
    agent()
    with pytest.raises(UnknownName, match="no agent and no file 'mien'; did you mean 'mine'"):
        load_player("mien", GAME, "runner", SEEN, action)


def test_zero_does_nothing(obs):
    loaded = load_player("zero", GAME, "runner", SEEN, DONE)
    assert isinstance(loaded.player, Zero)
    actions, state = loaded.player.act(obs, loaded.player.initial_state(5), streams(5))
    assert (loaded.name, loaded.identity, loaded.card, state) == ("zero", "zero", None, None)
    assert actions.dtype == np.float32
    np.testing.assert_array_equal(actions, np.zeros((5, 2)))


def test_random_fills_the_range_evenly():
    loaded = load_player("random", GAME, "runner", SEEN, DONE)
    assert isinstance(loaded.player, Random)
    actions, state = loaded.player.act(np.zeros((4000, 3)), loaded.player.initial_state(4000), streams(4000))
    assert (actions.shape, actions.dtype, state) == ((4000, 2), np.float32, None)
    assert (actions >= DONE.low).all()
    assert (actions <= DONE.high).all()
    width = DONE.high - DONE.low
    np.testing.assert_allclose(actions.mean(axis=0), (DONE.low + DONE.high) / 2, atol=0.02 * width.max())
    np.testing.assert_allclose(actions.std(axis=0), width / np.sqrt(12), rtol=0.05)


def test_random_draws_from_each_slot_s_own_stream(obs):
    player, draws = Random(DONE), streams(5)
    draws.active[2] = False
    draws.restart(4, np.random.SeedSequence((0, 0)))
    actions, _ = player.act(obs, None, draws)
    alone, _ = player.act(obs[:1], None, streams(1))
    np.testing.assert_array_equal(actions[0], alone[0])
    np.testing.assert_array_equal(actions[4], alone[0])
    np.testing.assert_array_equal(actions[2], DONE.low)
    assert (actions[1] != actions[0]).all()
