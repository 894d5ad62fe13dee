"""Records a player's activations while the cells of a plan are played once more: an observer, and the play."""

import contextlib
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rlattack.arrays import IntArray
from rlattack.errors import InvalidInput
from rlattack.evaluation.cell import Cell
from rlattack.evaluation.episode import Episode
from rlattack.evaluation.executor import Beat, Local, Task
from rlattack.evaluation.observer import Moment, Observer
from rlattack.evaluation.play import open_play, play_episodes
from rlattack.evaluation.seats import seat_number
from rlattack.evaluation.slots import Take
from rlattack.inspect.likelihood import Recording

Progress = Callable[[str, int, int], None]
"""Called with what is being done, and how much of how much of it is; 0 of 0 where that cannot be counted."""


class ActivationRecorder(Observer):
    """Keeps the last hidden layer of the player of a seat, of every step in which it acts."""

    def __init__(self, cell: Cell, seat: int) -> None:
        super().__init__(seat, cell.envs)
        self._player = cell.players[seat].name
        self._values: list[npt.NDArray[np.float32]] = []
        self._episodes: list[IntArray] = []

    def see(self, moment: Moment) -> None:
        """Keeps the rows of one step.

        Raises:
            InvalidInput: The player shows no activations.
        """
        if moment.seat != self.seat:
            return
        if moment.out.hidden is None:
            raise InvalidInput(
                f"--activations: {self._player} shows none: expected a policy whose outputs tell the last hidden "
                "layer (`Output.hidden`), as agent folders and Stable-Baselines3 zips have"
            )
        self._values.append(moment.out.hidden.numpy(force=True)[moment.acting])
        self._episodes.append(moment.episode[moment.acting])

    @property
    def recorded(self) -> Recording | None:
        """Everything so far, in the order of play; None before the first step."""
        if not any(map(len, self._episodes)):
            return None
        return Recording(np.concatenate(self._values), np.concatenate(self._episodes))


def conditions(cells: Sequence[Cell], seat: str = "") -> tuple[int, dict[str, Cell]]:
    """Finds what is to be compared in a run, normal play first; cells with something hidden are left out.

    Several cells without an attack are the same player against several opponents, the first of them normal play. A
    single one is normal play itself, beside those in which its control and its attacks are at work.

    Args:
        cells: Of a plan.
        seat: Name or number of the seat to look into; the victim's by default.

    Returns:
        Number of the seat; and cells by the opponents, where those are compared, else by the attacks.

    Raises:
        UnknownName: No such seat.
        InvalidInput: More than one player in the seat, or nothing to compare with.
    """
    names = cells[0].seats
    number = seat_number("--activations", seat, names) if seat else cells[0].victim
    seen = [cell for cell in cells if not cell.game.hidden]
    clean = [cell for cell in seen if not cell.attacks]
    by_opponent = len(clean) > 1
    compared = clean if by_opponent else [*clean, *(cell for cell in seen if cell.attacks)]
    players = dict.fromkeys(cell.players[number].name for cell in compared)
    if len(players) != 1 or not clean or len(compared) < 2:
        others = "an attack to compare with" if len(names) == 1 else "at least two opponents, normal play first"
        raise InvalidInput(
            f"--activations {names[number]}: expected one player there and {others}, in cells where nothing is "
            f"hidden; got {len(players)} there and {len(compared)} such cells"
        )
    if by_opponent:
        opponents = [[*cell.players[:number], *cell.players[number + 1 :]] for cell in compared]
        labels = [" - ".join(player.name for player in of) for of in opponents]
    else:
        labels = [" + ".join(ref.label for ref in cell.attacks) or "no attack" for cell in compared]
    found = zip(labels, compared, strict=True)
    return number, {name if labels.count(name) == 1 else f"{name} {cell.key}": cell for name, cell in found}


def try_recording(cell: Cell, seat: int) -> None:
    """Plays one step, so that a player that shows no activations is told before hours of play.

    Raises:
        InvalidInput: The player shows no activations.
        RlattackError: A player or the game cannot be loaded.
    """
    episodes = iter([0])
    play = open_play(cell, lambda slot: next(episodes, None), [ActivationRecorder(cell, seat)])
    next(play.play())  # the game is closed when nothing holds the rest of it


def record(
    seat: int, compared: Mapping[str, Cell], workers: int, progress: Progress = lambda *_: None,
    fits: Path | None = None,
) -> dict[str, Recording]:  # fmt: skip
    """Plays once more, and returns activations by the name of the condition, whoever played what.

    Args:
        seat: Number of the seat.
        compared: Cells by condition, from `conditions`.
        workers: Processes; changes nothing.
        progress: Called at the start and after every episode.
        fits: Folder of what attacks learned; needed where one of them learned something.

    Raises:
        InvalidInput: The player shows no activations.
        RlattackError: A player or the game cannot be loaded.
    """
    parts: dict[str, list[Recording]] = {cell.key: [] for cell in compared.values()}
    tasks = [Task(cell) for cell in compared.values()]
    done, games = 0, sum(task.episodes for task in tasks)
    words = f"recording the {tasks[0].cell.seats[seat]}'s activations in {games} games"
    progress(words, done, games)
    with contextlib.closing(Local(workers).run(tasks, functools.partial(_play, seat=seat, fits=fits))) as items:
        for item in items:
            if isinstance(item, Episode):
                done += 1
                progress(words, done, games)
            elif isinstance(item, tuple):
                key, recording = item
                parts[key].append(recording)
    return {name: _joined(parts[cell.key]) for name, cell in compared.items()}


def _play(task: Task, take: Take, *, seat: int, fits: Path | None) -> Iterator[Episode | Beat | tuple[str, Recording]]:
    """Plays episodes of a cell, and ends with its key and what was recorded in them."""
    recorder = ActivationRecorder(task.cell, seat)
    yield from play_episodes(task.cell, take, [recorder], fits=fits)
    if (recorded := recorder.recorded) is not None:
        yield task.key, recorded


def _joined(parts: Sequence[Recording]) -> Recording:
    """In the order of episodes, whoever played them."""
    values = np.concatenate([part.values for part in parts])
    episode = np.concatenate([part.episode for part in parts])
    order = np.argsort(episode, kind="stable")
    return Recording(values[order], episode[order])
