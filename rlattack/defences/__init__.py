"""Defences that stand before a policy: fronts, one a file."""

from rlattack.defences.front import FRONTS, Defended, Front, defend

__all__ = ["FRONTS", "Defended", "Front", "defend"]
