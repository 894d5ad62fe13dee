"""What gradient attacks climb, on victims whose losses are known by hand."""

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete
from torch import Tensor, nn

from rlattack.attacks import Attacker, make_attack
from rlattack.attacks.attack import Setting
from rlattack.attacks.make import check_attack
from rlattack.attacks.objective import Climb, Objective
from rlattack.attacks.oracle import Oracle
from rlattack.attacks.target import Target
from rlattack.budget import Budget
from rlattack.draws import SharedDraws
from rlattack.errors import RlattackError
from rlattack.policies import ModulePolicy
from rlattack.policies.distributions import Categorical
from rlattack.policies.load import load_agent
from rlattack.policies.policy import Differentiable, Output

SLOTS = 3
SPACE = Box(-10, 10, (4,), np.float32)


class Scores(nn.Module):
    """Scores that are what is seen."""

    def forward(self, obs: Tensor) -> Tensor:
        return obs * 1.0


def climb(policy, obs, draws=None, leader=None, **objective):
    oracle = Oracle(policy, SLOTS, "white")
    oracle.begin(obs, np.ones(SLOTS, dtype=np.bool_))
    return Climb(Objective(**objective), Target(oracle), obs, draws or SharedDraws(SLOTS, 0), leader)


@pytest.fixture
def scores():
    return torch.tensor([[4.0, 1.0, 2.0, 0.0], [0.0, 3.0, 1.0, 2.5], [1.0, 0.0, -2.0, 5.0]])


def test_dlr_is_the_margin_over_the_way_from_the_best_to_the_third_score(scores):
    found = climb(ModulePolicy(Scores(), (4,), 4), scores, loss="dlr").rows(scores)
    torch.testing.assert_close(found, torch.tensor([(2 - 4) / (4 - 1), (2.5 - 3) / (3 - 1), (1 - 5) / (5 - 0)]))


def test_targeted_dlr_falls_by_the_way_to_the_target_over_that_to_the_third_and_fourth(scores):
    found = climb(ModulePolicy(Scores(), (4,), 4), scores, loss="dlr", target=2).rows(scores)
    expected = [-(4 - 2) / (4 - 0.5), -(3 - 1) / (3 - 0.5), -(5 + 2) / (5 + 1)]
    torch.testing.assert_close(found, torch.tensor(expected))


def test_dlr_does_not_depend_on_the_scale_of_scores(scores):
    policy = ModulePolicy(Scores(), (4,), 4)
    first, other = (climb(policy, shown, loss="dlr").rows(shown) for shown in (scores, 100 * scores))
    torch.testing.assert_close(first, other)


def test_margin_and_cross_entropy_lead_to_a_target(scores):
    policy = ModulePolicy(Scores(), (4,), 4)
    margin = climb(policy, scores, loss="margin", target=1).rows(scores)
    torch.testing.assert_close(margin, torch.tensor([1 - 4.0, 3 - 2.5, 0 - 5.0]))
    ce = climb(policy, scores, target=1).rows(scores)
    torch.testing.assert_close(ce, scores.log_softmax(dim=1)[:, 1])


class Judged(Differentiable):
    """Prefers the first action, and rates the second lowest."""

    observation, action, acts, normaliser = (4,), Discrete(4), None, None

    def __call__(self, obs, state=None, draws=None):
        return Output(Categorical(obs), q=torch.tensor([[3.0, 0.0, 1.0, 2.0]]).expand(len(obs), 4))

    def value(self, obs, action=None, state=None):
        return None

    def initial_state(self, n):
        return None


def test_worst_is_the_action_of_lowest_value_and_least_the_least_likely(scores):
    assert climb(Judged(), scores, target="worst").goal.tolist() == [1, 1, 1]
    assert climb(Judged(), scores, target="least").goal.tolist() == [3, 0, 2]
    assert climb(ModulePolicy(Scores(), (4,), 4), scores, target="worst").goal.tolist() == [3, 0, 2]


class Opposite(nn.Module):
    """Prefers what others like least."""

    def forward(self, obs: Tensor) -> Tensor:
        return -obs


def test_another_agent_says_what_to_do(scores):
    leader = ModulePolicy(Opposite(), (4,), 4)
    led = climb(ModulePolicy(Scores(), (4,), 4), scores, leader=leader, loss="margin", target="agent:any")
    assert led.goal.tolist() == [3, 0, 2]
    torch.testing.assert_close(led.rows(scores), torch.tensor([0 - 4.0, 0 - 3.0, -2 - 5.0]))


class Noisy(Differentiable):
    """Sees everything through a mask of its own draws; without draws, as it is."""

    observation, action, acts, normaliser = (4,), Discrete(4), None, None

    def __init__(self):
        self.asked = []

    def __call__(self, obs, state=None, draws=None):
        self.asked.append(draws is not None)
        return Output(Categorical(obs if draws is None else obs * draws.uniform(4)))

    def value(self, obs, action=None, state=None):
        return None

    def initial_state(self, n):
        return None


def test_the_gradient_of_a_random_victim_is_the_mean_over_its_draws(scores):
    policy = Noisy()
    found = climb(policy, scores, SharedDraws(SLOTS, 5), loss="margin", eot=400).gradient(scores)
    plain = climb(policy, scores, loss="margin", eot=1).gradient(scores)
    assert policy.asked.count(True) == 400
    # the runner-up changes with the draws: only the label's own slope is known, minus the mean of a draw
    labels = scores.argmax(dim=1)
    assert plain.gather(1, labels[:, None]).flatten().tolist() == [-1, -1, -1]
    torch.testing.assert_close(found.sum(dim=1), torch.zeros(3), atol=0.3, rtol=0)
    assert (found.gather(1, labels[:, None]) < 0).all()


def test_every_draw_is_a_question(scores):
    oracle = Oracle(Noisy(), SLOTS, "white")
    oracle.begin(scores, np.ones(SLOTS, dtype=np.bool_))
    Climb(Objective(eot=7), Target(oracle), scores, SharedDraws(SLOTS, 0)).gradient(scores)
    assert oracle.gradients.tolist() == [7, 7, 7]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"target": "nearest"}, "target: expected an action, least, worst, planned or agent:NAME, got 'nearest'"),
        ({"target": "agent:no such"}, "no agent and no file 'no such'"),
        ({"target": "agent:random"}, "target=agent:random: expected an agent that looks at the game, and random does"),
        ({"target": "agent:gymnasium/CartPole-v1/dqn"}, r"expected an agent that sees \(6,\) and does what the victim"),
        ({"loss": "value", "target": 1}, "loss=value has no target"),
    ],
)
def test_an_objective_that_does_not_fit_is_refused(parameters, message):
    policy = ModulePolicy(nn.Linear(6, 3), (6,), 3)
    space = Box(-1, 1, (6,), np.float32)
    with pytest.raises(RlattackError, match=message):
        check_attack(make_attack("pgd", Budget(eps=0.1, space="raw"), **parameters), Setting.of(policy, space))


@pytest.mark.parametrize(
    ("actions", "target", "note"),
    [
        (2, None, "the third score, this game has 2 actions: loss=margin is climbed"),
        (
            3,
            0,
            "the third score and the fourth, this game has 3 actions: loss=margin is climbed",
        ),
        (3, None, ""),
        (4, 0, ""),
    ],
)
def test_with_too_few_actions_for_dlr_the_margin_is_climbed_and_that_is_said(actions, target, note):
    policy = ModulePolicy(nn.Linear(4, actions), (4,), actions)
    attack = make_attack("pgd", Budget(eps=0.1, space="raw"), loss="dlr", target=target)
    said = attack.note(Setting.of(policy, SPACE))
    assert said == Attacker(attack, policy, SPACE, 1).note == (note and f"loss=dlr compares with {note}")
    obs = torch.randn(SLOTS, 4, generator=torch.Generator().manual_seed(1))
    dlr, margin = (climb(policy, obs, loss=loss, target=target).rows(obs) for loss in ("dlr", "margin"))
    assert torch.equal(dlr, margin) == bool(note)


def test_actions_that_are_not_legal_are_no_third_score(scores):
    oracle = Oracle(ModulePolicy(Scores(), (4,), 4), SLOTS, "white")
    legal = torch.tensor([[True, True, False, False], [True] * 4, [False, False, True, True]])
    oracle.begin(scores, np.ones(SLOTS, dtype=np.bool_), legal)
    found = Climb(Objective(loss="dlr"), Target(oracle), scores, SharedDraws(SLOTS, 0)).rows(scores)
    torch.testing.assert_close(found, torch.tensor([1 - 4.0, (2.5 - 3) / (3 - 1), -2 - 5.0]))


@pytest.mark.parametrize("about", [{"loss": "dlr"}, {"target": 1}, {"eot": 3, "loss": "margin"}])
def test_gradient_and_loss_of_one_pass_are_those_of_two(scores, about):
    policy = ModulePolicy(Scores(), (4,), 4)
    grad, rows = climb(policy, scores, **about).both(scores)
    torch.testing.assert_close(grad, climb(policy, scores, **about).gradient(scores))
    torch.testing.assert_close(rows, climb(policy, scores, **about).rows(scores))


def test_a_victim_is_led_to_do_what_another_agent_does():
    victim = ModulePolicy(nn.Linear(4, 2), (4,), 2)
    attack = make_attack("pgd", Budget(eps=5.0, space="raw"), target="agent:gymnasium/CartPole-v1/dqn", steps=30)
    obs = torch.randn(64, 4, generator=torch.Generator().manual_seed(1)) * 0.1
    attacker = Attacker(attack, victim, SPACE, 64)
    attacker.restart(np.arange(64), list(np.random.SeedSequence(0).spawn(64)))
    wanted = load_agent("gymnasium/CartPole-v1/dqn").policy(obs).actions.greedy
    assert 0 < wanted.sum() < 64
    assert torch.equal(victim(attacker(obs)).actions.greedy, wanted)
