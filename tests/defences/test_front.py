"""Fronts before a policy: what both do together is a policy again, and attacks go through it."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete

from rlattack.attacks import Attacker, make_attack
from rlattack.budget import Budget
from rlattack.defences import FRONTS, Defended, Front, defend
from rlattack.errors import InvalidInput, UnknownName
from rlattack.games import Seat
from rlattack.specs import NoParameters
from tests.kit.agents import counting_policy, gaussian_policy, linear_policy, scores_as_seen, streams

SEAT = Seat("player", Box(-10, 10, (2,), np.float32), Discrete(2))
SEEN = torch.tensor([[1.26, -0.74], [0.5, 3.0]])


@dataclass(frozen=True, kw_only=True)
class By:
    by: float = 0.0


class Add(Front):
    """Adds a number."""

    name = "add"
    config_type = By

    def seen(self, obs, draws):
        return obs + self.config.by


class Times(Front):
    """Multiplies by a number; what an attack differentiates in its place is three times as steep."""

    name = "times"
    config_type = By

    def seen(self, obs, draws):
        return obs * self.config.by

    def differentiable(self, obs):
        return 3 * obs


class Steps(Front):
    """Rounds to whole numbers, which has no slope."""

    name = "steps"
    config_type = NoParameters

    def seen(self, obs, draws):
        return obs.round()


class Shake(Front):
    """Adds random signs."""

    name = "shake"

    def seen(self, obs, draws):
        return obs if draws is None else obs + draws.signs(2)


class Lift(Front):
    """Adds 1 to the second entry."""

    name = "lift"

    def seen(self, obs, draws):
        return obs + torch.tensor([0.0, 1.0])


class Narrow(Shake):
    """Takes no seat."""

    name = "narrow"

    def check(self, seat):
        raise InvalidInput(f"defence narrow: not for {seat.name}")


for _front in (Add, Times, Steps, Shake, Lift, Narrow):
    FRONTS.add(_front.name, f"{__name__}:{_front.__name__}")


def test_a_defended_policy_says_what_the_policy_says_of_what_the_front_lets_through():
    policy = scores_as_seen(2)
    assert defend(policy, ("steps",), SEAT)(SEEN).actions.scores.tolist() == [[1.0, -1.0], [0.0, 3.0]]
    assert defend(policy, (), SEAT) is policy


def test_what_is_shown_goes_through_fronts_in_their_order():
    policy = scores_as_seen(2)
    found = [
        defend(policy, fronts, SEAT)(torch.ones(1, 2)).actions.scores[0, 0].item()
        for fronts in (("add:by=1", "times:by=3"), ("times:by=3", "add:by=1"))
    ]
    assert found == [6.0, 4.0]


def test_a_gradient_goes_past_a_front_that_has_none_at_the_point_that_it_lets_through():
    """The loss is quadratic, so that its slope tells where it was taken (BPDA)."""
    policy = defend(scores_as_seen(2), ("steps",), SEAT)
    slope, out = policy.gradient(SEEN, lambda out: out.actions.scores.square().sum() / 2)
    assert slope.tolist() == SEEN.round().tolist()
    assert torch.equal(out.actions.scores, SEEN.round())
    assert not out.actions.scores.requires_grad


def test_a_front_says_what_is_differentiated_in_its_place():
    both = defend(scores_as_seen(2), ("times:by=2", "times:by=5"), SEAT)
    slope, out = both.gradient(SEEN, lambda out: out.actions.scores.sum())
    assert slope.tolist() == [[9.0, 9.0], [9.0, 9.0]]
    assert torch.allclose(out.actions.scores, 10 * SEEN)


def test_a_defended_policy_is_in_all_else_the_policy():
    policy = gaussian_policy(2, 3)
    policy.acts = "greedy"
    both = Defended(policy, Add(By(by=1.0)))
    assert (both.observation, both.action, both.acts) == (policy.observation, policy.action, policy.acts)
    assert both.normaliser is policy.normaliser
    assert torch.equal(both.value(SEEN), policy.value(SEEN + 1))
    memory = Defended(counting_policy(3, (2,)), Add(By(by=1.0)))
    state = memory.initial_state(2)
    for number in range(3):
        out = memory(SEEN, state)
        assert out.actions.greedy.tolist() == [number] * 2
        state = out.state


def test_a_random_front_draws_from_the_slots_streams():
    both = defend(scores_as_seen(2), ("shake",), SEAT)
    moved = [both(SEEN, draws=streams(3, 4)).actions.scores - SEEN for _ in range(2)]
    assert torch.equal(*moved)
    assert torch.equal(moved[0].round(), streams(3, 4).signs(2))
    assert torch.equal(both(SEEN).actions.scores, SEEN)


def test_an_attack_goes_through_the_front_and_an_oblivious_one_does_not():
    """Behind the front the second action is preferred: who does not know of it pushes the wrong way."""
    policy, shown = linear_policy([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([[1.0, 0.6]])
    both = defend(policy, ("lift",), SEAT)
    attack = make_attack("fgsm", Budget(eps=0.5, space="raw"), loss="margin")
    knowing, oblivious = (Attacker(attack, on, SEAT.observation, 1, victim=both)(shown) for on in (both, policy))
    assert (knowing - shown)[0].tolist() == pytest.approx([0.5, -0.5])
    assert (oblivious - shown)[0].tolist() == pytest.approx([-0.5, 0.5])
    assert [both(seen).actions.greedy.item() for seen in (shown, knowing, oblivious)] == [1, 0, 1]


@pytest.mark.parametrize(
    ("front", "error", "message"),
    [
        ("ad:by=1", UnknownName, "no defence 'ad'; did you mean 'add'"),
        ("add:bye=1", UnknownName, "defence add has no parameter 'bye'; did you mean 'by'"),
        ("add:by=much", InvalidInput, "defence add: by: expected a number, got 'much'"),
        ("narrow", InvalidInput, "not for player"),
    ],
)
def test_what_is_no_front_or_does_not_fit_is_refused(front, error, message):
    with pytest.raises(error, match=message):
        defend(scores_as_seen(2), (front,), SEAT)
