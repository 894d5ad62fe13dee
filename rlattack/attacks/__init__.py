"""Attacks, one a file, each through the base of what it changes: that validates, settles and accounts."""

from typing import TYPE_CHECKING

from rlattack.registry import lazily

if TYPE_CHECKING:
    from rlattack.attacks.action import ActionAttack, ActionAttacker
    from rlattack.attacks.attack import Attack, AttackSpec, ObservationAttack, Setting
    from rlattack.attacks.attacker import Attacker
    from rlattack.attacks.dynamics import DynamicsAttack, DynamicsAttacker
    from rlattack.attacks.make import ATTACKS, make_attack, parse_attack, title_of
    from rlattack.attacks.runner import Runner
    from rlattack.attacks.schedule import SCHEDULES, Every, Schedule, make_schedule
    from rlattack.attacks.screen import ScreenAttacker
    from rlattack.attacks.target import Target
    from rlattack.attacks.tuning import Rehearsal, Tuning, TuningStep
    from rlattack.attacks.words import Access, Fitted, Knowledge
    from rlattack.attacks.wrap import AttackObservation

__all__ = [
    "ATTACKS", "SCHEDULES", "Access", "ActionAttack", "ActionAttacker", "Attack", "AttackObservation",
    "AttackSpec", "Attacker", "DynamicsAttack", "DynamicsAttacker", "Every", "Fitted", "Knowledge",
    "ObservationAttack", "Rehearsal", "Runner", "Schedule", "ScreenAttacker", "Setting", "Target", "Tuning",
    "TuningStep", "make_attack", "make_schedule", "parse_attack", "title_of",
]  # fmt: skip

__getattr__ = lazily(
    __name__,
    action="ActionAttack ActionAttacker",
    attack="Attack AttackSpec ObservationAttack Setting",
    attacker="Attacker",
    dynamics="DynamicsAttack DynamicsAttacker",
    make="ATTACKS make_attack parse_attack title_of",
    runner="Runner",
    schedule="SCHEDULES Every Schedule make_schedule",
    screen="ScreenAttacker",
    target="Target",
    tuning="Rehearsal Tuning TuningStep",
    words="Access Fitted Knowledge",
    wrap="AttackObservation",
)
