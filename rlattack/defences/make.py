"""Fronts by name: `jpeg:quality=75`; several in a row."""

from collections.abc import Sequence
from typing import Any

from rlattack.defences.front import Defended, Front
from rlattack.errors import told_by
from rlattack.games.game import Seat
from rlattack.policies.policy import Policy
from rlattack.registry import Registry
from rlattack.specs import make

FRONTS: Registry[type[Front[Any]]] = Registry(
    "defence", {"jpeg": "rlattack.defences.jpeg:Jpeg"}, group="rlattack.defences"
)


def defend(policy: Policy, fronts: Sequence[str], seat: Seat) -> Policy:
    """Puts fronts before a policy; what is shown goes through them in this order.

    Args:
        policy: Who acts.
        fronts: Each as `NAME` or `NAME:key=value,...`.
        seat: What the policy holds.

    Raises:
        UnknownName: No such front or parameter.
        InvalidInput: A parameter or a seat that does not fit.
    """
    for text in reversed(fronts):
        front = make("defence", FRONTS, text)
        with told_by(text):
            front.check(seat)
        policy = Defended(policy, front)
    return policy
