"""Norms and spaces as words: headings, axes and sizes, for every table, curve and sentence."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

Norm = Literal["linf", "l2", "l1", "l0"]
Unit = Literal["unit", "raw", "sigma"]
Model = Literal["stack", "frame", "screen"]
"""What may change: all stacked frames anew each step, the newest alone, which then stays as it was received, or what an
emulator's screen shows before it becomes the newest frame, which stays so too."""
NORMS: tuple[Norm, ...] = get_args(Norm)
SPACES: tuple[Unit, ...] = get_args(Unit)
MODELS: tuple[Model, ...] = get_args(Model)


@dataclass(frozen=True)
class _Kind:
    """What a kind of reach is called above a table, below a curve, after a size, and counts where it has no unit."""

    heading: str
    axis: str
    measure: str = ""
    counts: str = ""


@dataclass(frozen=True)
class _Space:
    """What a unit is called above a table, below a curve, after a size, and counted in."""

    heading: str
    axis: str
    size: str
    unit: str


_KINDS = {
    "linf": _Kind("L∞: eps is the largest entry", "L∞ eps: largest entry"),
    "l2": _Kind(
        "L2: eps is the root mean square of the entries", "L2 eps: root mean square", measure=", root mean square"
    ),
    "l1": _Kind("L1: eps is the mean of the entries", "L1 eps: mean", measure=", mean"),
    "l0": _Kind("L0: eps is the number of pixels", "L0: pixels", counts="pixel"),
    "patch": _Kind("patch: eps is its side in pixels", "patch: side in pixels", counts="pixel"),
    "rotation": _Kind("rotation: eps is the angle in degrees", "rotation: degrees", counts="degree"),
    "shift-x": _Kind("shift-x: eps is pixels to the right", "shift-x: pixels", counts="pixel"),
    "shift-y": _Kind("shift-y: eps is pixels down", "shift-y: pixels", counts="pixel"),
    "zoom": _Kind("zoom: eps is per cent", "zoom: %", counts="%"),
    "brightness": _Kind("brightness: eps is grey levels", "brightness: grey levels", counts="grey level"),
    "contrast": _Kind("contrast: eps is per cent", "contrast: %", counts="%"),
    "tint": _Kind("tint: eps is per cent", "tint: %", counts="%"),
    "blur": _Kind("blur: eps is its standard deviation in pixels", "blur: pixels", counts="pixel"),
    "jpeg": _Kind("jpeg: eps is 100 minus the quality", "jpeg: % of the quality", counts="%"),
    "salt-and-pepper": _Kind("salt-and-pepper: eps is per cent of the pixels", "salt-and-pepper: %", counts="%"),
    "occlusion": _Kind("occlusion: eps is its side in pixels", "occlusion: side in pixels", counts="pixel"),
    "delay": _Kind("delay: eps is steps", "delay: steps", counts="step"),
    "frozen": _Kind("frozen: eps is the steps that one is held", "frozen: steps", counts="step"),
    "dropped": _Kind("dropped: eps is per cent of the steps; the last stays", "dropped: %", counts="%"),
    "blank": _Kind("blank: eps is per cent of the steps; a value stands in", "blank: %", counts="%"),
    "missing": _Kind("missing: eps is per cent of the entries; a value stands in", "missing: %", counts="%"),
    "stale": _Kind("stale: eps is per cent of the entries; the last value stays", "stale: %", counts="%"),
    "bias": _Kind("bias: eps is what is added to every entry", "bias", measure=", to every entry"),
    "gain": _Kind("gain: eps is per cent", "gain: %", counts="%"),
    "slip": _Kind("slip: eps is per cent of the steps", "slip: %", counts="%"),
    "chance": _Kind("chance: eps is per cent of the steps", "chance: %", counts="%"),
    "mix": _Kind("mix: eps is per cent of each action", "mix: %", counts="%"),
    "shared": _Kind("shared: eps is the mean size over a window of steps", "shared", measure=", mean over a window"),
    "world": _Kind("world: eps is per cent of its box", "world: % of its box", counts="%"),
}
"""A reach of another kind adds a line."""
KINDS = tuple(_KINDS)
"""All kinds of reach."""
_SPACES = {
    "unit": _Space("1 is black to white", " (grey levels)", "", "the range of a pixel"),
    "raw": _Space("in the game's own units", ", the game's own units", "", "the game"),
    "sigma": _Space(
        "in standard deviations of each entry", ", standard deviations", " standard deviations", "a standard deviation"
    ),
}
_LEVELS = {
    0.125: "an eighth of a grey level",
    0.25: "a quarter of a grey level",
    0.5: "half a grey level",
    1.0: "one grey level",
    2.0: "two grey levels",
}


def heading(reach: str, space: str) -> str:
    """Says above a table what eps is: `L1: eps is the mean of the entries; 1 is black to white`."""
    kind = _kind(reach)
    return kind.heading if kind.counts else f"{kind.heading}; {_space(space).heading}"


def axis(reach: str, space: str) -> str:
    """Says below a curve what eps is: `L∞ eps: largest entry (grey levels)`."""
    kind = _kind(reach)
    return kind.axis if kind.counts else kind.axis + _space(space).axis


def tick(eps: float, reach: str, space: str) -> str:
    """Marks a size on an axis, with its grey levels in a second line where it has them."""
    levels = grey_levels(eps, reach, space)
    return f"{eps:g}" if levels is None else f"{eps:g}\n({levels:.2g})"


def counted(reach: str) -> bool:
    """Whether a size counts something of its own, pixels or degrees, and has no unit of a space."""
    return bool(_kind(reach).counts)


def units(reach: str, space: str) -> str:
    """Says what sizes are counted in: `pixels`, `linf in units of a standard deviation`."""
    kind = _kind(reach)
    return _plural(kind.counts) if kind.counts else f"{reach} in units of {_space(space).unit}"


def size_words(eps: float, reach: str, space: str) -> str:
    """Says a size: `eps 0.001 (a quarter of a grey level)`, `2 pixels`."""
    kind = _kind(reach)
    if kind.counts:
        return f"{eps:g} {kind.counts if eps == 1 else _plural(kind.counts)}"
    levels = grey_levels(eps, reach, space)
    if levels is None:
        return f"eps {eps:g}{_space(space).size}{kind.measure}"
    words = next((words for near, words in _LEVELS.items() if abs(levels / near - 1) < 0.03), None)
    return f"eps {eps:g} ({words or f'{levels:.3g} grey levels'}{kind.measure})"


def entries_words(entries: Sequence[int]) -> str:
    """Says numbers of entries, in order: `3,4,7`, and `0-146` of many in a row."""
    if not entries:
        return ""
    starts = [place for place, one in enumerate(entries) if place == 0 or one != entries[place - 1] + 1]
    rows = [entries[start:end] for start, end in itertools.pairwise([*starts, len(entries)])]
    return ",".join(f"{row[0]}-{row[-1]}" if len(row) > 2 else ",".join(map(str, row)) for row in rows)


def grey_levels(eps: float, reach: str, space: str) -> float | None:
    """A size in steps of a byte, 255 from black to white; None where it has none."""
    return None if space != "unit" or _kind(reach).counts else eps * 255


def place(reach: str) -> int:
    """Where a reach stands among others: norms in the order of `NORMS`, what is unknown last."""
    kinds = list(_KINDS)
    return kinds.index(reach) if reach in kinds else len(kinds)


def _plural(counts: str) -> str:
    return counts if counts == "%" else f"{counts}s"


def _kind(reach: str) -> _Kind:
    return _KINDS.get(reach) or _Kind(reach, reach)


def _space(space: str) -> _Space:
    return _SPACES.get(space) or _Space(space, "", "", "1")
