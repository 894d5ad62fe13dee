"""The picture of an Atari emulator in colours, and what ale-py makes of it: grey, the brighter of two, made smaller."""

from dataclasses import dataclass
from functools import cached_property
from types import ModuleType

import numpy as np
import numpy.typing as npt
from gymnasium.spaces import Box

from rlattack.errors import MissingExtra

Pictures = npt.NDArray[np.uint8]
SCREEN = (210, 160)
"""Height and width of the picture, of whichever game."""
LUMA = (0.2989, 0.587, 0.114)
"""What red, green and blue add to grey, which is then rounded: of all colours of the console it is ALE's own grey."""
COLOURS = 3


@dataclass(frozen=True)
class Screen:
    """How what an emulator shows becomes the newest frame that an agent sees.

    Attributes:
        resize: Height and width of the frame after area interpolation.
        crop: Top, left, height, width cut out of it.
        alone: Whether the second picture alone was on the screen, in every step; at a start it is so in every game.

    >>> Screen().space.shape
    (210, 160, 6)
    """

    resize: tuple[int, int] = (84, 84)
    crop: tuple[int, int, int, int] | None = None
    alone: bool = False

    @cached_property
    def space(self) -> Box:
        """Both pictures that a frame is made of, bytes, (height, width, colours of the first and of the second)."""
        return Box(0, 255, (*SCREEN, 2 * COLOURS), np.uint8)

    @property
    def cut(self) -> tuple[int, int, int, int]:
        """Top, left, height, width of what is seen of the smaller picture."""
        return self.crop or (0, 0, *self.resize)

    def frames(self, pictures: Pictures) -> Pictures:
        """What ale-py makes of pictures, to the bit where these are in colours that the console has.

        Args:
            pictures: Shape (n, 210, 160, 6), bytes.

        Returns:
            Shape (n, 1, height, width), bytes.
        """
        height, width = SCREEN
        pixels = pictures.reshape(len(pictures) * height, 2 * width, COLOURS).astype(np.float32)
        grey = load_cv2().transform(pixels, np.asarray([LUMA], dtype=np.float32)).reshape(-1, height, width, 2)
        brighter = np.rint(np.maximum(grey[..., 0], grey[..., 1])).astype(np.uint8)
        shown = np.stack([shrunk(one, self.resize) for one in brighter])
        top, left, height, width = self.cut
        return np.ascontiguousarray(shown[:, None, top : top + height, left : left + width])


def shrunk(picture: Pictures, size: tuple[int, int]) -> Pictures:
    """A grey picture of the screen made smaller by area, as the C++ environment does.

    Args:
        picture: Shape (210, 160).
        size: Height and width.
    """
    if size == SCREEN:
        return picture
    cv2 = load_cv2()
    smaller: Pictures = cv2.resize(picture, size[::-1], interpolation=cv2.INTER_AREA)
    return smaller


def load_cv2() -> ModuleType:
    """OpenCV, which the C++ environment has of its own.

    Raises:
        MissingExtra: It is not installed.
    """
    try:
        import cv2
    except ImportError as error:
        raise MissingExtra(
            "looking ahead in Atari games, and attacks on their screen, need OpenCV: pip install opencv-python-headless"
        ) from error
    return cv2
