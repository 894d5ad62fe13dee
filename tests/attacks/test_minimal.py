"""Every attack that looks for the smallest perturbation, against distances to boundaries of linear policies."""

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box
from scipy.optimize import linprog

from rlattack.attacks import ATTACKS, Attacker, make_attack
from rlattack.attacks.minimal import Minimal
from rlattack.budget import Budget
from rlattack.errors import BudgetError, InvalidInput, RlattackError
from rlattack.policies import ModulePolicy
from tests.attacks.conftest import SPACE
from tests.kit.agents import gaussian_policy, linear_policy, random_linear_policy

DUAL = {"l2": 2, "linf": 1, "l1": torch.inf}
"""The norm of a slope that tells the distance to a boundary in each norm."""
THOROUGH = {
    "cw": {"steps": 40, "step": 0.004, "weight": 0.1}, "lbfgs": {"steps": 5, "weight": 0.1}, "fab": {"steps": 10},
    "ead": {"steps": 40, "step": 0.1, "weight": 0.1, "shrink": 0.003}, "deepfool": {"overshoot": 1e-4},
    "jsma": {"pixels": 1, "share": 1},
}  # fmt: skip
MINIMAL = [
    pytest.param(name, norm, id=f"{name}-{norm}")
    for name in ATTACKS
    if name not in ATTACKS.added and issubclass(ATTACKS.get(name), Minimal)
    for norm in ATTACKS.get(name).reaches
]
LINEAR = [case for case in MINIMAL if case.values[1] != "l0"]


@pytest.fixture
def obs():
    """So far from black and white that nothing is clipped."""
    return torch.randint(100, 156, (4, *SPACE.shape), generator=torch.Generator().manual_seed(3)).float()


@pytest.fixture
def policy():
    """Of four actions, all as good as each other where everything is grey."""
    weights = random_linear_policy(SPACE.shape, actions=4).module[1].weight.detach()
    return linear_policy(weights, (-128 * weights.sum(dim=1)).tolist(), SPACE.shape)


def length(delta, norm):
    return float(delta.flatten().norm(p={"l2": 2, "linf": torch.inf, "l1": 1, "l0": 0}[norm]))


def distances(policy, obs, row, norm):
    """How far each other action is from the greedy one."""
    scores, weight = policy(obs).actions.scores[row], policy.module[1].weight.detach()
    best = int(scores.argmax())
    others = [action for action in range(len(scores)) if action != best]
    return (scores[best] - scores[others]) / (weight[others] - weight[best]).norm(p=DUAL[norm], dim=1)


@pytest.mark.parametrize(("name", "norm"), LINEAR)
def test_the_nearest_boundary_is_found_at_its_distance(policy, obs, attack_with, name, norm):
    received = attack_with(policy, name, norm, None, **THOROUGH[name])(obs)
    assert (policy(received).actions.greedy != policy(obs).actions.greedy).all()
    most = {"cw": 1.05, "lbfgs": 1.05, "ead": 1.3, "fab": 1.01}.get(name, 1.003)
    for row in range(len(obs)):
        nearest = float(distances(policy, obs, row, norm).min())
        if norm == "l1":  # no entry can go further than to its end
            nearest = in_the_box(policy, obs, row)
        assert 0.999 * nearest <= length(received[row] - obs[row], norm) <= most * nearest


def in_the_box(policy, obs, row):
    """The l1 distance to the nearest boundary within the range, by linear programming."""
    scores, weight = policy(obs).actions.scores[row].double(), policy.module[1].weight.detach().double()
    clean, best, found = obs[row].flatten().double().numpy(), int(scores.argmax()), []
    for other in set(range(len(scores))) - {best}:
        slope = (weight[other] - weight[best]).numpy()
        ways = [*((0, 255 - one) for one in clean), *((0, one) for one in clean)]
        solved = linprog(
            np.ones(2 * len(clean)), A_ub=[np.r_[-slope, slope]], b_ub=[float(scores[other] - scores[best])],
            bounds=ways,
        )  # fmt: skip
        found.append(solved.fun)
    return min(found)


@pytest.mark.parametrize(("name", "norm"), MINIMAL)
def test_a_target_is_reached_and_every_other_is_further_than_the_nearest(policy, obs, attack_with, name, norm):
    labels = policy(obs).actions.greedy
    free = attack_with(policy, name, norm, None, **THOROUGH[name])(obs)
    for target in (2, "least"):
        received = attack_with(policy, name, norm, None, target=target, **THOROUGH[name])(obs)
        goal = policy(obs).actions.scores.argmin(dim=1) if target == "least" else torch.full((4,), target)
        assert torch.equal(policy(received).actions.greedy, goal)
        for row in range(len(obs)):
            if goal[row] == labels[row]:
                assert torch.equal(received[row], obs[row])  # it does that already
            elif norm in DUAL:
                slack = {"ead": 0.8, "cw": 0.98, "lbfgs": 0.98}.get(name, 0.997)
                assert length(received[row] - obs[row], norm) >= slack * length(free[row] - obs[row], norm)


@pytest.mark.parametrize("norm", ["l2", "linf", "l1"])
def test_fab_minds_the_ends_of_the_range_where_it_goes(norm):
    policy = linear_policy([[0.0, 0.0], [3.0, 1.0]], bias=[1.0, 0.0])
    space = Box(np.float32([-9.0, -9.0]), np.float32([0.1, 9.0]))
    attack = make_attack("fab", Budget(norm=norm, eps=None, space="raw"), steps=60)
    received = Attacker(attack, policy, space, 1)(torch.zeros(1, 2))
    assert received[0].tolist() == pytest.approx([0.1, 0.7], abs=0.01)


@pytest.mark.parametrize("name", ["cw", "lbfgs"])
def test_the_trade_minds_the_ends_of_the_range(name):
    policy = linear_policy([[0.0, 0.0], [3.0, 1.0]], bias=[1.0, 0.0])
    space = Box(np.float32([-1.0, -9.0]), np.float32([0.1, 9.0]))
    parameters = {"steps": 90, "weight": 0.1} | ({"step": 0.03} if name == "cw" else {})
    attack = make_attack(name, Budget(norm="l2", eps=None, space="raw"), **parameters)
    received = Attacker(attack, policy, space, 1)(torch.zeros(1, 2))
    assert received[0].tolist() == pytest.approx([0.1, 0.7], abs=0.05)


@pytest.mark.parametrize(("name", "norm"), [case.values for case in LINEAR])
def test_spaces_without_ends_and_with_deviations_do(name, norm):
    policy = gaussian_like()
    space, clean = Box(-np.inf, np.inf, (2,), np.float32), torch.zeros(3, 2)
    more = {"step": 0.05} if name == "cw" else {}
    attack = make_attack(name, Budget(norm=norm, eps=None, space="sigma"), **THOROUGH[name] | more)
    received = Attacker(attack, policy, space, 3)(clean)
    # scores are apart by 1 - 3u - v in deviations u and v: of 3 and 1 of what is seen
    delta = received / torch.tensor([3.0, 1.0])
    nearest = {"l2": 1 / 10**0.5, "linf": 1 / 4, "l1": 1 / 3}[norm]
    assert (3 * delta[:, 0] + delta[:, 1] > 1).all()
    assert length(delta[0], norm) == pytest.approx(nearest, rel=0.2 if name == "ead" else 0.06)
    assert torch.equal(received, received[:1].expand(3, 2))


def gaussian_like():
    """Of two actions and two numbers, whose deviations are 3 and 1."""
    from rlattack.policies.policy import Normaliser

    policy = linear_policy([[0.0, 0.0], [1.0, 1.0]], bias=[1.0, 0.0])
    policy.normaliser = Normaliser(torch.zeros(2), torch.tensor([3.0, 1.0]), 10.0)
    return policy


def test_jsma_sets_as_few_pixels_as_the_largest_gains_need(obs, attack_with):
    two = random_linear_policy(SPACE.shape, actions=2)
    received = attack_with(two, "jsma", "l0", None, **THOROUGH["jsma"])(obs)
    weight = two.module[1].weight.detach()
    for row in range(len(obs)):
        scores = two(obs).actions.scores[row]
        best = int(scores.argmax())
        slope, newest = (weight[1 - best] - weight[best]).view(SPACE.shape)[-1].flatten(), obs[row, -1].flatten()
        gains = torch.maximum(slope * (255 - newest), -slope * newest).sort(descending=True).values.cumsum(dim=0)
        needed = 1 + int((gains <= scores[best] - scores[1 - best]).sum())
        assert length(received[row] - obs[row], "l0") == needed
        assert set(received[row][received[row] != obs[row]].tolist()) <= {0.0, 255.0}


def test_jsma_gives_up_at_its_share_of_the_pixels(attack_with):
    weight = torch.zeros(2, 108)
    weight[1, 72:] = 1.0
    all_but_two = linear_policy(weight, [34 * 255.0, 0.0], SPACE.shape)  # every pixel of the newest frame counts alike
    black = torch.zeros(4, *SPACE.shape)
    received = attack_with(all_but_two, "jsma", "l0", None, pixels=5, share=1.0)(black)
    assert (received != black).flatten(1).sum(dim=1).tolist() == [35] * 4
    assert torch.equal(attack_with(all_but_two, "jsma", "l0", None, pixels=5, share=0.9)(black), black)


class Curved(torch.nn.Module):
    """Two scores of two numbers: what the first one does is a circle of radius 2 around (1, 0)."""

    def forward(self, obs):
        apart = (obs - torch.tensor([1.0, 0.0])).square().sum(dim=1, keepdim=True) - 4
        return torch.cat([torch.zeros_like(apart), apart], dim=1)


@pytest.mark.parametrize("name", ["fab", "lbfgs", "cw"])
def test_a_curved_boundary_is_found_where_it_is_nearest(name):
    policy = ModulePolicy(Curved(), (2,), 2)
    parameters = {"steps": 60, **({"searches": 8, "weight": 0.1} if name in ("lbfgs", "cw") else {})}
    parameters |= {"step": 0.01} if name == "cw" else {}
    attack = make_attack(name, Budget(norm="l2", eps=None, space="raw"), **parameters)
    received = Attacker(attack, policy, Box(-9, 9, (2,), np.float32), 2)(torch.tensor([[2.0, 0.5], [2.5, -0.5]]))
    nearest = [2 - 1.25**0.5, 2 - 2.5**0.5]
    found = (received - torch.tensor([[2.0, 0.5], [2.5, -0.5]])).norm(dim=1)
    assert found.tolist() == pytest.approx(nearest, rel=0.04)


@pytest.mark.parametrize(("name", "norm"), MINIMAL)
def test_where_nothing_else_can_be_done_nothing_is_changed(policy, obs, attack_with, name, norm):
    few = {"steps": 2} if name != "jsma" else {"share": 0.1}
    legal = torch.nn.functional.one_hot(policy(obs).actions.greedy, 4).bool()
    assert torch.equal(attack_with(policy, name, norm, None, **few)(obs, legal=legal), obs)
    constant = linear_policy(torch.zeros(3, obs[0].numel()), [1.0, 0.0, 0.0], SPACE.shape)
    assert torch.equal(attack_with(constant, name, norm, None, **few)(obs), obs)


@pytest.mark.parametrize("name", ["cw", "ead"])
def test_confidence_sets_scores_apart(policy, obs, attack_with, name):
    received = attack_with(policy, name, ATTACKS.get(name).reaches[0], None, confidence=0.5, **THOROUGH[name])(obs)
    labels = policy(obs).actions.greedy[:, None]
    scores = policy(received).actions.scores
    assert (scores.scatter(1, labels, -torch.inf).amax(dim=1) - scores.gather(1, labels)[:, 0] >= 0.499).all()


class Lobes(torch.nn.Module):
    """Does the other thing above 3 and, which no slope at 0 tells, below -5/6."""

    def forward(self, obs):
        return torch.cat([torch.zeros_like(obs), torch.maximum(obs - 3, -6 * obs - 5)], dim=1)


def test_restarts_of_fab_find_what_no_slope_at_the_clean_observation_tells():
    def attacked(**parameters):
        attack = make_attack("fab", Budget(norm="l2", eps=None, space="raw"), **parameters)
        attacker = Attacker(attack, ModulePolicy(Lobes(), (1,), 2), Box(-9, 9, (1,), np.float32), 4)
        attacker.restart(np.arange(4), [np.random.SeedSequence(seed) for seed in range(4)])
        return attacker(torch.zeros(4, 1))[:, 0].tolist()

    assert attacked() == pytest.approx([3] * 4, rel=0.01)
    assert attacked(restarts=8) == pytest.approx([-5 / 6] * 4, rel=0.01)


@pytest.mark.parametrize(
    ("name", "norm", "parameters", "queries", "gradients"),
    [
        ("deepfool", "l2", {"steps": 1, "target": 0}, 2, 1),
        ("fab", "l2", {"steps": 2, "halvings": 1}, 1 + 4 + 1, 2 * 3),
        ("cw", "l2", {"steps": 3, "searches": 2, "step": 0.5, "halvings": 4}, 1 + 4, 6),
        ("ead", "l1", {"steps": 3, "searches": 2}, 1 + 6, 6),
        ("lbfgs", "l2", {"steps": 3, "searches": 2}, 1, 6),
    ],
)
def test_queries_and_gradients_are_counted(policy, obs, attack_with, name, norm, parameters, queries, gradients):
    attacker = attack_with(policy, name, norm, None, **parameters)
    obs = torch.full_like(obs, 128.0) + 20 * (policy.module[1].weight.detach()[3] > 0).view(SPACE.shape)
    attacker(obs)
    assert attacker.oracle.queries.tolist() == [queries] * 4
    assert attacker.oracle.gradients.tolist() == [gradients] * 4


@pytest.mark.parametrize(
    ("name", "norm", "parameters", "message"),
    [
        ("deepfool", "l2", {"target": 4}, "target: expected an action 0 to 3 or 'least', got 4"),
        ("cw", "l2", {"target": "agent:no such"}, "no agent and no file 'no such'"),
        ("jsma", "linf", {}, "attack jsma has the norms l0, got linf"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(policy, attack_with, name, norm, parameters, message):
    with pytest.raises(RlattackError, match=message):
        attack_with(policy, name, norm, None, **parameters)


@pytest.mark.parametrize(("name", "norm"), MINIMAL)
def test_continuous_actions_are_refused_and_what_would_do_is_named(name, norm):
    attack = make_attack(name, Budget(norm=norm, eps=None, space="raw"))
    with pytest.raises(InvalidInput, match=f"attack {name}: expected discrete actions"):
        Attacker(attack, gaussian_policy(3), Box(-1, 1, (3,), np.float32), 2)


def test_pixels_without_ends_are_refused():
    policy = linear_policy([[0.0, 0.0], [1.0, 1.0]])
    attack = make_attack("jsma", Budget(norm="l0", eps=None, space="raw"))
    with pytest.raises(BudgetError, match="--norm l0 sets entries to an end of their range, which not all have here"):
        Attacker(attack, policy, Box(-np.inf, np.inf, (2,), np.float32), 1)
