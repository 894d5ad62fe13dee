"""Randomised smoothing: votes of noised copies, whose outcome is known, and its noise."""

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete
from torch import nn

from rlattack.attacks import Attacker, make_attack
from rlattack.attacks.attack import Setting
from rlattack.budget import Budget
from rlattack.defences import defend, make_front
from rlattack.defences.vote import voted
from rlattack.errors import InvalidInput
from rlattack.games import Seat
from rlattack.policies.distributions import Categorical, Choices, Normal, Point, SquashedNormal, Uniform
from rlattack.policies.module import ModulePolicy
from rlattack.policies.policy import Output
from tests.kit.agents import counting_policy, gaussian_policy, scores_as_seen, streams

NUMBERS = Seat("player", Box(-10, 10, (2,), np.float32), Discrete(2))
FRAMES = Seat("player", Box(0, 255, (4, 10, 10), np.uint8), Discrete(2))
ENDS = torch.tensor([-1.0]), torch.tensor([1.0])
COPIES = torch.tensor([[2.0, 0.0], [1.0, 0.0], [0.0, 9.0], [0.0, 1.0], [5.0, 0.0], [0.0, 2.0]])
"""Scores of two rows, three copies each: 0 wins two votes of the first row, and one of the second."""


def softened(scores):
    return scores.softmax(dim=1).view(2, 3, 2)


def test_a_majority_is_what_most_copies_would_choose_and_its_slope_that_of_the_mean():
    scores = COPIES.clone().requires_grad_(True)
    found = voted(Output(Categorical(scores)), 3, "majority").actions
    assert found.greedy.tolist() == [0, 1]
    assert torch.allclose(found.probabilities, torch.tensor([[2 / 3, 1 / 3], [1 / 3, 2 / 3]]))
    slopes = [
        torch.autograd.grad(voted(Output(Categorical(scores)), 3, vote).actions.scores[:, 0].sum(), scores)[0]
        for vote in ("majority", "mean")
    ]
    assert torch.equal(*slopes)
    assert (slopes[0] != 0).all()


def test_the_mean_is_of_probabilities_and_of_q_values_where_there_are_some():
    found = voted(Output(Categorical(COPIES)), 3, "mean").actions
    assert torch.allclose(found.probabilities, softened(COPIES).mean(dim=1))
    odds = voted(Output(Categorical(COPIES), garbage=torch.arange(6.0)), 3, "mean").garbage
    assert odds.tolist() == [1.0, 4.0]
    by_q = voted(Output(Categorical(COPIES / 0.5), q=COPIES, values=COPIES.amax(dim=1)), 3, "mean")
    assert torch.equal(by_q.q, COPIES.view(2, 3, 2).mean(dim=1))
    assert torch.equal(by_q.actions.scores, by_q.q / 0.5)
    assert torch.allclose(by_q.values, torch.tensor([4.0, 8 / 3]))


def test_the_median_is_of_log_probabilities_or_of_q_values_and_of_an_even_number_between_the_two_in_the_middle():
    found = voted(Output(Categorical(COPIES)), 3, "median").actions.scores
    assert torch.allclose(found, softened(COPIES).log().median(dim=1).values)
    even = voted(Output(Categorical(COPIES), q=COPIES), 2, "median")
    assert even.q.tolist() == [[1.5, 0.0], [0.0, 5.0], [2.5, 1.0]]


def test_several_choices_at_once_are_voted_on_one_by_one():
    scores = torch.cat([COPIES, COPIES.flip(0)], dim=1)
    found = voted(Output(Choices(scores, (2, 2))), 3, "majority").actions
    assert found.greedy.tolist() == [[0, 1], [1, 0]]


def test_continuous_actions_have_a_mean_and_a_median_of_what_is_done():
    means = torch.tensor([[0.0], [0.1], [0.8]])
    for kind in (Normal(means, *ENDS, torch.ones(1)), Point(means, *ENDS)):
        assert voted(Output(kind), 3, "mean").actions.greedy.item() == pytest.approx(0.3)
        assert voted(Output(kind), 3, "median").actions.greedy.item() == pytest.approx(0.1)
    apart = Normal(means, *ENDS, torch.tensor([[1.0], [2.0], [6.0]]))
    assert voted(Output(apart), 3, "mean").actions.deviation.item() == pytest.approx(3.0)
    squashed = SquashedNormal(means, *ENDS, torch.ones(3, 1))
    assert voted(Output(squashed), 3, "mean").actions.greedy.item() == pytest.approx(float(means.tanh().mean()))
    assert voted(Output(squashed), 3, "median").actions.greedy.item() == pytest.approx(np.tanh(0.1))
    assert voted(Output(Uniform(means * 0, *ENDS)), 3, "mean").actions.greedy.shape == (1, 1)


def test_activations_are_averaged_too():
    out = Output(Categorical(COPIES), hidden=COPIES, values=torch.arange(6.0))
    found = voted(out, 3, "mean")
    assert torch.allclose(found.hidden, torch.tensor([[1.0, 3.0], [5 / 3, 1.0]]))
    assert found.values.tolist() == [1.0, 4.0]


@pytest.mark.parametrize(
    ("text", "seat", "deviation"),
    [
        ("smooth:sigma=0.05,copies=50", FRAMES, 0.05 * 255),
        ("smooth:sigma=3,copies=50,space=raw", FRAMES, 3.0),
        ("smooth:sigma=0.5,copies=400,space=raw", NUMBERS, 0.5),
    ],
)
def test_noise_is_gaussian_of_the_size_that_was_asked_for(text, seat, deviation):
    front, shape = make_front(text, seat), seat.observation.shape
    obs = torch.full((2, *shape), 127.0 if seat is FRAMES else 0.0)
    noise = front.seen(obs, streams(1, 2)).view(2, -1) - obs.flatten(1)[:, :1]
    assert noise.std(dim=1).tolist() == pytest.approx([deviation] * 2, rel=0.1)
    assert abs(float(noise.mean())) < deviation / 5
    assert float((noise.abs() < deviation).float().mean()) == pytest.approx(0.683, abs=0.05)


def test_noise_in_sigma_is_in_deviations_of_the_victim_s_own_statistics():
    policy = gaussian_policy(2, 2)
    policy.normaliser.deviation.copy_(torch.tensor([0.1, 2.0]))
    seat = Seat("player", NUMBERS.observation, Box(-1, 1, (2,), np.float32))
    front = defend(policy, ("smooth:sigma=0.5,copies=400",), seat).front
    noise = front.seen(torch.zeros(1, 2), streams(1))
    assert noise.std(dim=0).tolist() == pytest.approx([0.05, 1.0], rel=0.1)


def test_without_draws_the_noise_is_the_same_for_everybody_and_each_time():
    both = defend(scores_as_seen(2), ("smooth:sigma=0.5,space=raw",), NUMBERS)
    one, again = both(torch.zeros(1, 2)).actions.scores, both(torch.zeros(3, 2)).actions.scores
    assert torch.equal(one.expand(3, 2), again)
    assert not torch.equal(one, both(torch.zeros(1, 2), draws=streams(1)).actions.scores)


def test_a_front_behind_copies_draws_for_each_of_them():
    both = defend(scores_as_seen(2), ("smooth:sigma=0.1,copies=2,space=raw",) * 2, NUMBERS)
    assert both(torch.zeros(3, 2), draws=streams(1, 2, 3)).actions.scores.shape == (3, 2)
    behind = both.policy.front.seen(torch.zeros(6, 2), None)
    assert behind.shape == (12, 2)
    alone = both(torch.zeros(1, 2), draws=streams(1)).actions.scores
    assert torch.equal(both(torch.zeros(3, 2), draws=streams(1, 2, 3)).actions.scores[:1], alone)


def test_each_copy_has_a_memory_of_its_own():
    both = defend(counting_policy(3, (2,)), ("smooth:sigma=0.1,copies=4,space=raw,vote=majority",), NUMBERS)
    state = both.initial_state(2)
    assert state.shape == (2, 4)
    for number in range(3):
        out = both(torch.zeros(2, 2), state, streams(1, 2))
        assert out.actions.greedy.tolist() == [number] * 2
        state = out.state


def test_a_critic_is_asked_about_every_copy():
    policy = scores_as_seen(2, value_based=True)
    both = defend(policy, ("smooth:sigma=0.1,copies=200,space=raw",), NUMBERS)
    value = both.value(torch.tensor([[3.0, 0.0]]), torch.tensor([1]))
    assert value.shape == (1,)
    assert float(value) == pytest.approx(0.0, abs=0.05)


def test_an_attack_that_draws_once_is_warned_and_one_that_takes_the_mean_is_not():
    both = defend(scores_as_seen(2), ("smooth:sigma=1e-6,space=raw,vote=majority", "temporal"), NUMBERS)
    setting = Setting.of(both, NUMBERS.observation)
    assert setting.random
    assert not Setting.of(defend(scores_as_seen(2), ("temporal",), NUMBERS), NUMBERS.observation).random
    notes = [make_attack("pgd", Budget(eps=0.1, space="raw"), eot=eot).note(setting) for eot in (1, 2, None)]
    assert notes == ["the victim is random in itself: leave eot= out for the mean of several draws", "", ""]


class Strip(nn.Module):
    """Scores that change only where the first number is within a tenth of 0."""

    def forward(self, obs):
        inside = obs[:, :1].clamp(-0.1, 0.1)
        return torch.cat([inside, -inside], dim=1)


def test_the_mean_of_several_draws_finds_a_slope_that_one_draw_misses():
    """Four copies of a hundred fall into the strip, so that of 64 draws nine in ten rows have one there."""
    both = defend(ModulePolicy(Strip(), (2,), 2), ("smooth:sigma=0.3,copies=1,space=raw",), NUMBERS)
    rows, moved = 64, []
    shown = torch.tensor([[0.6, 0.0]]).expand(rows, 2).contiguous()
    for eot, draws in ((1, 1), (64, 64), (None, 8)):
        attack = make_attack("fgsm", Budget(eps=0.5, space="raw"), loss="margin", eot=eot)
        attacker = Attacker(attack, both, NUMBERS.observation, rows)
        attacker.restart(np.arange(rows), [np.random.SeedSequence(seed) for seed in range(rows)])
        moved.append(float((attacker(shown)[:, 0] < 0.2).float().mean()))
        assert attacker.oracle.gradients.tolist() == [draws] * rows
    assert moved[0] == 0
    assert moved[1] > 0.8
    assert moved[1] > moved[2] > 0.1


@pytest.mark.parametrize(
    ("text", "seat", "message"),
    [
        ("smooth", NUMBERS, "defence smooth: expected sigma=value, which has no default"),
        ("smooth:sigma=0", NUMBERS, "defence smooth: sigma: expected a number above 0 and at most 100, got 0"),
        ("smooth:sigma=1,copies=0", NUMBERS, "defence smooth: copies: expected a number at least 1"),
        ("smooth:sigma=1,vote=most", NUMBERS, "vote: expected 'mean' or 'majority' or 'median', got 'most'"),
        ("smooth:sigma=1", NUMBERS, "space=sigma needs an agent that ships observation statistics; use space=raw"),
        ("smooth:sigma=1,space=unit", NUMBERS, r"space=unit is of pixels, player sees Box\(.*; use space=raw"),
        (
            "smooth:sigma=1,vote=majority",
            Seat("player", NUMBERS.observation, Box(-1, 1, (2,), np.float32)),
            r"vote=majority is of actions to choose from, got Box\(.*; use vote=median or mean",
        ),
    ],
)
def test_what_smoothing_cannot_do_is_refused_in_one_line(text, seat, message):
    with pytest.raises(InvalidInput, match=message) as refused:
        defend(scores_as_seen(2), (text,), seat)
    assert "\n" not in str(refused.value)
