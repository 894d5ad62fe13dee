"""A sticker: what stands in a scene wherever somebody put it, in a shape of its own (Eykholt et al. 2018, sec. 3).

It is a patch whose place is another one in every episode, and which has learned to work in all of them (expectation
over transformations, Athalye et al. 2018, sec. 2; Brown et al. 2017, eq. 1).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from rlattack.attacks.attack import AttackSpec
from rlattack.attacks.mask import Shape
from rlattack.attacks.patch import PatchAttack, PatchConfig
from rlattack.specs import full_parameters


@dataclass(frozen=True, kw_only=True)
class StickerConfig(PatchConfig):
    """Parameters of `sticker`: those of `patch`, with a place and a shape of its own by default."""

    place: Literal["corner", "centre", "search", "anywhere"] = "anywhere"
    """Where it is: anywhere, in another place in every episode, or at one place, as of `patch`."""
    shape: Shape = "disc"
    """What of the square it covers."""


class Sticker(PatchAttack):
    """Covers a shape, wherever it happens to be, with what raised the victim's loss most over tuning episodes."""

    name = "sticker"
    title = "A sticker"
    config_type = StickerConfig

    @classmethod
    def control_of(cls, parameters: Mapping[str, Any]) -> AttackSpec:
        """One of noise at the same places, of the same shape."""
        full = full_parameters(cls, parameters)
        return super().control_of({"place": full["place"], "shape": full["shape"], **parameters})
