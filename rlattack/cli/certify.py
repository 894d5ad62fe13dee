"""`rlattack certify`: what is certain of a victim, beside the best attack of the same size; a face of a study."""

from dataclasses import dataclass
from typing import Annotated, Literal

import tyro

from rlattack.cli.attack import Command


@dataclass(frozen=True, kw_only=True)
class Certify(Command):
    """Certify what a victim does under every attack of a size, and attack it at that size.

    By default the attack is pgd with restarts, of discrete actions with the loss `margin` and beside `gwc`, the worst
    action in every step that is not certified impossible; `awc:horizon=` searches all ways of the first steps.
    """

    victim: Annotated[tuple[str, ...], tyro.conf.arg(metavar="AGENT ...")]
    """Agent id, agent folder, Stable-Baselines3 .zip, hf:owner/name, or module:function; several are compared."""
    method: tuple[Literal["auto", "ibp", "crown-ibp", "crown"], ...] = ("auto",)
    """Bounds; by default CROWN, of pictures CROWN-IBP, which takes a fraction of the time; several are compared."""
    every: int = 1
    """Certifies every so many-th step."""
    tolerance: float = 0.05
    """Part of its range by which a continuous action may move in a state that counts as certified."""
    radius: bool = False
    """Looks for the largest certified size of each state, up to each --eps, by bisection."""
    actions: Literal["card", "sampled", "greedy"] = "greedy"
    """Certificates are of greedy actions."""

    def __call__(self, command: list[str]) -> int:
        """Runs the command."""
        from rlattack.evaluation.certification import certification

        return self.evaluate(certification(self, self.victim, self.method, self.looks), command)

    @property
    def looks(self) -> str:
        """What every certificate is looked at by, as its observer takes it."""
        radius = ",radius=true" if self.radius else ""
        return f"every={self.every},tolerance={self.tolerance:g}{radius}"
