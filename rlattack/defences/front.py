"""Fronts: what stands before a policy and changes what it sees, or what it says in the end."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, Protocol, TypeVar

from gymnasium import Space
from gymnasium.spaces import Box
from torch import Tensor

from rlattack.attacks import Fitted
from rlattack.budget.change import is_picture
from rlattack.draws import Draws
from rlattack.errors import InvalidInput
from rlattack.games.game import Seat
from rlattack.policies.policy import Output, Policy, State
from rlattack.registry import Registry
from rlattack.specs import NoParameters, Spec, parameters_of

if TYPE_CHECKING:
    from rlattack.attacks import TuningStep

Config = TypeVar("Config")
Seen = Literal["pictures", "numbers"]
"""What a seat may see: stacked frames or one picture in colours, or other numbers."""


class Watching(Protocol):
    """Tuning episodes of clean play, from which a front learns before anything is measured.

    Attributes:
        policy: Who acts, without any front.
        seat: What it sees and does.
        slots: How many episodes play at once.
        draws: Random numbers of the fit, one row.
    """

    policy: Policy
    seat: Seat
    slots: int
    draws: Draws

    def steps(self, episodes: int, first: int = 0) -> "Iterator[TuningStep]":
        """Plays tuning episodes `first` and so many of them, the i-th in slot i modulo the slots, step by step.

        What is `received` is what arrives at this front: what came through those before it, which stand there already.
        Those behind it do not stand there yet. `episode` tells which rows belong together.
        """

    def say(self, line: str) -> None:
        """Tells in a line how far the fit is; not every line is shown."""


class Front(ABC, Generic[Config]):
    """A filter before a policy.

    Args:
        config: The front's own parameters.

    Attributes:
        name: On the command line.
        kind: Beside regimes of training, which are no fronts.
        config_type: The dataclass of its parameters.
        takes: What it stands before: `pictures`, `numbers` or both.
        packages: Distributions of others whose version decides what it lets through.
        rounds: To what it rounds what it is shown, in the game's own range; 0 for not. Changes of less than half
            of it mostly go no further.
        sloped: Whether what it lets through can be differentiated itself: then attacks do that.
        fitted: Whether it learns on tuning episodes before it stands anywhere.
        copies: How many versions of what it is shown the policy sees at once, each as a row of its own.
        learned: What it learned.
    """

    name: ClassVar[str]
    kind: ClassVar[str] = "front"
    takes: ClassVar[tuple[Seen, ...]] = ("pictures", "numbers")
    packages: ClassVar[tuple[str, ...]] = ()
    sloped: ClassVar[bool] = False
    fitted: ClassVar[bool] = False
    config_type: ClassVar[type[Any]] = NoParameters
    rounds: ClassVar[float] = 0.0
    copies: int = 1

    def __init__(self, config: Config) -> None:
        self.config = config
        self.learned = Fitted()

    def check(self, seat: Seat) -> None:
        """Checks that the front can stand before whoever holds the seat.

        Raises:
            InvalidInput: What the seat sees or does is nothing that the front takes.
        """
        check_kind(type(self), seat)

    def meet(self, policy: Policy) -> None:  # most fronts need to know nothing of it
        """Gets to know who acts behind it, once and before play.

        Raises:
            InvalidInput: It cannot stand before that policy.
        """

    def fit(self, watching: Watching) -> Fitted:
        """Learns on tuning episodes; most fronts learn nothing."""
        return Fitted()

    def told(self, learned: Fitted) -> str:
        """Says in a line how well something was learned; empty for most."""
        return ""

    def known(self, name: str) -> Tensor:
        """What it learned, by name.

        Raises:
            InvalidInput: It learned nothing yet.
        """
        if name not in self.learned.tensors:
            raise InvalidInput(f"defence {self.name} learns on tuning episodes first: play it by `rlattack.evaluate`")
        return self.learned.tensors[name]

    def memory(self, n: int) -> State:
        """What it remembers at the start of n episodes, float32, shape (n, width); None for most."""
        return None

    @abstractmethod
    def seen(self, obs: Tensor, draws: Draws | None, memory: State = None) -> Tensor:
        """What the policy sees of observations, float32, shape (n * copies, *observation): a new tensor.

        The copies of a row follow one another.

        Args:
            obs: What the front receives, shape (n, *observation).
            draws: Random numbers, a row each, for a front that is random; without any it does what it does on the
                whole.
            memory: What it remembers; handed to those alone that have a memory.
        """

    def differentiable(self, obs: Tensor) -> Tensor:
        """What a white-box attack differentiates in place of `seen` (BPDA, Athalye et al. 2018, sec. 4.1)."""
        return obs

    def decided(self, out: Output, obs: Tensor, memory: State) -> tuple[Output, State]:
        """What is said in the end, n rows, and what the front remembers from then on.

        Args:
            out: What the policy says of what it saw, n * copies rows.
            obs: What the front received, shape (n, *observation).
            memory: What it remembered.
        """
        return out, memory


FRONTS: Registry[type[Front[Any]]] = Registry(
    "defence",
    {
        "bits": "rlattack.defences.bits:Bits",
        "blur": "rlattack.defences.blur:Blur",
        "detect": "rlattack.defences.detect:Detect",
        "denoiser": "rlattack.defences.denoiser:Denoiser",
        "jpeg": "rlattack.defences.jpeg:Jpeg",
        "median": "rlattack.defences.median:Median",
        "smooth": "rlattack.defences.smooth:Smooth",
        "temporal": "rlattack.defences.temporal:Temporal",
        "tv": "rlattack.defences.tv:Tv",
    },
    group="rlattack.defences",
)


def kind_of(space: Space[Any]) -> Seen | None:
    """What a seat sees; None for what is no Box."""
    if is_picture(space):
        return "pictures"
    return "numbers" if isinstance(space, Box) else None


def check_kind(front: type[Front[Any]], seat: Seat) -> None:
    """Refuses a seat that sees what a front does not take, and names those that do.

    Raises:
        InvalidInput: It sees something else.
    """
    kind = kind_of(seat.observation)
    if kind in front.takes:
        return
    others = [name for name in FRONTS if name not in FRONTS.added and kind in FRONTS.get(name).takes]
    way = f"; {kind} have {', '.join(others)}" if others else ""
    raise InvalidInput(
        f"defence {front.name}: expected {' or '.join(front.takes)}, {seat.name} sees {seat.observation}{way}"
    )


def lend_front(front: Any) -> str:
    """Names a front that is no name: a class that is registered nowhere, or a front of it with its parameters.

    Raises:
        InvalidInput: It is no front, or has no name of its own.
    """
    kind = front if isinstance(front, type) else type(front)
    if not issubclass(kind, Front):
        raise InvalidInput(f"--defence: expected names, or fronts of a class of your own, got {front!r}")
    if kind.__abstractmethods__:
        raise InvalidInput(f"defence {kind.__name__}: expected a class that defines {min(kind.__abstractmethods__)}")
    name = getattr(kind, "name", kind.__name__)
    if not kind.__module__.startswith("rlattack."):
        FRONTS.lend(name, kind)
    defaults = parameters_of(kind)
    given: Sequence[tuple[str, Any]] = () if isinstance(front, type) else tuple(vars(front.config).items())
    return str(Spec(name, {key: value for key, value in given if value != defaults[key]}))
