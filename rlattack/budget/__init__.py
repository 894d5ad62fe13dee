"""Sizes and reaches of what attacks may change: norms, units, projections, the byte grid, and their words."""

from rlattack.budget.ball import Ball
from rlattack.budget.budget import Budget
from rlattack.budget.change import Change, Rotation, is_stack
from rlattack.budget.reach import TOLERANCE, Reach, Sizes
from rlattack.budget.words import KINDS, NORMS, SPACES, Norm, Unit

__all__ = [
    "KINDS", "NORMS", "SPACES", "TOLERANCE", "Ball", "Budget", "Change", "Norm", "Reach", "Rotation", "Sizes", "Unit",
    "is_stack",
]  # fmt: skip
