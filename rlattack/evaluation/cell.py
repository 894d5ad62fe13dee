"""A cell: a game, who sits where, what is attacked and a protocol with a seed; what is played, kept and compared."""

import dataclasses
import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rlattack.attacks import ATTACKS, SCHEDULES, Access, AttackSpec
from rlattack.attacks.imitation import learns_by_watching
from rlattack.budget import Budget, Model
from rlattack.budget.words import entries_words
from rlattack.defences import FRONTS
from rlattack.device import CPU
from rlattack.evaluation.keys import digest, game_identity
from rlattack.evaluation.study import EVERY
from rlattack.games.card import ActionMode, Variant
from rlattack.policies.claim import Claim, claim_of
from rlattack.policies.load import Agent
from rlattack.policies.published import Published
from rlattack.specs import canonical, full_parameters, split_spec


@dataclass(frozen=True)
class AgentRef:
    """An agent by what was typed to name it and the digest of what was found there."""

    spec: str
    identity: str
    """Digest of all that its play depends on."""
    name: str
    trust: bool = False
    foreign: bool = False
    """Whether it is code of the user's."""
    fronts: tuple[str, ...] = ()
    """What stands before it, in order, each as NAME:key=value,..."""
    normaliser: str = ""
    """File of what it saw in training, as typed; what it holds is in `identity`."""
    published: Published | None = None
    """What is stated of how well it plays; decides no play."""
    fits: tuple[str | None, ...] = ()
    """Keys of what its fronts learn on tuning episodes, in order, None for each that learns nothing; empty where none
    learns."""
    claim: Claim | None = None
    """What it was trained to stand; decides no play."""

    @classmethod
    def of(cls, spec: str, agent: Agent, trust: bool, fronts: tuple[str, ...] = (), normaliser: str = "") -> "AgentRef":
        """Names an agent that was loaded."""
        return cls(
            spec, agent.identity, agent.name, trust, agent.foreign, fronts, normaliser, agent.published,
            claim=claim_of(agent.card),
        )  # fmt: skip

    @property
    def learns(self) -> bool:
        """Whether it is a surrogate that learns on tuning episodes: `identity` is then the key of what it learns."""
        return learns_by_watching(self.spec)

    @property
    def played(self) -> list[object]:
        """All that its play depends on: the agent, its fronts, however they were spelled, and what they learned."""
        fronts = [canonical("defence", FRONTS, text) for text in self.fronts]
        return [self.identity, *fronts, *filter(None, self.fits)]

    def behind(self, count: int) -> "AgentRef":
        """The same behind the first of its fronts alone, so many of them."""
        return dataclasses.replace(self, fronts=self.fronts[:count], fits=self.fits[:count])


@dataclass(frozen=True)
class DetectorRef:
    """A detector at a seat, and what it learned."""

    spec: str
    """As NAME:key=value,..., in its one spelling."""
    seat: int
    fit: str = ""
    """Key of what it learned on tuning episodes."""
    code: str = ""
    """Digest of the source of one that is not the project's own."""


@dataclass(frozen=True, kw_only=True)
class AttackRef:
    """What works on one seat, and how much of it is allowed."""

    spec: AttackSpec
    seat: int
    budget: Budget
    model: Model = "stack"
    schedule: str = EVERY
    """When it acts, as NAME:key=value,..."""
    surrogate: AgentRef | None = None
    fit: str | None = None
    """Key of what it learns on tuning episodes before it plays."""
    timing: str | None = None
    """Key of what its schedule learns there."""
    evades: DetectorRef | None = None
    """The detector that it evades."""
    code: str = ""
    """Digest of the source of an attack that is not the project's own."""
    files: tuple[tuple[str, str], ...] = ()
    """Digests of files that its parameters name, by parameter."""
    entries: str = ""
    """What may change, where the game has words for it; decides no play."""

    @property
    def access(self) -> Access:
        """What it changes: the screen, where an attack on what is seen works there."""
        access = ATTACKS.get(self.spec.name).access
        return "screen" if self.model == "screen" and access == "observation" else access

    @property
    def control(self) -> bool:
        """Whether it is one that others of the same size are read beside."""
        return ATTACKS.get(self.spec.name).is_control

    @property
    def looks_ahead(self) -> bool:
        """Whether it, or its schedule, plays forks of the game."""
        if ATTACKS.get(self.spec.name).foresees:
            return True
        return SCHEDULES.get(split_spec(self.schedule, SCHEDULES)[0]).looks_ahead

    @property
    def label(self) -> str:
        """The attack with its parameters, its size and when it acts: `pgd:steps=10 0.001`."""
        size = "" if self.budget.eps is None else f" {self.budget.eps:g}"
        when = "" if self.schedule == EVERY else f" {self.schedule}"
        free = f" free {self.entries or entries_words(self.budget.free)}" if self.budget.free else ""
        crafted_on = "" if self.surrogate is None else f" from {self.surrogate.name}"
        return f"{self.spec}{size}{free}{when}{crafted_on}"

    @property
    def identity(self) -> dict[str, Any]:
        """Everything that its effect depends on, however it was spelled; a surrogate and files by their digests."""
        parameters = full_parameters(ATTACKS.get(self.spec.name), self.spec.parameters) | dict(self.files)
        left_out = ("entries", *(["evades"] if self.evades is None else []))
        played = {name: value for name, value in dataclasses.asdict(self).items() if name not in left_out}
        return played | {
            "spec": {"name": self.spec.name, "parameters": parameters},
            "schedule": self.schedule and canonical("schedule", SCHEDULES, self.schedule),
            "surrogate": self.surrogate and self.surrogate.played,
        }


@dataclass(frozen=True, kw_only=True)
class Cell:
    """What is played, and nothing about how fast: equal cells have equal episodes on one machine."""

    game: Variant
    seats: tuple[str, ...]
    """Names of the game's seats."""
    players: tuple[AgentRef, ...]
    """Who holds each seat."""
    victim: int = 0
    """The seat under study; decides no play."""
    attacks: tuple[AttackRef, ...] = ()
    actions: tuple[ActionMode, ...]
    """How the player of each seat chooses."""
    seed: int
    episodes: int
    """How many are asked for; more of them are the same ones and more."""
    envs: int
    device: str = CPU
    """Where the players, the attacks and the judge compute; the name of a GPU is in `code`."""
    observers: tuple[str, ...] = ()
    """What else is measured of the victim; decides no play."""
    detectors: tuple[DetectorRef, ...] = ()
    """What looks out for attacks on a seat; decides no play."""
    ledger: bool = False
    """Whether what others need to check it is kept beside it; decides no play."""
    code: Mapping[str, str] = field(default_factory=dict)
    """Versions and digests of the code that plays: packages, an environment of the user's."""

    @functools.cached_property
    def key(self) -> str:
        """Sixteen hexadecimal digits that name all that decides an episode of this cell."""
        return digest(self.identity)

    @property
    def identity(self) -> dict[str, Any]:
        """All that decides an episode of this cell, of which the key is the digest."""
        return {
            "game": game_identity(self.game),
            "players": [player.played for player in self.players],
            "attacks": [attack.identity for attack in self.attacks],
            "actions": self.actions,
            "seed": self.seed,
            "envs": self.envs,
            "code": dict(self.code),
        }

    @property
    def clean(self) -> "Cell":
        """The same without an attack, beside which it is read."""
        return dataclasses.replace(self, attacks=())

    @property
    def control(self) -> bool:
        """Whether it stands beside attacks of the same size without their wits."""
        return bool(self.attacks) and all(attack.control for attack in self.attacks)

    @property
    def looks_ahead(self) -> bool:
        """Whether forks of the game are played."""
        return any(attack.looks_ahead for attack in self.attacks)

    @property
    def label(self) -> str:
        """Who plays where there are several seats, what is hidden, and what is attacked, in a few words."""
        words = [" - ".join(player.name.removeprefix(f"{self.game.card.id}/") for player in self.players)]
        words = words if len(self.players) > 1 else []
        words += [f"mask {self.mask_name}"] if self.game.hidden else []
        words += [" + ".join(map(self._attack_label, self.attacks))] if self.attacks else []
        return ", ".join(words) or "clean"

    def oblivious(self, ref: AttackRef) -> bool:
        """Whether an attack of the cell is crafted on whom it attacks without the fronts that stand there."""
        player = self.players[ref.seat]
        return bool(player.fronts) and ref.surrogate is not None and ref.surrogate.played == player.behind(0).played

    def _attack_label(self, ref: AttackRef) -> str:
        return f"{dataclasses.replace(ref, surrogate=None).label} oblivious" if self.oblivious(ref) else ref.label

    @property
    def mask_name(self) -> str:
        """What is hidden, as the command line takes it: `runner:initial`, or `none`."""
        return " ".join(f"{self.seats[seat]}:{mode}" for seat, mode in self.game.hidden) or "none"
