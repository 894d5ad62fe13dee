"""Names of numbers that say what is certain: what was measured, of which size and by which bounds."""

import re
from dataclasses import dataclass

CERTIFIED, RADIUS, MOVES, OPEN, BROKEN = "certified", "certified radius", "may move", "open", "certificates broken"
"""What is measured, before the size and the method."""
_NAMED = re.compile(r"(?P<what>.+) at (?P<norm>linf|l2|l1) (?P<eps>\S+)(?: by (?P<method>\S+))?")


@dataclass(frozen=True)
class Measured:
    """What a number says, of which size and by which bounds, as its name tells."""

    what: str
    norm: str
    eps: float
    method: str = ""

    @property
    def name(self) -> str:
        """Of the number."""
        return f"{self.what} at {self.norm} {self.eps:g}{f' by {self.method}' if self.method else ''}"

    def fits(self, norm: str, eps: float | None) -> bool:
        """Whether it is of that size, which a name tells with six digits."""
        return eps is not None and (self.norm, f"{self.eps:g}") == (norm, f"{eps:g}")

    @classmethod
    def read(cls, name: str) -> "Measured | None":
        """Reads the name of a number; None of what is measured by somebody else."""
        found = _NAMED.fullmatch(name)
        if found is None or found["what"] not in (CERTIFIED, RADIUS, MOVES, OPEN, BROKEN):
            return None
        return cls(found["what"], found["norm"], float(found["eps"]), found["method"] or "")
