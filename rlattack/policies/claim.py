"""What an agent was trained to stand, as its card says it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rlattack.policies.folder import AgentCard

_MET = "learned against"
"""In place of a recipe: of who learned to play against opponents, which are named."""
_LARGEST, _LONGEST = 1e9, 500
"""Beyond which a size, or the characters of a text, are a slip."""


@dataclass(frozen=True)
class Claim:
    """What a training was to make an agent stand.

    Attributes:
        defence: The recipe, as typed.
        kinds: What it met in training: norms, names of natural changes (`linf`, `rotate`), or ids of opponents.
        eps: Largest size that it met, in its norm; None where each kind has sizes of its own.
        space: Unit of that size.
    """

    defence: str
    kinds: tuple[str, ...] = ()
    eps: float | None = None
    space: str = ""

    @property
    def words(self) -> str:
        """The whole in a few words: `sa:kappa=0.3, linf 0.01`."""
        if self.defence == _MET:
            return f"{_MET} {', '.join(self.kinds)}"
        unit = "" if self.space in ("", "unit", "raw") else f" {self.space}"
        size = "" if self.eps is None else f", {' '.join(self.kinds)} {self.eps:g}{unit}"
        return f"{self.defence}{size}"


def claim_of(card: AgentCard | None) -> Claim | None:
    """Reads what a card claims; None where it claims nothing, or nothing that can be read."""
    told = {} if card is None else card.provenance.get("defends")
    if not isinstance(told, Mapping) or not _texts([told.get("defence")]):
        return None if card is None else _met(card)
    eps, norm = told.get("eps"), told.get("norm")
    sized = isinstance(eps, int | float) and not isinstance(eps, bool) and 0 < eps < _LARGEST
    space = "".join(_texts([told.get("space", "")]))
    kinds = _texts(told.get("kinds", [norm] if sized else []))  # cards of before have no kinds
    return Claim(told["defence"], kinds, float(eps) if sized else None, space)  # type: ignore[arg-type]  # `sized` says so


def _met(card: AgentCard) -> Claim | None:
    """The opponents that a victim learned against; None where its card lists none."""
    listed = card.provenance.get("opponents")
    met = _texts([one.get("id") for one in listed if isinstance(one, Mapping)] if isinstance(listed, list) else [])
    return Claim(_MET, met) if met and card.role == "victim" else None


def _texts(found: Any) -> tuple[str, ...]:
    """The texts of a list, but for those that no card of anybody needs: of several lines, or very long."""
    told = found if isinstance(found, list | tuple) else ()
    return tuple(one for one in told if isinstance(one, str) and one.isprintable() and len(one) <= _LONGEST)
