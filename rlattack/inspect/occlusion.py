"""Occlusion: how much less sure an agent is of its action where a block of what it sees is hidden.

Blocks as in Zeiler and Fergus 2014, sec. 4.2; blurred as in Greydanus et al. 2018, eq. 1, though what is told is the
fall of the probability and not half the squared distance of the scores (eq. 2), so that all ways compare.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from rlattack.arrays import BoolArray, FloatArray
from rlattack.errors import InvalidInput
from rlattack.inspect.finding import Finding, Sheet, Shown
from rlattack.inspect.kinds import Occlusion
from rlattack.inspect.maps import (
    AGENT,
    HEADS,
    RESCALED,
    SHUFFLED,
    Told,
    area_row,
    cares,
    compare,
    film,
    picture,
    stands_out,
)
from rlattack.inspect.subject import Reading, States, Subject, as_said
from rlattack.inspect.twins import shuffles
from rlattack.policies.policy import Policy
from rlattack.report.values import Value

_AT_ONCE = 100
"""Blocks that are hidden at once; memory that is asked for anew costs more than what it is for."""
_LEVELS = 25.0
"""Grey levels of `brighter` and `darker`."""
_BLUR = 3.0
"""Standard deviation of the blur in pixels (Greydanus et al. 2018, sec. 3)."""
_MASK = 1.6
"""Standard deviations of the blur's mask in a block: 5 pixels for one of 8, as there."""


def occlusion(subject: Subject, options: Occlusion) -> Finding:
    """Hides block after block of what an agent saw, and of the same for the network with shuffled weights.

    Raises:
        InvalidInput: Nothing to hide blocks by, observations that are no pictures, a block larger than they are, or an
            agent without a network.
    """
    if not options.by:
        raise InvalidInput("--by: expected at least one way to hide a block, as in --by background blur, got none")
    grid = Blocks.of(subject, options)
    twins = shuffles(subject.policy, options.seed, options.shuffles)
    states = subject.states(options.states, options.every)
    scaled = [subject.rescaling(states.obs, twin, states.before) for twin in twins]
    marked = grid.touching(stands_out(states.obs))
    area = states.share(marked)
    rows: list[tuple[str, list[Value]]] = [area_row("blocks where something stands out", area)]
    told: dict[str, dict[str, Told]] = {}
    panels: dict[str, FloatArray] = {}
    for way in dict.fromkeys(options.by):
        own = _falls(subject, grid, states, way, subject.policy)
        pairs = zip(twins, scaled, strict=True)
        others = np.stack([_falls(subject, grid, states, way, twin, (as_said, own_way)) for twin, own_way in pairs])
        maps = {AGENT: np.stack(own), SHUFFLED: others[:, 0], RESCALED: others[:, 1]}
        told[way] = compare(maps, states, marked)
        rows += [(f"{way}: {name}", one.values) for name, one in told[way].items()]
        panels |= {f"{way}, {name}": grid.spread(heat[0]) for name, heat in maps.items() if name != SHUFFLED}
    shown = [picture(states.obs, panels, "occlusion", "How much each block takes of the action's probability.")]
    if options.film:
        shown.append(_film(subject, grid, options, twins[0], scaled[0]))
    size = f"{options.block} x {options.block} pixels every {options.stride}"
    title = f"{subject.name} in {subject.cell.game.card.id}: fall of the action's probability, blocks of {size}"
    ways = {way: {name: one.numbers for name, one in of.items()} for way, of in told.items()}
    return Finding(
        _sentence(told), [Sheet(title, ("what a block becomes, for whom", *HEADS), rows)],
        {"states": len(states), "area": area, "factors": [one.factor for one in scaled], "ways": ways},
        cares(told, area, states, scaled), shown,
    )  # fmt: skip


def _sentence(told: dict[str, dict[str, Told]]) -> str:
    way = max(told, key=lambda one: told[one][AGENT].largest.mean)
    most, control, scaled = (told[way][name] for name in (AGENT, SHUFFLED, RESCALED))
    said = f"The block that matters most takes {most.largest.mean:.2g} of the action's probability ({way})"
    if control.times is None or scaled.times is None:
        return f"{said}; with shuffled weights nothing matters."
    return (
        f"{said}, {control.times.mean:.3g} times what it takes with shuffled weights; {scaled.times.mean:.3g} times "
        "where their scores are scaled up to the agent's."
    )


@dataclass(frozen=True)
class Blocks:
    """Where blocks stand in a picture.

    Attributes:
        sides: Height and width of a picture.
        corners: Top and left of each block, shape (blocks, 2).
        size: Side of a block.
    """

    sides: tuple[int, int]
    corners: FloatArray
    size: int

    @classmethod
    def of(cls, subject: Subject, options: Occlusion) -> "Blocks":
        """The blocks of what a seat sees.

        Raises:
            InvalidInput: No pictures, or a block larger than they are.
        """
        if not subject.pictures:
            raise InvalidInput(
                f"inspect occlusion: expected observations that are pictures of bytes, {subject.cell.game.card.id} "
                f"shows {subject.seat.observation}; `rlattack inspect saliency` tells which entries decide"
            )
        height, width = subject.sides
        if options.block > min(height, width):
            raise InvalidInput(
                f"--block: expected at most {min(height, width)}, the picture's side, got {options.block}"
            )
        places = [range(0, side - options.block + 1, options.stride) for side in (height, width)]
        corners = np.asarray([(top, left) for top in places[0] for left in places[1]], dtype=np.float64)
        return cls((height, width), corners, options.block)

    def masks(self, way: str) -> Tensor:
        """How much of each pixel a block hides, shape (blocks, height, width), in [0, 1]."""
        lines = [torch.arange(side, dtype=torch.float32) for side in self.sides]
        corners = torch.as_tensor(self.corners, dtype=torch.float32)
        hidden = []
        for axis, line in enumerate(lines):
            apart = line[None] - corners[:, axis : axis + 1]
            if way == "blur":
                centred = (apart - (self.size - 1) / 2) / (self.size / _MASK)
                hidden.append((-0.5 * centred.square()).exp())
            else:
                hidden.append(((apart >= 0) & (apart < self.size)).float())
        return hidden[0][:, :, None] * hidden[1][:, None, :]

    def touching(self, marked: BoolArray) -> BoolArray:
        """Blocks in which something is marked, shape (n, blocks), of pixels (n, height, width)."""
        tops, lefts = self.corners.astype(np.int64).T
        return np.stack(
            [
                marked[:, y : y + self.size, x : x + self.size].any(axis=(1, 2))
                for y, x in zip(tops, lefts, strict=True)
            ],
            axis=1,
        )

    def spread(self, heat: FloatArray) -> FloatArray:
        """Numbers of blocks, shape (n, blocks), as pixels (n, height, width): the mean of the blocks over each."""
        masks = self.masks("square").flatten(1).numpy(force=True).astype(np.float64)
        over = np.maximum(masks.sum(axis=0), 1)
        spread: FloatArray = (heat @ masks / over).reshape(len(heat), *self.sides)
        return spread


def _falls(
    subject: Subject,
    grid: Blocks,
    states: States,
    way: str,
    policy: Policy,
    readings: Sequence[Reading] = (as_said,),
) -> list[FloatArray]:
    """How much less sure a policy is with each block hidden, (n, blocks): as it says it, and as each reading has it."""
    masks = grid.masks(way)[:, None]
    found: list[list[FloatArray]] = [[] for _ in readings]
    whose = "the agent" if policy is subject.policy else "shuffled weights"
    for row in range(len(states)):
        subject.tell(f"hiding {len(masks)} blocks from {whose} ({way})", row, len(states))
        frames = subject.frames(torch.as_tensor(states.obs[row : row + 1]).to(torch.float32))
        fill, parts = _FILLS[way](frames), [subject.numbers(subject.laid(frames), states.of(row, 1), policy)]
        for some in torch.split(masks, _AT_ONCE):
            hidden = subject.laid(frames + (fill - frames) * some)
            parts.append(subject.numbers(hidden, states.of(row, len(hidden)), policy))
        said = torch.cat(parts)
        for of, reading in zip(found, readings, strict=True):
            said_so = reading(said)
            before, after = said_so[:1], said_so[1:]
            fallen = subject.certainty.fall(before.expand_as(after), after)
            of.append(fallen.numpy(force=True).astype(np.float64))
    return [np.stack(of) for of in found]


def _film(subject: Subject, grid: Blocks, options: Occlusion, twin: Policy, scaled: Reading) -> Shown:
    states = subject.states(options.film, 1, alone=True)
    way = options.by[0]
    own = _falls(subject, grid, states, way, subject.policy)[0]
    other = _falls(subject, grid, states, way, twin, (scaled,))[0]
    panels = {AGENT: grid.spread(own), RESCALED: grid.spread(other)}
    return film(states.obs, panels, "film", way)


def _common(frames: Tensor) -> Tensor:
    """What each channel has most of, as pictures of it."""
    return frames.flatten(2).mode(dim=2).values[..., None, None].expand_as(frames)


def _blurred(frames: Tensor) -> Tensor:
    smooth = ndimage.gaussian_filter(frames.numpy(force=True), (0, 0, _BLUR, _BLUR), mode="nearest")
    return torch.as_tensor(smooth)


_FILLS: dict[str, Callable[[Tensor], Tensor]] = {
    "background": _common,
    "brighter": lambda frames: (frames + _LEVELS).clamp(0, 255),
    "darker": lambda frames: (frames - _LEVELS).clamp(0, 255),
    "blur": _blurred,
}
