"""Robust Sarsa, and its sum with MAD (Zhang et al. 2020, sec. 3.5 and app. E).

The victim's own critic says little of actions that it never took. So a critic of its play is learned anew, of what is
seen and done, on roll-outs of the victim in which it draws its actions as in training; and the observation is moved so
that what the victim does is worth least: min Q(s, mu(s + d)), by projected gradient descent through the victim.

As published, the best of a grid is taken: of the size of the box in which a critic is kept flat, and of how much. How
long a critic learned matters as much, so that is a third row of the grid. Which one is best is found on other tuning
episodes than it learned from, by what is left of the victim's return.
"""

import contextlib
import itertools
import math
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
import torch
from gymnasium.spaces import Box
from torch import Tensor

from rlattack.arrays import FloatArray
from rlattack.attacks.ascent import SteppedConfig
from rlattack.attacks.attack import Setting
from rlattack.attacks.critics import Critics, RollOuts, learn
from rlattack.attacks.noise import Noise
from rlattack.attacks.objective import Climb
from rlattack.attacks.pgd import PGD
from rlattack.attacks.race import Race
from rlattack.attacks.target import Target
from rlattack.attacks.tuning import FEWEST, Tuning, TuningStep
from rlattack.attacks.words import Fitted, Work
from rlattack.budget import Budget
from rlattack.draws import Draws
from rlattack.errors import InvalidInput
from rlattack.policies.distributions import Actions, Normal, Point, SquashedNormal
from rlattack.policies.policy import Output
from rlattack.specs import Count, NoParameters, NotNegative, Range

_BOXES = (0.02, 0.05, 0.1, 0.15, 0.2, 0.3)
_REGULARISERS = (0.1, 0.3, 1.0, 3.0, 10.0)
_HALVINGS = 3
"""How often the number of updates is halved."""
_SLOTS = 40
"""Episodes at once, of the roll-outs."""
_MOST = 2000
"""Numbers that critics look at, at most."""
_TRIED, _BEST, _EPISODES = 2, 8, 16
"""Tuning episodes of every critic; how many of the best play more, and how many more."""
_TRYING, _CHOOSING = 1_000_000, 1_100_000
"""Numbers of the first of those episodes."""


@dataclass(frozen=True, kw_only=True)
class SarsaConfig(SteppedConfig):
    """Parameters of `sarsa`."""

    rollout: Annotated[int, Range(least=FEWEST, most=1_000_000)] = 40_000
    """Steps of the victim that critics learn from."""
    updates: Count = 800
    """Batches of steps that a critic learns from; half, a quarter and an eighth as many are tried too."""
    box: NotNegative | None = None
    """How far around an action a critic is kept flat, where the range of actions is 2 wide; by default the best of
    those that were published."""
    regulariser: NotNegative | None = None
    """What a change there costs; by default the best of those that were published."""
    mad: Annotated[float, Range(least=0, below=1)] = 0.0
    """Weight of the divergence from the clean actions (MAD) beside the critic, which has the rest of 1."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.loss is not None or self.target is not None:
            raise InvalidInput("sarsa: climbs down a critic of its own: leave loss and target out")


class Sarsa(PGD[SarsaConfig]):
    """Descends a critic that was learned of the victim's play, through what the victim would do."""

    name = "sarsa"
    title = "Robust Sarsa"
    needs: ClassVar[frozenset[type[Actions]]] = frozenset({Normal, SquashedNormal, Point})
    fitted = True
    config_type = SarsaConfig
    starts_clean = False  # a critic has a slope there

    def __init__(self, budget: Budget, config: SarsaConfig) -> None:
        super().__init__(budget, config)
        self._certain, self._half = False, torch.ones(())

    def check(self, setting: Setting) -> None:
        """Notes what the victim's actions are.

        Raises:
            InvalidInput: More numbers than critics can look at.
        """
        super().check(setting)
        assert isinstance(setting.action, Box), "declared in `needs`"
        count = math.prod(setting.observation) + math.prod(setting.action.shape)
        if count > _MOST:
            raise InvalidInput(
                f"sarsa: its critics look at {_MOST:,} numbers at most, this game has {count:,}: use pgd:loss=mad or "
                "search"
            )
        half = torch.as_tensor((setting.action.high - setting.action.low) / 2, dtype=torch.float32)
        self._half = torch.where(half.isfinite(), half, 1.0)
        self._certain = isinstance(setting.actions, Point)

    def fit(self, tuning: Tuning) -> Fitted:
        """Learns a critic for every place of the grid, and takes the one under which the victim earns least."""
        data, grid = self._rolled(tuning), self._grid
        around, cost = torch.as_tensor(grid, dtype=torch.float32).T
        updates = self._updates
        learned = []
        for critics in learn(data, around[:, None] * self._half, cost, tuning.draws, updates):
            learned.append(critics)
            tuning.say(f"{len(grid)} critics, {updates[len(learned) - 1]} updates")
        every = Critics.joined(learned)
        number, earned, steps = self._chosen(tuning, every)
        facts = {"return": earned, "steps": len(data.reward) + steps, "updates": updates[number // len(grid)]}
        facts |= dict(zip(("box", "regulariser"), grid[number % len(grid)], strict=True))
        return Fitted(every[torch.as_tensor([number])].tensors, facts)

    def work(self, length: float) -> Work:
        """Roll-outs, and the episodes in which critics are tried; how long critics learn is left out."""
        critics = len(self._grid) * len(self._updates)
        tried = length * (critics * _TRIED + min(critics, _BEST) * _EPISODES)
        return Work(steps=self.config.rollout) + self.step_work * tried

    def climb(self, victim: Target, obs: Tensor, draws: Draws) -> Climb:
        """Minus what the critic says of what the victim would do, and MAD where it was asked for.

        Raises:
            InvalidInput: No critic was learned yet.
        """
        self.known("mean")
        return _Worse(self.config, victim, obs, draws, Critics(self.learned.tensors))

    @property
    def _grid(self) -> list[tuple[float, float]]:
        """Boxes, each with every regulariser."""
        boxes = _BOXES if self.config.box is None else (self.config.box,)
        costs = _REGULARISERS if self.config.regulariser is None else (self.config.regulariser,)
        return list(itertools.product(boxes, costs))

    @property
    def _updates(self) -> list[int]:
        """How many batches critics learn from."""
        return sorted({max(1, self.config.updates >> halved) for halved in range(_HALVINGS + 1)})

    def _rolled(self, tuning: Tuning) -> RollOuts:
        """Roll-outs of the victim; one whose actions are certain sees noise, so that it does not always do the same."""
        explorer = Noise(self.budget, NoParameters()) if self._certain else None
        numbers, steps, count = itertools.count(), list[TuningStep](), -(-self.config.rollout // _SLOTS) + 1
        with contextlib.closing(tuning.rehearse(explorer, _SLOTS, sampled=True)) as rehearsal:
            while len(steps) < count:
                steps += itertools.islice(rehearsal.round(lambda slot: next(numbers)), count - len(steps))
        tuning.say(f"{len(steps) * _SLOTS:,} steps seen")
        return RollOuts.of(steps)

    def _chosen(self, tuning: Tuning, critics: Critics) -> tuple[int, float, int]:
        """The number of the critic that does most harm, what it leaves to the victim, and steps played for that."""
        best = min(len(critics), _BEST)
        slots = max(len(critics) * _TRIED, best * _EPISODES)

        def load(rows: FloatArray) -> None:
            self.learned = Fitted(critics[torch.as_tensor(rows[:, 0].astype(np.int64))].tensors)

        with contextlib.closing(tuning.rehearse(self, slots)) as rehearsal:
            race = Race(rehearsal, slots, load)
            numbers = np.arange(len(critics), dtype=np.float64)[:, None]
            earned = race.run(numbers, range(_TRYING, _TRYING + _TRIED), best)
            numbers = numbers[np.argsort(earned, kind="stable")[:best]]
            tuning.say(f"choosing among {best} critics, {race.steps:,} steps")
            earned = race.run(numbers, range(_CHOOSING, _CHOOSING + _EPISODES), 1)
        return int(numbers[earned.argmin(), 0]), float(earned.min()), race.steps


class _Worse(Climb):
    """How little what the victim would do is worth, and how far that is from its clean actions."""

    def __init__(self, config: SarsaConfig, victim: Target, obs: Tensor, draws: Draws, critics: Critics) -> None:
        super().__init__(config, victim, obs, draws)
        self._shown, self._mad, self._critics = obs.flatten(1), config.mad, critics

    def _rows(self, out: Output) -> Tensor:
        worse = -self._critics.each(self._shown, out.actions.greedy)
        if self._mad:
            worse = (1 - self._mad) * worse + self._mad * super()._rows(out)
        return worse
