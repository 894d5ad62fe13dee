"""Units against random directions of their layer: are the observations that a unit likes best more alike?

Szegedy et al. 2014, sec. 3, looked at the images that activate a unit most, and at those of a random direction of the
same layer, and found both alike in the same way: the space carries the meaning, and not its axes. Here the likeness
is a number: how much smaller the mean squared distance between the best observations is than between all.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from rlattack.arrays import Array, FloatArray, IntArray
from rlattack.errors import InvalidInput
from rlattack.evaluation.estimates import Interval, Mean
from rlattack.inspect.finding import Finding, Sheet, Shown
from rlattack.inspect.gallery import Row, gallery
from rlattack.inspect.kinds import Units
from rlattack.inspect.layers import activations, chosen, layers_of
from rlattack.inspect.subject import States, Subject
from rlattack.report.values import Value, mean

_Z = 1.959964
_ROWS = 3
"""Units, and directions, in a picture."""
PLAIN, STANDARDISED = "plain", "standardised"
HEADS = ("units", "coherence of units", "of directions", "P(unit more coherent)", "of standardised", "P", "chance")


@dataclass(frozen=True)
class Likeness:
    """How alike observations are, from their distances.

    Attributes:
        squared: Squared distances of all pairs, shape (n, n).
        episode: Of each observation, shape (n,).
        top: How many a direction likes best.
    """

    squared: FloatArray
    episode: IntArray
    top: int

    @classmethod
    def of(cls, states: States, top: int) -> "Likeness":
        """Of pictures by their pixels; of numbers by entries, each in its standard deviations."""
        rows = states.obs.reshape(len(states), -1).astype(np.float32)
        if states.obs.dtype != np.uint8:
            spread = rows.std(axis=0)
            rows /= np.where(spread > 0, spread, 1)
        rows -= rows.mean(axis=0)
        lengths = (rows.astype(np.float64) ** 2).sum(axis=1)
        squared = np.maximum(lengths[:, None] + lengths[None] - 2 * (rows @ rows.T).astype(np.float64), 0)
        return cls(squared, states.episode, top)

    def coherence(self, values: Array, kept: IntArray | None = None) -> FloatArray:
        """1 minus the mean squared distance between the best observations over that of all; shape (directions,).

        Args:
            values: How much each direction likes each observation, shape (n, directions).
            kept: Observations that are looked at; all by default.
        """
        rows = np.arange(len(self.squared)) if kept is None else kept
        squared = self.squared[np.ix_(rows, rows)]
        best = np.argpartition(-values[rows], self.top - 1, axis=0)[: self.top]
        within = squared[best[:, None], best[None]].sum(axis=(0, 1)) / (self.top * (self.top - 1))
        found: FloatArray = 1 - within / (squared.sum() / (len(rows) * (len(rows) - 1)))
        return found

    def probability(self, units: Array, directions: Array) -> Mean:
        """The probability that a unit is more coherent than a direction (Mann and Whitney 1947).

        Its interval counts which units and directions there are (DeLong et al. 1988) and which episodes were seen
        (jackknife over episodes); the two variances are added.
        """
        one, other = self.coherence(units), self.coherence(directions)
        wins = (one[:, None] > other[None]) + 0.5 * (one[:, None] == other[None])
        value = float(wins.mean())
        variance = float(wins.mean(axis=1).var(ddof=1) / len(one) + wins.mean(axis=0).var(ddof=1) / len(other))
        without = []
        for episode in (every := np.unique(self.episode)):
            kept = np.flatnonzero(self.episode != episode)
            if len(kept) > self.top:
                a, b = self.coherence(units, kept), self.coherence(directions, kept)
                without.append(float(((a[:, None] > b[None]) + 0.5 * (a[:, None] == b[None])).mean()))
        if len(without) == len(every) > 1:
            variance += (len(every) - 1) * float(np.var(without))
        half = _Z * variance**0.5
        return Mean(value, (max(0.0, value - half), min(1.0, value + half)))


@dataclass(frozen=True)
class Layer:
    """What was found of one layer.

    Attributes:
        name: Of the layer.
        units: How many it has.
        live: How many of them are told apart by what they like best.
        looked: How many of these were looked at.
        coherence: Mean coherence with its interval over units or directions, by what they are.
        probability: That a unit is more coherent than a random direction, of units as they are and standardised.
    """

    name: str
    units: int
    live: int
    looked: int
    coherence: dict[str, Mean]
    probability: dict[str, Mean]

    @property
    def values(self) -> list[Value]:
        """As a row of a sheet with `HEADS`."""
        named = [self.coherence[name] for name in ("units", PLAIN, STANDARDISED, "chance")]
        units, plain, standard, chance = (mean(one, 2) for one in named)
        count = Value(f"{self.looked} of {self.live} live", f"({self.units} in all)")
        chances = [mean(self.probability[name], 2) for name in (PLAIN, STANDARDISED)]
        return [count, units, plain, chances[0], standard, chances[1], chance]

    @property
    def numbers(self) -> dict[str, Any]:
        """As JSON."""
        return dict(vars(self))


def units(subject: Subject, options: Units) -> Finding:
    """Compares units of layers with random directions there.

    Raises:
        UnknownName: No such layer.
        InvalidInput: An agent without layers, too few observations, or a layer with fewer than two live units.
    """
    if options.states <= 2 * options.top:
        raise InvalidInput(f"--states: expected more than {2 * options.top}, twice --top, got {options.states}")
    names = chosen(layers_of(subject, subject.states(2, 1)), options.layers)
    states = subject.states(options.states, options.every)
    subject.tell("distances between observations", 0, 0)
    likeness = Likeness.of(states, options.top)
    made = activations(subject, states, names)
    rng = np.random.default_rng(options.seed)
    found, shown = [], []
    for place, name in enumerate(names):
        subject.tell("units against random directions", place, len(names))
        layer, likes = _compare(name, made[name], likeness, options.units, rng)
        found.append(layer)
        if subject.pictures:
            shown.append(_gallery(name, states, likes, likeness))
    title = f"{subject.name} in {subject.cell.game.card.id}: coherence of the {options.top} observations liked best"
    numbers = {"states": len(states), "top": options.top, "layers": [layer.numbers for layer in found]}
    sheet = Sheet(title, ("layer", *HEADS), [(layer.name, layer.values) for layer in found])
    return Finding(_sentence(found), [sheet], numbers, _notes(states, options), shown)


def _compare(
    name: str, values: Array, likeness: Likeness, most: int, rng: np.random.Generator
) -> tuple[Layer, dict[str, Array]]:
    """One layer, and what its units and directions like."""
    ordered = np.sort(values, axis=0)
    live = np.flatnonzero(ordered[-likeness.top] > ordered[0])  # else the best are among equals
    if len(live) < 2:
        raise InvalidInput(f"--layers {name}: expected at least 2 units that say more than one thing, got {len(live)}")
    kept = values[:, live]
    own = kept[:, rng.permutation(len(live))[:most]]
    drawn = rng.standard_normal((len(live), own.shape[1])).astype(np.float32)
    centred = kept - kept.mean(axis=0)
    chance = rng.standard_normal((len(values), own.shape[1]))
    likes = {"units": own, PLAIN: centred @ drawn, STANDARDISED: (centred / kept.std(axis=0)) @ drawn, "chance": chance}
    layer = Layer(
        name, values.shape[1], len(live), own.shape[1],
        {which: _mean(likeness.coherence(of)) for which, of in likes.items()},
        {which: likeness.probability(own, likes[which]) for which in (PLAIN, STANDARDISED)},
    )  # fmt: skip
    return layer, likes


def _mean(values: FloatArray) -> Mean:
    half = _Z * float(values.std(ddof=1)) / len(values) ** 0.5
    value = float(values.mean())
    ends: Interval = (value - half, value + half)
    return Mean(value, ends)


def _sentence(found: list[Layer]) -> str:
    def where(which: str, *, above: bool) -> list[str]:
        chances = [(layer.name, layer.probability[which].ci) for layer in found]
        return [name for name, (low, high) in chances if (low > 0.5 if above else high < 0.5)]

    said = []
    for which, words in ((PLAIN, "a random direction"), (STANDARDISED, "one of standardised units")):
        surely, less = where(which, above=True), where(which, above=False)
        told = [f"more coherent than {words} in {', '.join(surely)}"] * bool(surely)
        told += [f"less in {', '.join(less)}"] * bool(less)
        said.append(" and ".join(told) or f"not told from {words} in any layer")
    return f"Units are {'; '.join(said)} ({len(found)} layer{'s' * (len(found) > 1)})."


def _notes(states: States, options: Units) -> list[str]:
    episodes = len(np.unique(states.episode))
    seen = states.obs.dtype == np.uint8
    how = "by pixels, which is not what a person sees in pictures" if seen else "each entry in its standard deviations"
    return [
        f"Coherence: 1 minus the mean squared distance between the {options.top} observations liked best over that of "
        f"all, {how}.",
        f"{len(states)} observations of {episodes} episodes. Intervals of coherence are over units; of P over units, "
        "directions and episodes. A unit is live where the observations it likes best are no ties. Standardised: each "
        "unit over its standard deviation before directions are drawn.",
    ]


def _gallery(name: str, states: States, likes: dict[str, Array], likeness: Likeness) -> Shown:
    """The observations that some units and some directions like best; those of the middle of coherence."""
    rows = []
    for which, whose in (("units", "unit"), (PLAIN, "random\ndirection")):
        coherence = likeness.coherence(likes[which])
        order = np.argsort(coherence)
        for direction in order[np.linspace(0, len(order) - 1, _ROWS + 2).round().astype(int)[1:-1]]:
            best = np.argsort(-likes[which][:, direction], kind="stable")[: likeness.top]
            rows.append(Row(f"{whose}\n{coherence[direction]:.2f}", states.obs[best], [""] * len(best)))
    caption = f"{name}: what units (above) and random directions (below) like best, from less to more coherent."
    return gallery(f"units-{name.replace('.', '-')}", caption, rows)
