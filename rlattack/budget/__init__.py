"""Sizes and reaches of what attacks may change: norms, units, projections, the byte grid, and their words."""

from typing import TYPE_CHECKING

from rlattack.registry import lazily

if TYPE_CHECKING:
    from rlattack.budget.ball import Ball
    from rlattack.budget.budget import Budget
    from rlattack.budget.chance import Chance
    from rlattack.budget.change import Change
    from rlattack.budget.changes import CHANGES
    from rlattack.budget.frames import Picture, is_stack
    from rlattack.budget.mix import Mix
    from rlattack.budget.patch import Patch
    from rlattack.budget.reach import TOLERANCE, Reach, Sizes
    from rlattack.budget.shared import Shared
    from rlattack.budget.viewpoint import Rotation
    from rlattack.budget.words import KINDS, MODELS, NORMS, SPACES, Model, Norm, Unit
    from rlattack.budget.world import World

__all__ = [
    "CHANGES", "KINDS", "MODELS", "NORMS", "SPACES", "TOLERANCE", "Ball", "Budget", "Chance", "Change", "Mix", "Model",
    "Norm", "Patch", "Picture", "Reach", "Rotation", "Shared", "Sizes", "Unit", "World", "is_stack",
]  # fmt: skip

__getattr__ = lazily(
    __name__,
    ball="Ball",
    budget="Budget",
    chance="Chance",
    change="Change",
    changes="CHANGES",
    frames="Picture is_stack",
    mix="Mix",
    patch="Patch",
    reach="TOLERANCE Reach Sizes",
    shared="Shared",
    viewpoint="Rotation",
    words="KINDS MODELS NORMS SPACES Model Norm Unit",
    world="World",
)
