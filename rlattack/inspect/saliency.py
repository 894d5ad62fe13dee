"""Saliency: the gradient of what decides the action by all that is seen (Simonyan et al. 2014, sec. 3)."""

from functools import partial

import numpy as np
import torch
from torch import Tensor

from rlattack.arrays import FloatArray
from rlattack.attacks.make import check_gradient
from rlattack.games.game import Seat
from rlattack.inspect.finding import Finding, Sheet, Shown
from rlattack.inspect.kinds import Saliency
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
from rlattack.inspect.subject import Reading, States, Subject, as_said, batches
from rlattack.inspect.twins import shuffles
from rlattack.policies.policy import Output, Policy
from rlattack.report.values import Value

_MOST = 12
"""Entries in the table of what sees numbers."""


def saliency(subject: Subject, options: Saliency) -> Finding:
    """Takes gradients at what an agent saw, and of the network with shuffled weights there.

    Raises:
        InvalidInput: An agent without a network or without a gradient.
    """
    twins = shuffles(subject.policy, options.seed, options.shuffles)
    check_gradient(subject.policy, subject.name, "saliency", lambda: ["`rlattack inspect occlusion`"])
    states = subject.states(options.states, options.every)
    scaled = [subject.rescaling(states.obs, twin, states.before) for twin in twins]
    pairs = list(zip(twins, scaled, strict=True))
    maps = {
        AGENT: _slopes(subject, states, subject.policy)[None],
        SHUFFLED: np.stack([_slopes(subject, states, twin) for twin in twins]),
    }
    if not subject.pictures:
        return _of_numbers(subject, states, maps)
    maps[RESCALED] = np.stack([_slopes(subject, states, twin, reading) for twin, reading in pairs])
    flat = {name: heat.reshape(*heat.shape[:2], -1) for name, heat in maps.items()}
    marked = stands_out(states.obs).reshape(len(states), -1)
    area, told = states.share(marked), compare(flat, states, marked)
    rows = [area_row("pixels where something stands out", area), *((name, one.values) for name, one in told.items())]
    panels = {AGENT: maps[AGENT][0], RESCALED: maps[RESCALED][0]}
    shown = [picture(states.obs, panels, "saliency", "How much a grey level of each pixel moves the log-probability.")]
    if options.film:
        shown.append(_film(subject, options, *pairs[0]))
    title = f"{subject.name} in {subject.cell.game.card.id}: gradient of the action's log-probability by a grey level"
    numbers = {name: one.numbers for name, one in told.items()}
    return Finding(
        _sentence(told), [Sheet(title, ("of whom", *HEADS), rows)],
        {"states": len(states), "area": area, "factors": [one.factor for one in scaled], "networks": numbers},
        cares({"gradient": told}, area, states, scaled), shown,
    )  # fmt: skip


def _sentence(told: dict[str, Told]) -> str:
    own, control = told[AGENT], told[RESCALED]
    if control.times is None or own.mass is None or control.mass is None or control.likeness is None:
        return "With shuffled weights nothing has a slope."
    return (
        f"The agent's steepest pixel is {control.times.mean:.3g} times as steep as that of shuffled weights whose "
        f"scores differ as much; {own.mass.mean:.1%} of its map lies where something stands out, "
        f"{control.mass.mean:.1%} of theirs, and the maps agree by a rank correlation of {control.likeness.mean:.2f}."
    )


def _film(subject: Subject, options: Saliency, twin: Policy, scaled: Reading) -> Shown:
    states = subject.states(options.film, 1, alone=True)
    panels = {AGENT: _slopes(subject, states, subject.policy), RESCALED: _slopes(subject, states, twin, scaled)}
    return film(states.obs, panels, "film", "gradient")


def _of_numbers(subject: Subject, states: States, maps: dict[str, FloatArray]) -> Finding:
    """What is found where entries are seen: each by how much it moves the action, times how much it varies."""
    spread = states.obs.astype(np.float64).std(axis=0)
    weighed = {name: (heat * spread).reshape(*heat.shape[:2], -1) for name, heat in maps.items()}
    shares = {
        name: (heat / np.maximum(heat.sum(axis=2, keepdims=True), 1e-30)).mean(axis=0) for name, heat in weighed.items()
    }
    own = shares[AGENT].mean(axis=0)
    names = _entries(subject.seat, len(own))
    order = np.argsort(-own, kind="stable")
    estimates = {names[entry]: {name: states.mean(heat[:, entry]) for name, heat in shares.items()} for entry in order}
    rows = [
        (entry, [Value(f"{one.mean:.1%}", f"[{one.ci[0]:.1%}, {one.ci[1]:.1%}]", one.mean) for one in of.values()])
        for entry, of in list(estimates.items())[:_MOST]
    ]
    title = f"{subject.name} in {subject.cell.game.card.id}: share of each entry in what moves the action"
    first = names[order[0]]
    told = estimates[first]
    sentence = (
        f"Entry {first} moves the action most: {told[AGENT].mean:.0%} of all that entries do, each by its gradient "
        f"times its standard deviation; with shuffled weights {told[SHUFFLED].mean:.0%}."
    )
    note = (
        f"Means over {len(states)} observations of {len(np.unique(states.episode))} episodes, intervals over episodes. "
        "A gradient tells of small changes alone."
    )
    return Finding(
        sentence, [Sheet(title, ("entry", *shares), rows)], {"states": len(states), "entries": estimates}, [note]
    )


def _slopes(subject: Subject, states: States, policy: Policy, reading: Reading = as_said) -> FloatArray:
    """Absolute slopes of what decides: by pixel, (n, height, width), summed over frames and colours; else by entry."""
    certainty = subject.certainty
    found: list[Tensor] = []

    def loss(out: Output, entry: int | None) -> Tensor:
        numbers = reading(certainty.numbers(out.actions))
        sure = certainty.log(numbers)
        if entry is not None:
            return sure[:, entry].sum()
        return torch.stack([one.amax(dim=1).sum() for one in certainty.choices(sure)]).sum()

    entries: list[int | None] = [None] if certainty.discrete else list(range(len(certainty.names) // 2))
    for obs, before in batches(torch.as_tensor(states.obs), states.before):
        slopes = [policy.gradient(obs, partial(loss, entry=entry), before)[0].abs() for entry in entries]
        found.append(torch.stack(slopes).sum(dim=0))
    steep = torch.cat(found)
    whole = subject.frames(steep).sum(dim=1) if subject.pictures else steep
    heat: FloatArray = whole.numpy(force=True).astype(np.float64)
    return heat


def _entries(seat: Seat, count: int) -> list[str]:
    """Names of what a seat sees, as the game gives them, else numbers."""
    if len(seat.features) == count:
        return list(seat.features)
    names = [
        part.name if part.entries == 1 else f"{part.name}[{at}]" for part in seat.parts for at in range(part.entries)
    ]
    return names if len(names) == count else list(map(str, range(count)))
