"""Who plays what is measured: a victim in its seat of a game, and random players in all others."""

import dataclasses
import itertools
from collections.abc import Sequence

from rlattack.device import CPU, check_device
from rlattack.errors import InvalidInput
from rlattack.evaluation.cell import AttackRef
from rlattack.evaluation.executor import cores
from rlattack.evaluation.play import Play
from rlattack.evaluation.study import Study
from rlattack.evaluation.table import Table
from rlattack.games import find_game, make_game
from rlattack.games.game import Game
from rlattack.policies.placeholders import PLACEHOLDERS
from rlattack.policies.policy import Policy


def seat_victim(game: str, victim: str, *, trust: bool = False, device: str = CPU) -> Table:
    """Seats a victim: in the first seat that it fits.

    Args:
        game: Id of the game.
        victim: An agent's id or folder.
        trust: Whether files that can only be read by running their code may be loaded.
        device: Where the victim computes.

    Raises:
        InvalidInput: No such device, or a victim that is no agent, or fits no seat of the game.
        RlattackError: The victim or the game cannot be loaded.
    """
    check_device(device)
    if victim in PLACEHOLDERS:
        raise InvalidInput(f"--victim: expected an agent, got {victim!r}, which is none: it looks at nothing")
    opened = make_game(find_game(game), 1)
    opened.close()
    refusals = []
    for own in opened.seats:
        players = tuple(victim if one is own else "random" for one in opened.seats)
        try:
            return Table.lay(Study(game=game, players=players, victim=own.name, episodes=1, trust=trust, device=device))
        except InvalidInput as error:
            refusals.append(error)
    raise refusals[0]


def open_game(table: Table, slots: int) -> Game:
    """The game as it is played: stepped by one thread beside others that play, and by all cores for a GPU."""
    return make_game(table.card, slots, threads=1 if table.study.device == CPU else cores())


def endless(table: Table, game: Game, policies: Sequence[Policy], attacks: tuple[AttackRef, ...] = ()) -> Play:
    """Lets episodes follow each other in every slot: those of a cell of seed 0, whose end never comes.

    Args:
        table: Who sits where.
        game: In as many slots as are to be filled.
        policies: Who plays, in the order of the seats, on the device of the study.
        attacks: On them.
    """
    numbers = [itertools.count(slot, game.slots) for slot in range(game.slots)]
    cell = dataclasses.replace(table.pairs[0], attacks=attacks, envs=game.slots)
    return Play(cell, game, policies, lambda slot: next(numbers[slot]))
