"""Games: cards, and the batched environments behind them. Importing this imports no emulator and no torch."""

import importlib
from typing import TYPE_CHECKING

from rlattack.games.atari import rom_sha256
from rlattack.games.card import GameCard, Variant
from rlattack.games.find import find_game, list_games, make_game, with_variant
from rlattack.games.game import Game, Seat, Step, View
from rlattack.games.training import training_env

if TYPE_CHECKING:
    from rlattack.games.mujoco.parallel import parallel_env
    from rlattack.games.solo import EmbedOpponent

__all__ = [
    "EmbedOpponent",
    "Game",
    "GameCard",
    "Seat",
    "Step",
    "Variant",
    "View",
    "find_game",
    "list_games",
    "make_game",
    "parallel_env",
    "rom_sha256",
    "training_env",
    "with_variant",
]


_LAZY = {"EmbedOpponent": "rlattack.games.solo", "parallel_env": "rlattack.games.mujoco.parallel"}


def __getattr__(name: str) -> object:
    """Imports what needs torch, or MuJoCo, when it is first used."""
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'rlattack.games' has no attribute {name!r}")
