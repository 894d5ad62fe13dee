"""A short duel at the rope, as the tests of this folder ask for it."""

from rlattack.evaluation.duels import Duel


def duel(**changes):
    values = {"game": "pettingzoo/pull", "players": (("zero",), ("random",)), "episodes": 6, "envs": 4}
    return Duel(**values | changes)
