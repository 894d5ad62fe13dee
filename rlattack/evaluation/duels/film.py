"""Films of duels: episode 0 of a cell, played once more before a camera, so that filming changes no result."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from rlattack.errors import InvalidInput
from rlattack.evaluation.clip import encode
from rlattack.evaluation.duels.cell import DuelCell
from rlattack.evaluation.duels.rollout import take_seats
from rlattack.evaluation.slots import Take
from rlattack.evaluation.workers import Effort, blaming, share
from rlattack.files import write_whole
from rlattack.games.find import make_duel

__all__ = ["Tell", "check_camera", "film_cells", "find_film"]

Picture = npt.NDArray[np.uint8]
_SIZE = (480, 320)
_MOST_FPS = 34
"""Steps are left out of games that have more in a second."""
_LENGTH = 300
"""Pictures kept of the game; its last one stays for a second more."""
Tell = Callable[[str, int, int], None]
"""Called with what is being done, and how much of how much of it is."""
_SUFFIXES = {"video/mp4": ".mp4", "image/gif": ".gif"}


class Camera(Protocol):
    """Draws a slot of a game."""

    def frame(self, slot: int) -> Picture:
        """A picture, shape (height, width, 3)."""

    def close(self) -> None:
        """Frees it."""


@dataclass(frozen=True)
class _Reel:
    """A cell of which one episode is to be filmed."""

    cell: DuelCell
    episodes: int = 1
    envs: int = 1

    @property
    def key(self) -> str:
        return self.cell.key


def check_camera(cell: DuelCell) -> None:
    """Sets a camera up and takes it down, so that what keeps a game from being filmed is said before it is played.

    Raises:
        InvalidInput: A game that cannot be filmed.
        MissingExtra: No GL library draws without a display.
    """
    game = make_duel(cell.game, 1)
    try:
        _camera(cell, game).close()
    finally:
        game.close()


def film_cells(cells: Sequence[DuelCell], folder: Path, workers: int, tell: Tell = lambda *_: None) -> None:
    """Films the cells that have no film in the folder yet.

    Args:
        cells: Cells whose players load.
        folder: For the films: `<cell>.mp4` with the `video` extra, else `<cell>.gif`.
        workers: Processes.
        tell: Called at the start, where there is something to film, and after every film.

    Raises:
        InvalidInput: A game that cannot be filmed.
        MissingExtra: No GL library draws without a display.
        Unwritable: The folder cannot be written.
    """
    reels = [_Reel(cell) for cell in cells if find_film(folder, cell.key) is None]
    if not reels:
        return
    words, done = f"filming {len(reels)} game{'s' if len(reels) > 1 else ''}", 0
    tell(words, done, len(reels))
    for item in share(reels, partial(_film, folder=folder), min(workers, len(reels))):
        if not isinstance(item, Effort):
            done += 1
            tell(words, done, len(reels))


def find_film(folder: Path, cell: str) -> Path | None:
    """The film of a cell, or None."""
    return next((path for suffix in _SUFFIXES.values() if (path := folder / f"{cell}{suffix}").is_file()), None)


def _film(reel: _Reel, take: Take, *, folder: Path) -> Iterator[Path]:
    while take(0) is not None:
        pictures, fps = _shoot(reel.cell)
        film = encode(len(pictures), fps, lambda steps: (pictures[step] for step in steps))  # noqa: B023  # used at once
        path = folder / f"{reel.key}{_SUFFIXES[film.mime]}"
        write_whole(path, film.data)
        yield path


def _shoot(cell: DuelCell) -> tuple[list[Picture], int]:
    """Plays episode 0 in as many slots as always, the others idle; returns pictures and how many make a second."""
    episodes = iter([0])
    rollout = take_seats(cell, lambda slot: next(episodes, None) if slot == 0 else None)
    camera = _camera(cell, rollout.game)
    every, fps = _speed(cell)
    steps = blaming(rollout.play(), cell.players)
    try:
        shown = [camera.frame(0) for number, _ in enumerate(islice(steps, _LENGTH * every)) if number % every == 0]
    finally:
        camera.close()
    return shown + shown[-1:] * fps, fps  # the end stays for a second


def _camera(cell: DuelCell, game: Any) -> Camera:
    if cell.game.mujoco is None:
        raise InvalidInput(f"{cell.game.id} cannot be filmed, only MuJoCo games can")
    from rlattack.games.mujoco.render import Renderer

    return Renderer(game, *_SIZE)


def _speed(cell: DuelCell) -> tuple[int, int]:
    """How many steps there are to a picture, and pictures a second, in the game's own time."""
    assert cell.game.mujoco is not None
    scene = cell.game.mujoco.scene
    a_second = 1 / (scene.timestep * scene.frame_skip)
    every = max(1, round(a_second / _MOST_FPS))
    return every, round(a_second / every)
