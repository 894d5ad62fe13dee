"""What the victim itself calls no game: the class that retraining with fooling inputs gave it (Nguyen et al. 2015)."""

from torch import Tensor

from rlattack.attacks import Setting
from rlattack.defences.detectors.detector import Detector, DetectorConfig, Look
from rlattack.errors import InvalidInput
from rlattack.policies.policy import Output, State


class Garbage(Detector[DetectorConfig]):
    """The log-odds of the victim's own class of garbage against all its actions; it learns nothing."""

    name = "garbage"

    def check(self, setting: Setting, out: Output) -> None:
        """Refuses a victim without that class."""
        super().check(setting, out)
        if out.garbage is None:
            raise InvalidInput(
                "detector garbage: expected a victim with a class of garbage, which `rlattack train defended --defence "
                "garbage` gives an agent, got one without; mahalanobis needs none"
            )

    def score(self, look: Look, memory: State) -> Tensor:
        """The log-odds."""
        assert look.out.garbage is not None, "who has no such class is refused"
        return look.out.garbage
