"""What somebody who reaches an agent's lessons plants in it: backdoors, and a policy that is not the game's."""

from rlattack.training.poisoning.poisoned import Poisoned

__all__ = ["Poisoned"]
