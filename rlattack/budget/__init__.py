"""Sizes and reaches of what attacks may change: norms, units, projections, the byte grid, and their words."""

from rlattack.budget.ball import Ball
from rlattack.budget.budget import Budget, is_stack
from rlattack.budget.reach import TOLERANCE, Reach, Sizes
from rlattack.budget.words import NORMS, SPACES, Norm, Unit

__all__ = ["NORMS", "SPACES", "TOLERANCE", "Ball", "Budget", "Norm", "Reach", "Sizes", "Unit", "is_stack"]
