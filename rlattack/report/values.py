"""Numbers as text: each with its interval, a dash where nothing was measured."""

from collections.abc import Sequence
from dataclasses import dataclass

from rlattack.evaluation.results import Mean, Rate

_DASH = "–"
_DIGITS = 6


@dataclass(frozen=True)
class Value:
    """A number as text.

    Attributes:
        text: The number, or a dash.
        interval: In brackets; nothing where there is none.
        order: What a column is sorted by.
    """

    text: str = _DASH
    interval: str = ""
    order: float | None = None

    def __str__(self) -> str:
        return f"{self.text} {self.interval}".strip()

    @property
    def known(self) -> bool:
        """Whether something was measured."""
        return self.text != _DASH


def percent(rate: Rate | None, places: int = 0) -> Value:
    """A share as a percentage with its interval: `86 % [79, 91]`."""
    if rate is None:
        return Value()
    value, low, high = (_fixed(100 * one, places) for one in (rate.rate, *rate.ci))
    return Value(f"{value} %", f"[{low}, {high}]", 100 * rate.rate)


def mean(measured: Mean | None, places: int) -> Value:
    """A mean with its interval, which has a star where all values are equal; without one where none is known."""
    if measured is None:
        return Value()
    low, high = measured.ci
    known = measured.degenerate or not low == high == measured.mean
    interval = f"[{_fixed(low, places)}, {_fixed(high, places)}]" + "*" * measured.degenerate
    return Value(_fixed(measured.mean, places), interval if known else "", measured.mean)


def number(value: float | None, places: int | None = None) -> Value:
    """A number without an interval: with so many decimals, or with six digits."""
    if value is None:
        return Value()
    return Value(f"{value:.{_DIGITS}g}" if places is None else _fixed(value, places), "", value)


def share(value: float | None) -> Value:
    """A share as a percentage without an interval: `95.0 %`."""
    return Value() if value is None else Value(f"{_fixed(100 * value, 1)} %", "", value)


def some(words: Sequence[str], most: int, rest: str = "more") -> str:
    """Lists the first of some words, and how many there are beside: `a, b and 2 more`."""
    return ", ".join(words[:most]) + (f" and {len(words) - most} {rest}" if len(words) > most else "")


def decimals(values: Sequence[float]) -> int:
    """How many decimals numbers of one kind are shown with: none from 1000 on, two up to 1."""
    largest = max(map(abs, values), default=0.0)
    return 0 if largest >= 1000 else 1 if largest > 1 else 2


def _fixed(value: float, places: int) -> str:
    return f"{round(value, places) + 0.0:.{places}f}"  # adding 0.0 turns -0.0 into 0.0
