"""Our attacks do no less than those of the Adversarial Robustness Toolbox: same inputs, parameters and starts."""

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box
from torch import nn

from rlattack.attacks import Attacker, make_attack
from rlattack.budget import Budget
from rlattack.policies.module import ModulePolicy
from rlattack.policies.network import Network, NetworkSpec

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
SPACE = Box(0, 255, (2, 12, 12), np.uint8)
ROWS, ACTIONS = 12, 5


class Unit(nn.Module):
    """Scores of pixels from 0 to 1."""

    def __init__(self, policy):
        super().__init__()
        self.policy = policy

    def forward(self, obs):
        return self.policy(255 * obs).actions.scores


@pytest.fixture(scope="module")
def policy():
    torch.manual_seed(0)
    spec = NetworkSpec(
        observation=SPACE.shape, actions=ACTIONS, head="actor-critic", convolutions=((8, 3, 2),), hidden=(32,)
    )
    network = Network(spec)
    with torch.no_grad():
        network.actor[-1].weight.mul_(10)  # far from uniform, as a trained policy is
    return ModulePolicy.of(network)


@pytest.fixture(scope="module")
def obs():
    return (torch.rand(ROWS, *SPACE.shape, generator=torch.Generator().manual_seed(1)) * 255).round()


@pytest.fixture(scope="module")
def evasion():
    return pytest.importorskip("art.attacks.evasion")  # here, since to import it takes seconds


@pytest.fixture(scope="module")
def model(policy):
    estimators = pytest.importorskip("art.estimators.classification")
    return estimators.PyTorchClassifier(
        Unit(policy).eval(), loss=nn.CrossEntropyLoss(), input_shape=SPACE.shape, nb_classes=ACTIONS, clip_values=(0, 1)
    )


@pytest.fixture
def theirs(policy, obs):
    def run(attack, target=None):
        labels = policy(obs).actions.greedy if target is None else target
        y = nn.functional.one_hot(labels, ACTIONS).numpy()
        return 255 * torch.as_tensor(attack.generate((obs / 255).numpy(), y=y)).float()

    return run


@pytest.fixture
def ours(policy, obs):
    def run(name, norm, eps=None, **parameters):
        attacker = Attacker(make_attack(name, Budget(norm=norm, eps=eps), **parameters), policy, SPACE, ROWS)
        attacker.restart(np.arange(ROWS), list(np.random.SeedSequence(0).spawn(ROWS)))
        return attacker(obs)

    return run


def loss(policy, found, obs):
    return nn.functional.cross_entropy(policy(found).actions.scores, policy(obs).actions.greedy)


def median(found, obs, order, there):
    """Of sizes; infinite where what was asked for is not there."""
    return (found - obs).flatten(1).norm(p=order, dim=1).masked_fill(~there, torch.inf).median()


@pytest.mark.parametrize("eps", [0.004, 0.02])
def test_mim_raises_the_loss_no_less(policy, obs, evasion, model, ours, theirs, eps):
    attack = evasion.MomentumIterativeMethod(model, eps=eps, eps_step=eps / 10, max_iter=10, verbose=False)
    assert loss(policy, ours("mim", "linf", eps), obs) >= 0.999 * loss(policy, theirs(attack), obs)


@pytest.mark.parametrize(("norm", "order"), [("linf", np.inf), ("l2", 2)])
def test_apgd_raises_the_loss_no_less(policy, obs, evasion, model, ours, theirs, norm, order):
    radius = 0.01 if norm == "linf" else 0.01 * 288**0.5
    attack = evasion.AutoProjectedGradientDescent(
        model, norm=order, eps=radius, eps_step=2 * radius, max_iter=30, nb_random_init=1, batch_size=ROWS,
        loss_type="cross_entropy", verbose=False,
    )  # fmt: skip
    np.random.seed(0)
    mine = loss(policy, ours("apgd", norm, 0.01, steps=30), obs)
    assert mine >= 0.999 * loss(policy, theirs(attack), obs)


@pytest.mark.parametrize(
    ("name", "norm", "order", "parameters", "theirs_is", "about"),
    [
        ("deepfool", "l2", 2, {}, "DeepFool", {"max_iter": 50, "epsilon": 0.02}),
        (
            "cw", "l2", 2, {"steps": 20, "searches": 5, "step": 0.01, "weight": 1.0},
            "CarliniL2Method", {"max_iter": 20, "binary_search_steps": 5, "learning_rate": 0.01, "initial_const": 1.0},
        ),
    ],
    ids=["deepfool", "cw"],
)  # fmt: skip
def test_no_more_is_needed(policy, obs, evasion, model, ours, theirs, name, norm, order, parameters, theirs_is, about):
    attack = getattr(evasion, theirs_is)(model, batch_size=ROWS, verbose=False, **about)
    mine, reference = ours(name, norm, **parameters), theirs(attack)
    labels = policy(obs).actions.greedy
    there = [policy(found).actions.greedy != labels for found in (mine, reference)]
    assert there[0].all()
    assert there[1].any()
    assert median(mine, obs, order, there[0]) <= 1.001 * median(reference, obs, order, there[1])


def test_jsma_sets_no_more_pixels(policy, obs, evasion, model, ours, theirs):
    target = policy(obs).actions.scores.topk(2, dim=1).indices[:, 1]
    attack = evasion.SaliencyMapMethod(model, theta=1.0, gamma=0.145, batch_size=ROWS, verbose=False)
    reference = theirs(attack, target)
    mine = obs.clone()
    for action in target.unique().tolist():
        mine[target == action] = ours("jsma", "l0", target=action, share=1.0)[target == action]
    there = [policy(found).actions.greedy == target for found in (mine, reference)]
    assert there[0].all()
    assert median(mine, obs, 0, there[0]) <= median(reference, obs, 0, there[1])
