"""What regimes minimise, against answers that are known by hand and by brute force."""

import numpy as np
import pytest
import torch
from stable_baselines3 import DQN, PPO
from stable_baselines3.common.vec_env import VecNormalize
from torch import nn

from rlattack.budget import Budget
from rlattack.defences.bounds import Interval
from rlattack.specs import make
from rlattack.training.hardening.actor import Actor
from rlattack.training.hardening.car import softly
from rlattack.training.hardening.learners import HardenedDQN, HardenedPPO, Minibatch, Transitions
from rlattack.training.hardening.mixed import Mixed
from rlattack.training.hardening.regime import REGIMES
from rlattack.training.hardening.search import ascend, langevin
from rlattack.training.hardening.vicinity import Vicinity
from tests.kit.learning import ARMS, vec

HALF = Vicinity(torch.tensor([0.5]), torch.tensor([-9.0]), torch.tensor([9.0]))
"""Every entry moves by a half."""


def linear(weights, log_std=None):
    """An actor that says `weights @ seen`."""
    weight = torch.tensor(weights)
    last = nn.Linear(weight.shape[1], weight.shape[0], bias=False)
    last.weight.data = weight
    return Actor((), last, None if log_std is None else torch.tensor(log_std))


def random_actor(log_std=None, actions=3):
    torch.manual_seed(0)
    return Actor((nn.Linear(2, 8), nn.Tanh()), nn.Linear(8, actions), log_std)


def grid(seen, radius=0.5, points=41):
    """All points of a fine grid in the box around one row, its corners included."""
    axis = torch.linspace(-radius, radius, points)
    return seen + torch.cartesian_prod(axis, axis)


def batch(actor, seen, action, advantages):
    seen, action = torch.tensor(seen), torch.tensor(action)
    log_prob = actor.log_prob(actor(seen), action)
    return Minibatch(
        seen=seen, action=action, log_prob=log_prob, old_log_prob=log_prob.detach(),
        advantages=torch.tensor(advantages), clip=10.0, values=torch.zeros(len(seen)), returns=torch.zeros(len(seen)),
    )  # fmt: skip


def transitions(actor, seen, action, target):
    nothing = torch.zeros(len(seen))
    return Transitions(
        seen=seen, action=action, q=actor(seen), target=target, after=seen, reward=nothing, over=nothing
    )  # fmt: skip


def loss_of(text, actor, given):
    """What a regime minimises of a batch, in boxes of a half."""
    regime = make("defence", REGIMES, text)
    loss = regime.policy if isinstance(given, Minibatch) else regime.values
    return loss(actor, HALF, given).item()


@pytest.mark.parametrize("solver", ["sgld", "convex", "crown-ibp"])
def test_sa_adds_the_divergence_at_the_worst_corner_of_a_linear_policy(solver):
    actor = linear([[1.0, -2.0]], log_std=[float(np.log(0.5))])
    given = batch(actor, [[0.0, 0.0], [1.0, 3.0]], [[0.0], [0.0]], [1.0, -1.0])
    # the mean moves by .5 * 1 + .5 * 2 at most, three deviations: 3^2 / 2
    plain = given.surrogate(given.log_prob).mean().item()
    found = loss_of(f"sa:kappa=0.1,solver={solver},temperature=0", actor, given)
    assert found == pytest.approx(plain + 0.1 * 4.5, rel=1e-5)


def test_sa_of_values_is_how_far_another_action_comes_above_the_best_one():
    actor = linear([[1.0, 0.0], [0.0, 1.0]])
    seen = torch.tensor([[2.0, 1.5], [1.0, 5.0]])
    given = transitions(actor, seen, torch.tensor([0, 0]), torch.tensor([2.0, 1.0]))
    for solver in (
        "sgld",
        "convex",
        "crown-ibp",
    ):  # leads of .5 and 4, of which 1 is lost; the second is cut at the margin
        found = loss_of(f"sa:kappa=0.1,solver={solver}", actor, given)
        assert found == pytest.approx(0.1 * (0.5 - 1.0) / 2, abs=1e-6)


def layered(pictures=False, bend=nn.Tanh, log_std=None):
    """A random actor of three layers, and states that it is shown."""
    torch.manual_seed(0)
    if pictures:
        layers = nn.Conv2d(2, 4, 3, 2), nn.ReLU(), nn.Flatten(), nn.Linear(36, 8), nn.ReLU()
        return Actor(layers, nn.Linear(8, 3)), torch.rand(5, 2, 8, 8)
    layers = nn.Flatten(), nn.Linear(2, 8), bend(), nn.Linear(8, 8), bend()
    return Actor(layers, nn.Linear(8, 3), log_std), torch.randn(5, 2)


@pytest.mark.parametrize(
    "given",
    [{}, {"bend": nn.ReLU}, {"log_std": torch.zeros(3)}, {"pictures": True}],
    ids=["tanh", "relu", "continuous", "pictures"],
)
@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 1.0])
def test_bounds_that_give_way_to_intervals_hold_and_are_never_looser_than_these(given, share):
    actor, seen = layered(**given)
    vicinity = Vicinity(torch.tensor([share * 0.3]), torch.tensor([-2.0]), torch.tensor([2.0]), share)
    found, box, clean = Mixed.of(actor, vicinity, seen), vicinity.box(seen), actor(seen)
    best = clean.argmax(dim=1)
    far, lead = found.largest_divergence(clean), found.least_lead(best)
    loose, loose_lead = actor.largest_divergence(clean, box), actor.least_lead(box, best)
    assert (far <= loose + 1e-5).all()
    assert (lead >= loose_lead - 1e-5).all()
    if share == 1.0:  # intervals alone
        torch.testing.assert_close(far, loose, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(lead, loose_lead, rtol=1e-4, atol=1e-5)
    if share == 0.5:
        assert far.mean() < loose.mean() * 0.99
    with torch.no_grad():
        for _ in range(100):
            said = actor(box.lower + torch.rand_like(seen) * (box.upper - box.lower))
            assert (actor.divergence(clean, said) <= far + 1e-5).all()
            others = said.scatter(1, best[:, None], -torch.inf).amax(dim=1)
            assert (said.gather(1, best[:, None]).squeeze(1) - others >= lead - 1e-5).all()
    slopes = torch.autograd.grad(far.sum() - lead.sum(), [actor.last.weight, *actor.layers[-2].parameters()])
    assert all(slope.isfinite().all() for slope in slopes)
    assert any((slope != 0).any() for slope in slopes)


def test_what_is_pressed_by_crown_ibp_falls():
    actor, seen = layered()
    vicinity = Vicinity(torch.tensor([0.1]), torch.tensor([-9.0]), torch.tensor([9.0]), 0.3)
    weights = [one for layer in (*actor.layers, actor.last) for one in layer.parameters()]
    optimizer, told = torch.optim.SGD(weights, 1.0), []
    for _ in range(20):
        far = Mixed.of(actor, vicinity, seen).largest_divergence(actor(seen)).mean()
        optimizer.zero_grad()
        far.backward()
        optimizer.step()
        told.append(far.item())
    assert told[-1] < 0.5 * told[0]


@pytest.mark.parametrize("name", ["radial:kappa=0", "car:solver=convex", "car:steps=50"])
def test_the_worst_loss_of_a_linear_policy_is_that_of_the_action_furthest_or_nearest(name):
    actor = linear([[1.0, -1.0]], log_std=[0.0])
    given = batch(actor, [[0.0, 0.0]], [[0.5]], [1.0])
    # the mean is 0, and 1 way off at worst: the density of 0.5 falls by exp(-(1.5^2 - .5^2) / 2)
    assert loss_of(name, actor, given) == pytest.approx(-np.exp(-1), rel=1e-4)
    bad = batch(actor, [[0.0, 0.0]], [[0.5]], [-1.0])
    assert loss_of(name, actor, bad) == pytest.approx(np.exp(0.125), rel=1e-2)


def test_bar_mixes_the_loss_of_clean_states_with_that_where_the_policy_moved_most():
    actor = linear([[1.0, -2.0]], log_std=[0.0])
    given = batch(actor, [[0.0, 0.0]], [[0.0]], [1.0])
    found = loss_of("bar:kappa=0.25,temperature=0", actor, given)  # the mean moves by 1.5 at most
    assert found == pytest.approx(-0.75 - 0.25 * np.exp(-(1.5**2) / 2), rel=1e-4)


def test_radial_of_values_weighs_how_far_bounds_of_worse_actions_reach_by_how_much_worse_they_are():
    actor = linear([[1.0, 0.0], [0.0, 1.0]])
    seen = torch.tensor([[2.0, 1.5]])
    given = transitions(actor, seen, torch.tensor([0]), torch.tensor([4.0]))
    # worse by .5; from 1.5 it comes to 2.0, the better one down to 1.5
    assert loss_of("radial:kappa=0", actor, given) == pytest.approx(0.5 * (0.5 + 0.25))
    assert loss_of("radial:kappa=1", actor, given) == pytest.approx(2 - 0.5)


@pytest.mark.parametrize("solver", ["pgd", "convex"])
def test_car_of_values_is_the_error_at_the_far_end(solver):
    actor = linear([[1.0, 0.0], [0.0, 1.0]])
    seen = torch.tensor([[2.0, 1.5], [2.0, 1.5]])
    given = transitions(actor, seen, torch.tensor([0, 1]), torch.tensor([3.0, 0.9]))
    first, second = 1.5 - 0.5, 1.1 - 0.5  # Huber's, of 1.5 and of 1.1
    weights = np.exp([first, second]) / np.exp([first, second]).sum()
    found = loss_of(f"car:solver={solver}", actor, given)
    assert found == pytest.approx(weights @ [first, second], rel=1e-3)


def test_soft_weights_go_from_the_mean_to_the_worst():
    rows = torch.tensor([0.0, 1.0, 5.0])
    assert softly(rows, 1e6).item() == pytest.approx(2.0, rel=1e-4)
    assert softly(rows, 1e-2).item() == pytest.approx(5.0)


@pytest.mark.parametrize("log_std", [None, torch.tensor([0.1, -0.3, 0.0])])
def test_bounds_of_divergences_and_of_probabilities_hold_everywhere_in_the_box(log_std):
    actor, seen = random_actor(log_std), torch.tensor([[0.3, -0.7]])
    box = HALF.box(seen)
    tried = actor(grid(seen))
    with torch.no_grad():
        assert actor.divergence(actor(seen), tried).max() <= actor.largest_divergence(actor(seen), box)
        actions = torch.tensor([0, 1, 2]) if log_std is None else torch.randn(3, 3)
        for action in actions:
            found = actor.log_prob_bounds(box, action[None])
            told = actor.log_prob(tried, action[None].expand(len(tried), *action.shape))
            assert found.lower - 1e-6 <= told.min()
            assert told.max() <= found.upper + 1e-6
            if log_std is None:
                assert actor.least_lead(box, action[None]) <= actor.lead(grid(seen), action.expand(len(tried))).min()


@pytest.mark.parametrize("log_std", [None, torch.tensor([0.1, -0.3, 0.0])])
def test_bounds_of_a_box_without_width_are_what_is_said(log_std):
    actor, seen = random_actor(log_std), torch.tensor([[0.3, -0.7], [0.0, 2.0]])
    point = Interval(seen, seen)
    action = torch.tensor([2, 0]) if log_std is None else torch.randn(2, 3)
    found = actor.log_prob_bounds(point, action)
    for end in (found.lower, found.upper):
        torch.testing.assert_close(end, actor.log_prob(actor(seen), action))
    torch.testing.assert_close(actor.largest_divergence(actor(seen), point), torch.zeros(2), atol=1e-6, rtol=0)


@pytest.mark.parametrize("solve", [langevin, ascend])
def test_inner_searches_come_near_what_is_found_on_a_grid_and_stay_in_the_box(solve):
    actor, seen = random_actor(torch.zeros(3)), torch.tensor([[0.3, -0.7], [0.5, 0.1]])
    clean = actor(seen).detach()

    def rows(point):
        return actor.divergence(clean, actor(point))

    torch.manual_seed(1)
    found = solve(rows, seen, HALF, 20, *([1e-5] if solve is langevin else []))
    assert (found - seen).abs().max() <= 0.5 + 1e-6
    for row in (0, 1):
        best = actor.divergence(clean[row], actor(grid(seen[row : row + 1]))).max()
        assert rows(found)[row] > 0.8 * best


def test_what_moves_by_standard_deviations_moves_by_them_in_what_a_normalising_learner_takes():
    env = VecNormalize(vec("vectors", action=ARMS))
    model = PPO("MlpPolicy", env, n_steps=8, batch_size=8, device="cpu")
    env.obs_rms.var = np.array([4.0, 1.0, 0.25, 1.0]) - env.epsilon
    sigma = Vicinity.of(model, Budget(eps=0.1, space="sigma"), share=0.5)
    raw = Vicinity.of(model, Budget(eps=0.1, space="raw"))
    torch.testing.assert_close(sigma.radius, torch.tensor([0.05]))
    torch.testing.assert_close(raw.radius, torch.tensor([[0.05, 0.1, 0.2, 0.1]]))
    assert (sigma.low, sigma.high) == (-10, 10)
    taken = torch.tensor([[9.98, 0.0, 12.0, -9.98]])
    torch.testing.assert_close(sigma.box(taken).upper, torch.tensor([[10.0, 0.05, 12.0, -9.93]]))


def test_what_moves_by_grey_levels_moves_by_them_over_255():
    from rlattack.training.algorithms import make_learner
    from rlattack.training.recipes import TrainSingle

    model = make_learner(TrainSingle(game="any/any", steps=10, envs=2), vec("images"), 0)
    for space, eps in (("unit", 1 / 255), ("raw", 1.0)):
        found = Vicinity.of(model, Budget(eps=eps, space=space))
        assert found.radius.item() == pytest.approx(1 / 255)
        assert found.box(torch.tensor([[0.0, 1.0]])).upper.tolist()[0] == pytest.approx([1 / 255, 1.0])


@pytest.mark.parametrize(
    ("plain", "hardened", "settings"),
    [
        (PPO, HardenedPPO, {"n_steps": 16, "batch_size": 8, "n_epochs": 2, "ent_coef": 0.01}),
        (DQN, HardenedDQN, {"learning_starts": 8, "train_freq": 4, "batch_size": 8}),
    ],
)
def test_who_is_not_hardened_learns_what_the_plain_learner_does(plain, hardened, settings):
    learned = []
    for kind in (plain, hardened):
        model = kind("MlpPolicy", vec("vectors"), seed=3, device="cpu", **settings)
        model.learn(64)
        learned.append(model.policy.state_dict())
    assert all(torch.equal(tensor, learned[1][name]) for name, tensor in learned[0].items())


def test_continuous_actions_too():
    learned = []
    for kind in (PPO, HardenedPPO):
        model = kind("MlpPolicy", VecNormalize(vec("vectors", action=ARMS)), 1e-3, 16, 8, seed=3, device="cpu")
        model.learn(64)
        learned.append(model.policy.state_dict())
    assert all(torch.equal(tensor, learned[1][name]) for name, tensor in learned[0].items())
