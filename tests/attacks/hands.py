"""Players whose actions and critics are known by hand, and attacks on what they do."""

import numpy as np
import torch
from gymnasium.spaces import Box

from rlattack.attacks import ActionAttacker, make_attack
from rlattack.budget import Budget
from rlattack.evaluation.judge import Judge
from rlattack.evaluation.observer import Moment
from rlattack.policies.distributions import Normal, Point
from rlattack.policies.policy import Output
from tests.kit.by_hand import ByHand

ACTION = Box(-1, 1, (3,), np.float32)


SLOTS = 4


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
