"""rlattack: train and attack game-playing agents, and measure how far they fall."""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rlattack.attacks import Attacker, make_attack
    from rlattack.budget import Budget
    from rlattack.games import AttackObservation, find_game, make_game
    from rlattack.policies import Policy, load_policy

__all__ = ["AttackObservation", "Attacker", "Budget", "Policy", "find_game", "load_policy", "make_attack", "make_game"]

_HOMES = {
    "AttackObservation": "rlattack.games",
    "Attacker": "rlattack.attacks",
    "Budget": "rlattack.budget",
    "Policy": "rlattack.policies",
    "find_game": "rlattack.games",
    "load_policy": "rlattack.policies",
    "make_attack": "rlattack.attacks",
    "make_game": "rlattack.games",
}


def __getattr__(name: str) -> object:
    """Imports a name when it is first used, so that `import rlattack` does no work."""
    if name not in _HOMES:
        raise AttributeError(f"module 'rlattack' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
