"""Plays duels: every pair of players, seen and hidden from each other, clean and attacked, on the same episodes."""

import dataclasses
import itertools
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from gymnasium import Space

from rlattack.attacks import AttackSpec, parse_attack
from rlattack.budget import Budget, Norm, Unit
from rlattack.errors import InvalidInput
from rlattack.evaluation.cell import AgentRef
from rlattack.evaluation.duels.cell import NO_MASK, DuelCell, parse_mask, seat_number
from rlattack.evaluation.duels.results import HEAD, duel_result, episode_rows, read_episode
from rlattack.evaluation.duels.rollout import DuelEpisode, take_seats
from rlattack.evaluation.duels.seat_attack import policy_of, seat_attacker
from rlattack.evaluation.evaluate import Done, complete, open_run
from rlattack.evaluation.plan import check_gradient, versions
from rlattack.evaluation.run import Run
from rlattack.evaluation.slots import Take
from rlattack.evaluation.workers import blaming, share
from rlattack.games.card import GameCard
from rlattack.games.duel import Mask
from rlattack.games.find import find_game, make_duel
from rlattack.policies.player import PLACEHOLDERS, LoadedPlayer, PolicyPlayer, load_player

__all__ = ["Duel", "DuelPlan", "evaluate_duel", "plan_duel"]

Tell = Callable[[DuelEpisode], None]


@dataclass(frozen=True, kw_only=True)
class Duel:
    """What to play; everything that results depend on, and how they are laid out."""

    game: str
    players: tuple[tuple[str, ...], ...]
    """Candidates of seat 0 and of seat 1: every pair plays."""
    masks: tuple[str, ...] = (NO_MASK,)
    """`SEAT`, `SEAT:MODE` or `none`: every pair plays under each."""
    actions: Literal["card", "sampled", "greedy"] = "card"
    episodes: int = 100
    seed: int = 0
    envs: int = 8
    trust: bool = False
    victim: str = ""
    """The seat whose players are the rows of the table; seat 1 by default."""
    attacks: tuple[str, ...] = ()
    """On what a seat sees, each at every size, beside noise of that size."""
    eps: tuple[float, ...] = ()
    norm: Norm = "linf"
    space: Unit = "raw"
    attacked: str = ""
    """The seat whose observations are perturbed; the victim's by default."""

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            InvalidInput: A count below 1, a negative seed, not two seats with a player each, or attacks without a size.
        """
        for name in ("episodes", "envs"):
            if getattr(self, name) < 1:
                raise InvalidInput(f"--{name}: expected at least 1, got {getattr(self, name)}")
        if self.seed < 0:
            raise InvalidInput(f"--seed: expected 0 or more, got {self.seed}")
        if len(self.players) != 2 or not all(name for names in self.players for name in names or ("",)):
            got = " ".join(",".join(names) for names in self.players) or "nothing"
            raise InvalidInput(
                "--players: expected two, who takes seat 0 and who takes seat 1 (several as A,B: every pair plays), "
                f"got {got}"
            )
        if not self.eps and any(attack != "none" for attack in self.attacks):
            raise InvalidInput("--eps: expected at least one size, as in --eps 0.05 0.2")


@dataclass(frozen=True)
class DuelPlan:
    """The cells of a run of duels with what was learned while checking them."""

    cells: tuple[DuelCell, ...]
    victim: int
    """The seat whose players are the rows of the table."""
    radius: dict[str, float]
    """Of the budget of a cell, by its key, in units of its space."""
    configuration: dict[str, Any]
    """What a resumed run must share."""
    circumstances: dict[str, Any]
    """Versions and hashes."""
    note: str = ""
    """What was asked for and is not played, since it would be the same as what is."""


def plan_duel(config: Duel) -> DuelPlan:
    """Loads and checks everything, plays nothing.

    Raises:
        RlattackError: Whatever does not fit, in one line.
    """
    card = find_game(config.game)
    seats, spaces = _look(card)
    victim = seat_number("--victim", config.victim, seats) if config.victim else 1
    attacked = seat_number("--attacked", config.attacked, seats) if config.attacked else victim
    masks = list(dict.fromkeys(parse_mask(text, seats) for text in config.masks or (NO_MASK,)))
    for mask in masks:
        make_duel(card, 1, masks=None if mask is None else {mask[0]: mask[1]}).close()
    specs = [parse_attack(text) for text in config.attacks]
    loaded = [
        {name: load_player(name, card.id, seat, *of, trust=config.trust) for name in names}
        for seat, of, names in zip(seats, spaces, config.players, strict=True)
    ]
    pairs = _pairs(config, card, seats, loaded, masks)
    played = {cell.key: cell for cell in map(_sighted, pairs)}
    cells = tuple(cell for pair in played.values() for cell in (pair, *_attacked(pair, specs, config, attacked)))
    radius = _fit(cells, spaces, loaded)
    found = versions("mujoco", "pettingzoo")
    compared = {name: value for name, value in dataclasses.asdict(config).items() if name not in ("trust", "victim")}
    compared["masks"] = [_by_name(text, seats) for text in config.masks]
    compared["attacked"] = seats[attacked] if radius else ""
    seated = dict(zip(seats, loaded, strict=True))
    configuration = {
        "duel": compared,
        "game": dataclasses.asdict(card),
        "players": {seat: {name: player.identity for name, player in of.items()} for seat, of in seated.items()},
        "versions": found,
    }
    circumstances = {
        "seed": config.seed,
        "players_sha256": {
            seat: {name: player.sha256 or None for name, player in of.items()} for seat, of in seated.items()
        },
        "cells": [cell.key for cell in cells],
        "versions": {"python": platform.python_version(), **found},
    }
    return DuelPlan(cells, victim, radius, configuration, circumstances, _note(pairs, played))


def _pairs(
    config: Duel, card: GameCard, seats: tuple[str, str], loaded: list[dict[str, LoadedPlayer]],
    masks: list[tuple[int, Mask] | None],
) -> list[DuelCell]:  # fmt: skip
    """Every pair of players under every mask, unattacked."""
    first, second = (
        [AgentRef(name, player.identity, player.name, config.trust, player.foreign) for name, player in of.items()]
        for of in loaded
    )
    return [
        DuelCell(
            game=card, seats=seats, players=players, mask=mask,
            actions=card.protocol.actions if config.actions == "card" else config.actions,
            seed=config.seed, episodes=config.episodes, envs=config.envs,
        )
        for mask in masks
        for players in itertools.product(first, second)
    ]  # fmt: skip


def evaluate_duel(
    planned: DuelPlan, folder: Path | None, workers: int, tell: Tell, command: str = "", kept: Tell | None = None
) -> Path:
    """Plays what is not finished yet and writes results after every cell.

    Args:
        planned: From `plan_duel`.
        folder: The run folder; None for `runs/<name of the configuration>`.
        workers: Processes.
        tell: Called with every finished `DuelEpisode`.
        command: Kept in `config.json`.
        kept: Called instead with those that an earlier call finished.

    Returns:
        The run folder.

    Raises:
        RunConflict: The folder holds another configuration.
        Unwritable: The folder cannot be written.
    """
    run = open_run(planned, folder, command)
    complete(
        run, planned.cells, lambda waiting: share(waiting, play, workers), read_episode, tell,
        lambda done: _publish(run, planned, done), kept,
    )  # fmt: skip
    return run.folder


def play(cell: DuelCell, take: Take) -> Iterator[DuelEpisode]:
    """Plays the episodes of a cell that `take` gives."""
    yield from blaming(take_seats(cell, take).episodes(), cell.players)


def _publish(run: Run, planned: DuelPlan, done: Done[DuelEpisode]) -> None:
    ready = [(cell, *done[cell.key]) for cell in planned.cells if cell.key in done]
    clean = {(cell.players, cell.mask): episodes for cell, episodes, _ in ready if cell.budget is None}
    results = [
        duel_result(
            cell, episodes, seconds, planned.victim, clean.get((cell.players, cell.mask)), planned.radius.get(cell.key)
        )
        for cell, episodes, seconds in ready
    ]
    run.publish(results, HEAD, (row for _, episodes, _ in ready for row in episode_rows(episodes)))


def _look(card: GameCard) -> tuple[tuple[str, str], list[tuple[Space[Any], Space[Any]]]]:
    """The names of the seats, and what each shows and takes."""
    game = make_duel(card, 1)
    try:
        return game.seats, list(zip(game.observation_spaces, game.action_spaces, strict=True))
    finally:
        game.close()


def _by_name(mask: str, seats: tuple[str, str]) -> str:
    """A mask as typed, its seat by its name, so that a run is the same one however its seats were named."""
    seat, colon, mode = mask.partition(":")
    return mask if mask == NO_MASK else seats[seat_number("--mask", seat, seats)] + colon + mode


def _sighted(cell: DuelCell) -> DuelCell:
    """The cell with nothing hidden from a player that looks at nothing: the same games."""
    blind = cell.mask is not None and cell.players[cell.mask[0]].spec in PLACEHOLDERS
    return dataclasses.replace(cell, mask=None) if blind else cell


def _note(pairs: Sequence[DuelCell], played: Mapping[str, DuelCell]) -> str:
    """Says what is not played under a mask; nothing where all is."""
    blind = [cell for cell in pairs if cell.mask is not None and cell.key not in played]
    names = dict.fromkeys(cell.players[cell.mask[0]].name for cell in blind if cell.mask is not None)
    if not blind:
        return ""
    sees = "sees" if len(names) == 1 else "see"
    same = "1 pair is not played again" if len(blind) == 1 else f"{len(blind)} pairs are not played again"
    return f"--mask: {' and '.join(names)} {sees} nothing that could be hidden, so under it {same}"


def _attacked(base: DuelCell, specs: Sequence[AttackSpec], config: Duel, seat: int) -> list[DuelCell]:
    """The noise control and the attacks at every size, each once."""
    attacks = [spec for spec in specs if spec.name not in ("none", "noise")]
    cells: dict[str, DuelCell] = {}
    for spec in [AttackSpec("noise"), *attacks]:
        for eps in config.eps:
            budget = Budget(norm=config.norm, eps=eps, space=config.space)
            cell = dataclasses.replace(base, attack=spec, budget=budget, attacked=seat)
            cells[cell.key] = cell
    return list(cells.values())


def _fit(
    cells: Sequence[DuelCell],
    spaces: Sequence[tuple[Space[Any], Space[Any]]],
    loaded: Sequence[dict[str, LoadedPlayer]],
) -> dict[str, float]:
    """Fits every budget to what the attacked seat sees, so that what cannot work is said before anything is played."""
    radius: dict[str, float] = {}
    for cell in cells:
        if cell.budget is None or cell.attacked is None:
            continue
        ref = cell.players[cell.attacked]
        player, seen = loaded[cell.attacked][ref.spec].player, spaces[cell.attacked][0]
        made = seat_attacker(cell.attack, cell.budget, policy_of(player, ref.name), seen, 1)
        radius[cell.key] = made.ball.radius
        if made.attack.knowledge == "white" and isinstance(player, PolicyPlayer):
            check_gradient(player.policy, ref.name, cell.attack.name)
    return radius
