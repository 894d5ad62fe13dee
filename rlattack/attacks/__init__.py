"""Attacks, one a file, each through the base of what it changes: that validates, settles and accounts."""

from rlattack.attacks.attack import (
    Access,
    Attack,
    AttackSpec,
    Fitted,
    ObservationAttack,
    Setting,
    Tuning,
    parameters_of,
)
from rlattack.attacks.attacker import MODELS, Attacker, Model
from rlattack.attacks.make import ATTACKS, check_attack, make_attack, parse_attack, title_of
from rlattack.attacks.schedule import Every, Schedule
from rlattack.attacks.target import Knowledge, Target
from rlattack.attacks.wrap import AttackObservation

__all__ = [
    "ATTACKS",
    "MODELS",
    "Access",
    "Attack",
    "AttackObservation",
    "AttackSpec",
    "Attacker",
    "Every",
    "Fitted",
    "Knowledge",
    "Model",
    "ObservationAttack",
    "Schedule",
    "Setting",
    "Target",
    "Tuning",
    "check_attack",
    "make_attack",
    "parameters_of",
    "parse_attack",
    "title_of",
]
