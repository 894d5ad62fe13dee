"""The nearest boundary of what a victim does, as if its scores were linear: where DeepFool and FAB go."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from rlattack.arrays import rowwise
from rlattack.attacks.aim import Aim, scores_of
from rlattack.attacks.minimal import Turn
from rlattack.budget import Ball
from rlattack.policies.distributions import ILLEGAL
from rlattack.policies.policy import Output
from rlattack.specs import Count


@dataclass(frozen=True, kw_only=True)
class BoundaryConfig(Aim):
    """Parameters of attacks that go to boundaries."""

    steps: Count = 50
    """Steps at most, each to where the victim would choose otherwise if it were linear."""
    candidates: Count = 10
    """How many other actions are tried in each step, the best scored ones: one gradient each. A target is one."""


def boundaries(
    turn: Turn, point: Tensor, out: Output, candidates: int, only: Tensor
) -> Iterator[tuple[Tensor, Tensor]]:
    """How far the scores of other actions are above the present one's, shape (slots,), and the slope of that.

    Args:
        turn: What is asked for: any other action, or one.
        point: Shape (slots, *observation).
        out: The output there.
        candidates: How many other actions at most, the best scored ones.
        only: The slots that are asked about.
    """
    scores, own = scores_of(out), turn.leaves(out)[:, None]
    gaps = scores - scores.gather(1, own)
    if turn.targeted:
        others = turn.goal[:, None]
    else:
        others = gaps.scatter(1, own, -torch.inf).topk(min(candidates, scores.shape[1] - 1), dim=1).indices
    for other in others.T:
        gap_to = partial(_gap, other=other[:, None], own=own)
        yield gaps.gather(1, other[:, None]).squeeze(1), turn.victim.gradient(point, gap_to, only=only)


def to_boundary(
    turn: Turn, point: Tensor, out: Output, candidates: int, only: Tensor, reach: Ball,
    shared: Callable[[Tensor], Tensor] = lambda slope: slope,
) -> Tensor:  # fmt: skip
    """The shortest step to where another action scores as high, if scores were linear; zeros where there is no way.

    Moosavi-Dezfooli et al. 2016, eq. 8, 9 and 11; entries at an end of their range are moved no further.

    Args:
        turn: What is asked for.
        point: Shape (slots, *observation).
        out: The output there.
        candidates: How many other actions at most.
        only: The slots that are asked about.
        reach: In which steps are measured.
        shared: What slopes are where entries move together; by default each for itself.
    """
    nearest, shortest = torch.full((len(point),), torch.inf), torch.zeros_like(point)
    for gap, grad in boundaries(turn, point, out, candidates, only):
        slope = shared(_inwards(grad, point, reach))
        direction = reach.ascend(torch.zeros_like(point), slope, 1.0)
        gain = (slope * direction).flatten(1).sum(dim=1)  # of a step of length 1: the dual norm of the slope
        distance = torch.where((gain > 0) & (gap > ILLEGAL / 2), gap.abs() / gain, torch.inf)
        shortest = torch.where(rowwise(distance < nearest, point), rowwise(distance, point) * direction, shortest)
        nearest = torch.minimum(nearest, distance)
    return shortest


def _inwards(slope: Tensor, point: Tensor, reach: Ball) -> Tensor:
    """The slope without entries that it would move beyond an end of their range, where they are already."""
    outwards = ((slope > 0) & (point >= reach.high)) | ((slope < 0) & (point <= reach.low))
    return slope.masked_fill(outwards, 0)


def _gap(out: Output, other: Tensor, own: Tensor) -> Tensor:
    """How far the scores of other actions are above those of the present ones, summed over the batch."""
    return (scores_of(out).gather(1, other) - scores_of(out).gather(1, own)).sum()
