"""Pictures as filters take them, whatever the order of their axes."""

from gymnasium.spaces import Box
from torch import Tensor

from rlattack.budget.change import is_colour
from rlattack.budget.frames import channels_first


def channels_last(space: Box) -> bool:
    """Whether what is shown is one picture (height, width, colours)."""
    return is_colour(space) and not channels_first(space)


def images(obs: Tensor, space: Box) -> Tensor:
    """Pictures of that space, shape (n, *observation), as (n, channels, height, width): frames or colours."""
    return obs.permute(0, 3, 1, 2) if channels_last(space) else obs


def shown(found: Tensor, space: Box) -> Tensor:
    """The way back from `images`."""
    return found.permute(0, 2, 3, 1) if channels_last(space) else found


def sides(space: Box) -> tuple[int, int]:
    """Height and width in pixels."""
    height, width = space.shape[:2] if channels_last(space) else space.shape[1:]
    return height, width
