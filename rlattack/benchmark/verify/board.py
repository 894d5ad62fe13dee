"""Checks the leaderboard of a grid: its rows and their numbers are made anew of the cells in its run folders."""

import contextlib
import dataclasses
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter, ValidationError

from rlattack.benchmark.board import Challenge, Compared, Leaderboard
from rlattack.benchmark.grid import drawn_seeds
from rlattack.benchmark.hits import AgentRecord, Scored, Tried, won
from rlattack.benchmark.leaderboard import game_boards
from rlattack.benchmark.tables import SCHEMA, VOLATILE, to_csv, to_json
from rlattack.benchmark.verify.checks import Check, Verdict, found, skipped
from rlattack.benchmark.verify.figures import read_rows, told_by_rows
from rlattack.errors import ContentError, RefusedFile, RlattackError, one_line
from rlattack.evaluation.ledger import read_ledger
from rlattack.evaluation.results import Result
from rlattack.report.runs import RunRecord, read_run

FILE = "leaderboard.json"
_UNTOLD = (*VOLATILE, "command", "standard_command", "reported", "reported_clean", "source", "warnings")
"""Words, and what is stated elsewhere: nothing that follows from cells."""
_CLOSE = 2e-5
"""Relative difference of numbers of six digits that were rounded on two machines."""


def verify_board(folder: Path, verdicts: Mapping[str, Verdict]) -> Verdict:
    """Checks `leaderboard.json` and `.csv` in the folder of a grid.

    Args:
        folder: With a run folder for each game and protocol in it.
        verdicts: What was found of these, by their names: a row is verified only where all of its cells are.

    Raises:
        ContentError: A leaderboard that is damaged, or of another version.
    """
    content, board = _read(folder / FILE)
    return Verdict(tuple(_Board(folder, content, board, verdicts).checks()))


def _read(path: Path) -> tuple[dict[str, Any], Leaderboard]:
    """The file as it is, and typed."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["schema"] != SCHEMA:
            raise ContentError(f"{path}: expected schema {SCHEMA!r}, got {content['schema']!r}")
        told = {name: value for name, value in content.items() if name != "schema"}
        return content, TypeAdapter(Leaderboard).validate_python(told)
    except (OSError, ValueError, KeyError, TypeError, RecursionError, ValidationError) as error:
        raise ContentError(f"{path}: cannot be read ({one_line(error)[:200]})") from error


@dataclass(frozen=True)
class _Board:
    folder: Path
    content: dict[str, Any]
    board: Leaderboard
    verdicts: Mapping[str, Verdict]

    def checks(self) -> Iterator[Check]:
        own = {*self.board.runs, *(run for one in self.board.challenges for run in one.runs)}
        problems = [f"run {name} is not there" for name in sorted(own) if name not in self.runs]
        yield found("rows", [*problems, *self._rows()])
        for name in sorted(self.verdicts.keys() - own):
            yield skipped("rows", f"{name} is no run of this leaderboard")
        yield found("standings", self._standings())
        yield found("table", self._table())

    @cached_property
    def runs(self) -> dict[str, RunRecord]:
        """The run folders that are named, as far as they are there."""
        named = dict.fromkeys((*self.board.runs, *(run for one in self.board.challenges for run in one.runs)))
        there = [name for name in named if Path(name).name == name and (self.folder / name).is_dir()]
        return {name: read_run(self.folder / name) for name in there}

    @cached_property
    def scored(self) -> dict[str, Scored]:
        """What came of every cell, by its key; without those whose episodes cannot be read, which their run tells."""
        made: dict[str, Scored] = {}
        for name, run in self.runs.items():
            rows = read_rows(self.folder / name)
            for one in run.results:
                with contextlib.suppress(RefusedFile):
                    told = told_by_rows(rows.get(one.cell, []), [seat.name for seat in one.seats])
                    scores = np.asarray([episode.scores[one.victim] for episode in told])
                    made[one.cell] = Scored(one, scores, won([episode.outcomes[one.victim] for episode in told]))
        return made

    def _rows(self) -> Iterator[str]:
        """What is wrong with who stands on which cells."""
        whose = {key: one.agent for one in self.board.compared for key in one.cells}
        played = {one.cell for name in self.board.runs if name in self.runs for one in self.runs[name].results}
        yield from (f"cell {key} was played, and stands in no row" for key in sorted(played - whose.keys()))
        yield from (f"cell {key} stands in a row, and was not played" for key in whose if key not in played)
        for one in self.board.compared:
            taken = [key for key in one.cells if whose[key] != one.agent]
            yield from (f"cell {key} stands in the rows of {one.agent} and {whose[key]}" for key in taken)
            yield from self._strange(one, [self.scored[key].result for key in one.cells if key in self.scored])
            yield from self._identities(one)
        yield from self._drawn()

    def _strange(self, one: Compared, results: Sequence[Result]) -> Iterator[str]:
        """Where cells of an agent are of another game, of another player, or of one behind other fronts."""
        for game in dict.fromkeys(of.game for of in results if of.game != one.game):
            yield f"{one.agent} stands on cells of {game}, in a row of {one.game}"
        players = dict.fromkeys(of.victim_seat.player for of in results if len(of.seats) == 1)
        yield from (f"{name} played cells that {one.agent} stands on" for name in players if name != one.agent)
        if len(behind := dict.fromkeys(of.defence or "nothing" for of in results)) > 1:
            yield f"{one.agent} stands on cells that were played behind {' and behind '.join(behind)}"

    def _identities(self, one: Compared) -> Iterator[str]:
        """Where ledgers say that somebody else has played the cells of an agent."""
        for key in one.cells:
            if key in self._ledgers:
                with contextlib.suppress(RlattackError, KeyError, IndexError, TypeError):  # told of the run
                    said = read_ledger(self._ledgers[key]).said
                    identity = str(said["identity"]["players"][said["about"]["victim"]][0])
                    if identity != one.identity:
                        yield f"cell {key} was played by {identity[:12]}, and {one.agent} is {one.identity[:12]}"

    @cached_property
    def _ledgers(self) -> dict[str, Path]:
        """The ledgers of cells, by key."""
        return {path.stem: path for name in self.runs for path in (self.folder / name).glob("ledgers/*.npz")}

    def _drawn(self) -> Iterator[str]:
        """Where seeds that are said to be drawn are others."""
        if not self.board.salt:
            return
        seeds = {one.seed for name in self.board.runs if name in self.runs for one in self.runs[name].results}
        if other := seeds - {*drawn_seeds(self.board.salt, self.board.entries, len(seeds))}:
            yield f"seed {min(other)} was not drawn of the salt and the entries"

    def _standings(self) -> list[str]:
        """What is otherwise in a leaderboard that is made anew: whether its cells were verified, it may leave out."""
        replayed: set[str] = set().union(*(one.replayed for one in self.verdicts.values()))
        try:
            ways = [list(self._unlike(keys)) for keys in (replayed, set[str]())]
        except (RlattackError, ValueError, KeyError, IndexError) as error:
            return [f"cannot be computed: {one_line(error)}"]
        return min(ways, key=len)

    def _unlike(self, verified: set[str]) -> Iterator[str]:
        agents = [record for one in self.board.compared if (record := self._record(one, verified)).played]
        stood = {one.result.cell for record in agents for one in record.played}
        made = dataclasses.replace(
            self.board, boards=game_boards(agents, verified, self.board.salt),
            failed=sum(not self.scored[key].result.ok for key in stood), versions=self._versions,
        )  # fmt: skip
        yield from _apart(self.content, to_json(made), "")

    def _record(self, one: Compared, verified: set[str]) -> AgentRecord:
        tried = tuple(
            self._tried(of, verified)
            for of in self.board.challenges
            if of.about == (one.game, one.contender, one.agent)
        )
        return AgentRecord(one, tuple(self.scored[key] for key in one.cells if key in self.scored), tried)

    def _tried(self, one: Challenge, verified: set[str]) -> Tried:
        attacked, clean = (tuple(self.scored[key] for key in keys) for keys in (one.attacked, one.clean))
        replayed = {*one.attacked, *one.clean} <= verified if verified else None
        return Tried(one, attacked, clean, replayed)

    @property
    def _versions(self) -> dict[str, str]:
        """Of all that played."""
        return {
            package: version
            for name in self.board.runs if name in self.runs
            for package, version in self.runs[name].versions.items()
        }  # fmt: skip

    def _table(self) -> list[str]:
        path = self.folder / "leaderboard.csv"
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            return [f"leaderboard.csv cannot be read ({error})"]
        expected = to_csv(self.board).splitlines()
        other = [number for number, pair in enumerate(zip(lines, expected, strict=False)) if pair[0] != pair[1]]
        if other:
            return [f"row {other[0]} says otherwise than leaderboard.json"]
        return (
            [] if len(lines) == len(expected) else [f"{len(lines) - 1} rows, {len(expected) - 1} in leaderboard.json"]
        )


def _apart(said: Any, now: Any, where: str) -> Iterator[str]:
    """The places at which two leaderboards differ in what follows from cells."""
    if isinstance(said, Mapping) and isinstance(now, Mapping):
        for name in (*now, *(said.keys() - now.keys())):
            if name not in _UNTOLD:
                yield from _apart(said.get(name), now.get(name), f"{where} {name}".strip())
    elif isinstance(said, Sequence) and isinstance(now, Sequence) and not isinstance(said, str):
        if len(said) != len(now):
            yield f"{where}: {_named(said)} there, {_named(now)} made anew"
        for number, (one, other) in enumerate(zip(said, now, strict=False)):
            yield from _apart(one, other, f"{where} {_name(other) or number}")
    elif not _same(said, now):
        yield f"{where}: {said} there, {now} computed anew"


def _same(said: Any, now: Any) -> bool:
    if isinstance(said, float | int) and isinstance(now, float) and not isinstance(said, bool):
        return math.isclose(said, now, rel_tol=_CLOSE, abs_tol=1e-9)
    return bool(said == now)


def _named(items: Sequence[Any]) -> str:
    names = [_name(one) for one in items]
    return f"{len(items)} ({', '.join(names)})" if all(names) and names else str(len(items))


def _name(item: Any) -> str:
    """What a row, a table, an agent or a game is called."""
    if not isinstance(item, Mapping):
        return ""
    threat = item.get("threat", {})
    return str(item.get("name") or item.get("game") or item.get("agent") or " ".join(map(str, threat.values())))
