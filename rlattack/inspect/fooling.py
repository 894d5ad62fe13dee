"""Fooling inputs: what is no game at all, and makes an agent sure of an action (Nguyen et al. 2015)."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from rlattack.arrays import Array, FloatArray
from rlattack.attacks.fooling import Direct, Painted
from rlattack.attacks.make import check_gradient
from rlattack.errors import InvalidInput
from rlattack.evaluation.estimates import Rate
from rlattack.inspect.finding import Finding, Sheet, Shown
from rlattack.inspect.gallery import Row, gallery
from rlattack.inspect.kinds import Fooling
from rlattack.inspect.search import Fooled, Search
from rlattack.inspect.subject import Subject
from rlattack.inspect.targets import ALIKE, NONE, Targets, measured_alike, named_alike
from rlattack.inspect.transfer import HEADS, others_of, transfer
from rlattack.report.values import Value, percent

NOISE, ASCENT, DIRECT, CPPN = "noise alone", "ascent", "evolved entries", "evolved CPPN"
_PLAYED = 400
"""Observations of play that are looked at beside noise."""
_LEAST = 200
"""Inputs of noise that are asked about at least."""


def fooling(subject: Subject, options: Fooling) -> Finding:
    """Looks for inputs that fool an agent, and shows them to others.

    Raises:
        UnknownName: No such action or agent.
        InvalidInput: Continuous actions without bounds, an agent without a gradient, or nothing to do.
    """
    if not options.steps and not options.queries:
        raise InvalidInput("--steps and --queries: expected more than 0 for one of them, got 0 and 0")
    if options.steps:
        check_gradient(subject.policy, subject.name, "ascent", lambda: ["--steps 0, which evolves alone"])
    others = others_of(subject, options.others)
    targets, apart = _targets(subject, options.same)
    search = Search(subject, options, subject.inputs, targets)
    own = subject.states(_PLAYED, 10)
    most = targets.sure(subject.numbers(own.obs, own.before, garbage=True))[:, : targets.single].amax(dim=1)
    play = own.share((most >= options.sure).numpy(force=True)[:, None])
    alone, noise = search.noise(max(options.queries, _LEAST))
    ways = {NOISE: alone, **_searched(search)}
    found = [
        (of.best[target], int(target))
        for name, of in ways.items()
        if name != NOISE
        for target in np.flatnonzero(of.got)
    ]
    shown_to = transfer(subject, options, targets, found, others)
    named = {name: {way: of.numbers(place) for way, of in ways.items()} for place, name in enumerate(targets.names)}
    numbers = {
        "sure": options.sure, "noise": noise, "play": play, "alike": targets.names[targets.single :],
        "apart": None if apart is None else apart.round(4).tolist(), "targets": named,
        "transfer": [one.numbers for one in shown_to],
    }  # fmt: skip
    where = f"{subject.name} in {subject.cell.game.card.id}"
    sheets = [
        Sheet(f"{where}: inputs that {_does(targets, options)}", ("target", *ways), _rows(targets, ways)),
        Sheet("how often anything does", ("seen", "share"), _anyhow(noise, play)),
        *([Sheet("the same inputs, shown to others", HEADS, [one.row for one in shown_to])] if shown_to else []),
    ]
    shown = [_gallery(subject, targets, ways)] if subject.pictures else []
    return Finding(
        _sentence(targets, ways, noise, options), sheets, numbers, _notes(subject, targets, apart, options), shown
    )


def _targets(subject: Subject, same: Sequence[str]) -> tuple[Targets, FloatArray | None]:
    """What the agent is to be made sure of, and how often actions lead to other views, where that was measured."""
    certainty = subject.certainty
    if same:
        return Targets.of(certainty, [] if tuple(same) == (NONE,) else named_alike(certainty, same)), None
    alike, apart = measured_alike(subject) or ([], None)
    return Targets.of(certainty, alike), apart


def _searched(search: Search) -> dict[str, Fooled]:
    """What each way found."""
    ways, subject = {}, search.subject
    if search.options.steps:
        ways[ASCENT] = search.ascent()
    if search.options.queries:
        ways[DIRECT] = search.evolved(Direct(tuple(search.inputs.low.shape)), "entries")
        if subject.pictures:
            channels = subject.frames(search.inputs.low[None]).shape[1]

            def laid(painted: Array) -> Array:
                made: Array = subject.laid(torch.as_tensor(painted)[None])[0].numpy(force=True)
                return made

            ways[CPPN] = search.evolved(Painted((channels, *subject.sides), laid), "CPPNs")
    return ways


def _rows(targets: Targets, ways: Mapping[str, Fooled]) -> list[tuple[str, list[Value]]]:
    return [(name, [of.value(place) for of in ways.values()]) for place, name in enumerate(targets.names)]


def _anyhow(noise: Rate, play: Rate) -> list[tuple[str, list[Value]]]:
    return [("noise alone", [percent(noise, 1)]), ("the game, in play", [percent(play, 1)])]


def _sentence(targets: Targets, ways: Mapping[str, Fooled], noise: Rate, options: Fooling) -> str:
    said = []
    for name, of in ways.items():
        if name != NOISE:
            there = int(of.got[: targets.single].sum())
            limit = options.steps if of.unit == "steps" else options.queries
            said.append(f"{name} within {limit:,} {of.unit} for {there} of {targets.single}")
    return (
        f"Inputs that are no game {_does(targets, options)}: {'; '.join(said)}"
        f"{' (each name by itself)' if targets.single < len(targets.sets) else ''}. Noise alone does so in "
        f"{noise.rate:.1%} of inputs."
    )


def _does(targets: Targets, options: Fooling) -> str:
    """What fooling inputs do to an agent."""
    if targets.certainty.discrete:
        return f"make the agent {options.sure:.0%} sure of an action"
    return f"bring the agent's likeliest action {options.sure:.0%} of the way to an end of its range"


def _notes(subject: Subject, targets: Targets, apart: FloatArray | None, options: Fooling) -> list[str]:
    notes = []
    if targets.single < len(targets.sets):
        how = f"what is shown next differs in at most {ALIKE:.0%} of states" if apart is not None else "as --same says"
        notes.append(
            f"{', '.join(targets.names[targets.single :])} mean nearly the same ({how}), which caps how sure the agent "
            "can be of one of their names: their probabilities are added up too."
        )
    elif apart is None and targets.certainty.discrete and not options.same:
        notes.append(
            "Which actions mean nearly the same was not measured: the game cannot be copied, or others play too."
        )
    if not targets.certainty.discrete:
        notes.append(
            "Actions are continuous: in place of a probability, how far the likeliest action is towards an end of its "
            "range was maximised."
        )
    if not subject.pictures:
        notes.append(
            "Observations are no pictures, so no CPPN paints them; entries without bounds move in the range of play."
        )
    if subject.policy.acts == "greedy" and targets.certainty.discrete:
        notes.append("The agent acts by values: how sure it is depends on the temperature of its card.")
    notes.append(
        f"Ascent from {options.starts} starts a target, {options.repeats} evolutions; `never` is followed by the most "
        "that was reached. Inputs are whole bytes where the game's are."
    )
    return notes


def _gallery(subject: Subject, targets: Targets, ways: Mapping[str, Fooled]) -> Shown:
    """The best input of every way for every target, its newest frame."""
    kind = subject.seat.observation.dtype
    rows = [
        Row(
            way,
            of.best.numpy(force=True).astype(kind),
            [f"{name}\n{top:.3f}" for name, top in zip(targets.names, of.top, strict=True)],
        )
        for way, of in ways.items()
    ]
    return gallery("fooling", "The input of each way that makes the agent surest of each action, and how sure.", rows)
