"""Games: cards, and the batched environments behind them. Importing this imports no emulator and no torch."""

import importlib
from typing import TYPE_CHECKING

from rlattack.games.atari import rom_sha256
from rlattack.games.batch import BatchedGame, Step
from rlattack.games.card import GameCard
from rlattack.games.duel import DuelGame
from rlattack.games.find import find_game, list_games, make_duel, make_game, with_variant
from rlattack.games.training import training_env

if TYPE_CHECKING:
    from rlattack.games.mujoco.parallel import parallel_env
    from rlattack.games.opponent import EmbedOpponent
    from rlattack.games.wrappers import AttackObservation

__all__ = [
    "AttackObservation",
    "BatchedGame",
    "DuelGame",
    "EmbedOpponent",
    "GameCard",
    "Step",
    "find_game",
    "list_games",
    "make_duel",
    "make_game",
    "parallel_env",
    "rom_sha256",
    "training_env",
    "with_variant",
]


_LAZY = {
    "AttackObservation": "rlattack.games.wrappers",
    "EmbedOpponent": "rlattack.games.opponent",
    "parallel_env": "rlattack.games.mujoco.parallel",
}


def __getattr__(name: str) -> object:
    """Imports what needs torch, or MuJoCo, when it is first used."""
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'rlattack.games' has no attribute {name!r}")
