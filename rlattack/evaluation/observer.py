"""Who looks on at play and changes nothing: the judge, a recorder, activations, margins, certificates."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Self

from gymnasium import Space
from torch import Tensor

from rlattack.arrays import Array, BoolArray, FloatArray, IntArray
from rlattack.budget import Sizes
from rlattack.evaluation.cell import Cell
from rlattack.evaluation.episode import SeatEpisode
from rlattack.evaluation.results import Mean
from rlattack.games.game import Seat, Step
from rlattack.policies.distributions import Actions
from rlattack.policies.policy import Output, Policy, State
from rlattack.specs import NoParameters


@dataclass
class Moment:
    """One seat in one step of every slot, after its player chose.

    Attributes:
        seat: Number of the seat.
        acting: Slots that play and in which the seat is to act, shape (slots,); the other rows mean nothing.
        episode: Episode of each slot, shape (slots,); -1 where it is idle.
        shown: What the game showed, shape (slots, *observation): the game's own array, out of an attack's reach.
        received: What the player received, float32, of that shape, on the cell's device; `numpy(force=True)` brings
            it back, as every tensor here.
        before: Recurrent state of the player before it looked.
        out: What the player says of `received`.
        chosen: The actions that it chose, shape (slots,) or (slots, entries).
        action: What the game is given.
        legal: Legal actions, bool, shape (slots, actions), where the game tells.
        ask: Gives the player's output on what was truly shown.
        policy: Who plays.
        looked: What the judge measured of each attack before the player received
            anything, None of one on what it does; None for all where that was not done.
        sizes: What the judge measured of each attack on the seat, for those who look after it.
        eps: The same as a budget says it, per entry, shape (slots,) each.
        space: One of the seat's observations.
        pictures: What the screen showed of which the newest of `shown` is made, where the game tells.
        world: How the world of each slot behaves by the engine's own numbers, where an attack makes it, float64,
            shape (slots, parameters).
    """

    seat: int
    acting: BoolArray
    episode: IntArray
    shown: Array
    received: Tensor
    before: State
    out: Output
    chosen: Tensor
    action: Tensor
    legal: Tensor | None
    ask: Callable[[], Output] = field(repr=False)
    policy: Policy | None = field(default=None, repr=False)
    looked: Sequence[Sizes | None] | None = None
    sizes: Sequence[Sizes] = ()
    eps: Sequence[FloatArray] = ()
    space: Space[Any] | None = field(default=None, repr=False)
    pictures: Array | None = field(default=None, repr=False)
    world: Tensor | None = field(default=None, repr=False)

    @cached_property
    def clean(self) -> Output:
        """What the player says of the truly clean view; asked at most once, whoever looks."""
        return self.ask()

    def about(self, obs: Tensor) -> Output:
        """What the player would have said of something else in place of what it received."""
        assert self.policy is not None, "play tells it"
        return self.policy(obs, self.before).among(self.legal)


class Observer:
    """Looks on at the play of a cell; whoever inherits overrides what it needs.

    Args:
        seat: The seat that its numbers are of.
        slots: Number of episodes at once.

    Attributes:
        needs: Kinds of action distributions of which it can say something; empty for all.
        config_type: The dataclass of its parameters; one that has some is handed them, made, as `config` of `of`.
    """

    needs: ClassVar[frozenset[type[Actions]]] = frozenset()
    config_type: ClassVar[type[Any]] = NoParameters

    def __init__(self, seat: int, slots: int) -> None:
        self.seat, self.slots = seat, slots

    @classmethod
    def of(cls, cell: Cell, seat: int) -> Self:
        """Makes the observer of a seat of a cell."""
        return cls(seat, cell.envs)

    @classmethod
    def check(cls, config: Any, policy: Policy, seat: Seat) -> None:  # most can look at anybody
        """Checks parameters against who holds the seat; `needs` is checked already.

        Raises:
            InvalidInput: It has nothing to say of that policy.
        """

    @classmethod
    def depends(cls, config: Any) -> str:
        """Digest of what its numbers depend on beside its code and its parameters; empty for most."""
        return ""

    @classmethod
    def over(cls, config: Any, episodes: Sequence[SeatEpisode], lengths: Sequence[int]) -> Mapping[str, Mean]:
        """What it says of all episodes of its seat together, by name; most say nothing.

        Args:
            config: Its parameters.
            episodes: Of the seat that it looked at, with what it measured.
            lengths: Steps of each.
        """
        return {}

    def begin(self, slots: IntArray, episodes: IntArray) -> None:
        """Hears that `episodes` start in `slots`."""

    def see(self, moment: Moment) -> None:
        """Sees a seat that acted, once a step and seat."""

    def after(self, step: Step) -> None:
        """Sees what the step brought."""

    def collect(self, slot: int) -> Mapping[str, float | None]:
        """Returns numbers of the episode that ended in a slot, by name, and clears the slot.

        None stands for a number that the episode has none of; the others are averaged without it.
        """
        return {}

    def trace(self, slot: int) -> Mapping[str, list[float | None]]:
        """Returns numbers of every step in which the seat acted in the episode that ended in a slot, by name.

        None stands for a number that a step has none of. Asked before `collect`, which clears the slot.
        """
        return {}
