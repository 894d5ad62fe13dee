"""Sizes and reaches of what attacks may change: norms, units, projections, the byte grid, and their words."""

from typing import TYPE_CHECKING

from rlattack.registry import lazily

if TYPE_CHECKING:
    from rlattack.budget.ball import Ball
    from rlattack.budget.budget import Budget
    from rlattack.budget.change import Change
    from rlattack.budget.changes import CHANGES
    from rlattack.budget.frames import Picture, is_stack
    from rlattack.budget.patch import Patch
    from rlattack.budget.reach import TOLERANCE, Reach, Sizes
    from rlattack.budget.viewpoint import Rotation
    from rlattack.budget.words import KINDS, MODELS, NORMS, SPACES, Model, Norm, Unit
    from rlattack.budget.world import World

__all__ = [
    "CHANGES", "KINDS", "MODELS", "NORMS", "SPACES", "TOLERANCE", "Ball", "Budget", "Change", "Model", "Norm", "Patch",
    "Picture",
    "Reach", "Rotation", "Sizes", "Unit", "World", "is_stack",
]  # fmt: skip

__getattr__ = lazily(
    __name__,
    ball="Ball",
    budget="Budget",
    change="Change",
    changes="CHANGES",
    frames="Picture is_stack",
    patch="Patch",
    reach="TOLERANCE Reach Sizes",
    viewpoint="Rotation",
    words="KINDS MODELS NORMS SPACES Model Norm Unit",
    world="World",
)
