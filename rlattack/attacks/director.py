"""Directors: who say where a victim's decision should go, while its own slope says how what it sees is moved for that.

The actor of PA-AD (Sun et al. 2022, sec. 4.2) looks within the reach for what moves the policy furthest in a direction
a. Its eq. G adds the length of the move to its cosine with a; here their product, the move along a, is climbed, which
has a slope at the clean observation too.
"""

import math

from torch import Tensor

from rlattack.attacks.target import Target
from rlattack.budget import Ball
from rlattack.policies.distributions import Actions, Categorical, Choices, Normal

_STEPS = 2.5
"""The way of several steps together, in radii, as PGD's."""


def led(actions: Actions) -> Tensor:
    """What a director leads, shape (n, outputs): scores, or the means of continuous actions before they are bounded."""
    if isinstance(actions, Categorical | Choices):
        return actions.scores
    return actions.mean if isinstance(actions, Normal) else actions.greedy


def lead(victim: Target, obs: Tensor, wanted: Tensor, reach: Ball, steps: int = 1) -> Tensor:
    """Moves what is seen so that the victim's decision goes in a direction: FGSM, or PGD of several steps.

    Args:
        victim: Whose decision it is.
        obs: Shape (slots, *observation).
        wanted: The direction in what `led` gives, shape (slots, outputs).
        reach: What the observations may become; whoever calls settles in it.
        steps: Gradients.
    """
    length = reach.radius * min(1.0, _STEPS / steps)
    adv = obs
    for number in range(steps):
        start = reach.project(adv, obs) if number else obs
        adv = reach.ascend(start, victim.gradient(start, lambda out: (led(out.actions) * wanted).sum()), length)
    return adv


def outputs(actions: Actions) -> int:
    """How many numbers say such a direction: of scores to choose by, which mean nothing together, one less."""
    count = int(math.prod(led(actions).shape[1:]))
    return count - 1 if isinstance(actions, Categorical) else count
