"""What `--activations` left in a run folder: how likely normal play finds a seat's activations, and a picture."""

import math
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

from rlattack.evaluation.results import Mean

SCHEMA = "rlattack/activations/1"
FILE, PICTURE = "activations.json", "activations.png"


@dataclass(frozen=True)
class Activations:
    """Activations of a seat's network against several opponents, seen by a mixture fitted to normal play.

    Attributes:
        seat: Name of the seat.
        normal: The opponent of normal play.
        components: Of the Gaussian mixture.
        rows: Steps that it was fitted to.
        parameters: Numbers that were fitted.
        log_likelihood: Nats a step, by opponent; normal play stands there as `train` and `validation`.
    """

    schema: str
    seat: str
    normal: str
    components: int
    rows: int
    parameters: int
    log_likelihood: dict[str, Mean]

    @property
    def warning(self) -> str | None:
        """What weakens the likelihoods; None where nothing does."""
        if self.rows >= self.parameters:
            return None
        times = math.ceil(self.parameters / max(self.rows, 1))
        return (
            f"The mixture has {self.parameters:,} parameters and was fitted to {self.rows:,} steps only, so whatever "
            f"is new seems unlikely: compare with validation, and play at least {times} times as many games."
        )


def read_activations(folder: Path) -> Activations | None:
    """Reads the numbers from a run folder; None where there are none, or no picture beside them."""
    try:
        found = TypeAdapter(Activations).validate_json((folder / FILE).read_bytes())
    except (OSError, ValueError):
        return None
    return found if found.schema == SCHEMA and (folder / PICTURE).is_file() else None
