"""Surrogates by imitation: networks that learned from what a victim was seen to do, and from nothing else of it.

Behavioural cloning of the victim, whose attacks then transfer to it (Papernot et al. 2017, sec. 4; of players of games,
Behzadan and Munir 2017, sec. 4; Inkawhich et al. 2020, sec. 4).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
import torch
from gymnasium.spaces import Box, MultiDiscrete
from torch import Tensor, nn

from rlattack.arrays import Array
from rlattack.attacks.student import Student, numbers
from rlattack.attacks.tuning import APART, FEWEST, Rehearsal, Seen
from rlattack.attacks.words import Fitted
from rlattack.draws import Draws
from rlattack.errors import InvalidInput
from rlattack.games.game import Seat
from rlattack.policies.distributions import Choices
from rlattack.policies.module import ContinuousPolicy, ModulePolicy
from rlattack.policies.policy import Output, Policy, State
from rlattack.registry import Registry
from rlattack.specs import Count, Range, canonical, make

SURROGATES: Registry[type["Imitation"]] = Registry("surrogate", {"imitate": "rlattack.attacks.imitation:Imitation"})
"""Surrogates that are no agents, but learned on tuning episodes."""
_LEAST = 4 * FEWEST
"""Of what is kept half may be dropped to be spread evenly, and a part is kept apart."""
_BATCH, _STEP = 64, 1e-3
"""States a gradient step, and the length of the first one (Adam); it falls to 0."""


@dataclass(frozen=True, kw_only=True)
class ImitateConfig:
    """Parameters of `imitate`."""

    episodes: Annotated[int, Range(least=2, most=10_000)] = 20
    """Tuning episodes of the victim that are watched; every fifth is kept apart, to tell how well it is imitated."""
    states: Annotated[int, Range(least=_LEAST, most=100_000)] = 10_000
    """What is kept of them at most, spread evenly over their steps."""
    epochs: Count = 10
    """How often it goes through them."""


class Imitation:
    """Watches a victim play, and learns to do the same: by cross-entropy or, of continuous actions, by least squares.

    The network is chosen by what the seat shows: convolutions for pictures, else layers alone. It knows no memory. Of a
    victim that draws its actions it can tell the likeliest one, and agrees with it no more often than that is drawn.

    Args:
        config: Its parameters.
    """

    config_type: ClassVar[type[Any]] = ImitateConfig

    def __init__(self, config: ImitateConfig) -> None:
        self.config = config

    def fit(self, victim: Rehearsal, slots: int, seat: Seat, draws: Draws, say: Callable[[str], None]) -> Fitted:
        """Learns from tuning episodes.

        Args:
            victim: Plays them in `slots` slots.
            slots: How many.
            seat: What the victim sees and does.
            draws: For the first weights and the order of states.
            say: Told in a line how far it is.

        Raises:
            InvalidInput: The episodes had too few states.
        """
        seen = self._watch(victim, slots)
        learns, tried = (self._within(seat, *seen.of(apart)) for apart in (False, True))
        if len(learns[0]) < FEWEST or len(tried[0]) * 10 < FEWEST:
            raise InvalidInput(
                f"surrogate imitate: expected at least {FEWEST} states to learn from and {FEWEST // 10} to be tried "
                f"on, {self.config.episodes} tuning episodes had {len(learns[0])} and {len(tried[0])}; episodes=N "
                "watches more"
            )
        student, seed = Student(seat), int(draws.integers(2**31, 1)[0, 0])
        student.begin(*learns, seed)
        self._learn(student, *learns, seed, say)
        agreement, alone = student.agreement(*tried, among=learns[1])
        facts: dict[str, Any] = {"episodes": self.config.episodes, "states": len(learns[0]), "held_out": len(tried[0])}
        tensors = {name: tensor.detach().clone() for name, tensor in student.state_dict().items()}
        facts |= {"agreement": agreement, "agreement_alone": alone, "continuous": isinstance(seat.action, Box)}
        return Fitted(tensors, facts)

    def policy(self, seat: Seat, learned: Fitted | None = None) -> Policy:
        """The surrogate; one that has learned nothing yet, where nothing is given, does what nobody should rely on."""
        student = Student(seat)
        if learned is not None:
            student.load_state_dict(dict(learned.tensors))
        shape, action = tuple(seat.observation.shape or ()), seat.action
        if isinstance(action, Box):
            return ContinuousPolicy(student, shape, action)
        if isinstance(action, MultiDiscrete):
            return _Chooser(student, shape, tuple(map(int, action.nvec)))
        return ModulePolicy(student, shape, student.outputs)

    def _watch(self, victim: Rehearsal, slots: int) -> Seen:
        """Plays the episodes, the i-th in slot i modulo their number, and keeps what the victim saw and did."""
        waiting = [iter(range(slot, self.config.episodes, slots)) for slot in range(slots)]
        seen = Seen(self.config.states, min(APART, self.config.episodes))
        try:
            for step in victim.round(lambda slot: next(waiting[slot], None)):
                seen.add(step)
        finally:
            victim.close()
        return seen

    def _within(self, seat: Seat, shown: Array, done: Array) -> tuple[Array, Array]:
        """What was done as the game takes it, which clips what is beyond its range."""
        return (shown, done.clip(seat.action.low, seat.action.high)) if isinstance(seat.action, Box) else (shown, done)

    def _learn(self, student: Student, shown: Array, done: Array, seed: int, say: Callable[[str], None]) -> None:
        """Fits the network by Adam (Kingma and Ba 2015), whose steps become shorter."""
        count = -(-len(shown) // _BATCH)
        optimiser = torch.optim.Adam(student.parameters(), lr=_STEP)
        order = np.random.default_rng(seed)
        for epoch in range(self.config.epochs):
            mixed = order.permutation(len(shown))
            for number in range(count):
                optimiser.param_groups[0]["lr"] = _STEP * (1 - (epoch + number / count) / self.config.epochs)
                rows = mixed[number * _BATCH : (number + 1) * _BATCH]
                with torch.enable_grad():
                    loss = student.loss(student(numbers(shown[rows])), torch.as_tensor(done[rows]))
                optimiser.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]  # torch's own
                optimiser.step()
            say(f"epoch {epoch + 1} of {self.config.epochs}, loss {float(loss.detach()):.3g}")


def learns_by_watching(surrogate: str) -> bool:
    """Whether a text names a surrogate that learns, and no agent."""
    return surrogate.partition(":")[0] in SURROGATES


def make_imitation(surrogate: str) -> Imitation:
    """Makes what `imitate` or `imitate:episodes=20,...` names.

    Raises:
        UnknownName: No such parameter.
        InvalidInput: A value of the wrong type or range.
    """
    made: Imitation = make("surrogate", SURROGATES, surrogate)
    return made


def surrogate_name(surrogate: str) -> str:
    """The one spelling of a surrogate that learns, errors as in `make_imitation`; an agent's as it is."""
    return canonical("surrogate", SURROGATES, surrogate) if learns_by_watching(surrogate) else surrogate


def agreement_words(learned: Fitted) -> str:
    """Says how well a surrogate does what the victim did, in a line."""
    facts = learned.facts
    if facts["continuous"]:
        share = f"tells {100 * facts['agreement']:.0f} % of the variance of the victim's actions"
        return f"{share} in {facts['held_out']} states that it was not shown"
    return (
        f"agrees with the victim in {100 * facts['agreement']:.0f} % of {facts['held_out']} states that it was not "
        f"shown ({100 * facts['agreement_alone']:.0f} % without looking)"
    )


class _Chooser(ModulePolicy):
    """A network as a policy of several choices at once."""

    def __init__(self, student: nn.Module, observation: tuple[int, ...], counts: tuple[int, ...]) -> None:
        super().__init__(student, observation, sum(counts))
        self.action, self._counts = MultiDiscrete(list(counts)), counts

    def __call__(self, obs: Tensor, state: State = None, draws: Draws | None = None) -> Output:
        """Asks the module."""
        return Output(Choices(self.module(obs), self._counts))
