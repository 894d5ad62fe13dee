"""Numbers with their intervals: a share of episodes, and a mean over them."""

from dataclasses import dataclass

Interval = tuple[float, float]
"""The ends of a 95 % confidence interval, the lower one first."""


@dataclass(frozen=True)
class Rate:
    """A share of episodes with its 95 % Wilson interval."""

    rate: float
    ci: Interval

    @property
    def value(self) -> float:
        """The rate."""
        return self.rate


@dataclass(frozen=True)
class Mean:
    """A mean over episodes with its 95 % BCa interval."""

    mean: float
    ci: Interval
    degenerate: bool = False
    """All values are equal: the interval is the point and tells no spread."""
    iqm: float | None = None
    """Interquartile mean."""

    @property
    def value(self) -> float:
        """The mean."""
        return self.mean
