"""Looking inside: what an agent's network does in play, what decides, what it sees that is not there."""

from typing import TYPE_CHECKING

from rlattack.inspect.inspection import Inspection
from rlattack.inspect.kinds import Fooling, Occlusion, Reprogram, Saliency, Units
from rlattack.registry import lazily

if TYPE_CHECKING:
    from rlattack.inspect.activations import check_activations, write_activations
    from rlattack.inspect.finding import Finding
    from rlattack.inspect.likelihood import Recording, density, embed
    from rlattack.inspect.look import inspect
    from rlattack.inspect.recording import ActivationRecorder, conditions, record

__all__ = [
    "ActivationRecorder", "Finding", "Fooling", "Inspection", "Occlusion", "Recording", "Reprogram", "Saliency",
    "Units",
    "check_activations", "conditions", "density", "embed", "inspect", "record", "write_activations",
]  # fmt: skip

__getattr__ = lazily(
    __name__,
    activations="check_activations write_activations",
    finding="Finding",
    likelihood="Recording density embed",
    look="inspect",
    recording="ActivationRecorder conditions record",
)
