"""What was checked of a run, with what came of it: a list of findings, and its table."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "failed", "not checked"]
SUBJECTS = {
    "cells": "the cells are those that were planned, each once",
    "weights": "the agents on disk are those that played",
    "ledger": "it is whole, of this cell, and samples the steps that the seed draws",
    "settings": "results.json says what was played",
    "replay": "the actions, played again from the seeds, bring the same rewards and ends",
    "shown": "the game shows what the ledger says it showed",
    "reach": "what was received is within the budget, measured anew",
    "range": "what was received is in the range of the game, in whole bytes where it says so",
    "said": "the agents, asked anew, say the same, and did what follows from it",
    "episodes": "episodes.csv is what was played",
    "figures": "the numbers in results.json, computed anew",
    "control": "beside each attack stands a control of its size, which is one",
    "rows": "every cell of the leaderboard's runs stands in a row, in that of who played it",
    "standings": "the numbers in leaderboard.json, computed anew from the cells",
    "table": "leaderboard.csv says the same",
    "costs": "questions, gradients, speed, and what observers and detectors found",
}
"""What each check is of."""


@dataclass(frozen=True)
class Check:
    """One finding."""

    name: str
    """One of `SUBJECTS`."""
    status: Status
    cell: str = ""
    """Key of the cell that it is of; empty for the run."""
    why: str = ""
    """What is wrong, or why it was not checked."""


@dataclass(frozen=True)
class Verdict:
    """All findings of a run."""

    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing failed."""
        return not self.failed

    @property
    def failed(self) -> tuple[Check, ...]:
        """What failed."""
        return tuple(check for check in self.checks if check.status == "failed")

    @property
    def replayed(self) -> set[str]:
        """Keys of the cells that were replayed from their ledgers, and of which nothing failed."""
        failed = {check.cell for check in self.failed}
        replayed = {check.cell for check in self.checks if (check.name, check.status) == ("replay", "ok")}
        return set() if "" in failed else replayed - failed - self.unmeasured.keys()

    @property
    def unmeasured(self) -> dict[str, str]:
        """Keys of the cells of which nobody could tell by a ledger how far an attack went, and why."""
        return {one.cell: one.why for one in self.checks if (one.name, one.status) == ("reach", "not checked")}

    def lines(self) -> Iterator[tuple[str, str, str]]:
        """Rows of the table: a check, of how many it holds, and what is wrong or was not checked."""
        for name in SUBJECTS:
            own = [check for check in self.checks if check.name == name]
            for status in ("ok", "failed", "not checked"):
                found = [check for check in own if check.status == status]
                reasons: dict[str, list[str]] = {}
                for check in found:
                    reasons.setdefault(check.why, []).append(check.cell)
                for why, cells in reasons.items():
                    where = f"{', '.join(filter(None, cells[:2]))}{', ...' if len(cells) > 2 else ''}"
                    count = f"{len(cells)} of {len(own)} " if len(own) > 1 else ""
                    said = SUBJECTS[name] if status == "ok" and not why else why
                    yield name, f"{count}{status}", f"{where}: {said}" if where and status == "failed" else said


def found(name: str, problems: Sequence[str], cell: str = "") -> Check:
    """A check that was made: ok without problems, else failed with the first of them."""
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return Check(name, "failed" if problems else "ok", cell, f"{problems[0]}{more}" if problems else "")


def skipped(name: str, why: str, cell: str = "") -> Check:
    """A check that was not made."""
    return Check(name, "not checked", cell, why)
