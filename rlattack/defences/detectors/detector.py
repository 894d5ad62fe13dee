"""The base of every detector: how suspicious what a victim receives is, by what is usual in its own clean play."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Generic, Literal, TypeVar

import numpy as np
import torch
from gymnasium.spaces import Discrete
from torch import Tensor

from rlattack.arrays import BoolArray, IntArray, finite
from rlattack.attacks import Fitted, Setting
from rlattack.errors import InvalidInput
from rlattack.games.game import Seat
from rlattack.policies.distributions import Actions, Categorical, Choices, Normal, SquashedNormal, kinds
from rlattack.policies.policy import Output, State
from rlattack.specs import Count, NotNegative, Range

PER_ALARM = 10
"""Clean steps that must be above a threshold, so that it is no accident where it lies."""


@dataclass(frozen=True, kw_only=True)
class DetectorConfig:
    """The parameters that every detector has."""

    alarm: Literal["step", "cusum", "mad"] = "step"
    """What raises an alarm: a suspicious step; the sum of what was suspicious so far (`cusum`, Page 1954); or several
    suspicious steps in a row, counted in median absolute deviations (`mad`)."""
    drift: NotNegative = 1.5
    """What `cusum` forgets in a step, in standard deviations of clean steps."""
    row: Count = 3
    """Steps in a row of `mad`."""
    rate: Annotated[float, Range(above=0, below=1)] = 0.01
    """False alarms: the share of clean steps, or of clean episodes, in which there is one."""
    per: Literal["step", "episode"] = "step"
    """What `rate` is a share of."""
    episodes: Annotated[int, Range(least=2, most=10_000)] = 8
    """Tuning episodes of clean play that it is fitted on, and as many others by which the threshold is found."""

    aftermath: ClassVar[tuple[str, ...]] = ("alarm", "drift", "row", "rate", "per")
    """Parameters by which nothing is learned: they read what was."""

    def __post_init__(self) -> None:
        """Refuses a rate of episodes that so few cannot tell."""
        if self.per == "episode" and self.episodes * self.rate < 1:
            raise InvalidInput(
                f"expected at least {-(-1 // self.rate):,.0f} episodes for false alarms in {100 * self.rate:g} % of "
                f"them, got {self.episodes}; raise episodes= or rate="
            )


@dataclass(frozen=True)
class Look:
    """What a victim received in one step, a row an episode.

    Attributes:
        obs: Float32 in the game's own range, shape (rows, *observation).
        out: What the victim says of it.
        ask: Gives what the victim would say of other observations in their place.
        acting: Rows that count, bool, shape (rows,).
        action: What it did then, once it has acted, shape (rows,) or (rows, entries).
    """

    obs: Tensor
    out: Output
    ask: Callable[[Tensor], Output] = field(repr=False)
    acting: BoolArray
    action: Tensor | None = None

    @property
    def done(self) -> Tensor:
        """What it did; only of looks at what is over."""
        assert self.action is not None, "it has acted"
        return self.action


@dataclass(frozen=True)
class Clean:
    """One step of clean play: a look at what was received and done, and the episode of each slot, -1 of an idle one."""

    look: Look
    episode: IntArray


Config = TypeVar("Config", bound=DetectorConfig)


class Detector(ABC, Generic[Config]):
    """Scores what a victim receives, row by row; what it remembers of a row is handed to it and comes back.

    Args:
        config: The detector's own parameters.
        seat: What the victim sees and does.

    Attributes:
        name: On the command line.
        config_type: The dataclass of its parameters.
        needs: Kinds of action distributions of which it can say something; empty for all.
        inside: Whether it looks at the victim's activations.
        asks: Whether it asks what the victim would say of something else.
        smooth: Whether its score has a slope, so that an attacker who knows it can lower it.
        learned: What it learned on clean play.
    """

    name: ClassVar[str]
    config_type: ClassVar[type[Any]] = DetectorConfig
    needs: ClassVar[frozenset[type[Actions]]] = frozenset()
    inside: ClassVar[bool] = False
    asks: ClassVar[bool] = False
    smooth: ClassVar[bool] = True

    def __init__(self, config: Config, seat: Seat) -> None:
        self.config, self.seat = config, seat
        self.learned = Fitted()

    def check(self, setting: Setting, out: Output) -> None:
        """Refuses a victim of whom it can say nothing.

        Args:
            setting: What the victim is.
            out: What it says where it sees zeros, one row.

        Raises:
            InvalidInput: Actions of another kind, or no activations.
        """
        if self.needs and not isinstance(setting.actions, tuple(self.needs)):
            raise InvalidInput(
                f"detector {self.name}: expected a victim of {kinds(self.needs)} actions, {self.seat.name} has others"
            )
        if self.inside and out.hidden is None:
            raise InvalidInput(
                f"detector {self.name}: expected a victim whose outputs tell the last hidden layer (`Output.hidden`), "
                "as agent folders and Stable-Baselines3 zips have; squeeze and foresight need none"
            )

    def fit(self, clean: Iterator[Clean], say: Callable[[str], None]) -> Fitted:
        """Learns what is usual in clean play; some detectors learn nothing, and play none."""
        return Fitted()

    def memory(self, n: int) -> State:
        """What it remembers at the start of n episodes, float32, shape (n, width); None for most."""
        return None

    @abstractmethod
    def score(self, look: Look, memory: State) -> Tensor:
        """How suspicious each row is, higher for more, shape (rows,); no number where it cannot say."""

    def after(self, look: Look, memory: State) -> State:
        """What it remembers of each row from then on, once the victim has acted."""
        return memory

    def known(self, name: str) -> Tensor:
        """What it learned, by name.

        Raises:
            InvalidInput: It learned nothing yet.
        """
        if name not in self.learned.tensors:
            raise InvalidInput(f"detector {self.name} {UNFITTED}")
        return self.learned.tensors[name]


UNFITTED = "learns on clean tuning episodes first: play it by `rlattack.evaluate` with --detect"
"""Of who was never fitted."""


class Spread:
    """Rows of steps, no more than so many: of every step and, once that is too much, of every second one, and so on.

    Args:
        most: Rows that are kept.
    """

    def __init__(self, most: int) -> None:
        self._most, self._steps, self._every = most, 0, 1
        self._kept: list[tuple[int, tuple[Tensor, ...]]] = []

    def add(self, rows: BoolArray, *tensors: Tensor) -> None:
        """Takes some rows of tensors that have as many."""
        if self._steps % self._every == 0 and rows.any():
            mask = torch.as_tensor(rows)
            self._kept.append((self._steps, tuple(tensor.detach()[mask] for tensor in tensors)))
        self._steps += 1
        while sum(len(parts[0]) for _, parts in self._kept) > self._most and len(self._kept) > 1:
            self._every *= 2
            self._kept = [one for one in self._kept if one[0] % self._every == 0]

    def __len__(self) -> int:
        return sum(len(parts[0]) for _, parts in self._kept)

    @property
    def tensors(self) -> list[Tensor]:
        """All that was kept, shape (rows, ...) each."""
        return [torch.cat(parts) for parts in zip(*(parts for _, parts in self._kept), strict=True)]


def enough(rows: int, least: int, name: str, episodes: int) -> None:
    """Refuses to learn from too little.

    Raises:
        InvalidInput: Fewer rows than the least.
    """
    if rows < least:
        raise InvalidInput(
            f"detector {name}: expected at least {least:,} clean steps to learn from, {episodes} tuning episodes had "
            f"{rows:,}; episodes=N plays more"
        )


def distance(one: Actions, other: Actions) -> Tensor:
    """How far two distributions of actions are apart, shape (n,), with a slope.

    Of choices the sum of absolute differences of their probabilities, 0 to 2 (Xu et al. 2018, eq. 7; Lin et al. 2017b,
    eq. 3), the mean of several at once. Of continuous actions the mean absolute difference of the most likely ones, in
    standard deviations, or in ranges of the action where there are none.
    """
    if isinstance(one, Categorical) and isinstance(other, Categorical):
        return (one.probabilities - other.probabilities).abs().sum(dim=1)
    if isinstance(one, Choices) and isinstance(other, Choices):
        pairs = zip(one.parts, other.parts, strict=True)
        return torch.stack([distance(*pair) for pair in pairs]).mean(dim=0)
    assert not isinstance(one, Categorical | Choices), "one policy says both"
    unit = _unit(one)
    return ((one.greedy - other.greedy).abs() / unit).mean(dim=1)


def _unit(actions: Actions) -> Tensor | float:
    """What differences of continuous actions are counted in: a deviation, the range, or the game's own unit."""
    if isinstance(actions, Normal) and not isinstance(actions, SquashedNormal):
        return actions.deviation.detach()
    low, high = (getattr(actions, end, None) for end in ("low", "high"))
    if low is None or high is None:
        return 1.0
    wide = high - low
    return torch.where(torch.isfinite(wide), wide, 1.0)


def classes(seat: Seat, action: Tensor) -> tuple[Tensor, int]:
    """The class that each row is of, int64, shape (n,), and how many there are: the action of a choice, else one."""
    if isinstance(seat.action, Discrete):
        return action.long(), int(seat.action.n)
    return torch.zeros(len(action), dtype=torch.int64), 1


def as_numbers(values: Tensor) -> list[float | None]:
    """Scores as they are kept: seven digits, None for what is no number."""
    told = values.detach().double().numpy(force=True)
    good = finite(told) & ~np.isnan(told)
    return [float(f"{value:.7g}") if fine else None for value, fine in zip(told.tolist(), good.tolist(), strict=True)]
