"""Votes of several outputs for each row: their mean, their majority or their median."""

import dataclasses
from typing import Any, Literal

import torch
import torch.nn.functional as F  # noqa: N812  # torch's own convention
from torch import Tensor

from rlattack.errors import InvalidInput
from rlattack.policies.distributions import Actions, Categorical, Choices, Normal, Point, SquashedNormal, Uniform
from rlattack.policies.policy import Output

Vote = Literal["mean", "majority", "median"]
_MEANS = ("values", "hidden", "garbage")
"""What else an output tells, of which the mean is taken."""
_FEWEST = 1e-6
"""Share of the votes for what nobody chose, so that its logarithm is a number."""
_INSIDE = 1 - 1e-6
"""How near an end of the range a mean of actions may come, as a share of it, and still be one before tanh."""


def voted(out: Output, copies: int, vote: Vote) -> Output:
    """One output a row, of `copies` of them that follow one another; the state is left to whoever asks.

    Args:
        out: Of n * copies rows.
        copies: Of each row.
        vote: What is taken of discrete actions: `mean`, the mean of Q values where there are some, else of
            probabilities; `majority`, the share of copies that would choose an action, whose slope is that of the mean
            of probabilities (BPDA); `median`, the median of Q values, else of log-probabilities. Of continuous ones the
            mean or the median of the most likely actions, and of their deviations.

    Raises:
        InvalidInput: Actions of a kind that has no such vote.
    """

    def middle(values: Tensor | None) -> Tensor | None:
        return None if values is None else _middle(values, copies, vote)

    mean = {name: _mean(value, copies) for name in _MEANS if (value := getattr(out, name)) is not None}
    return Output(_actions(out, copies, vote), q=middle(out.q), **mean)


def _actions(out: Output, copies: int, vote: Vote) -> Actions:
    actions: Any = out.actions
    if isinstance(actions, Categorical):
        return Categorical(_scores(actions.scores, copies, vote, linear=out.q is not None))
    if isinstance(actions, Choices):
        parts = [_scores(part.scores, copies, vote, linear=False) for part in actions.parts]
        return Choices(torch.cat(parts, dim=1), actions.counts)
    if isinstance(actions, Uniform):
        return dataclasses.replace(actions, mean=_mean(actions.mean, copies))
    if not isinstance(actions, Normal | Point) or vote == "majority":
        raise InvalidInput(f"defence smooth: vote={vote}: there is none of actions that are {type(actions).__name__}")
    if isinstance(actions, SquashedNormal) and vote == "mean":  # of what is done, not of what is before tanh
        about = {"mean": _mean(actions.mean.tanh(), copies).clamp(-_INSIDE, _INSIDE).atanh()}
    else:
        about = {"mean": _middle(actions.mean, copies, vote)}
    if isinstance(actions, Normal) and actions.deviation.ndim > 1:
        about["deviation"] = _middle(actions.deviation, copies, vote)
    found: Actions = dataclasses.replace(actions, **about)
    return found


def _scores(scores: Tensor, copies: int, vote: Vote, *, linear: bool) -> Tensor:
    """Scores of n rows; of Q values, which are `linear`, by themselves, else by probabilities."""
    if vote != "majority" and linear:
        return _middle(scores, copies, vote)
    if vote == "median":
        return _middle(scores.log_softmax(dim=1), copies, vote)
    soft = _mean(scores.softmax(dim=1), copies).clamp(min=torch.finfo(torch.float32).tiny).log()
    if vote == "mean":
        return soft
    chosen = F.one_hot(scores.argmax(dim=1), scores.shape[1]).to(scores.dtype)
    share = _mean(chosen, copies).clamp(min=_FEWEST).log()
    return soft + (share - soft).detach()


def _middle(values: Tensor, copies: int, vote: Vote) -> Tensor:
    """The median of the copies of each row, of an even number the mean of the two in the middle; else the mean."""
    if vote != "median":
        return _mean(values, copies)
    ordered = values.view(-1, copies, *values.shape[1:]).sort(dim=1).values
    return ordered[:, (copies - 1) // 2 : copies // 2 + 1].mean(dim=1)


def _mean(values: Tensor, copies: int) -> Tensor:
    return values.view(-1, copies, *values.shape[1:]).mean(dim=1)
