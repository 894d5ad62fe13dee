"""Games that can be played on from where they stand, and a test that what is restored plays alike."""

import contextlib

import numpy as np

from rlattack.arrays import Array, IntArray
from rlattack.errors import InvalidInput
from rlattack.games.card import Variant
from rlattack.games.find import make_game
from rlattack.games.game import Forkable, Seat, SlotFault, Step, View

_STEPS = 3


def make_forkable(variant: Variant, slots: int, *, threads: int = 1, camera: bool = False) -> Forkable:
    """Builds a game that can be saved and restored, as `make_game` does.

    Raises:
        InvalidInput: It cannot be.
    """
    game = make_game(variant, slots, threads=threads, camera=camera, forks=True)
    if not isinstance(game, Forkable):
        game.close()
        raise InvalidInput(f"{_cannot(variant)}: its family of games has no `save` and `restore`")
    return game


def check_forks(variant: Variant) -> None:
    """Saves a game, and plays on from there in two slots, which must see and earn the same.

    Raises:
        InvalidInput: The game cannot be saved, what is restored plays otherwise, or its seats take turns.
    """
    with contextlib.closing(make_forkable(variant, 2)) as game:
        try:
            same = _alike(game)
        except SlotFault as fault:
            raise InvalidInput(f"{_cannot(variant)}: {fault}") from fault
        if not same:
            raise InvalidInput(f"{_cannot(variant)}: a copy of it plays otherwise than the game that was copied")


def _alike(game: Forkable) -> bool:
    both, views = np.arange(2), game.reset(np.ones(2, dtype=np.bool_), np.asarray([1, 2]))
    if not all(view.turn.all() for view in views):
        raise SlotFault(0, "its seats take turns, and one looks ahead where all act at once")
    saved = game.save(both[:1])
    first = _played(game, views, both)
    game.restore(both[1:], saved)
    second = _played(game, views, both)
    return all(np.array_equal(one[0], other[1]) for one, other in zip(first, second, strict=True))


def _played(game: Forkable, views: tuple[View, ...], slots: IntArray) -> list[Array]:
    """What a few steps of the same legal actions in all slots bring, each (slots, ...)."""
    found: list[Array] = []
    for seat in game.seats:
        seat.action.seed(0)
    for _ in range(_STEPS):
        done = [_any(seat, view) for seat, view in zip(game.seats, views, strict=True)]
        step: Step = game.step([np.stack([np.asarray(one)] * len(slots)) for one in done])
        views = step.views
        found += [*(view.obs for view in views), step.rewards.T, step.terminated, step.truncated]
    return found


def _any(seat: Seat, view: View) -> object:
    """Some action that is legal in the first slot."""
    return seat.action.sample() if view.legal is None else int(np.flatnonzero(view.legal[0])[0])


def _cannot(variant: Variant) -> str:
    return f"game {variant.card.id} cannot be played ahead from where it stands"
