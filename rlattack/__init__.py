"""rlattack: train and attack game-playing agents, and measure how far they fall."""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rlattack.attacks import Attacker, AttackObservation, make_attack
    from rlattack.budget import Budget
    from rlattack.evaluation import Study, evaluate
    from rlattack.games import EmbedOpponent, find_game, make_game
    from rlattack.policies import Policy, load_agent

__all__ = [
    "AttackObservation",
    "Attacker",
    "Budget",
    "EmbedOpponent",
    "Policy",
    "Study",
    "evaluate",
    "find_game",
    "load_agent",
    "make_attack",
    "make_game",
]

_HOMES = {
    "AttackObservation": "attacks",
    "Attacker": "attacks",
    "Budget": "budget",
    "EmbedOpponent": "games",
    "Policy": "policies",
    "Study": "evaluation",
    "evaluate": "evaluation",
    "find_game": "games",
    "load_agent": "policies",
    "make_attack": "attacks",
    "make_game": "games",
}


def __getattr__(name: str) -> object:
    """Imports a name when it is first used, so that `import rlattack` does no work."""
    if name not in _HOMES:
        raise AttributeError(f"module 'rlattack' has no attribute {name!r}")
    return getattr(importlib.import_module(f"rlattack.{_HOMES[name]}"), name)
