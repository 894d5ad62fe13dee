"""Fooling inputs: what is no game at all and makes a policy sure of an action (Nguyen et al. 2015), by evolution."""

from rlattack.attacks.fooling.evolution import Direct, Encoding, Evolved, Painted, evolve
from rlattack.attacks.fooling.inputs import Inputs

__all__ = ["Direct", "Encoding", "Evolved", "Inputs", "Painted", "evolve"]
