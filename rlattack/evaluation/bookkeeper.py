"""Keeps the ledger of a cell at play: an observer writes whole episodes, which are joined when the cell ends."""

import shutil
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter
from torch import Tensor

from rlattack.arrays import Array, IntArray, packed
from rlattack.errors import RlattackError, RunConflict
from rlattack.evaluation.cell import AgentRef, AttackRef, Cell
from rlattack.evaluation.episode import Episode
from rlattack.evaluation.ledger import (
    SHARE,
    Ledger,
    chances,
    joined,
    most_sampled,
    read_ledger,
    read_part,
    write_ledger,
    write_part,
)
from rlattack.evaluation.lock import locked
from rlattack.evaluation.observer import Moment, Observer
from rlattack.games.game import Step

Sample = dict[int, dict[str, Array]]
"""What is kept of a sampled step, by seat."""


class Bookkeeper(Observer):
    """Writes what a ledger holds of every episode into a file of its own when it ends.

    Args:
        cell: What is played.
        folder: Of the ledgers of a store.
    """

    def __init__(self, cell: Cell, folder: Path) -> None:
        super().__init__(0, cell.envs)
        self._folder, self._seed, self._most = _parts(folder, cell), cell.seed, 1
        self._episode: IntArray = np.full(cell.envs, -1)
        self._step: IntArray = np.zeros(cell.envs, dtype=np.int64)
        self._chances = [chances(cell.seed, 0)] * cell.envs
        self._drawn, self._least = np.ones((2, cell.envs))
        self._rows: list[dict[str, list[Array]]] = [{} for _ in range(cell.envs)]
        self._samples: list[list[tuple[float, int, Sample]]] = [[] for _ in range(cell.envs)]
        self._now: list[Sample] = [{} for _ in range(cell.envs)]

    def begin(self, slots: IntArray, episodes: IntArray) -> None:
        """Begins the pages of `episodes`."""
        for slot, episode in zip(map(int, slots), map(int, episodes), strict=True):
            self._episode[slot], self._step[slot] = episode, 0
            self._rows[slot], self._samples[slot], self._now[slot] = {}, [], {}
            self._chances[slot] = chances(self._seed, episode)
            self._drawn[slot], self._least[slot] = self._chances[slot].random(), 1.0

    def see(self, moment: Moment) -> None:
        """Keeps a step of a seat; all that was seen and said of it where it is sampled."""
        seat = moment.seat
        self._most = min(self._most if seat else 2**31, most_sampled(max(1, moment.shown[0].size)))
        rows = {"action": moment.action.numpy(force=True).copy(), "acting": moment.acting.copy()}
        if moment.world is not None:
            rows["world"] = moment.world.float().numpy(force=True)
        if moment.sizes:
            moved = moment.out.actions.moved(moment.clean.actions).numpy(force=True)
            values = np.concatenate([one.values for one in moment.sizes], axis=1)
            rows |= {
                "sizes": values.astype(np.float32), "moved": moved.astype(np.float32),
                "legal": np.all([one.legal for one in moment.sizes], axis=0),
                "changed": np.any([one.changed for one in moment.sizes], axis=0),
            }  # fmt: skip
        self._add({f"{name}.{seat}": values for name, values in rows.items()})
        for slot in np.flatnonzero((self._episode >= 0) & (self._drawn < np.maximum(SHARE, self._least))):
            self._now[slot][seat] = _sampled(moment, int(slot))

    def after(self, step: Step) -> None:
        """Keeps what the step paid, and draws whether the next one is sampled."""
        self._add({"rewards": step.rewards.T.copy()})
        for slot in map(int, np.flatnonzero(self._episode >= 0)):
            if self._now[slot]:
                self._samples[slot] = self._chosen(slot)
                self._now[slot] = {}
                self._least[slot] = min(self._least[slot], self._drawn[slot])
            self._step[slot] += 1
            self._drawn[slot] = self._chances[slot].random()

    def collect(self, slot: int) -> Mapping[str, float | None]:
        """Writes the episode that ended in a slot; has no numbers."""
        number, samples = int(self._episode[slot]), sorted(self._samples[slot], key=lambda one: one[1])
        arrays = {name: np.stack(rows) for name, rows in self._rows[slot].items()}
        arrays["sampled"] = np.asarray([(number, step) for _, step, _ in samples], dtype=np.int64).reshape(-1, 2)
        for seat in samples[0][2] if samples else ():
            for name in samples[0][2][seat]:
                place = f"{name}.{seat}" if not name.startswith("said.") else f"said.{seat}.{name[5:]}"
                arrays[place] = np.stack([sample[seat][name] for _, _, sample in samples])
        write_part(self._folder / f"{number}.npz", arrays)
        self._episode[slot] = -1
        return {}

    def _chosen(self, slot: int) -> list[tuple[float, int, Sample]]:
        """The samples of an episode with the newest one, as far as they stay."""
        newest = float(self._drawn[slot]), int(self._step[slot]), self._now[slot]
        ranked = sorted((*self._samples[slot], newest), key=lambda one: one[:2])
        return ranked[: min(self._most, max(1, sum(one[0] < SHARE for one in ranked)))]

    def _add(self, rows: Mapping[str, Array]) -> None:
        for slot in map(int, np.flatnonzero(self._episode >= 0)):
            for name, values in rows.items():
                self._rows[slot].setdefault(name, []).append(values[slot])


def kept_episodes(folder: Path, cell: Cell) -> int:
    """Of how many episodes there is a ledger; none where there is none that can be read."""
    try:
        return len(read_ledger(ledger_path(folder, cell)).lengths)
    except RlattackError:
        return 0


def ledger_path(folder: Path, cell: Cell) -> Path:
    """Where the ledger of a cell lies."""
    return folder / f"{cell.key}.npz"


def keep_ledger(folder: Path, cell: Cell, episodes: Sequence[Episode]) -> None:
    """Joins the episodes of a cell that were played to those whose ledger there is.

    Args:
        folder: Of the ledgers of a store.
        cell: What was played.
        episodes: All that are kept of it, in order.

    Raises:
        RunConflict: Somebody removed what was written at play.
        Unwritable: The folder cannot be written.
    """
    with locked(folder.parent):
        there = min(kept_episodes(folder, cell), len(episodes))
        if there < len(episodes):
            parts: list[Mapping[str, Array]] = []
            if there:
                parts.append(read_ledger(ledger_path(folder, cell)).only(there).arrays)
            try:
                parts += [read_part(_parts(folder, cell) / f"{one.episode}.npz") for one in episodes[there:]]
            except (OSError, ValueError, zipfile.BadZipFile) as error:
                raise RunConflict(
                    f"{folder}: what was written of cell {cell.key} is gone or damaged; run it again"
                ) from error
            write_ledger(ledger_path(folder, cell), Ledger(_said(cell, episodes), joined(_alike(parts))))
        shutil.rmtree(_parts(folder, cell), ignore_errors=True)


def _alike(parts: Sequence[Mapping[str, Array]]) -> list[Mapping[str, Array]]:
    """The same with no rows of what episodes have none of that were too short to be sampled."""
    like = {name: values[:0] for part in parts for name, values in part.items()}
    return [{**like, **part} for part in parts]


def _parts(folder: Path, cell: Cell) -> Path:
    return folder / f"{cell.key}.parts"


def _sampled(moment: Moment, slot: int) -> dict[str, Array]:
    """All of a step in a slot."""
    shown = np.array(moment.shown[slot])
    kept = {
        "shown": shown, "received": packed(moment.received[slot].numpy(force=True), shown),
        "chosen": moment.chosen[slot].numpy(force=True).copy(),
    }  # fmt: skip
    more = {"allowed": moment.legal, "before": moment.before}
    kept |= {name: values[slot].numpy(force=True).copy() for name, values in more.items() if values is not None}
    for name, values in vars(moment.out.actions).items():
        if isinstance(values, Tensor):
            kept[f"said.{name}"] = (values[slot] if values.ndim > 1 else values).numpy(force=True).copy()
    return kept


def _said(cell: Cell, episodes: Sequence[Episode]) -> dict[str, Any]:
    return {
        "key": cell.key, "identity": cell.identity, "share": SHARE, "about": _about(cell),
        "episodes": TypeAdapter(list[Episode]).dump_python(list(episodes), mode="json"),
    }  # fmt: skip


def _about(cell: Cell) -> dict[str, Any]:
    return {
        "seats": list(cell.seats), "victim": cell.victim, "device": cell.device,
        "players": [_player(ref) for ref in cell.players], "attacks": [_attack(ref) for ref in cell.attacks],
    }  # fmt: skip


def _player(ref: AgentRef) -> dict[str, Any]:
    told = ("spec", "name", "trust", "foreign", "normaliser")
    return {**{name: getattr(ref, name) for name in told}, "fronts": list(ref.fronts), "fits": list(ref.fits)}


def _attack(ref: AttackRef) -> dict[str, Any]:
    return {"access": ref.access, "control": ref.control, "schedule": ref.schedule}
