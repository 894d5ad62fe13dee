"""Which images are stacked frames, and which are one picture whose channels come first."""

from gymnasium.spaces import Box


class Picture(Box):
    """Pictures in colours, (channels, height, width), which stacked frames would look like."""


def is_stack(space: Box) -> bool:
    """Whether observations are stacked frames (frames, height, width), oldest first, and not one image in colours."""
    return channels_first(space) and not isinstance(space, Picture)


def channels_first(space: Box) -> bool:
    """Whether height and width come last: of stacked frames, and of a picture whose channels come first."""
    return len(space.shape) == 3 and space.shape[0] < min(space.shape[1:])
