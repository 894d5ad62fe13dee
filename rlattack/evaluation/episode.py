"""One finished episode: what each seat earned and what observers found, as it is kept and counted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rlattack.games.card import Outcome

CUT = "--max-steps"
"""Ending of an episode that was cut after as many steps as the command allows."""


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What the judge found of one seat in one episode."""

    steps: int
    """Steps in which the seat acted; the counts below are of these."""
    attacked: int
    """Steps in which the victim received something else than the game showed, did another thing than it chose, or was
    in another world."""
    changed: float
    """Sum over steps of how much its greedy action moved from the one on the clean view, each in [0, 1]."""
    sizes: Mapping[str, float]
    """Largest size of a step by name (`linf`, `l2`, `l1`, `l0`, `rotation`), in units of the budget's space."""
    broken: int
    """Steps that left the reach or the space."""
    queries: int
    """Outputs of the victim that the attack asked for, each for one observation."""
    gradients: int
    """Backward passes with their forward, each for one observation."""


def a_step(judged: Sequence[Judgement]) -> dict[str, object]:
    """What the judge found of a seat, a step in which it acted; sizes are the largest of all episodes."""
    steps = max(sum(one.steps for one in judged), 1)
    largest = {name: max(one.sizes[name] for one in judged) for name in judged[0].sizes}
    return {
        "attacked": sum(one.attacked for one in judged) / steps,
        "action_change": sum(one.changed for one in judged) / steps,
        "sizes": {name: float(f"{size:.6g}") for name, size in largest.items()},
        "queries": sum(one.queries for one in judged) / steps,
        "gradients": sum(one.gradients for one in judged) / steps,
    }


@dataclass(frozen=True, kw_only=True)
class SeatEpisode:
    """One episode of one seat."""

    score: float
    """Undiscounted sum of the game's own rewards of this seat."""
    outcome: Outcome | None
    """Of this seat, by the rules or by the card's win rule; None where there is neither."""
    judged: Judgement | None = None
    """Of a seat that was attacked."""
    measured: Mapping[str, float | None] = field(default_factory=dict)
    """What other observers collected, by name; None for what could not be measured in this episode."""
    traces: Mapping[str, list[float | None]] = field(default_factory=dict)
    """What they kept of every step in which the seat acted, by name; None for what could not be measured in it."""


@dataclass(frozen=True, kw_only=True)
class Episode:
    """One finished episode."""

    cell: str
    """Key of its cell."""
    episode: int
    seed: int
    """The game was reset with it."""
    length: int
    ending: str
    """How it ended, in the game's own word."""
    truncated: bool
    """Cut by the time limit, or because the simulation broke down."""
    stalled: bool
    """Ended by the card's stall rule."""
    trajectory: str
    """Digest of actions and rewards: equal for episodes that went alike."""
    seats: tuple[SeatEpisode, ...]
