"""What a victim's network does against each opponent: recorded in play, put in numbers and in a picture."""

import importlib.util
import io
import json
import math
import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from rlattack.errors import InvalidInput, MissingExtra
from rlattack.evaluation.activations import (
    LEAST,
    NEEDS,
    TRAIN,
    VALIDATION,
    Activations,
    Density,
    Embedding,
    density,
    embed,
)
from rlattack.evaluation.curves import drawing
from rlattack.evaluation.duels.cell import DuelCell, seat_number
from rlattack.evaluation.duels.film import Tell
from rlattack.evaluation.duels.grid import short_name
from rlattack.evaluation.duels.rollout import DuelEpisode, DuelRollout, take_seats
from rlattack.evaluation.slots import Take
from rlattack.evaluation.workers import Effort, blaming, share
from rlattack.files import write_whole
from rlattack.games.batch import IntArray
from rlattack.policies.base import State
from rlattack.policies.gaussian import GaussianPolicy
from rlattack.policies.player import GaussianPlayer

__all__ = [
    "FILE",
    "PICTURE",
    "Watched",
    "check_minds",
    "minds_warning",
    "read_minds",
    "record",
    "watch_cells",
    "write_minds",
]

FloatArray32 = npt.NDArray[np.float32]
SCHEMA = "rlattack/activations/1"
FILE, PICTURE = "activations.json", "activations.png"


@dataclass(frozen=True)
class Watched:
    """A cell whose episodes are played once more to look into a player."""

    cell: DuelCell
    seat: int
    episodes: int

    @property
    def envs(self) -> int:
        """Slots, as in the cell."""
        return self.cell.envs

    @property
    def key(self) -> str:
        """Of the cell."""
        return self.cell.key


@dataclass(frozen=True)
class _Recorded:
    """What a worker saw of the games of a cell that it played."""

    cell: str
    activations: Activations


def write_minds(folder: Path, cells: Sequence[DuelCell], seat: str, workers: int, tell: Tell = lambda *_: None) -> None:
    """Records a seat's player against every opponent, analyses it, and writes numbers and picture.

    The first opponent is normal play.

    Args:
        folder: The run folder.
        cells: Of the run; those with something hidden or an attack are left out.
        seat: Name or number of the watched seat.
        workers: Processes.
        tell: Called as each stage begins, and after every game that is recorded.

    Raises:
        UnknownName: No such seat.
        InvalidInput: More than one player in it, fewer than two opponents, a player that shows no activations, or too
            little play.
        MissingExtra: scikit-learn is not installed.
        Unwritable: The folder cannot be written.
    """
    seat = cells[0].seats[seat_number("--activations", seat, cells[0].seats)]
    recorded = record(cells, seat, workers, tell)
    normal = next(iter(recorded))
    tell(f"fitting a Gaussian mixture to play against {normal}", 0, 0)
    found = density(recorded, normal)
    tell("placing activations in the plane (t-SNE)", 0, 0)
    placed = embed(recorded)
    content = {
        "schema": SCHEMA, "seat": seat, "normal": normal, "components": found.components, "rows": found.rows,
        "parameters": found.parameters, "bic": found.bic,
        "steps": {name: len(one.values) for name, one in recorded.items()},
        "log_likelihood": {
            name: {"mean": mean, "ci": [interval.low, interval.high]}
            for name, (mean, interval) in found.likelihood.items()
        },
    }  # fmt: skip
    write_whole(folder / FILE, (json.dumps(content, indent=1, allow_nan=False) + "\n").encode())
    write_whole(folder / PICTURE, _draw(found, placed, normal, cells[0].game.id))


def read_minds(folder: Path) -> dict[str, Any] | None:
    """What `write_minds` left in a run folder, or None."""
    try:
        content = json.loads((folder / FILE).read_text(encoding="utf-8"))
        return dict(content) if content["schema"] == SCHEMA and (folder / PICTURE).is_file() else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def minds_warning(found: dict[str, Any]) -> str | None:
    """What has to be said of the likelihoods that `read_minds` read."""
    rows, parameters = found.get("rows"), found.get("parameters")
    if not isinstance(rows, int) or not isinstance(parameters, int) or rows >= parameters:
        return None
    return (
        f"the mixture has {parameters:,} parameters and was fitted to {rows:,} steps only, so whatever is new seems "
        f"unlikely: compare with validation, and play at least {math.ceil(parameters / rows)} times as many games"
    )


def record(cells: Sequence[DuelCell], seat: str, workers: int, tell: Tell = lambda *_: None) -> dict[str, Activations]:
    """Plays the cells once more and returns the activations of a seat's player, by opponent.

    Raises:
        InvalidInput: See `write_minds`.
    """
    watched = watch_cells(cells, seat)
    parts: dict[str, list[Activations]] = {one.key: [] for one in watched}
    done, games = 0, sum(one.episodes for one in watched)
    words = f"recording the {seat}'s activations in {games} games"
    tell(words, done, games)
    for item in share(watched, _watch, workers):
        if isinstance(item, _Recorded):
            parts[item.cell].append(item.activations)
        elif not isinstance(item, Effort):
            done += 1
            tell(words, done, games)
    return {one.cell.players[1 - one.seat].name: _joined(parts[one.key]) for one in watched}


def check_minds(cells: Sequence[DuelCell], seat: str) -> None:
    """Refuses what `write_minds` would refuse: hours of play later it would be too late to say no.

    Raises:
        RlattackError: See `write_minds`.
    """
    watched = watch_cells(cells, seat)[0]
    rollout = take_seats(watched.cell, lambda _: None)
    try:
        _policy(rollout, watched)
    finally:
        rollout.game.close()
    if watched.episodes < LEAST:
        raise InvalidInput(f"--activations: expected at least {LEAST} --episodes, got {watched.episodes}")
    if importlib.util.find_spec("sklearn") is None:
        raise MissingExtra(NEEDS)


def watch_cells(cells: Sequence[DuelCell], seat: str) -> list[Watched]:
    """Finds the cells to look into: those where nothing is hidden or attacked.

    Raises:
        UnknownName: No such seat.
        InvalidInput: More than one player in it, or fewer than two opponents.
    """
    number = seat_number("--activations", seat, cells[0].seats)
    seen = [cell for cell in cells if cell.mask is None and cell.budget is None]
    players = list(dict.fromkeys(cell.players[number].name for cell in seen))
    if len(players) != 1 or len(seen) < 2:
        raise InvalidInput(
            f"--activations {seat}: expected one player there and at least two opponents, normal play first, in cells "
            f"where nothing is hidden; got {len(players)} there and {len(seen)} such cells"
        )
    return [Watched(cell, number, cell.episodes) for cell in seen]


def _watch(watched: Watched, take: Take) -> Iterator[DuelEpisode | _Recorded]:
    values: list[FloatArray32] = []
    episodes: list[IntArray] = []

    def look(seat: int, episode: IntArray, obs: Any, state: State) -> None:
        if seat == watched.seat:
            with torch.no_grad():
                hidden = policy(torch.from_numpy(np.ascontiguousarray(obs, dtype=np.float32)), state).hidden
            values.append(hidden.numpy()[episode >= 0])
            episodes.append(episode[episode >= 0])

    rollout = take_seats(watched.cell, take, look)
    policy = _policy(rollout, watched)
    yield from blaming(rollout.episodes(), watched.cell.players)
    if values:
        yield _Recorded(watched.key, Activations(np.concatenate(values), np.concatenate(episodes)))


def _policy(rollout: DuelRollout, watched: Watched) -> GaussianPolicy:
    """The policy to look into.

    Raises:
        InvalidInput: It shows no activations.
    """
    player = rollout.players[watched.seat]
    if not isinstance(player, GaussianPlayer):
        name = watched.cell.players[watched.seat].name
        raise InvalidInput(f"--activations: {name} shows none: expected an agent of continuous actions")
    return player.policy


def _joined(parts: Sequence[Activations]) -> Activations:
    """In the order of episodes, whoever played them."""
    values = np.concatenate([part.values for part in parts])
    episode = np.concatenate([part.episode for part in parts])
    order = np.argsort(episode, kind="stable")
    return Activations(values[order], episode[order])


def _draw(found: Density, placed: Embedding, normal: str, game: str) -> bytes:
    def brief(name: str) -> str:
        return textwrap.fill(short_name(name, game), 24)

    with drawing("activations"):
        figure = Figure(figsize=(11, 4.6), layout="constrained")
        left, right = figure.subplots(1, 2)
        colours = {name: f"C{place}" for place, name in enumerate(dict.fromkeys(placed.opponent))}
        _likelihoods(left, found, normal, colours, brief)
        for name, colour in colours.items():
            chosen = np.asarray(placed.opponent) == name
            right.scatter(*placed.points[chosen].T, s=4, color=colour, label=brief(name), linewidths=0)
        right.set_title(f"t-SNE, perplexity {placed.perplexity:g}", fontsize="medium")
        right.set_xticks([])
        right.set_yticks([])
        right.legend(markerscale=3, frameon=False, loc="upper center", bbox_to_anchor=(0.5, 0.0))
        file = io.BytesIO()
        figure.savefig(file, format="png", dpi=110)
    return file.getvalue()


def _likelihoods(axes: Axes, found: Density, normal: str, colours: dict[str, str], brief: Callable[[str], str]) -> None:
    rows = list(found.likelihood.items())
    for place, (name, (mean, interval)) in enumerate(rows):
        colour = colours[normal if name in (TRAIN, VALIDATION) else name]
        axes.plot([interval.low, interval.high], [place, place], color=colour, linewidth=2)
        axes.plot(mean, place, "o", color=colour)
    labels = [f"{brief(normal)}\n({name})" if name in (TRAIN, VALIDATION) else brief(name) for name, _ in rows]
    axes.set_yticks(range(len(rows)), labels)
    axes.invert_yaxis()
    axes.grid(axis="x", color="#d0d4da", linewidth=0.6)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.set_xlabel("mean log-likelihood of a step, nats [95 %]")
    title = f"Gaussian mixture of {found.components}, fitted to play\nagainst {brief(normal)}"
    axes.set_title(title, fontsize="medium")
