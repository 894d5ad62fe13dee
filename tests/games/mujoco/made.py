"""Games of cards with other numbers than the shipped ones have."""

from collections.abc import Mapping

from rlattack.games.card import GameCard, Variant
from rlattack.games.game import Mask
from rlattack.games.mujoco.card import MujocoCard
from rlattack.games.mujoco.duel import DuelGame


def game_of(card: MujocoCard, slots: int, threads: int = 1, hidden: Mapping[int, Mask] | None = None) -> DuelGame:
    variant = Variant(GameCard(id="mujoco/changed", title="changed", mujoco=card), tuple((hidden or {}).items()))
    return DuelGame(variant, slots, threads)
