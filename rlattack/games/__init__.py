"""Games: cards, and the batched environments behind them. Importing this imports no emulator and no torch."""

from typing import TYPE_CHECKING

from rlattack.games.atari import rom_sha256
from rlattack.games.card import GameCard, Variant
from rlattack.games.find import find_game, list_games, make_game, with_variant
from rlattack.games.game import Game, Seat, Step, View
from rlattack.games.training import training_env
from rlattack.registry import lazily

if TYPE_CHECKING:
    from rlattack.games.mujoco.parallel import parallel_env
    from rlattack.games.solo import EmbedOpponent

__all__ = [
    "EmbedOpponent", "Game", "GameCard", "Seat", "Step", "Variant", "View", "find_game", "list_games", "make_game",
    "parallel_env", "rom_sha256", "training_env", "with_variant",
]  # fmt: skip

__getattr__ = lazily(__name__, solo="EmbedOpponent", **{"mujoco.parallel": "parallel_env"})
