import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete
from torch import nn

from rlattack.attacks.streams import Streams
from rlattack.errors import InvalidInput
from rlattack.policies.base import ModulePolicy
from rlattack.policies.player import PLACEHOLDERS, GaussianPlayer, PolicyPlayer, Random, Zero, load_player

_SEEN = Box(-1, 1, (4,), np.float32)
_FOUR = Discrete(4)
_LEGAL = np.array([[False, True, False, True], [True, False, False, False], [False, False, True, True]])


def streams(*seeds: int) -> Streams:
    drawn = Streams(len(seeds))
    for slot, seed in enumerate(seeds):
        drawn.restart(slot, np.random.SeedSequence(seed))
    return drawn


def player(*, value_based: bool = False) -> PolicyPlayer:
    """Its scores are what it sees."""
    return PolicyPlayer(ModulePolicy(nn.Identity(), (4,), 4, value_based=value_based))


class Counting(nn.Module):
    """Prefers the action that is the number of calls, kept in its state."""

    def forward(self, obs, state):
        return nn.functional.one_hot(state[:, 0].long(), 4) * 100.0, None, state + 1


def counts(chooser, legal, rounds: int = 400) -> np.ndarray:
    """How often each action was chosen in each slot, shape (slots, actions)."""
    draws, seen = streams(*range(len(legal))), np.zeros((len(legal), 4))
    chosen = np.zeros((len(legal), 4), dtype=int)
    for _ in range(rounds):
        actions, _ = chooser.act(seen, None, draws, legal=legal)
        assert actions.dtype == np.int64
        chosen[np.arange(len(legal)), actions] += 1
    return chosen


@pytest.mark.parametrize("chooser", [Random(_FOUR), player()], ids=["random", "policy"])
def test_chance_is_even_among_the_legal_actions_of_each_slot(chooser):
    chosen = counts(chooser, _LEGAL)
    assert (chosen[~_LEGAL] == 0).all()
    assert chosen[1].tolist() == [400, 0, 0, 0]
    assert (abs(chosen[[0, 2]][_LEGAL[[0, 2]]] - 200) < 50).all()  # five standard deviations


@pytest.mark.parametrize("chooser", [Random(_FOUR), player()], ids=["random", "policy"])
def test_without_a_mask_every_action_is_played(chooser):
    draws = streams(*range(200))
    actions, _ = chooser.act(np.zeros((200, 4)), None, draws)
    assert set(actions.tolist()) == {0, 1, 2, 3}


@pytest.mark.parametrize("chooser", [Random(_FOUR), player()], ids=["random", "policy"])
def test_a_slot_draws_from_its_own_stream(chooser):
    def acts(*seeds: int) -> list[list[int]]:
        draws = streams(*seeds)
        return [chooser.act(np.zeros((len(seeds), 4)), None, draws)[0].tolist() for _ in range(20)]

    assert [row[0] for row in acts(5, 6)] == [row[1] for row in acts(7, 5)]
    assert [row[0] for row in acts(5, 6)] != [row[1] for row in acts(5, 6)]


def test_nobody_plays_the_first_legal_action():
    assert Zero(_FOUR).act(np.zeros((3, 4)), None, streams(1, 2, 3), legal=_LEGAL)[0].tolist() == [1, 0, 2]
    assert Zero(_FOUR).act(np.zeros((3, 4)), None, streams(1, 2, 3))[0].tolist() == [0, 0, 0]


def test_a_greedy_policy_plays_the_best_of_the_legal_actions():
    obs = np.array([[9.0, 1.0, 8.0, 2.0], [0.0, 9.0, 9.0, 9.0], [5.0, 4.0, 3.0, 2.0]])
    assert player().act(obs, None, streams(1, 2, 3), legal=_LEGAL, greedy=True)[0].tolist() == [3, 0, 2]
    assert player().act(obs, None, streams(1, 2, 3), greedy=True)[0].tolist() == [0, 1, 0]


def test_a_q_learner_never_samples():
    obs = np.tile([0.0, 0.1, 0.2, 0.1], (3, 1))
    draws = streams(1, 2, 3)
    for _ in range(20):
        assert player(value_based=True).act(obs, None, draws, legal=_LEGAL)[0].tolist() == [1, 0, 2]


def test_a_policy_samples_by_its_scores_renormalised_over_what_is_legal():
    draws, ones = streams(0), 0
    obs = np.log([[0.6, 0.1, 0.0001, 0.3]])
    for _ in range(400):
        action, _ = player().act(obs, None, draws, legal=_LEGAL[:1])
        assert action[0] in (1, 3)
        ones += action[0] == 1
    assert abs(ones - 100) < 45  # 0.1 of 0.4; five standard deviations


def test_the_state_of_a_policy_goes_from_one_action_to_the_next():
    chooser = PolicyPlayer(ModulePolicy(Counting(), (4,), 4, state_shape=(1,)))
    state, draws = chooser.initial_state(2), streams(1, 2)
    for number in range(4):
        actions, state = chooser.act(np.zeros((2, 4)), state, draws)
        assert actions.tolist() == [number] * 2


def test_bytes_are_seen_as_they_are():
    obs = np.array([[0, 255, 3, 4]], dtype=np.uint8)
    assert player().act(obs, None, streams(1), greedy=True)[0].tolist() == [1]


@pytest.mark.parametrize("name", PLACEHOLDERS)
def test_placeholders_play_any_game_of_discrete_actions(name):
    loaded = load_player(name, "pettingzoo/connect_four_v3", "player_0", _SEEN, _FOUR)
    assert (loaded.name, loaded.identity, loaded.card, loaded.foreign) == (name, name, None, False)
    assert loaded.player.initial_state(3) is None
    actions, _ = loaded.player.act(np.zeros((3, 4)), None, streams(1, 2, 3), legal=_LEGAL)
    assert _LEGAL[np.arange(3), actions].all()


def test_an_agent_of_discrete_actions_takes_its_seat(make_agent, vector):
    folder = make_agent("pettingzoo/mine", vector, game="pettingzoo/mine_v0")
    loaded = load_player(str(folder), "pettingzoo/mine_v0", "a", _SEEN, Discrete(2))
    assert not isinstance(loaded.player, GaussianPlayer)
    assert len(loaded.identity) > 0
    assert loaded.card.game == "pettingzoo/mine_v0"
    legal = np.array([[True, False], [False, True]])
    obs = torch.randn(2, 4).numpy()
    assert loaded.player.act(obs, None, streams(1, 2), legal=legal)[0].tolist() == [0, 1]


def test_an_agent_of_discrete_actions_is_refused_where_they_are_continuous(make_agent, vector):
    folder = make_agent("mujoco/mine", vector, game="mujoco/sumo-ants")
    with pytest.raises(InvalidInput, match="has discrete actions, seat ant of mujoco/sumo-ants takes Box"):
        load_player(str(folder), "mujoco/sumo-ants", "ant", _SEEN, Box(-1, 1, (2,)))


def test_an_agent_of_another_game_or_seat_is_refused(make_agent, vector):
    folder = str(make_agent("pettingzoo/mine", vector, game="pettingzoo/mine_v0", seat="a"))
    with pytest.raises(InvalidInput, match="was trained for pettingzoo/mine_v0, not for pettingzoo/yours_v0"):
        load_player(folder, "pettingzoo/yours_v0", "a", _SEEN, Discrete(2))
    with pytest.raises(InvalidInput, match="was trained for the seat 'a', not for 'b'; swap the --players"):
        load_player(folder, "pettingzoo/mine_v0", "b", _SEEN, Discrete(2))
