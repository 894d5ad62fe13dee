"""Looking inside: what an agent's network does in play."""

from rlattack.inspect.activations import check_activations, write_activations
from rlattack.inspect.likelihood import Recording, density, embed
from rlattack.inspect.recording import ActivationRecorder, conditions, record

__all__ = [
    "ActivationRecorder",
    "Recording",
    "check_activations",
    "conditions",
    "density",
    "embed",
    "record",
    "write_activations",
]
