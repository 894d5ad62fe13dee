"""Maps of what decides in each observation, an agent's beside those of networks that know nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import stats

from rlattack.arrays import Array, BoolArray, FloatArray, IntArray
from rlattack.evaluation.estimates import Mean, Rate
from rlattack.evaluation.recorder import newest
from rlattack.games.camera import Picture, enlarge
from rlattack.inspect.finding import Shown
from rlattack.inspect.gallery import show_frame
from rlattack.inspect.subject import Rescaling, States
from rlattack.report.curves import png
from rlattack.report.encoding import encode
from rlattack.report.values import Value, mean, percent

AGENT, SHUFFLED, RESCALED = "agent", "shuffled weights", "shuffled, rescaled"
HEADS = ("largest of a state", "agent / it", "mass where something stands out", "rank correlation with the agent")
_STANDS_OUT = 10
"""Grey levels from what a pixel mostly is."""
_FPS = 15
_SHOWN = 3
"""States in the picture."""


@dataclass(frozen=True)
class Told:
    """What is said of the maps of one network.

    Attributes:
        largest: Of a state, in the mean.
        times: The agent's largest over its own; None of the agent.
        mass: Share of a map that lies where something stands out.
        likeness: Rank correlation with the agent's map; None of the agent.
        each: Largest of a state of each network of that kind, in the mean.
    """

    largest: Mean
    times: Mean | None
    mass: Mean | None
    likeness: Mean | None
    each: list[float]

    @property
    def values(self) -> list[Value]:
        """As a row of a sheet with `HEADS`."""
        shown = None if self.mass is None else Rate(self.mass.mean, self.mass.ci)
        return [_fine(self.largest), mean(self.times, 1), percent(shown, 1), mean(self.likeness, 2)]

    @property
    def numbers(self) -> dict[str, Any]:
        """As JSON."""
        return dict(vars(self))


def compare(maps: Mapping[str, FloatArray], states: States, marked: BoolArray) -> dict[str, Told]:
    """Says what maps tell, the agent's first.

    Args:
        maps: By whose they are, at least 0, shape (networks, n, cells) each; networks of a kind are averaged.
        states: Of what they are.
        marked: Cells where something stands out, shape (n, cells).
    """
    own = maps[AGENT]
    found = {}
    for name, heat in maps.items():
        other = name != AGENT
        largest = heat.max(axis=2)
        found[name] = Told(
            largest=states.mean(largest.mean(axis=0)),
            times=states.ratio(own.max(axis=2)[0], largest.mean(axis=0)) if other else None,
            mass=states.ratio((heat * marked).sum(axis=(0, 2)), heat.sum(axis=(0, 2))),
            likeness=states.mean(np.mean([_likeness(own[0], one) for one in heat], axis=0)) if other else None,
            each=largest.mean(axis=1).tolist(),
        )
    return found


def area_row(name: str, area: Rate) -> tuple[str, list[Value]]:
    """The row of a sheet with `HEADS` to read masses beside: what a map that tells nothing has there."""
    return name, [Value(), Value(), percent(area, 1), Value()]


def cares(told: Mapping[str, Mapping[str, Told]], area: Rate, states: States, scaled: Sequence[Rescaling]) -> list[str]:
    """What maps by several ways do not tell, and how they were measured."""
    episodes, factors = len(np.unique(states.episode)), ", ".join(f"{one.factor:.3g}" for one in scaled)
    notes = [
        f"Means over {len(states)} observations of {episodes} episodes, intervals over episodes; `rescaled`: the "
        f"scores of networks with shuffled weights, times {factors} about their mean and moved to the agent's, so that "
        f"they differ between observations as much. Means over {len(scaled)} shuffles, whose spread no interval counts."
    ]
    for way, of in told.items():
        if len(scaled) > 1:
            ends = (min(of[SHUFFLED].each), max(of[SHUFFLED].each))
            notes.append(f"{way}: the largest of single shuffles is {ends[0]:.3g} to {ends[1]:.3g}.")
        own, control = of[AGENT].mass, of[SHUFFLED].mass
        if own is None or control is None:
            continue
        if own.ci[0] <= area.ci[1]:
            notes.append(
                f"{way}: no more of the agent's map lies where something stands out ({own.mean:.1%}) than is there "
                f"({area.rate:.1%}): it does not tell that the agent looks at that."
            )
        elif control.ci[1] >= own.ci[0]:
            notes.append(
                f"{way}: shuffled weights have as much of their map where something stands out ({control.mean:.1%}) as "
                f"the agent ({own.mean:.1%}): what is hidden makes the map, not what was learned."
            )
    return notes


def stands_out(obs: Array) -> BoolArray:
    """Pixels that are not as they mostly are over all observations, shape (n, height, width), of newest frames."""
    frames = np.stack([newest(one) for one in obs]).astype(np.float32)
    apart: BoolArray = np.abs(frames - np.median(frames, axis=0)) > _STANDS_OUT
    return apart


def picture(obs: Array, panels: Mapping[str, FloatArray], name: str, caption: str) -> Shown:
    """Draws the states with the largest values of the first panel; each panel in its own scale, which it tells.

    Args:
        obs: Shape (n, *observation).
        panels: Maps by their titles, (n, height, width) each.
        name: Of the file.
        caption: What is seen.
    """
    first = next(iter(panels.values()))
    rows = np.argsort(-first.reshape(len(first), -1).max(axis=1), kind="stable")[:_SHOWN]

    def drawn() -> Figure:
        figure = Figure(figsize=(2.6 * (len(panels) + 1), 2.9 * len(rows)), layout="constrained")
        for axes, row in zip(figure.subplots(len(rows), len(panels) + 1, squeeze=False), rows, strict=True):
            frame = newest(obs[row])
            _panel(axes[0], frame, None, "newest frame")
            for place, (title, maps) in zip(axes[1:], panels.items(), strict=True):
                _panel(place, frame, maps[row], f"{title}\nlargest {maps[row].max():.3g}")
        return figure

    return Shown(name, caption, partial(png, drawn))


def film(obs: Array, panels: Mapping[str, FloatArray], name: str, way: str) -> Shown:
    """Films consecutive steps: the frame, then a panel each map, all in the scale of the first one's largest.

    Args:
        obs: Shape (n, *observation).
        panels: Maps by whose they are, (n, height, width) each.
        name: Of the file.
        way: How they were made.
    """
    maps = list(panels.values())
    scale = max(float(maps[0].max()), 1e-12)

    def pictures(steps: IntArray) -> list[Picture]:
        return [_beside(newest(obs[step]), [one[step] / scale for one in maps]) for step in steps]

    caption = f"{len(obs)} steps of an episode: the newest frame, then {', '.join(panels)} ({way}), in one scale."
    return Shown(name, caption, encode(len(obs), _FPS, pictures))


def _beside(frame: Array, heats: Sequence[FloatArray]) -> Picture:
    grey = frame.astype(np.float64)[..., None].repeat(3, axis=2)
    parts = [grey, *(_tinted(grey, heat) for heat in heats)]
    whole = np.concatenate(parts, axis=1).round().clip(0, 255).astype(np.uint8)
    return enlarge(whole, (whole.shape[1] * 3, whole.shape[0] * 3))


def _tinted(grey: FloatArray, heat: FloatArray) -> FloatArray:
    """Red where the map is large, on a darker frame."""
    tint: FloatArray = 0.5 * grey
    tint[..., 0] += 255 * heat
    return tint


def _panel(axes: Axes, frame: Array, heat: FloatArray | None, title: str) -> None:
    show_frame(axes, frame, title)
    if heat is not None:
        axes.imshow(heat, cmap="inferno", vmin=0, vmax=float(heat.max()) or 1.0, alpha=0.7)


def _likeness(one: FloatArray, other: FloatArray) -> FloatArray:
    """Spearman's rank correlation of each pair of rows; 0 where one of them is flat."""
    ranks = [stats.rankdata(maps, axis=1) for maps in (one, other)]
    apart = [rank - rank.mean(axis=1, keepdims=True) for rank in ranks]
    spread = np.sqrt((apart[0] ** 2).sum(axis=1) * (apart[1] ** 2).sum(axis=1))
    found: FloatArray = (apart[0] * apart[1]).sum(axis=1) / np.where(spread == 0, 1, spread)
    return found


def _fine(measured: Mean) -> Value:
    """A mean with three digits that count, as maps of shuffled networks are tiny."""
    low, high = (f"{end:.3g}" for end in measured.ci)
    return Value(f"{measured.mean:.3g}", f"[{low}, {high}]", measured.mean)
