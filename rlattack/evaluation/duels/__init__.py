"""Games of two seats between frozen players: cells, their play, their results and how they are shown."""

from rlattack.evaluation.duels.cell import DuelCell
from rlattack.evaluation.duels.evaluate import Duel, DuelPlan, evaluate_duel, plan_duel
from rlattack.evaluation.duels.rollout import DuelEpisode, DuelRollout

__all__ = ["Duel", "DuelCell", "DuelEpisode", "DuelPlan", "DuelRollout", "evaluate_duel", "plan_duel"]
