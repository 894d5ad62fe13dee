"""A camera out of focus, a line that compresses or loses pixels, dirt on the lens (Hendrycks et al. 2019, sec. 3)."""

from typing import ClassVar

from rlattack.attacks.natural import Natural
from rlattack.budget import Change


class Blur(Natural[Change]):
    """Blurs what the victim sees by a Gaussian of eps pixels."""

    name = "blur"
    reaches: ClassVar[tuple[str, ...]] = ("blur",)
    standard = (0.5, 1.0)


class JpegLoss(Natural[Change]):
    """Compresses what the victim sees by JPEG of quality 100 - eps."""

    name = "jpeg"
    title = "JPEG"
    reaches: ClassVar[tuple[str, ...]] = ("jpeg",)
    standard = (20.0, 70.0)


class SaltAndPepper(Natural[Change]):
    """Makes eps per cent of the pixels black or white, others in each step."""

    name = "salt-and-pepper"
    title = "Salt and pepper"
    reaches: ClassVar[tuple[str, ...]] = ("salt-and-pepper",)
    standard = (1.0, 5.0)


class Occlusion(Natural[Change]):
    """Hides a square of eps pixels a side, at one random place an episode."""

    name = "occlusion"
    title = "An occlusion"
    reaches: ClassVar[tuple[str, ...]] = ("occlusion",)
    standard = (8.0, 16.0)
