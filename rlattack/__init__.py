"""rlattack: train and attack game-playing agents, and measure how far they fall."""

from typing import TYPE_CHECKING

from rlattack.registry import lazily

if TYPE_CHECKING:
    from rlattack.attacks import Attacker, AttackObservation, make_attack
    from rlattack.budget import Budget
    from rlattack.evaluation import Study
    from rlattack.experiment import evaluate
    from rlattack.games import EmbedOpponent, find_game, make_game
    from rlattack.policies import Policy, load_agent

__all__ = [
    "AttackObservation", "Attacker", "Budget", "EmbedOpponent", "Policy", "Study", "evaluate", "find_game",
    "load_agent", "make_attack", "make_game",
]  # fmt: skip

__getattr__ = lazily(
    __name__,
    attacks="AttackObservation Attacker make_attack",
    budget="Budget",
    games="EmbedOpponent find_game make_game",
    policies="Policy load_agent",
    evaluation="Study",
    experiment="evaluate",
)
