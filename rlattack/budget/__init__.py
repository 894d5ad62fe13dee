"""Perturbation budgets: norms, units, projections and the byte grid. The only place that knows them."""

from rlattack.budget.ball import Ball, Draws
from rlattack.budget.budget import NORMS, SPACES, Budget, Norm, Unit, is_stack

__all__ = ["NORMS", "SPACES", "Ball", "Budget", "Draws", "Norm", "Unit", "is_stack"]
