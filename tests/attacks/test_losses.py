"""What gradient attacks climb at victims of continuous actions, beside plain torch loops from the same starts."""

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box

from rlattack.attacks import Attacker, make_attack
from rlattack.budget import Budget
from rlattack.defences import Front
from rlattack.defences.defended import Defended
from rlattack.errors import InvalidInput
from rlattack.policies.channels import Picked
from rlattack.policies.gaussian import GaussianPolicy
from rlattack.specs import NoParameters
from tests.kit.agents import gaussian_network, linear_policy, streams

ENTRIES, ACTIONS, SLOTS, EPS, STEPS = 6, 3, 4, 0.1, 10
SPACE, RANGE = Box(-np.inf, np.inf, (ENTRIES,), np.float32), Box(-2, 1, (ACTIONS,), np.float32)
CRITIC = {"critic": (8,), "judges": "actions", "critics": 2}
VICTIMS = {
    "ppo": {"hidden": (8, 8), "critic": (8,)},
    "recurrent ppo": {"hidden": (), "memory": 5, "critics": 0, "after": (4,), "activation": "tanh"},
    "recurrent critic": {"hidden": (7,), "memory": 5, "critic": (6,), "activation": "tanh"},
    "shared memory": {"hidden": (), "memory": 5, "activation": "tanh", "critic_memory": "actor", "critic_after": (3,)},
    "forgetful critic": {"hidden": (), "memory": 5, "activation": "tanh", "critic_memory": "none", "critic": (3,)},
    "sac": {"head": "squashed", "deviation": "layer", "hidden": (8,), "activation": "relu", **CRITIC},
    "td3": {"head": "squashed-point", "hidden": (8,), "activation": "relu", **CRITIC},
    "tqc": {"head": "squashed", "deviation": "layer", "hidden": (8,), "quantiles": 5, **CRITIC},
}
LOSSES = [
    ("ppo", "mad"), ("ppo", "value"), ("recurrent ppo", "mad"), ("sac", "mad"), ("sac", "value"), ("sac", "q"),
    ("td3", "mad"), ("td3", "q"), ("tqc", "q"), ("recurrent critic", "value"), ("recurrent critic", "mad"),
    ("shared memory", "value"), ("forgetful critic", "value"),
]  # fmt: skip


def victim(name):
    network = gaussian_network(ENTRIES, ACTIONS, clip=10.0, **VICTIMS[name])
    network.obs_mean += 0.3
    network.obs_std *= torch.linspace(0.5, 2.0, ENTRIES)
    return GaussianPolicy(network, RANGE)


def attacker(policy, name="pgd", norm="linf", **parameters):
    made = Attacker(make_attack(name, Budget(norm=norm, eps=EPS, space="sigma"), **parameters), policy, SPACE, SLOTS)
    made.restart(np.arange(SLOTS), [np.random.SeedSequence(seed) for seed in range(SLOTS)])
    return made


def obs(seed=1):
    return torch.randn(SLOTS, ENTRIES, generator=torch.Generator().manual_seed(seed))


def plain(policy, loss, seen, clean, state, critic=None):
    """The loss of what is seen, written with torch alone; `critic` is the state of whose memory the critic reads."""
    network = policy.network
    out = policy(seen, state).actions
    if loss == "value":
        return -(network.values(seen, critic)[0] if network.spec.judges == "states" else q_of(policy, seen, out.greedy))
    if loss == "q":
        return -q_of(policy, clean, out.greedy)
    before = policy(clean, state).actions
    if network.spec.head.endswith("point"):
        return (out.greedy - before.greedy).square().sum(dim=1)
    pair = [torch.distributions.Normal(one.mean, one.deviation) for one in (before, out)]
    return torch.distributions.kl_divergence(*pair).sum(dim=1)


def q_of(policy, seen, action):
    network = policy.network
    share = 2 * (action - torch.tensor(RANGE.low)) / torch.tensor(RANGE.high - RANGE.low) - 1
    into = torch.cat([((seen - network.obs_mean) / network.obs_std).clamp(-10, 10), share], dim=1)
    return torch.stack([one.out(one.layers(into)).mean(dim=1) for one in network.q]).amin(dim=0)


def loop(policy, loss, clean, start, state, norm, critic=None):
    """Projected gradient ascent in standard deviations, by hand."""
    unit, radius = policy.network.obs_std, EPS if norm == "linf" else EPS * ENTRIES**0.5
    delta = ((start - clean) / unit).clone()
    for _ in range(STEPS):
        delta.requires_grad_(True)
        (slope,) = torch.autograd.grad(plain(policy, loss, clean + delta * unit, clean, state, critic).sum(), delta)
        way = slope.sign() if norm == "linf" else slope / slope.norm(dim=1, keepdim=True)
        delta = delta.detach() + 2.5 / STEPS * radius * way
        size = delta.norm(dim=1, keepdim=True)
        delta = delta.clamp(-radius, radius) if norm == "linf" else delta * (radius / size).clamp_max(1.0)
    return clean + delta * unit


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize(("name", "loss"), LOSSES)
def test_pgd_is_a_plain_torch_loop_from_the_same_start(name, loss, norm):
    policy = victim(name)
    made, state = attacker(policy, norm=norm, loss=loss), policy.initial_state(SLOTS)
    critic, network = None, policy.network
    for seed in (5, 6):  # of a victim with a memory, the third step of an episode
        received = made(obs(seed))
        state = policy(received, state).state
        critic = network.values(received, critic)[1] if network.critic_remembers else None
    draws = streams(*range(SLOTS))
    starts = [made.reach.random_point(obs(seed), draws) for seed in (5, 6, 1)]
    received, expected = made(obs()), loop(policy, loss, obs(), starts[-1], state, norm, critic)
    torch.testing.assert_close(received, expected, rtol=1e-5, atol=1e-5)
    before, after = (plain(policy, loss, seen, obs(), state, critic) for seen in (obs(), received))
    assert (after > before).all()


def test_a_critic_that_remembers_is_asked_about_each_episode_by_itself():
    """A slot whose episode began anew is answered as one that never played; the other one is not."""
    policy = victim("recurrent critic")
    made, fresh = attacker(policy, loss="value", random_start=False), attacker(policy, loss="value", random_start=False)
    made(obs(5))
    made.restart(np.asarray([1]), [np.random.SeedSequence(1)])
    one, two = made(obs()), fresh(obs())
    assert one[1].equal(two[1])
    assert policy.value(obs(), None, policy.initial_state(SLOTS)) is None  # without the memory of its critic
    told = [wrapped.oracle.estimate("value", obs()) for wrapped in (made, fresh)]
    assert not torch.equal(told[0][0], told[1][0])


def test_a_front_and_a_turn_let_a_critic_that_remembers_be_asked():
    class Glass(Front):
        def seen(self, obs, draws):
            return obs.clone()

    policy = victim("recurrent critic")
    picked = Picked(policy, torch.arange(ENTRIES).flip(0), ENTRIES, ())
    clean = obs()
    one, two, three = (
        attacker(of, norm="l2", loss="value", random_start=False)(seen)
        for of, seen in ((policy, clean), (Defended(policy, Glass(NoParameters())), clean), (picked, clean.flip(1)))
    )
    torch.testing.assert_close(one, two)
    torch.testing.assert_close(one, three.flip(1))


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_the_critic_attack_of_sa_ppo_takes_ten_steps_of_a_tenth_from_the_clean_observation(norm):
    policy, clean = victim("ppo"), obs()
    received = attacker(policy, norm=norm, loss="value", steps=10, step=EPS / 10, random_start=False)(clean)
    delta, unit = torch.zeros_like(clean), policy.network.obs_std
    radius = EPS if norm == "linf" else EPS * ENTRIES**0.5
    for _ in range(10):
        delta.requires_grad_(True)
        (slope,) = torch.autograd.grad(policy.network.values(clean + delta * unit)[0].sum(), delta)
        way = slope.sign() if norm == "linf" else slope / slope.norm(dim=1, keepdim=True)
        delta = delta.detach() - radius / 10 * way
    torch.testing.assert_close(received, clean + delta * unit, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("name", "loss"), LOSSES)
def test_more_restarts_are_never_worse(name, loss):
    policy, state = victim(name), victim(name).initial_state(SLOTS)
    found = [
        plain(policy, loss, attacker(policy, loss=loss, steps=1, step=0.02, restarts=n)(obs()), obs(), state)
        for n in (1, 4)
    ]
    assert (found[1] >= found[0] - 1e-6).all()
    assert (found[1] > found[0]).any()


@pytest.mark.parametrize(
    ("name", "parameters", "queries", "gradients"),
    [
        ("fgsm", {"loss": "value"}, 0, 1),
        ("fgsm", {"loss": "q"}, 0, 1),
        ("fgsm", {"loss": "mad", "random_start": True}, 1, 1),
        ("pgd", {"loss": "q", "steps": 4}, 0, 4),
        ("pgd", {"loss": "value", "steps": 3, "restarts": 2}, 2, 6),
        ("pgd", {"loss": "mad"}, 1, 10),
    ],
)
def test_questions_to_a_critic_are_counted_of_slots_that_play(name, parameters, queries, gradients):
    made = attacker(victim("sac"), name, **parameters)
    made(obs(), np.asarray([True, True, False, True]))
    assert made.oracle.queries.tolist() == [queries, queries, 0, queries]
    assert made.oracle.gradients.tolist() == [gradients, gradients, 0, gradients]


@pytest.mark.parametrize("loss", ["mad", "value", "q"])
def test_an_attack_knows_no_better_name_for_the_default_of_continuous_actions_than_mad(loss):
    made = [attacker(victim("sac"), **about)(obs()) for about in ({}, {"loss": loss})]
    assert torch.equal(*made) == (loss == "mad")


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        (
            "ppo",
            {"loss": "q"},
            "loss=q lowers what the victim's critic says of what it does, and .* has none .* use loss=mad",
        ),
        ("recurrent ppo", {"loss": "value"}, "loss=value lowers .* says of what it sees, .* has none"),
        ("recurrent ppo", {"loss": "q"}, "loss=q lowers what the victim's critic says of what it does"),
        ("sac", {"loss": "margin"}, "continuous actions take loss=mad, value or q, and no target"),
        ("sac", {"loss": "q", "target": 1}, "continuous actions take loss=mad, value or q, and no target"),
    ],
)
def test_a_loss_that_a_victim_has_not_is_refused_in_words(name, parameters, message):
    with pytest.raises(InvalidInput, match=message):
        attacker(victim(name), **parameters)


@pytest.mark.parametrize(
    ("loss", "parameters", "message"),
    [
        ("q", {}, "loss=q is for continuous actions; use loss=margin"),
        ("value", {}, "loss=value lowers what the victim's critic says"),
        ("value", {"target": 1}, "loss=value has no target; loss=ce, margin, dlr have"),
        ("mad", {"target": 1}, "loss=mad has no target"),
    ],
)
def test_a_loss_that_a_victim_of_discrete_actions_has_not_is_refused_in_words(loss, parameters, message):
    policy = linear_policy(torch.ones(2, ENTRIES))
    with pytest.raises(InvalidInput, match=message):
        Attacker(make_attack("pgd", Budget(eps=EPS, space="raw"), loss=loss, **parameters), policy, SPACE, SLOTS)


def test_of_a_victim_that_acts_by_q_values_the_value_is_the_largest():
    policy = linear_policy(torch.eye(2, ENTRIES), value_based=True)
    made = Attacker(make_attack("fgsm", Budget(eps=EPS, space="raw"), loss="value"), policy, SPACE, SLOTS)
    best = obs()[:, :2].argmax(dim=1)
    expected = obs() - EPS * torch.nn.functional.one_hot(best, ENTRIES)
    torch.testing.assert_close(made(obs()), expected)


# Linear policies, as those of ARS: the worst perturbation is known.


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_fgsm_is_the_closed_form_optimum_against_a_linear_policy(norm):
    network = gaussian_network(ENTRIES, 1, head="point", hidden=(), critics=0, clip=1e6)
    network.obs_std *= torch.linspace(0.5, 2.0, ENTRIES)
    policy, clean = GaussianPolicy(network, Box(-9, 9, (1,))), obs()
    weight, unit = network.pi.out.weight[0], network.obs_std  # of what is counted: standard deviations
    received = attacker(policy, "fgsm", norm, loss="mad", random_start=True)(clean)
    largest = (torch.arange(ENTRIES) == weight.abs().argmax()) * weight.sign()
    worst = {
        "linf": EPS * weight.sign(),
        "l2": EPS * ENTRIES**0.5 * weight / weight.norm(),
        "l1": EPS * ENTRIES * largest,
    }[norm]
    delta = (received - clean) / unit
    side = (delta @ weight).sign()[:, None]  # both directions move the action as far
    torch.testing.assert_close(delta, side * worst, rtol=1e-5, atol=1e-6)
    dual = {"linf": weight.abs().sum(), "l2": ENTRIES**0.5 * weight.norm(), "l1": ENTRIES * weight.abs().max()}[norm]
    moved = (policy(received).actions.greedy - policy(clean).actions.greedy)[:, 0].abs()
    torch.testing.assert_close(moved, (EPS * dual).expand(SLOTS), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_fgsm_is_the_closed_form_optimum_against_a_linear_critic(norm):
    network = gaussian_network(ENTRIES, ACTIONS, hidden=(), critic=(), clip=1e6)
    policy, clean = GaussianPolicy(network), obs()
    received = attacker(policy, "fgsm", norm, loss="value")(clean)
    weight = network.vf.out.weight[0]
    dual = {"linf": weight.abs().sum(), "l2": ENTRIES**0.5 * weight.norm(), "l1": ENTRIES * weight.abs().max()}[norm]
    fell = network.values(clean)[0] - network.values(received)[0]
    torch.testing.assert_close(fell, (EPS * dual).expand(SLOTS), rtol=1e-4, atol=1e-6)
