"""Whether gradients tell the truth of a victim (Athalye et al. 2018, sec. 3.1; Carlini et al. 2019, sec. 5).

In states of tuning episodes attacks raise the same loss, and of two of them one has all that the other has, and more:
steps, size, or gradients beside none. Where that one gains less, gradients lead astray.
"""

import math
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from rlattack.attacks.attack import Setting
from rlattack.attacks.ensemble import Kind, Probe
from rlattack.attacks.make import make_attack
from rlattack.attacks.objective import GradientAttack, Loss
from rlattack.attacks.tuning import Tuning
from rlattack.budget import Ball, Budget
from rlattack.policies.distributions import Categorical

_STEPS, _TIMES = 10, 4
"""Steps of the weaker attack by gradients, and how many times as many the stronger one has."""
_RESTARTS = 5
"""Of the best of all: the divergence of continuous actions has several peaks, which random points all see."""
_FEW, _MORE, _WIDE = f"pgd:steps={_STEPS}", f"pgd:steps={_STEPS * _TIMES}", f"pgd:steps={_STEPS} at twice the size"
GRADIENTS = (2 + _TIMES) * _STEPS + 2 * _STEPS * _RESTARTS
"""Backward passes in every state, of all attacks together."""
_BEST, _BLIND, _DRAWN = f"apgd:steps={2 * _STEPS},restarts={_RESTARTS}", "square", "redraws"
_PAIRS: tuple[tuple[Kind, str, str], ...] = (
    ("steps", _FEW, _MORE), ("size", _FEW, _WIDE), ("black box", _BLIND, _BEST), ("random starts", _DRAWN, _BEST),
)  # fmt: skip


@dataclass(frozen=True)
class Looks:
    """What was found, as `Ensemble` has it."""

    probes: tuple[Probe, ...]
    states: int
    flat: float


def look(tuning: Tuning, budget: Budget, setting: Setting, states: int, queries: int) -> Looks:
    """Probes the victim of tuning episodes.

    Args:
        tuning: Gives the states.
        budget: Of the attacks, in a ball.
        setting: Where they work.
        states: How many, at least.
        queries: Outputs that attacks without gradients ask for in each.
    """
    victim, reach, draws = tuning.victim, tuning.reach, tuning.draws
    assert isinstance(reach, Ball), "declared by who asks"
    pgd, attacks = _attacks(budget, setting, reach, queries)
    gains: dict[str, list[Tensor]] = {name: [] for name in attacks}
    flat, seen = torch.zeros(()), 0
    for shown in tuning.observations(-(-states // victim.slots)):
        tuning.begin(shown)
        climb = pgd.climb(victim, shown, draws)
        before = climb.rows(shown)
        for name, (attack, within) in attacks.items():
            received = within.settle(attack.perturb(victim, shown.clone(), within, draws), shown)
            gains[name].append(climb.rows(received) - before)
        slope = reach.only_free(climb.gradient(reach.random_point(shown, draws))).flatten(1).abs().amax(dim=1)
        flat, seen = flat + (~(slope > 0)).sum(), seen + len(shown)  # no number is no slope either
    found = {name: torch.cat(of) for name, of in gains.items()}
    probes = tuple(_probe(*pair, found) for pair in _PAIRS if found.keys() >= {*pair[1:]})
    return Looks(probes, seen, float(flat) / seen)


def _attacks(
    budget: Budget, setting: Setting, reach: Ball, queries: int
) -> tuple[GradientAttack[Any], dict[str, tuple[GradientAttack[Any], Ball]]]:
    """Attacks on the one loss that has a slope wherever the victim is certain, by name, and what each is held to."""
    loss: Loss = "margin" if isinstance(setting.actions, Categorical) else "mad"

    def made(name: str, **parameters: Any) -> GradientAttack[Any]:
        attack = make_attack(name, budget, loss=loss, **parameters)
        attack.check(setting)
        assert isinstance(attack, GradientAttack), "all of these are"
        return attack

    pgd = made("pgd", steps=_STEPS)
    attacks = {
        _FEW: (pgd, reach), _MORE: (made("pgd", steps=_STEPS * _TIMES), reach),
        _WIDE: (pgd, replace(reach, radius=2 * reach.radius)),
        _BEST: (made("apgd", steps=2 * _STEPS, restarts=_RESTARTS), reach),
        _DRAWN: (made("redraws", queries=queries), reach),
    }  # fmt: skip
    if reach.kind == "linf":
        attacks[_BLIND] = made("square", queries=queries), reach
    return pgd, attacks


def _probe(kind: Kind, weaker: str, stronger: str, gains: dict[str, Tensor]) -> Probe:
    """Compares two attacks by the ratio of their means; its spread is that of the differences of the same states."""
    before, after = gains[weaker].double(), gains[stronger].double()
    gained, most = float(before.mean()), None
    if gained > 0:
        ratio = float(after.mean()) / gained
        spread = float((after - ratio * before).std(unbiased=False)) / math.sqrt(len(before))
        most = ratio + 1.96 * spread / gained
    return Probe(kind, weaker, stronger, gained, float(after.mean()), most)
