"""What a player's network does against each opponent, or under each attack: in numbers and in a picture."""

import importlib.util
import json
import textwrap
from collections.abc import Callable, Mapping

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from rlattack.arrays import Array
from rlattack.errors import InvalidInput, MissingExtra
from rlattack.evaluation.evaluator import Results
from rlattack.evaluation.plan import Plan
from rlattack.files import write_whole
from rlattack.inspect.likelihood import LEAST, NEEDS, TRAIN, VALIDATION, Density, density, embed
from rlattack.inspect.recording import Progress, conditions, record, try_recording
from rlattack.report.activations import FILE, PICTURE, SCHEMA
from rlattack.report.curves import png


def check_activations(planned: Plan, seat: str = "") -> None:
    """Refuses what `write_activations` would refuse: hours of play later it would be too late to say no.

    Args:
        planned: What is to be played.
        seat: Name or number of the seat to look into; the victim's by default.

    Raises:
        UnknownName: No such seat.
        InvalidInput: More than one player in it, nothing to compare with, a player that shows no activations, or too
            few episodes.
        MissingExtra: scikit-learn is not installed.
        RlattackError: A player or the game cannot be loaded.
    """
    number, compared = conditions(planned.cells, seat)
    normal = next(iter(compared.values()))
    try_recording(normal, number)
    if normal.episodes < LEAST:
        raise InvalidInput(f"--activations: expected at least {LEAST} --episodes, got {normal.episodes}")
    if importlib.util.find_spec("sklearn") is None:
        raise MissingExtra(NEEDS)


def write_activations(results: Results, seat: str = "", workers: int = 1, progress: Progress = lambda *_: None) -> None:
    """Plays cells once more, compares what a player's network does in them, and writes numbers and picture.

    In games of several opponents each of them is compared, and the first is normal play; else each attack, and play
    without one is normal.

    Args:
        results: What was played, and where it lies.
        seat: Name or number of the seat to look into; the victim's by default.
        workers: Processes; changes nothing.
        progress: Called as each part of the work begins, and after every episode that is recorded.

    Raises:
        UnknownName: No such seat.
        InvalidInput: More than one player in it, nothing to compare with, a player that shows no activations, or too
            little play.
        MissingExtra: scikit-learn is not installed.
        Unwritable: The folder cannot be written.
    """
    number, compared = conditions(results.plan.cells, seat)
    normal, cell = next(iter(compared.items()))
    recorded = record(number, compared, workers, progress, results.fits)
    progress(f"fitting a Gaussian mixture to play against {normal}", 0, 0)
    found = density(recorded, normal)
    progress("placing activations in the plane (t-SNE)", 0, 0)
    placed, perplexity = embed(recorded)
    content = {
        "schema": SCHEMA, "seat": cell.seats[number], "normal": normal, "components": found.components,
        "rows": found.rows, "parameters": found.parameters, "bic": found.bic,
        "steps": {name: len(one.values) for name, one in recorded.items()},
        "log_likelihood": {
            name: {"mean": mean, "ci": interval}
            for name, (mean, interval) in found.likelihood.items()
        },
    }  # fmt: skip
    write_whole(results.folder / FILE, (json.dumps(content, indent=1, allow_nan=False) + "\n").encode())
    write_whole(results.folder / PICTURE, png(lambda: _draw(found, normal, placed, perplexity, cell.game.card.id)))


def _draw(found: Density, normal: str, placed: Mapping[str, Array], perplexity: float, game: str) -> Figure:
    def brief(name: str) -> str:
        return textwrap.fill(name.removeprefix(f"{game}/"), 24)

    figure = Figure(figsize=(11, max(4.6, 2.2 + 0.5 * len(placed))), layout="constrained")
    left, right = figure.subplots(1, 2)
    colours = {name: f"C{place}" for place, name in enumerate(placed)}
    _likelihoods(left, found, normal, colours, brief)
    for name, points in placed.items():
        right.scatter(*points.T, s=4, color=colours[name], label=brief(name), linewidths=0)
    right.set_title(f"t-SNE, perplexity {perplexity:g}", fontsize="medium")
    right.set_xticks([])
    right.set_yticks([])
    columns = 1 if len(placed) < 5 else 3
    right.legend(markerscale=3, frameon=False, loc="upper center", bbox_to_anchor=(0.5, 0.0), ncols=columns)
    return figure


def _likelihoods(axes: Axes, found: Density, normal: str, colours: dict[str, str], brief: Callable[[str], str]) -> None:
    rows = list(found.likelihood.items())
    for place, (name, (mean, interval)) in enumerate(rows):
        colour = colours[normal if name in (TRAIN, VALIDATION) else name]
        axes.plot(interval, [place, place], color=colour, linewidth=2)
        axes.plot(mean, place, "o", color=colour)
    labels = [f"{brief(normal)}\n({name})" if name in (TRAIN, VALIDATION) else brief(name) for name, _ in rows]
    axes.set_yticks(range(len(rows)), labels)
    axes.invert_yaxis()
    axes.grid(axis="x", color="#d0d4da", linewidth=0.6)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.set_xlabel("mean log-likelihood of a step, nats [95 %]")
    title = f"Gaussian mixture of {found.components}, fitted to play\nagainst {brief(normal)}"
    axes.set_title(title, fontsize="medium")
