"""All natural changes, by their kind of reach."""

from rlattack.budget.camera import Blur, JpegLoss, Occlusion, SaltAndPepper
from rlattack.budget.chance import Chance
from rlattack.budget.change import Change
from rlattack.budget.gaps import Blank, Dropped, Missing, Stale
from rlattack.budget.light import Brightness, Contrast, Tint
from rlattack.budget.sensors import Bias, Gain
from rlattack.budget.slip import Slip
from rlattack.budget.timing import Delay, Frozen
from rlattack.budget.viewpoint import Rotation, ShiftX, ShiftY, Zoom

CHANGES: dict[str, type[Change]] = {
    change.kind: change
    for change in (
        Rotation, ShiftX, ShiftY, Zoom, Brightness, Contrast, Tint, Blur, JpegLoss, SaltAndPepper, Occlusion, Delay,
        Frozen, Dropped, Blank, Missing, Stale, Bias, Gain, Slip, Chance,
    )
}  # fmt: skip
"""In the order in which they are listed."""
