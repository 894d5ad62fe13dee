"""From scores to alarms: how suspicious the steps so far are together, and from where on that is an alarm.

Thresholds are found on clean tuning episodes other than those that a detector was fitted on, and for a rate of false
alarms, whatever the unit of the scores.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from rlattack.defences.detectors.detector import PER_ALARM, DetectorConfig
from rlattack.errors import InvalidInput
from rlattack.policies.policy import State

_TINY = 1e-12
_FINER, _LEVELS = 0.8, 20
"""Shares that are tried, each so much of the one before, and how many."""


class Rule(ABC):
    """Makes evidence of scores, step by step; what it remembers of a row is handed to it and comes back."""

    def memory(self, n: int) -> State:
        """What it remembers at the start of n episodes, float32, shape (n, width)."""
        return None

    @abstractmethod
    def __call__(self, scores: Tensor, memory: State) -> tuple[Tensor, State]:
        """The evidence of this step, shape (rows,), no number where there is none, and what is remembered.

        Args:
            scores: Float32, shape (rows,), no number where the detector cannot say.
            memory: What it remembers.
        """


class Step(Rule):
    """Each step for itself."""

    def __call__(self, scores: Tensor, memory: State) -> tuple[Tensor, State]:
        """The scores."""
        return scores, None


class Cusum(Rule):
    """The cumulative sum of what is above the usual (Page 1954): S <- max(0, S + (score - mean) / deviation - drift).

    Args:
        usual: Scores of clean steps, whose mean and deviation are the unit.
        drift: What is forgotten in a step.
    """

    def __init__(self, usual: Tensor, drift: float) -> None:
        self._mean, self._drift = usual.mean(), drift
        self._deviation = usual.std(correction=0).clamp_min(_TINY)

    def memory(self, n: int) -> State:
        """The sum."""
        return torch.zeros(n, 1)

    def __call__(self, scores: Tensor, memory: State) -> tuple[Tensor, State]:
        """The sum so far."""
        assert memory is not None, "it has one"
        total = (memory[:, 0] + (scores - self._mean) / self._deviation - self._drift).clamp_min(0)
        return total, total.where(~scores.isnan(), memory[:, 0])[:, None]


class Mad(Rule):
    """The least suspicious of the last steps, in median absolute deviations above the median of clean steps.

    It is above a threshold where all of them are: the rule of three steps beyond five deviations, with the threshold
    left open.

    Args:
        usual: Scores of clean steps.
        row: How many steps.
    """

    def __init__(self, usual: Tensor, row: int) -> None:
        self._median, self._row = usual.median(), row
        self._deviation = (usual - self._median).abs().median().clamp_min(_TINY)

    def memory(self, n: int) -> State:
        """The last steps, no numbers before there are so many."""
        return torch.full((n, self._row), torch.nan)

    def __call__(self, scores: Tensor, memory: State) -> tuple[Tensor, State]:
        """The least of the last steps; no number before there were so many."""
        assert memory is not None, "it has one"
        now = (scores - self._median) / self._deviation
        last = torch.cat([memory[:, 1:], now[:, None]], dim=1)
        return last.amin(dim=1), last.where(~scores.isnan()[:, None], memory)


def make_rule(config: DetectorConfig, usual: Tensor) -> Rule:
    """The rule that a configuration names.

    Args:
        config: Of the detector.
        usual: Its scores of clean steps, without those that are no numbers.
    """
    if config.alarm == "cusum":
        return Cusum(usual, config.drift)
    return Mad(usual, config.row) if config.alarm == "mad" else Step()


def threshold(name: str, config: DetectorConfig, scores: Tensor, episode: Tensor) -> float:
    """The evidence above which there is an alarm: in clean play at the rate, and no oftener.

    Steps of one episode are alike, and those of the next differ: where it is found on few episodes, a quantile of all
    steps is passed oftener in fresh ones. So each episode is left out in turn (Stone 1974), and the quantile is raised
    until it is passed by no more than the rate of what was left out.

    Args:
        name: Of the detector, for messages.
        config: Its parameters.
        scores: Of all clean steps, those of an episode in order, float32, shape (steps,).
        episode: Of each, int64, shape (steps,).

    Raises:
        InvalidInput: Too few clean steps for the rate.
    """
    usual = scores[~scores.isnan()]
    numbers: Tensor = episode.unique()  # type: ignore[no-untyped-call]  # torch's own
    needed = PER_ALARM / config.rate if config.per == "step" else 1
    if len(usual) < needed:
        few = f"{len(usual):,}" if len(usual) == len(scores) else f"{len(usual):,} of which it can say something"
        earlier = "; skip= and window= of fewer steps say something earlier" if hasattr(config, "skip") else ""
        raise InvalidInput(
            f"detector {name}: expected at least {needed:,.0f} clean steps for false alarms in {100 * config.rate:g} % "
            f"of them, {len(numbers)} tuning episodes had {few}; episodes=N plays more, rate= asks for less{earlier}"
        )
    rule = make_rule(config, usual)
    columns = [scores[episode == number] for number in numbers]
    memory, steps = rule.memory(len(columns)), []
    for row in nn.utils.rnn.pad_sequence(columns, padding_value=torch.nan):
        evidence, memory = rule(row, memory)
        steps.append(evidence)
    found = torch.stack(steps)
    if config.per == "episode":
        parts = list(found.nan_to_num(-torch.inf).amax(dim=0)[:, None])
    else:  # of all steps, those too of which it can say nothing: there is no alarm in them
        parts = [column[: len(own)].nan_to_num(-torch.inf) for column, own in zip(found.T, columns, strict=True)]
    every = torch.cat(parts)
    least = every[every.isfinite()].amin()
    return max(_passed_by(every, _level(parts, config.rate)), float(least))


def _level(parts: Sequence[Tensor], rate: float) -> float:
    """The largest share, at most the rate, whose quantile of all other episodes one passes at the rate on average."""
    if len(parts) == 1:
        return rate
    others = [torch.cat([*parts[:number], *parts[number + 1 :]]) for number in range(len(parts))]
    for level in (*(rate * _FINER**power for power in range(_LEVELS)), 0.0):
        pairs = zip(parts, others, strict=True)
        passed = [(own > _passed_by(rest, level)).float().mean() for own, rest in pairs]
        if torch.stack(passed).mean() <= rate:
            break
    return level


def _passed_by(evidence: Tensor, share: float) -> float:
    """What at most that share of it is above."""
    return float(evidence.quantile(1 - share, interpolation="higher"))
