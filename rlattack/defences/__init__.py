"""Defences that stand before a policy: fronts, one a file."""

from rlattack.defences.front import Defended, Front
from rlattack.defences.make import FRONTS, defend

__all__ = ["FRONTS", "Defended", "Front", "defend"]
