"""Films of games: episode 0 of a cell, played once more before a camera, so that filming changes no result.

What an attacked seat receives stands to the right of the game, where that is a picture.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np

from rlattack.arrays import Array
from rlattack.evaluation.cell import Cell
from rlattack.evaluation.executor import Beat, Effort, Local, Task
from rlattack.evaluation.observer import Moment, Observer
from rlattack.evaluation.play import open_play
from rlattack.evaluation.recorder import is_image, newest
from rlattack.evaluation.slots import Take
from rlattack.files import write_whole
from rlattack.games.camera import Picture, camera, enlarge
from rlattack.games.find import make_game
from rlattack.report.encoding import encode, find_film

_MOST_FPS = 34
"""Steps are left out of games that have more in a second."""
_LENGTH = 300
"""Pictures kept of the game; its last one stays for a second more."""


def check_camera(cell: Cell) -> None:
    """Sets a camera up and takes it down, so that what keeps a game from being filmed is said before it is played.

    Raises:
        InvalidInput: A game that cannot be filmed.
        MissingExtra: A library that it draws with is missing.
    """
    game = make_game(cell.game, 1, camera=True)
    try:
        camera(game).close()
    finally:
        game.close()


def film_cells(
    cells: Sequence[Cell], folder: Path, workers: int, tell: Callable[[str, int, int], None] = lambda *_: None,
    fits: Path | None = None,
) -> None:  # fmt: skip
    """Films the cells that have no film in the folder yet.

    Args:
        cells: Cells whose players load.
        folder: For the films: `<cell>.mp4` with the `video` extra, else `<cell>.gif`.
        workers: Processes.
        tell: Called with what is being done, and how much of how much of it is: at the start, and after every film.
        fits: Folder of what attacks learned; needed where one of them learned something.

    Raises:
        InvalidInput: A game that cannot be filmed.
        MissingExtra: A library that it draws with is missing.
        Unwritable: The folder cannot be written.
    """
    reels = [Task(replace(cell, episodes=1)) for cell in cells if find_film(folder, cell.key) is None]
    if not reels:
        return
    words, done = f"filming {len(reels)} game{'s' if len(reels) > 1 else ''}", 0
    tell(words, done, len(reels))
    with closing(Local(workers).run(reels, partial(_film, folder=folder, fits=fits))) as items:
        for item in items:
            if not isinstance(item, Effort | Beat):
                done += 1
                tell(words, done, len(reels))


def _film(reel: Task, take: Take, *, folder: Path, fits: Path | None) -> Iterator[Path]:
    while take(0) is not None:
        pictures, fps = _shoot(reel.cell, fits)
        film = encode(len(pictures), fps, lambda steps: (pictures[step] for step in steps))  # noqa: B023  # used at once
        path = folder / f"{reel.key}{film.suffix}"
        write_whole(path, film.data)
        yield path


def _shoot(cell: Cell, fits: Path | None) -> tuple[list[Picture], int]:
    """Plays episode 0 in as many slots as always, the others idle; returns pictures and how many make a second."""
    episodes, sights = iter([0]), [_Sight(ref.seat, cell.envs) for ref in cell.attacks[:1]]
    play = open_play(cell, lambda slot: next(episodes, None) if slot == 0 else None, sights, camera=True, fits=fits)
    steps, filming = play.play(), camera(play.game)
    every = max(1, round(filming.fps / _MOST_FPS))
    fps = max(1, round(filming.fps / every))
    try:
        shown = [
            _beside(filming.frame(0), sights)
            for number, _ in enumerate(islice(steps, _LENGTH * every))
            if number % every == 0
        ]
    finally:
        filming.close()
    return shown + shown[-1:] * fps, fps  # the end stays for a second


class _Sight(Observer):
    """Keeps the newest frame that a seat received last in slot 0, in grey, where it sees pictures."""

    received: Array | None = None

    def see(self, moment: Moment) -> None:
        """Looks at the seat."""
        if moment.seat == self.seat and moment.acting[0] and is_image(moment.shown[0]):
            self.received = newest(moment.received[0].numpy(force=True))


def _beside(game: Picture, sights: Sequence[_Sight]) -> Picture:
    """A frame of the game and, to its right, what was received there: as high at most, black below."""
    shown = [one.received.round().clip(0, 255).astype(np.uint8) for one in sights if one.received is not None]
    for picture in shown:
        own = enlarge(picture, (len(game) * picture.shape[1] // len(picture), len(game)))[: len(game)]
        game = np.concatenate([game, np.pad(own, ((0, len(game) - len(own)), (0, 0), (0, 0)))], axis=1)
    return game
