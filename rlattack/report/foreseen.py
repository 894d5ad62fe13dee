"""What an agent's training met of what is done to it, by what its card says: only the rest is unforeseen."""

from collections.abc import Iterable, Sequence
from typing import Literal

from rlattack.budget import NORMS
from rlattack.evaluation.results import AttackResult
from rlattack.policies.claim import Claim

Kind = Literal["unforeseen", "foreseen", "larger"]
"""Of a kind that a training did not meet; of one that it met; of one that it met, but larger or not comparable."""
_ORDER: tuple[Kind, ...] = ("unforeseen", "larger", "foreseen")


def foreseen(claim: Claim | None, attacks: Sequence[AttackResult]) -> Kind:
    """Whether a training met what is done.

    It met an attack on what is seen whose size is that of its norm, by whatever method, and natural changes by their
    names; of several at once all must be such. Up to the size of the training they are foreseen; what is larger, has no
    size, or one in another unit is of a kind that was met, and neither foreseen nor unforeseen.
    """
    return least_foreseen(_foreseen(claim, attack) for attack in attacks)


def _foreseen(claim: Claim | None, attack: AttackResult) -> Kind:
    in_norm = attack.reach in NORMS
    seen = attack.access in ("observation", "screen") or not in_norm
    if claim is None or not seen or (attack.reach if in_norm else attack.name) not in claim.kinds:
        return "unforeseen"
    if not in_norm:
        return "foreseen"
    alike = attack.eps is not None and claim.eps is not None and attack.space == claim.space
    return "foreseen" if alike and attack.eps <= claim.eps * (1 + 1e-9) else "larger"  # type: ignore[operator]  # `alike`


def least_foreseen(kinds: Iterable[Kind]) -> Kind:
    """The kind of several at once: as little foreseen as the least of them; at least one."""
    found = set(kinds)
    return next(kind for kind in _ORDER if kind in found)
