"""Checks a run: what its ledgers, tables and numbers say is played, measured, asked and computed anew."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rlattack.benchmark.verify.account import Account
from rlattack.benchmark.verify.checks import Check, Verdict, found, skipped
from rlattack.benchmark.verify.controls import without_control
from rlattack.benchmark.verify.figures import (
    Row,
    Told,
    as_rows,
    read_rows,
    rows_unlike,
    told_by_ledger,
    told_by_rows,
    unlike,
)
from rlattack.benchmark.verify.played import CHECKS, played_checks
from rlattack.benchmark.verify.players import Players
from rlattack.draws import game_seed
from rlattack.errors import ContentError, RefusedFile, RlattackError
from rlattack.evaluation.keys import digest
from rlattack.evaluation.ledger import read_ledger
from rlattack.evaluation.results import SCHEMA, Result
from rlattack.evaluation.run import CONFIG_SCHEMA
from rlattack.report.runs import RunRecord, read_run


def verify(folder: Path, *, trust: bool = False, say: Callable[[str], None] = lambda line: None) -> Verdict:
    """Checks a run without the attacks that were played in it.

    Args:
        folder: The run folder; one with ledgers, `attack --ledger`, can be checked wholly.
        trust: Whether code that the run names may run: a game or an agent of somebody's.
        say: Told in a line what is being checked.

    Raises:
        ContentError: No run folder, or one of another version.
    """
    if not folder.is_dir():
        raise ContentError(
            f"{folder}: expected a run folder, {'this is a file' if folder.exists() else 'none is there'}"
        )
    _check_schemas(folder)
    run = read_run(folder)
    if not run.results:
        raise ContentError(f"{folder}: holds no results yet: `rlattack attack` goes on with what is missing")
    return _Verification(run, Players(trust, _fits(folder)), say).verdict()


def _check_schemas(folder: Path) -> None:
    """Refuses results or a configuration of another version, which `read_run` would make its own of."""
    for name, expected in (("results.json", SCHEMA), ("config.json", CONFIG_SCHEMA)):
        try:
            schema = json.loads((folder / name).read_text(encoding="utf-8"))["schema"]
        except FileNotFoundError:
            raise ContentError(f"{folder}: expected a run folder, and it has no {name}") from None
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise ContentError(f"{folder / name}: cannot be read ({error})") from error
        if schema != expected:
            raise ContentError(
                f"{folder / name}: expected schema {expected!r}, got {schema!r}: verify it by its version"
            )


def _fits(folder: Path) -> Path:
    """Where what fronts learned lies beside a run, in a store of its own or one that runs share."""
    own, shared = folder / "store" / "fits", folder.parent / "store" / "fits"
    return own if own.is_dir() else shared


@dataclass
class _Verification:
    run: RunRecord
    players: Players
    say: Callable[[str], None]
    checks: list[Check] = field(default_factory=list)
    accounts: dict[str, Account] = field(default_factory=dict)

    def verdict(self) -> Verdict:
        rows = read_rows(self.run.folder)
        self._check_cells(rows)
        self._check_weights()
        for result in self.run.results:
            self._read(result)
        told = {result.cell: self._told(result, rows.get(result.cell, [])) for result in self.run.results}
        for result in self.run.results:
            self.say(f"verify: cell {result.cell}")
            self._check(result, rows.get(result.cell, []), told)
        self.checks.append(skipped("costs", "only whoever plays the attack again can tell"))
        return Verdict(tuple(self.checks))

    def _check_cells(self, rows: Mapping[str, Sequence[Row]]) -> None:
        keys, planned = [result.cell for result in self.run.results], self.run.config.get("cells")
        problems = [
            f"cell {key} is there {keys.count(key)} times" for key in dict.fromkeys(keys) if keys.count(key) > 1
        ]
        if not isinstance(planned, list):
            problems.append("config.json names no cells")
        elif set(planned) != set(keys):
            problems += [f"cell {key} was planned, and is not there" for key in planned if key not in keys]
            problems += [f"cell {key} was not planned" for key in dict.fromkeys(keys) if key not in planned]
        problems += [f"episodes.csv has episodes of a cell {key}" for key in rows if key not in keys]
        seeds = {result.seed for result in self.run.results} | {self.run.config.get("seed")}
        problems += ["cells of several seeds, or of another one than config.json says"] if len(seeds) > 1 else []
        self.checks.append(found("cells", problems))

    def _check_weights(self) -> None:
        """Compares the files of agents with the digests in config.json."""
        named = self.run.config.get("players_sha256")
        game = self.run.results[0].game
        if not isinstance(named, dict):
            self.checks.append(found("weights", ["config.json names no agents"]))
            return
        problems, left = [], []
        for spec, sha256 in {spec: sha for of in named.values() for spec, sha in of.items()}.items():
            if sha256 is None:
                continue
            try:
                agent = self.players.load(spec, None, game)
            except (RefusedFile, ContentError) as error:
                problems.append(f"{spec}: {error}")
                continue
            except RlattackError as error:  # who needs a seat is compared there
                agent = str(error)
            if isinstance(agent, str):
                left.append(agent)
            elif agent.sha256 != sha256:
                problems.append(f"{spec}: other weights than played ({agent.sha256[:8]}, not {sha256[:8]})")
        self.checks.append(skipped("weights", left[0]) if left and not problems else found("weights", problems))

    def _read(self, result: Result) -> None:
        path = self.run.folder / "ledgers" / f"{result.cell}.npz"
        if not path.exists():
            others = any(path.parent.glob("*.npz"))
            none = found("ledger", ["has none, and others have"], result.cell)
            without = skipped("ledger", "the run has none: play it with --ledger", result.cell)
            self.checks.append(none if others else without)
            return
        try:
            account = Account.of(read_ledger(path))
        except RefusedFile as error:
            self.checks.append(found("ledger", [str(error).removeprefix(f"{path}: ")], result.cell))
            return
        problems = account.problems(result.cell)
        self.checks.append(found("ledger", problems, result.cell))
        if account.key == result.cell:
            self.accounts[result.cell] = account

    def _told(self, result: Result, rows: Sequence[Row]) -> list[Told] | str:
        """The episodes of a cell, by its ledger where there is one; else by episodes.csv, or why not."""
        account = self.accounts.get(result.cell)
        if account is not None:
            return told_by_ledger(account.episodes, account.game.card.win)
        try:
            return told_by_rows(rows, [seat.name for seat in result.seats])
        except RefusedFile as error:
            return str(error)

    def _check(self, result: Result, rows: Sequence[Row], told: Mapping[str, list[Told] | str]) -> None:
        account, key = self.accounts.get(result.cell), result.cell
        if account is None:
            self.checks += [skipped(name, "needs a ledger", key) for name in CHECKS]
        else:
            self.checks += played_checks(account, result, self.players)
        self.checks.append(self._episodes(result, rows, told[key], account))
        self.checks.append(self._figures(result, told))
        self.checks.append(found("control", without_control(result, self.run.results), key))

    def _episodes(self, result: Result, rows: Sequence[Row], told: list[Told] | str, account: Account | None) -> Check:
        if isinstance(told, str):
            return found("episodes", [told], result.cell)
        problems = []
        if account is not None:
            players = [str(one["name"]) for one in account.about["players"]]
            problems += rows_unlike(rows, as_rows(result.cell, account.seats, players, told))
        if [one.number for one in told] != list(range(result.episodes)):
            problems.append(f"{len(told)} episodes, {result.episodes} in results.json")
        seeds = [one for one in told if one.seed != game_seed(result.seed, one.number)]
        problems += [f"episode {one.number}: seed {one.seed} is not of the run's seed {result.seed}" for one in seeds]
        return found("episodes", problems, result.cell)

    def _figures(self, result: Result, told: Mapping[str, list[Told] | str]) -> Check:
        own, clean = told[result.cell], self._clean_of(result, told)
        if isinstance(own, str) or not own:
            return found("figures", [own if isinstance(own, str) else "no episodes"], result.cell)
        names = [seat.name for seat in result.seats]
        attacked = {names.index(attack.seat) for attack in result.attacks if attack.seat in names}
        return found("figures", unlike(result, own, clean, attacked), result.cell)

    def _clean_of(self, result: Result, told: Mapping[str, list[Told] | str]) -> list[Told] | None:
        """The episodes of the same play without an attack."""
        account = self.accounts.get(result.cell)
        if account is not None:
            key = digest({**account.identity, "attacks": []})
        else:
            like = [one for one in self.run.results if one.clean and _players(one) == _players(result)]
            key = next((one.cell for one in like if one.mask == result.mask), "")
        found = told.get(key)
        return None if found is None or isinstance(found, str) else found


def _players(result: Result) -> list[str]:
    return [seat.player for seat in result.seats]
