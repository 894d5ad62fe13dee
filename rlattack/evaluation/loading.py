"""Who plays in a cell, and what its attacks are crafted on: loaded once a process, and compared with the plan."""

from pathlib import Path

from rlattack.attacks import Fitted
from rlattack.attacks.imitation import learns_by_watching, make_imitation
from rlattack.defences import defend, outline
from rlattack.errors import InvalidInput, RefusedFile
from rlattack.evaluation.cell import AgentRef, Cell
from rlattack.evaluation.fits import read_fit
from rlattack.games.game import Game, Seat
from rlattack.policies.load import Agent, load_agent
from rlattack.policies.placed import placed
from rlattack.policies.policy import Policy

_loaded: dict[tuple[AgentRef, str, str, str, bool], Policy] = {}
"""The agents of this process that were loaded last."""
_MOST_LOADED = 8


def load_surrogate(name: str, game: str, seat: Seat, trust: bool) -> Agent:
    """What attacks are to be crafted on; one that learns has learned nothing yet.

    Raises:
        RlattackError: An agent that cannot be loaded, does not fit, or looks at nothing.
    """
    if learns_by_watching(name):
        return Agent(policy=make_imitation(name).policy(seat), name=name, algorithm="imitation")
    found = load_agent(
        name, seat, game=game, trust=trust, way_out="--surrogate takes agents of the seat that is attacked"
    )
    if not found.looks:
        raise InvalidInput(f"--surrogate: expected an agent to craft attacks on, and {found.name} looks at nothing")
    return found


def load_player(ref: AgentRef, seat: Seat, cell: Cell, fits: Path | None = None) -> Policy:
    """Loads an agent with its fronts, once a process, onto the cell's device.

    Args:
        ref: The agent.
        seat: What it holds.
        cell: Where it plays.
        fits: Folder of what its fronts learned; without it those that learn do not stand there.

    Raises:
        RefusedFile: An agent that is not what was planned with, or a front that has not learned yet.
    """
    game = cell.game.card.id
    place = ref, seat.name, game, cell.device, fits is not None
    if place not in _loaded:
        agent = load_agent(ref.spec, seat, game=game, trust=ref.trust, normaliser=ref.normaliser)
        if agent.identity != ref.identity:
            again = load_agent(ref.spec, seat, game=game, trust=ref.trust, normaliser=ref.normaliser)
            if again.identity != agent.identity:
                raise RefusedFile(
                    f"{ref.spec}: has other weights each time it is made, as a network that was never trained: "
                    "load them from a file in it, or seed them"
                )
            raise RefusedFile(f"{ref.spec}: changed while the run played; finished cells are kept, run it again")
        if len(_loaded) >= _MOST_LOADED:
            _loaded.clear()
        made = (
            outline(agent.policy, ref.fronts, seat)
            if fits is None
            else defend(agent.policy, ref.fronts, seat, learned_by(ref, fits))
        )
        _loaded[place] = placed(made, cell.device)
    return _loaded[place]


def learned_by(ref: AgentRef, fits: Path) -> list[Fitted | None]:
    """What the fronts of an agent learned on tuning episodes, in their order.

    Raises:
        RefusedFile: It is not there.
    """
    found: list[Fitted | None] = []
    for text, key in zip(ref.fronts, ref.fits or [None] * len(ref.fronts), strict=True):
        learned = None if key is None else read_fit(fits, key)
        if key is not None and learned is None:
            raise RefusedFile(f"--defence {text}: what it learned is not there; run the command again")
        found.append(learned)
    return found


def surrogates_of(cell: Cell, game: Game, fits: Path | None) -> list[Policy | None]:
    """Loads what each attack of a cell is crafted on; None for the victim itself.

    Raises:
        RefusedFile: An agent that is not what was planned with, or a surrogate that has not learned yet.
    """
    crafted_on = [(ref.surrogate, game.seats[ref.seat]) for ref in cell.attacks]
    return [
        None if ref is None else _imitated(ref, seat, cell, fits) if ref.learns else load_player(ref, seat, cell, fits)
        for ref, seat in crafted_on
    ]


def _imitated(ref: AgentRef, seat: Seat, cell: Cell, fits: Path | None) -> Policy:
    """A surrogate that learned on tuning episodes, on the cell's device; without a folder of fits only its shape."""
    learned = None if fits is None else read_fit(fits, ref.identity)
    if learned is None and fits is not None:
        raise RefusedFile(f"--surrogate {ref.spec}: what it learned is not there; run the command again")
    return placed(make_imitation(ref.spec).policy(seat, learned), cell.device)
