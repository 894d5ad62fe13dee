"""Whether an agent fits the seat that it is to take."""

import math
from typing import Any

import numpy as np
from gymnasium import Space
from gymnasium.spaces import Box, Discrete, MultiDiscrete

from rlattack.errors import InvalidInput, RlattackError
from rlattack.games.find import find_game, game_of
from rlattack.games.game import PLAYER, Seat
from rlattack.games.gymnasium_spaces import stacking_axis
from rlattack.policies.folder import AgentCard
from rlattack.policies.policy import Policy


def refuse_misfit(
    policy: Policy, name: str, card: AgentCard | None, seat: Seat | None, game: str | None, way_out: str
) -> None:  # fmt: skip
    """Checks that an agent can take a seat.

    Raises:
        InvalidInput: One of another game, seat, shape, kind or range of actions; `way_out` is what a user can do.
    """
    # a file that stands alone can tell its game by its name
    of = card.game if card is not None else game_of(name)
    misfit = "" if seat is None else _misfit(policy, seat, game)
    if game and of and not _same_game(of, game):
        raise InvalidInput(f"agent {name} was trained for {of}, not for {game}{misfit and f'; it {misfit}'}")
    if seat is not None and card is not None and card.seat not in ("", seat.name):
        raise InvalidInput(f"agent {name} was trained for the seat {card.seat!r}, not for {seat.name!r}; {way_out}")
    if misfit:
        other = f"; the agent was trained for {of}" if of and of != game else ""
        raise InvalidInput(f"agent {name} {misfit}{other}")


def _misfit(policy: Policy, seat: Seat, game: str | None) -> str:
    """What a policy sees and does, beside what its seat shows and takes; empty where it fits."""
    has, takes = policy.action, seat.action
    n = has.n if isinstance(has, Discrete) else math.prod(has.shape or ())
    alike = takes == has if isinstance(has, Discrete | MultiDiscrete) else takes.shape == has.shape
    fits = alike and tuple(policy.observation) == seat.observation.shape
    apart = range_apart(has, takes) if fits else ""
    if fits and not apart:
        return ""
    if seat.name == PLAYER:
        where = f"game {game}" if game else "the game"
    else:
        where = f"seat {seat.name} of {game}" if game else f"seat {seat.name}"
    if apart:
        return f"acts {apart} of {where}"
    if isinstance(has, Discrete) and not isinstance(takes, Discrete):
        return f"has discrete actions, {where} takes {takes}"
    hint = _way(policy, seat) if alike else ""
    if isinstance(has, MultiDiscrete):
        return (
            f"sees {policy.observation} and acts by {has}; {where} shows {seat.observation.shape} and takes {takes}"
            f"{hint}"
        )
    does = f"has {n} actions" if isinstance(has, Discrete) else f"acts by {n} numbers"
    wants = f"one of {takes.n}" if isinstance(takes, Discrete) else takes.shape
    return f"sees {policy.observation} and {does}; {where} shows {seat.observation.shape} and takes {wants}{hint}"


def _way(policy: Policy, seat: Seat) -> str:
    """The options by which a game shows what an agent sees: a stack, channels first; empty where there are none."""
    sees, shows = tuple(policy.observation), tuple(seat.observation.shape or ())
    if seat.parts or not shows:
        return ""
    axis = stacking_axis(shows)
    one = tuple(side // seat.stacked if place == axis else side for place, side in enumerate(shows))
    stack, rest = divmod(math.prod(sees), math.prod(one))
    if rest or not stack:
        return ""
    whole = tuple(side * stack if place == axis else side for place, side in enumerate(one))
    options = [f"--frame-stack {stack}"] * (stack != seat.stacked)
    if len(whole) == 3 and sees == (whole[-1], *whole[:-1]) != whole:
        options += ["--channels first"] * (policy.normaliser is not None)  # other agents turn it by themselves
    elif sees not in (whole, (stack, *one)):
        return ""
    return f"; {' '.join(options)} shows that" if options else ""


def range_apart(has: Space[Any], takes: Space[Any]) -> str:
    """How the range of continuous actions differs from the game's; empty where it does not, or is not known."""
    if not (isinstance(has, Box) and isinstance(takes, Box) and has.is_bounded() and takes.is_bounded()):
        return ""
    if np.allclose(has.low, takes.low, atol=1e-5) and np.allclose(has.high, takes.high, atol=1e-5):
        return ""
    return f"within {_ends(has)}, and not within the range {_ends(takes)}"


def _ends(box: Box) -> str:
    return f"[{box.low.min():g}, {box.high.max():g}]"


def _same_game(one: str, two: str) -> bool:
    """Whether two ids are the same game, or variants of one: two cards of a ROM."""
    if one == two:
        return True
    try:
        rom = find_game(one).rom
        return rom is not None and rom == find_game(two).rom
    except RlattackError:  # a game that is not here is not this one
        return False
