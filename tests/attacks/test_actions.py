"""Attacks on what a victim does: every one keeps its reach, and what the worst action is, is known by hand."""

import itertools

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete

from rlattack.attacks import ATTACKS, ActionAttack, ActionAttacker, Schedule, make_attack
from rlattack.budget import Budget
from rlattack.errors import BudgetError, InvalidInput
from rlattack.evaluation.judge import Judge
from rlattack.evaluation.observer import Moment
from rlattack.policies.distributions import Normal, Point, SquashedNormal
from rlattack.policies.gaussian import GaussianPolicy
from rlattack.policies.policy import Output
from rlattack.specs import NoParameters
from tests.kit.agents import linear_gaussian_network, random_linear_policy
from tests.kit.games import ByHand

ACTION = Box(-1, 1, (3,), np.float32)
SLOTS = 4
HAND = [name for name in ATTACKS if name not in ATTACKS.added and ATTACKS.get(name).access == "action"]
CASES = list(itertools.product(HAND, ("linf", "l2", "l1")))


class Certain(ByHand):
    """Does what it sees; `kind` says by which distribution."""

    observation = (3,)
    action = ACTION

    def __init__(self, kind=Normal, deviation=(0.5, 0.5, 0.5)):
        self.kind, self.deviation = kind, torch.tensor(deviation)

    def __call__(self, obs, state=None, draws=None):
        low, high = -torch.ones(3), torch.ones(3)
        certain = self.kind is Point
        return Output(Point(obs, low, high) if certain else self.kind(obs, low, high, self.deviation))


class Valued(Certain):
    """Its critic values actions by their distance from the best one, or by a slope; what it sees adds nothing."""

    def __init__(self, *, slope=None, best=None):
        super().__init__()
        self.slope, self.best = slope, best

    def value(self, obs, action=None, state=None):
        if self.slope is not None:
            return (action * torch.tensor(self.slope)).sum(dim=1)
        return -(action - torch.tensor(self.best)).square().sum(dim=1)


class Stateful(Certain):
    """Counts, and values actions by a slope of the sign of what it counted."""

    def __call__(self, obs, state=None, draws=None):
        return Output(super().__call__(obs).actions, state=state + 1)

    def value(self, obs, action=None, state=None):
        return (action * (state - 1.5).sign()).sum(dim=1)

    def initial_state(self, n):
        return torch.zeros(n, 1)


def attacker_of(policy, name="mas", norm="linf", eps=0.25, schedule=None, seeds=range(SLOTS), **parameters):
    attack = make_attack(name, Budget(norm=norm, eps=eps, space="raw"), **parameters)
    return begun(ActionAttacker(attack, policy, ACTION, SLOTS, schedule), seeds)


def begun(attacker, seeds=range(SLOTS)):
    attacker.restart(np.arange(SLOTS), [np.random.SeedSequence(seed) for seed in seeds])
    return attacker


def every():
    return np.ones(SLOTS, dtype=bool)


def seen(seed=0):
    """What is seen, and an action within the range."""
    rng = torch.Generator().manual_seed(seed)
    return torch.rand(SLOTS, 3, generator=rng) - 0.5, torch.rand(SLOTS, 3, generator=rng) * 1.6 - 0.8


def judged(attacker, obs, chosen, done, active=None):
    """What the judge finds of one step, a judgement a slot."""
    judge, out = Judge(0, [attacker]), Output(Point(chosen, torch.tensor(-1.0), torch.tensor(1.0)))
    judge.see(
        Moment(
            seat=0, acting=every() if active is None else active, episode=np.zeros(SLOTS, dtype=np.int64),
            shown=obs.numpy(), received=obs, before=None, out=out, chosen=chosen, action=done, legal=None,
            ask=lambda: out,
        )
    )  # fmt: skip
    return [judge.judgement(slot) for slot in range(SLOTS)]


@pytest.mark.parametrize(("name", "norm"), CASES)
def test_every_attack_on_actions_keeps_its_budget_before_the_judge(name, norm):
    attacker = attacker_of(Certain(), name, norm)
    obs, chosen = seen()
    chosen = 2 * chosen  # some beyond the range, as a sampled action may be
    kept = obs.clone(), chosen.clone()
    found = judged(attacker, obs, chosen, attacker(obs, chosen, every()))
    assert torch.equal(obs, kept[0])
    assert torch.equal(chosen, kept[1])
    assert [(one.attacked, one.broken) for one in found] == [(1, 0)] * SLOTS
    factor = {"linf": 1.0, "l2": 3**0.5, "l1": 3.0}[norm]
    assert all(0 < one.sizes[f"action {norm}"] <= 0.25 * factor + 1e-6 for one in found)


@pytest.mark.parametrize(("name", "norm"), CASES)
def test_what_is_done_in_a_slot_depends_on_its_own_episode_alone(name, norm):
    obs, chosen = seen()
    both = []
    for slot, others in ((1, 2.0), (1, -3.0)):
        attacker = attacker_of(Certain(), name, norm, seeds=[9, 42, 9, 9])
        shown, done = others * obs, others / 4 * chosen
        shown[slot], done[slot] = obs[slot], chosen[slot]
        both.append(torch.stack([attacker(shown, done, every())[slot] for _ in range(3)]))
    assert torch.equal(*both)


@pytest.mark.parametrize(("name", "norm"), CASES)
def test_an_attack_on_actions_forgets_an_episode_when_the_next_begins(name, norm):
    obs, chosen = seen()
    attacker = attacker_of(Certain(), name, norm)
    first = [attacker(obs, chosen, every()) for _ in range(2)]
    begun(attacker)
    assert torch.equal(torch.stack(first), torch.stack([attacker(obs, chosen, every()) for _ in range(2)]))


@pytest.mark.parametrize("name", HAND)
def test_idle_slots_do_what_the_victim_chose_and_are_not_counted(name):
    obs, chosen = seen()
    active = np.asarray([True, False, False, True])
    attacker = attacker_of(Certain(), name)
    done = attacker(obs, chosen, active)
    assert (done != chosen).any(dim=1).tolist() == active.tolist()
    assert attacker.oracle.queries[~active].sum() == attacker.oracle.gradients[~active].sum() == 0
    assert torch.equal(attacker(obs, chosen, ~every()), chosen)


class Some(Schedule):
    def now(self, victim, obs, draws):
        return torch.tensor([False, True, False, True])


@pytest.mark.parametrize("name", HAND)
def test_a_schedule_holds_for_actions(name):
    obs, chosen = seen()
    attacker = attacker_of(Certain(), name, schedule=Some())
    assert (attacker(obs, chosen, every()) != chosen).any(dim=1).tolist() == [False, True, False, True]
    assert attacker.oracle.queries.tolist() == ([0, 0, 0, 0] if name == "action-noise" else [0, 1, 0, 1])


def best_of_ends(reach, chosen, value):
    """The corner of the box around each action at which `value` is largest, by trying all."""
    low, high = (chosen - reach).clamp(-1, 1), (chosen + reach).clamp(-1, 1)
    corners = torch.stack(
        [torch.where(torch.tensor(up), high, low) for up in itertools.product((False, True), repeat=3)]
    )
    return torch.stack([value(corner) for corner in corners]).amax(dim=0)


def test_mas_takes_the_action_that_the_victim_is_least_likely_to_take_as_trying_all_corners_finds():
    policy, (obs, chosen) = Certain(deviation=(0.5, 0.1, 2.0)), seen()
    actions = policy(obs).actions
    done = attacker_of(policy)(obs, chosen, every())
    assert actions.surprise(done).tolist() == pytest.approx(best_of_ends(0.25, chosen, actions.surprise).tolist())


def test_mas_leads_away_from_the_mean_of_equal_deviations_in_a_straight_line():
    obs, chosen = seen()
    done = attacker_of(Certain(), norm="l2", eps=0.05)(obs, 0.5 * chosen, every())
    away = (0.5 * chosen - obs) / (0.5 * chosen - obs).norm(dim=1, keepdim=True)
    assert torch.allclose(done, 0.5 * chosen + 0.05 * 3**0.5 * away, atol=2e-4)


@pytest.mark.parametrize("kind", [Normal, SquashedNormal, Point])
def test_mas_moves_who_acts_greedily_too(kind):
    policy, (obs, _) = Certain(kind), seen()
    chosen = policy(obs).actions.greedy
    done = attacker_of(policy)(obs, chosen, every())
    if kind is not SquashedNormal:
        assert (done - chosen).abs().numpy() == pytest.approx(0.25, abs=1e-6)
    assert (policy(obs).actions.surprise(done) > policy(obs).actions.surprise(chosen)).all()


def test_mas_descends_the_victim_s_own_critic_where_it_looks_at_actions():
    obs, chosen = seen()
    slope = (0.3, -2.0, 0.01)
    sign, weight = torch.tensor(slope).sign(), torch.tensor(slope)
    linf = attacker_of(Valued(slope=slope))(obs, chosen, every())
    assert torch.allclose(linf, (chosen - 0.25 * sign).clamp(-1, 1))
    l2 = attacker_of(Valued(slope=slope), norm="l2", eps=0.05)(obs, 0.5 * chosen, every())
    assert torch.allclose(l2, 0.5 * chosen - 0.05 * 3**0.5 * weight / weight.norm(), atol=1e-4)
    l1 = attacker_of(Valued(slope=slope), norm="l1", eps=0.05)(obs, 0.5 * chosen, every())
    assert torch.allclose(l1, 0.5 * chosen + torch.tensor([0.0, 0.15, 0.0]), atol=1e-3)


def test_mas_finds_the_least_valued_action_of_a_critic_with_a_peak():
    policy, (obs, chosen) = Valued(best=(0.9, -0.9, 0.0)), seen()
    done = attacker_of(policy)(obs, chosen, every())
    worst = best_of_ends(0.25, chosen, lambda action: -policy.value(obs, action))
    assert (-policy.value(obs, done)).tolist() == pytest.approx(worst.tolist(), rel=1e-4)


def test_mas_asks_the_critic_with_what_the_victim_remembers():
    obs, chosen = seen()
    attacker = attacker_of(Stateful())
    moved = [(attacker(obs, chosen, every()) - chosen).sign()[0, 0].item() for _ in range(3)]
    assert moved == [1, 1, -1]


@pytest.mark.parametrize(
    ("policy", "queries", "gradients"),
    [
        (Valued(slope=(1.0, 1.0, 1.0)), 0, 4),
        (Certain(), 1, 0),
        (GaussianPolicy(linear_gaussian_network(torch.eye(3))), 1, 0),
    ],
)
def test_what_mas_asks_is_counted_and_a_critic_that_looks_at_no_action_is_none(policy, queries, gradients):
    attacker = attacker_of(policy, steps=4)
    attacker(*seen(), every())
    assert attacker.oracle.queries.tolist() == [queries] * SLOTS
    assert attacker.oracle.gradients.tolist() == [gradients] * SLOTS


def test_noise_on_actions_goes_as_far_as_the_budget_in_a_direction_of_each_slot():
    obs, chosen = seen()
    attacker = attacker_of(Certain(), "action-noise", eps=0.125)
    moved = [attacker(obs, 0.5 * chosen, every()) - 0.5 * chosen for _ in range(8)]
    assert torch.stack(moved).abs().numpy() == pytest.approx(0.125, abs=1e-6)
    assert len({tuple(one.sign().flatten().tolist()) for one in moved}) > 4


class Sly(ActionAttack):
    """Wants to do 100 more than it may."""

    name = "sly"

    def __init__(self):
        super().__init__(Budget(eps=0.25, space="raw"), NoParameters())
        self.kept = []

    def act(self, victim, obs, action, reach, draws):
        for tensor in self.kept:
            tensor.fill_(55.0)
        wanted = self.wish(victim, obs, action, reach)
        self.kept += [obs, action, wanted]
        return wanted

    def wish(self, victim, obs, action, reach):
        return action + 100.0


class InPlace(Sly):
    def wish(self, victim, obs, action, reach):
        obs.add_(3.0)
        return action.add_(100.0)


class Widening(Sly):
    def wish(self, victim, obs, action, reach):
        object.__setattr__(reach, "radius", 1e6)
        reach.high.mul_(1000.0)
        victim.clean_output.actions.mean.fill_(9.0)
        return action + 100.0


@pytest.mark.parametrize("kind", [Sly, InPlace, Widening])
def test_what_a_sly_attack_on_actions_does_is_kept_to_the_budget_and_judged_as_it_is(kind):
    obs, chosen = seen()
    kept, attacker = (obs.clone(), chosen.clone()), begun(ActionAttacker(kind(), Certain(), ACTION, SLOTS))
    for _ in range(3):
        done = attacker(obs, chosen, every())
        assert torch.equal(done, (kept[1] + 0.25).clamp(-1, 1))
        assert torch.equal(obs, kept[0])
        assert torch.equal(chosen, kept[1])
        found = judged(attacker, obs, chosen, done)
        assert [(one.attacked, one.broken) for one in found] == [(1, 0)] * SLOTS


@pytest.mark.parametrize("change", [0.3, 5.0])
def test_an_action_out_of_reach_is_judged_broken(change):
    obs, chosen = seen()
    done = chosen.clone()
    done[2, 1] += change
    found = judged(attacker_of(Certain()), obs, chosen, done)
    assert [one.broken for one in found] == [0, 0, 1, 0]
    assert found[2].sizes["action linf"] == pytest.approx(change)


@pytest.mark.parametrize("name", HAND)
@pytest.mark.parametrize(
    ("budget", "policy", "space", "parameters", "error", "message"),
    [
        ({"norm": "l0", "eps": 1.0}, Certain(), ACTION, {}, BudgetError, "has the norms linf, l2, l1, got l0"),
        ({"eps": 3.0}, Certain(), ACTION, {}, BudgetError, "more than the whole range of an entry, 2 in --space raw"),
        ({"space": "unit"}, Certain(), ACTION, {}, BudgetError, "use --space raw"),
        ({"eps": None}, Certain(), ACTION, {}, BudgetError, "needs at least one size"),
        ({}, random_linear_policy((3,)), Discrete(3), {}, InvalidInput, "expected continuous actions$"),
    ],
)
def test_what_makes_no_sense_for_actions_is_refused(name, budget, policy, space, parameters, error, message):
    values = {"eps": 0.25, "space": "raw"} | budget
    with pytest.raises(error, match=message):
        ActionAttacker(make_attack(name, Budget(**values), **parameters), policy, space, SLOTS)


def test_mas_without_steps_is_refused():
    with pytest.raises(InvalidInput, match="mas: steps are at least 1, got 0"):
        attacker_of(Certain(), steps=0)
