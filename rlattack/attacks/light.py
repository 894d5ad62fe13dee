"""Another light, or a screen that is set otherwise (Korkmaz 2023, sec. 4.1; contrast as in Hendrycks et al. 2019)."""

from typing import ClassVar

from rlattack.attacks.natural import Natural
from rlattack.budget import Change


class Brightness(Natural[Change]):
    """Adds eps grey levels, of 255, to all that the victim sees."""

    name = "brightness"
    reaches: ClassVar[tuple[str, ...]] = ("brightness",)
    standard = (10.0, 30.0)


class Contrast(Natural[Change]):
    """Moves all pixels eps per cent further from the mean of their frame."""

    name = "contrast"
    reaches: ClassVar[tuple[str, ...]] = ("contrast",)
    standard = (10.0, 30.0)


class Tint(Natural[Change]):
    """Makes a picture redder by eps per cent; what is grey gets a gamma of 1 + eps/100."""

    name = "tint"
    title = "A tint"
    reaches: ClassVar[tuple[str, ...]] = ("tint",)
    standard = (10.0, 30.0)
