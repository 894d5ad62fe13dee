"""A few pixels of the newest frame, chosen by the first-order gain of setting each to an end of its range.

The gain of a pixel is its slope times the way to that end (the saliency of Papernot et al. 2016 on one channel, at full
amplitude); the k largest are set. Sets as few pixels as Qu et al. 2020 without their queries.
"""

from rlattack.attacks.fgsm import FGSM


class Pixel(FGSM):
    """Sets the k pixels of highest first-order gain to black or white; one gradient a step."""

    name = "pixel"
    title = ""
    reaches = ("l0",)
