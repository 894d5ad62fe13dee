"""Defences that stand before a policy: fronts, one a file."""

from rlattack.defences.defended import Defended, defend, make_front, outline
from rlattack.defences.front import FRONTS, Front, Watching, lend_front

__all__ = ["FRONTS", "Defended", "Front", "Watching", "defend", "lend_front", "make_front", "outline"]
