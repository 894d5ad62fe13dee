"""The recipe of several defended victims that meet the same attacks: robust against what?"""

import dataclasses
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import tyro

from rlattack.training.recipes.defended import DefendedRecipe, TrainDefended

UNDEFENDED, PLAIN = "undefended", "none"
"""The twin of the others, and the defence that it has."""


@dataclass(frozen=True, kw_only=True)
class TrainMatrix(DefendedRecipe):
    """Train a victim by each of several defences, and see what each stands of attacks that it did not train for.

    Each is trained in turn, as `rlattack train defended` would, beside an undefended twin where no --victim is there to
    compare with; then all meet all attacks on the same episodes (Kang et al. 2019). If killed, the same command with
    --resume goes on; it may name more defences and other attacks.

    Raises:
        InvalidInput: A value outside its range.
    """

    defence: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME[:key=value,...] ...")]
    """How each learns to stand attacks, as sa:kappa=0.3 adversarial:attack=pgd natural."""
    against: Annotated[tuple[str, ...], tyro.conf.arg(metavar="ATTACK[:key=value,...] ...")]
    """What all meet in the end, as `rlattack attack --attack` has it; at --eps, at sizes of their own, as
    pgd:eps=0.01,norm=l2 patch:eps=8, and natural changes at standard severities."""

    verb: ClassVar[str] = "matrix"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.expect("defence", "different ones, at least one", 0 < len(self.defence) == len(set(self.defence)))
        self.expect("against", "at least one attack", len(self.against) > 0)

    @property
    def trainings(self) -> dict[str, TrainDefended]:
        """A recipe a victim by its name, that of its defence; the undefended twin first, where one is trained."""
        twin = {} if self.victim is not None or PLAIN in self.defence else {UNDEFENDED: PLAIN}
        named = dict(twin)
        for defence in self.defence:
            name = UNDEFENDED if defence == PLAIN else defence.partition(":")[0]
            alike = sum(one.partition(":")[0] == name for one in named.values())
            named[name if not alike else f"{name}-{alike + 1}"] = defence
        return {name: self._one(name, defence) for name, defence in named.items()}

    def _one(self, name: str, defence: str) -> TrainDefended:
        own = ("run", "agent", "resume")
        shared: dict[str, Any] = {
            one.name: getattr(self, one.name) for one in dataclasses.fields(DefendedRecipe) if one.name not in own
        }
        folder = self.folder / name
        return TrainDefended(
            **shared, defence=defence, run=folder, agent=f"{self.id}/{name}",
            resume=(folder / "config.json").is_file(),
        )  # fmt: skip
