"""Attacks on observations: one a file, all through one base that validates, projects and accounts."""

from rlattack.attacks.attacker import MODELS, Attacker, Model
from rlattack.attacks.base import Attack
from rlattack.attacks.make import ATTACKS, AttackSpec, make_attack, parse_attack

__all__ = ["ATTACKS", "MODELS", "Attack", "AttackSpec", "Attacker", "Model", "make_attack", "parse_attack"]
