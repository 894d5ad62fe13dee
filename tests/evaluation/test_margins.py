"""How sure a victim is, by scores whose margins are known by hand."""

import math

import numpy as np
import pytest
import torch

from rlattack.errors import InvalidInput, UnknownName
from rlattack.evaluation.margins import Margins
from rlattack.evaluation.observer import Moment
from rlattack.evaluation.observers import check_observers
from rlattack.games import Seat
from rlattack.policies.distributions import Categorical
from rlattack.policies.policy import Output
from tests.kit.agents import CARTPOLE, gaussian_policy, linear_policy
from tests.kit.cells import attack_on, make_cell, play
from tests.kit.players import namer


def of(*probabilities):
    return Output(Categorical(torch.tensor(probabilities).log()))


def see(margins, received, clean, acting=(True, True), seat=0):
    shown = torch.zeros(2, 3)
    margins.see(
        Moment(
            seat=seat, acting=np.asarray(acting), episode=np.zeros(2, dtype=np.int64), shown=shown.numpy(),
            received=shown, before=None, out=received, chosen=received.actions.greedy, action=received.actions.greedy,
            legal=None, ask=lambda: clean,
        )
    )  # fmt: skip


def test_a_margin_is_the_largest_probability_minus_the_next_and_is_averaged_over_the_episode():
    margins = Margins(0, 2)
    see(margins, of((0.5, 0.3, 0.2), (0.1, 0.1, 0.8)), of((0.2, 0.2, 0.6), (0.0, 1.0, 0.0)))
    see(margins, of((0.2, 0.7, 0.1), (0.9, 0.1, 0.0)), of((0.6, 0.2, 0.2), (0.5, 0.5, 0.0)), acting=(True, False))
    see(margins, of((1.0, 0.0, 0.0), (1.0, 0.0, 0.0)), of((1.0, 0.0, 0.0), (1.0, 0.0, 0.0)), seat=1)
    assert margins.collect(0) == {"margin": pytest.approx(0.35), "margin, clean view": pytest.approx(0.4)}
    assert margins.collect(1) == {"margin": pytest.approx(0.7), "margin, clean view": pytest.approx(1.0)}


def test_a_collected_episode_is_forgotten_and_who_never_acted_has_no_margin():
    margins = Margins(0, 2)
    see(margins, of((0.5, 0.5), (1.0, 0.0)), of((0.5, 0.5), (1.0, 0.0)), acting=(True, False))
    assert margins.collect(0)["margin"] == 0.0
    assert margins.collect(0) == margins.collect(1) == {"margin": None, "margin, clean view": None}


def test_who_has_one_action_is_sure_of_it():
    margins = Margins(0, 2)
    see(margins, of((1.0,), (1.0,)), of((1.0,), (1.0,)))
    assert margins.collect(0)["margin"] == 1.0


def test_margins_change_no_episode_and_are_the_victim_s_alone():
    cell = make_cell("turns/any", attacks=attack_on(1, "fgsm", eps=2.0), actions=("greedy",) * 2)
    with_it, without = (play(cell, namer(), namer(), observers=seen) for seen in ([Margins(1, cell.envs)], []))
    assert [one.trajectory for one in with_it] == [one.trajectory for one in without]
    assert all(set(one.seats[1].measured) == {"margin", "margin, clean view"} for one in with_it)
    assert all(not one.seats[0].measured for one in with_it)
    # what is legal alone counts: the clean views of 1, 3, 5 score 2.5 against each of them
    for one in with_it:
        moments = [math.tanh(abs(seen - 2.5) / 2) for seen in (1, 3, 5)]
        assert one.seats[1].measured["margin, clean view"] == pytest.approx(sum(moments) / 3)


@pytest.mark.parametrize(
    ("names", "error", "message"),
    [
        (("margin",), UnknownName, "no observer 'margin'; did you mean 'margins'"),
        (("sizes", "margins"), InvalidInput, "--observe margins: expected a victim of discrete actions, runner has o"),
    ],
)
def test_observers_that_say_nothing_of_a_victim_are_refused(names, error, message):
    policy = gaussian_policy(3)
    with pytest.raises(error, match=message):
        check_observers(names, policy, Seat("runner", CARTPOLE.observation, policy.action))
    check_observers(("sizes",), policy, Seat("runner", CARTPOLE.observation, policy.action))
    check_observers(("margins", "sizes"), linear_policy(torch.zeros(2, 4)), CARTPOLE)
