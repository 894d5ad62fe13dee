"""Every inspection with its parameters; what it does lies in the module that `WORK` names."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import tyro

from rlattack.inspect.inspection import Inspection
from rlattack.registry import Registry
from rlattack.specs import Range

if TYPE_CHECKING:
    from rlattack.inspect.finding import Finding
    from rlattack.inspect.subject import Subject

Way = Literal["background", "brighter", "darker", "blur"]
States = Annotated[int, Range(least=2, most=20_000)]
"""How many observations are looked at."""
Apart = Annotated[int, Range(least=1, most=10_000)]
"""So many times the agent acts from one observation to the next."""


@dataclass(frozen=True, kw_only=True)
class Seeing(Inspection):
    """What `occlusion` and `saliency` share."""

    states: States = 64
    """Observations that are looked at, of as many episodes at once as --envs says."""
    every: Apart = 40
    """Steps of its own from one of them to the next."""
    shuffles: Annotated[int, Range(least=1, most=100)] = 3
    """Networks with shuffled weights that stand beside the agent; one may say hundreds of times less than another."""
    film: Annotated[int, Range(least=0, most=600)] = 45
    """Steps of an episode that are filmed; 0 for none. Of games whose observations are pictures."""


@dataclass(frozen=True, kw_only=True)
class Occlusion(Seeing):
    """Which parts of the picture decide: how much the probability of the action falls where a block is hidden.

    Beside it the same network with shuffled weights, as it is and with its scores scaled up to the agent's. What is
    hidden is shown in several ways, since what a block is replaced by decides what can be found (`blur`: Greydanus et
    al. 2018, eq. 1).
    """

    by: Annotated[tuple[Way, ...], tyro.conf.arg(metavar="WAY ...")] = ("background", "brighter", "blur")
    """What a block becomes: the grey that its picture has most of, 25 grey levels brighter or darker, or blurred."""
    block: Annotated[int, Range(least=1, most=256)] = 8
    """Side of a block in pixels; of `blur`, 1.6 standard deviations of the mask."""
    stride: Annotated[int, Range(least=1, most=256)] = 4
    """Pixels from a block to the next."""

    name: ClassVar[str] = "occlusion"


@dataclass(frozen=True, kw_only=True)
class Saliency(Seeing):
    """What the action's log-probability is most sensitive to: its gradient by each pixel, or by each entry.

    Beside it the gradient of the same network with shuffled weights (Adebayo et al. 2018: a map that shuffling does
    not change tells nothing of the agent). Works where observations are numbers, too.
    """

    name: ClassVar[str] = "saliency"


@dataclass(frozen=True, kw_only=True)
class Units(Inspection):
    """Whether units stand for anything: what they like best against what random directions of their layer like.

    Szegedy et al. 2014, sec. 3, saw no difference; here the likeness of the observations that a unit likes best is a
    number, and the probability that a unit's is the larger is told with its interval.
    """

    layers: Annotated[tuple[str, ...], tyro.conf.arg(metavar="LAYER ...")] = ()
    """Layers by the names of their weights; by default all hidden ones on which the action depends."""
    units: Annotated[int, Range(least=2, most=5_000)] = 200
    """Units of a layer that are drawn, and as many directions."""
    top: Annotated[int, Range(least=2, most=100)] = 8
    """Observations that a unit likes best."""
    states: States = 800
    """Observations that are looked at."""
    every: Apart = 12
    """Steps of its own from one of them to the next."""

    name: ClassVar[str] = "units"


@dataclass(frozen=True, kw_only=True)
class Fooling(Inspection):
    """Inputs that are no game at all and make the agent sure of an action (Nguyen et al. 2015).

    By gradient ascent from noise, by evolution of every entry, and of pictures by evolution of networks that paint
    them; beside noise alone, and beside how sure the agent is in play. Of continuous actions what is maximised is how
    far the likeliest action is towards an end of its range. An agent with a class of garbage is sure of an action where
    its probability beside garbage is so large.
    """

    sure: Annotated[float, Range(above=0, below=1)] = 0.99
    """Probability of an action from which on an input fools."""
    steps: Annotated[int, Range(least=0, most=10_000)] = 50
    """Of gradient ascent, at most; 0 for none, as of an agent without a gradient."""
    size: Annotated[float, Range(above=0, most=1)] = 0.05
    """Of a step, as a share of the input's range: each entry moves by it along the sign of its gradient."""
    starts: Annotated[int, Range(least=1, most=1_000)] = 10
    """Noise that ascent starts from, for each action."""
    queries: Annotated[int, Range(least=0, most=1_000_000)] = 6_000
    """Inputs that an evolution asks about, at most; 0 for none. As many of noise are asked about beside it."""
    repeats: Annotated[int, Range(least=1, most=100)] = 3
    """Evolutions, one after another."""
    same: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME+NAME[+...] ...")] = ()
    """Actions that mean nearly the same, whose probabilities are added up too; `none` for none. By default found by
    playing each in copies of the game, where that is possible."""
    others: Annotated[tuple[str, ...], tyro.conf.arg(metavar="AGENT ...")] = ()
    """Agents that are shown the same inputs; by default those that ship for the game, `none` for none."""

    name: ClassVar[str] = "fooling"


@dataclass(frozen=True, kw_only=True)
class Reprogram(Inspection):
    """A program that makes the frozen agent do another task: a frame around a picture (Elsayed et al. 2019).

    The first actions stand for the classes, and the program alone is trained. Beside it a frozen network with fresh
    weights, as it is and with its outputs scaled up to the agent's, each with a program of its own.
    """

    task: Literal["squares", "digits"] = "squares"
    """Counting squares on a board of 4 x 4, or reading the digits of scikit-learn (extra `analysis`)."""
    picture: Annotated[int, Range(least=8, most=1_000)] = 36
    """Side of the picture in the middle of the frame, in pixels."""
    classes: Annotated[int, Range(least=2, most=16)] | None = None
    """How many; by default as many as the agent has outputs, 10 digits at most."""
    updates: Annotated[int, Range(least=1, most=1_000_000)] = 800
    """Of each program."""
    batch: Annotated[int, Range(least=1, most=10_000)] = 50
    """Pictures an update."""
    rate: Annotated[float, Range(above=0, most=10)] = 0.03
    """Of Adam at first; it falls to nothing."""
    fresh: Annotated[int, Range(least=10, most=100_000)] = 500
    """Pictures that no program was trained on, by which it is measured; of digits at most a third of all."""

    name: ClassVar[str] = "reprogram"


WORK: Registry[Callable[["Subject", Any], "Finding"]] = Registry(
    "inspection",
    {
        "occlusion": "rlattack.inspect.occlusion:occlusion",
        "saliency": "rlattack.inspect.saliency:saliency",
        "units": "rlattack.inspect.units:units",
        "fooling": "rlattack.inspect.fooling:fooling",
        "reprogram": "rlattack.inspect.reprogram:reprogram",
    },
)
"""What each inspection does, by its name: takes whom it looks into and its options."""
