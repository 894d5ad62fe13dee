"""What an attack may learn from before it plays: episodes that nothing is measured by."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import numpy as np
from torch import Tensor

from rlattack.arrays import Array, BoolArray, FloatArray, IntArray
from rlattack.attacks.target import Target
from rlattack.budget import Reach
from rlattack.draws import Draws
from rlattack.policies.policy import Output
from rlattack.specs import Range

if TYPE_CHECKING:
    from rlattack.attacks.attack import ObservationAttack
    from rlattack.attacks.dynamics import DynamicsAttack

FEWEST = 50
"""States, or steps, without which nothing is learned."""
States = Annotated[int, Range(least=FEWEST, most=20_000)]
"""How many observations somebody learns from, who holds all of them at once."""
STRIDE = 4
"""Steps between two batches of `Tuning.observations`, since one step is much like the next."""
APART = 5
"""Of so many episodes one is kept apart, by which is told how well something was learned."""


@dataclass(frozen=True)
class TuningStep:
    """One step of tuning episodes, a row a slot.

    Attributes:
        active: Slots that played an episode, shape (slots,); the other rows mean nothing.
        shown: What the game showed, shape (slots, *observation), the game's own dtype.
        received: What the victim received, float32, of that shape.
        action: What it did, shape (slots,) or (slots, entries).
        reward: What it was paid, the game's own, shape (slots,).
        ended: Slots whose episode this step ended, shape (slots,).
        terminated: Those of them whose episode the game's own rules ended: nothing can be earned after it.
        acting: Those of `active` in which it was its turn; all of them where none are named.
        episode: The episode of each slot, shape (slots,); -1 where it is idle.
        out: What the victim said of what it received.
        ask: Gives what it would have said of something else.
        then: What the game showed after it, at the end of an episode too, as `shown`.
    """

    active: BoolArray
    shown: Array
    received: Tensor
    action: Tensor
    reward: FloatArray
    ended: BoolArray
    terminated: BoolArray
    acting: BoolArray | None = None
    episode: IntArray | None = None
    out: Output | None = None
    ask: Callable[[Tensor], Output] | None = None
    then: Array | None = None


@dataclass
class Seen:
    """What somebody saw and did: at first every step and, once that is too much, every second of those, and so on.

    Attributes:
        most: How many states are kept.
        apart: Of so many episodes, the last is kept apart.
    """

    most: int
    apart: int = APART
    _rows: list[tuple[int, int, Array, Array]] = field(default_factory=list)
    """Step, episode, what was shown and what was done."""
    _steps: int = 0
    _every: int = 1

    def add(self, step: TuningStep) -> None:
        """Takes a step of episodes that are told."""
        if self._steps % self._every == 0:
            assert step.episode is not None, "tuning episodes tell it"
            done = step.action.numpy(force=True)
            for slot in np.flatnonzero(step.active if step.acting is None else step.acting):
                self._rows.append((self._steps, int(step.episode[slot]), step.shown[slot].copy(), done[slot].copy()))
        self._steps += 1
        while len(self._rows) > self.most:
            self._every *= 2
            self._rows = [row for row in self._rows if row[0] % self._every == 0]

    def of(self, apart: bool) -> tuple[Array, Array]:
        """What was shown, (n, *observation), and done, (n, ...), in episodes to learn from, or in those kept apart."""
        rows = [row for row in self._rows if (row[1] % self.apart == self.apart - 1) == apart]
        return np.asarray([row[2] for row in rows]), np.asarray([row[3] for row in rows])


class Rehearsal(Protocol):
    """Tuning episodes in many slots at once, round after round, each slot with draws and a memory of its own."""

    @property
    def asked(self) -> tuple[int, int]:
        """Outputs and backward passes of the victim that the attack has asked for, in all slots together."""

    def round(self, take: Callable[[int], int | None]) -> Iterator[TuningStep]:
        """Plays a round step by step, from new episodes in all slots until no slot has one.

        Args:
            take: Gives a slot the number of its next episode, or None. A number is the same start, and the same draws
                of the victim and the attack, whichever slot plays it.
        """

    def stop(self, slots: BoolArray) -> None:
        """Lets the running episodes of some slots end with the step that comes."""

    def close(self) -> None:
        """Frees the game."""


class Tuning(Protocol):
    """What a fit may use: episodes that nothing is measured by."""

    victim: Target
    reach: Reach
    draws: Draws
    steps: int
    """Steps of the victim that `observations` has played so far, in all slots together."""

    def begin(self, obs: Tensor) -> None:
        """Makes these the clean observations of `victim` from now on, shape (slots, *observation)."""

    def observations(self, count: int) -> Iterator[Tensor]:
        """Batches of what the game showed in tuning episodes, (slots, *observation) each, `count` of them."""

    def rehearse(
        self, attack: "ObservationAttack[Any, Any] | DynamicsAttack[Any] | None", slots: int, *, sampled: bool = False
    ) -> Rehearsal:
        """Opens the game in `slots` slots, for the victim under an attack, held to the reach, that nobody judges.

        Args:
            attack: As it is at each step: whoever fits it changes it meanwhile. None for clean play.
            slots: How many episodes at once.
            sampled: Lets the victim draw its actions, as in its training, whatever it does in the game that is studied.
        """

    def say(self, line: str) -> None:
        """Tells in a line how far the fit is; not every line is shown."""
