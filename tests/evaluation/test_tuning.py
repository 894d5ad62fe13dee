"""Tuning episodes in many slots: they are those of the game, whoever plays them where."""

import contextlib
import dataclasses

import numpy as np
import pytest
import torch

from rlattack.attacks import ObservationAttack
from rlattack.budget import Budget
from rlattack.errors import InvalidInput
from rlattack.evaluation import Study
from rlattack.evaluation.plan import plan
from rlattack.evaluation.tuning import Tuned, tuning_of
from rlattack.specs import NoParameters
from tests.kit.cells import load_and_play
from tests.kit.ledge import FALL
from tests.kit.players import coin
from tests.kit.runs import COINS, ROPE

SLOTS = 6
LEDGE = {**COINS, "game": "ledge/any", "players": ("tests.kit.ledge:careful",)}


class Push(ObservationAttack):
    """Moves what is seen by more than it may, each slot by a number of its own."""

    name = "push"
    knowledge = "none"
    config_type = NoParameters

    def perturb(self, victim, obs, reach, draws):
        return obs + torch.linspace(-9, 9, len(obs))[:, None]


def cell_of(options=COINS, attack="search", **changes):
    return plan(Study(**options | {"attack": (attack,)} | changes)).cells[-1]


@contextlib.contextmanager
def rehearsal(cell, attack=None, slots=SLOTS, **about):
    """Tuning episodes of a cell, and whoever tells of them."""
    opened = Tuned(cell, 0, lambda line: None).rehearse(attack, slots, **about)
    with contextlib.closing(opened):
        yield opened


def returns(opened, numbers, slots=SLOTS):
    """What the seat was paid in each slot that plays a number."""
    left = dict(enumerate(numbers))
    paid = np.zeros(slots)
    for step in opened.round(lambda slot: left.pop(slot, None)):
        paid += np.where(step.active, step.reward, 0)
    return paid[: len(numbers)].tolist()


@pytest.mark.parametrize(("options", "seat"), [(COINS, 0), (ROPE, 1)], ids=["coins", "rope"])
def test_a_clean_rehearsal_is_play_of_the_same_episodes(options, seat):
    cell = cell_of(options)
    played = load_and_play(dataclasses.replace(tuning_of(cell), episodes=SLOTS, envs=SLOTS))
    with rehearsal(cell) as opened:
        assert returns(opened, range(SLOTS)) == [one.seats[seat].score for one in played]


def test_a_victim_may_draw_its_actions_in_tuning_episodes_of_a_game_that_it_plays_greedily():
    cell = cell_of(ROPE, actions="greedy")
    drawn = dataclasses.replace(tuning_of(cell), episodes=SLOTS, envs=SLOTS, actions=("sampled", "sampled"))
    played = [one.seats[1].score for one in load_and_play(drawn)]
    with rehearsal(cell, sampled=True) as opened:
        assert returns(opened, range(SLOTS)) == played
    with rehearsal(cell) as opened:
        assert returns(opened, range(SLOTS)) != played


def test_what_the_rules_end_is_told_from_what_is_cut():
    with rehearsal(cell_of(LEDGE), sampled=True) as opened:  # who draws walks over the ledge now and then
        left = list(range(40))
        ends = [step for step in opened.round(lambda slot: left.pop() if left else None) if step.ended.any()]
    for step in ends:
        assert step.terminated[step.ended].tolist() == (step.reward[step.ended] == -FALL).tolist()
    assert 0 < sum(step.terminated.sum() for step in ends) < 40


def test_an_episode_is_the_same_in_every_slot_and_round():
    with rehearsal(cell_of()) as opened:
        first = returns(opened, range(SLOTS))
        assert returns(opened, [5, 5, 0]) == [first[5], first[5], first[0]]
        assert len(set(first)) > 1


def test_where_several_play_the_end_of_a_game_is_what_is_paid():
    """As a win is read from it, and as trained adversaries are paid; alone it is what the game pays."""
    about = {"game": "tug/any", "players": ("zero", "tests.kit.learning:middling"), "space": "raw", "eps": (0.1,)}
    cell = cell_of(about, attack="noise", envs=2, episodes=2)
    with rehearsal(cell) as opened:
        left = dict(enumerate(range(SLOTS)))
        paid = [step.reward.tolist() for step in opened.round(lambda slot: left.pop(slot, None))]
    assert paid == [*[[0.0] * SLOTS] * 3, [1000.0] * SLOTS]


def test_more_games_than_the_machine_holds_are_refused_before_they_are_opened():
    with (
        pytest.raises(InvalidInput, match=r"attack search: 1,000,000,000 copies need at least .* GiB, this machine"),
        rehearsal(cell_of(), slots=10**9),
    ):
        pass


def test_steps_that_were_looked_at_are_counted():
    tuned = Tuned(cell_of(envs=3), 0, lambda line: None)
    assert len(list(tuned.observations(5))) == 5
    assert tuned.steps == 5 * 4 * 3


def test_slots_play_on_as_long_as_they_get_numbers():
    left = list(range(20))
    with rehearsal(cell_of()) as opened:
        ended = sum(step.ended.sum() for step in opened.round(lambda slot: left.pop() if left else None))
    assert (ended, left) == (20, [])


def test_a_stopped_episode_ends_with_the_next_step():
    with rehearsal(cell_of(), slots=3) as opened:
        left, active = {0: 1, 1: 1, 2: 1}, []
        for step in opened.round(lambda slot: left.pop(slot, None)):
            active.append(step.active.tolist())
            opened.stop(np.asarray([len(active) == 1, False, False]))
        assert active[:3] == [[True] * 3, [True] * 3, [False, True, True]]
        left = {0: 1}
        assert len(list(opened.round(lambda slot: left.pop(slot, None)))) == len(
            active
        )  # none is stopped before it begins


def test_an_attack_is_held_to_its_reach_and_everything_is_told():
    cell = cell_of(eps=(0.5,))
    with rehearsal(cell, Push(Budget(eps=0.5, space="raw"), NoParameters())) as opened:
        left = dict.fromkeys(range(SLOTS), 3)
        for step in opened.round(lambda slot: left.pop(slot, None)):
            moved = step.received - torch.as_tensor(step.shown)
            assert torch.allclose(moved, torch.tensor([-0.5, -0.5, -0.5, 0.5, 0.5, 0.5])[:, None].expand(6, 2))
            assert (step.reward == (step.action.numpy() == (step.shown[:, 1] > 0)))[step.active].all()


def contrary():
    """Names the other side of the coin that it sees."""
    layer = coin()
    layer.weight.data.neg_()
    return layer


def test_a_surrogate_plays_in_place_of_the_victim():
    with rehearsal(cell_of(surrogate="tests.evaluation.test_tuning:contrary", actions="greedy")) as opened:
        assert returns(opened, range(SLOTS)) == [0] * SLOTS
