"""What an evaluation will play: everything is loaded, checked and cut into cells before the first step."""

import dataclasses
import importlib.metadata
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from gymnasium import Space
from gymnasium.spaces import Discrete

from rlattack.attacks import Attacker, AttackSpec, Model, make_attack, parse_attack
from rlattack.budget import Ball, Budget, Norm, Unit
from rlattack.errors import InvalidInput, one_line
from rlattack.evaluation.cell import AgentRef, Cell
from rlattack.evaluation.workers import Shape
from rlattack.games import find_game, make_game, rom_sha256, with_variant
from rlattack.games.card import ActionMode, GameCard
from rlattack.policies import LoadedAgent, Policy, agent_options, load_policy

__all__ = ["Evaluation", "Plan", "check_gradient", "plan", "versions"]


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What to evaluate; everything that results depend on."""

    game: str
    victim: str
    attacks: tuple[str, ...] = ()
    eps: tuple[float, ...] = ()
    norm: Norm = "linf"
    space: Unit = "unit"
    model: Model = "stack"
    grid: bool = False
    surrogate: str | None = None
    actions: Literal["card", "sampled", "greedy"] = "card"
    sticky: float | None = None
    episodes: int = 20
    seed: int = 0
    envs: int = 8
    trust: bool = False

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            InvalidInput: A count below 1, a negative seed, or attacks without a size.
        """
        for name in ("episodes", "envs"):
            if getattr(self, name) < 1:
                raise InvalidInput(f"--{name}: expected at least 1, got {getattr(self, name)}")
        if self.seed < 0:
            raise InvalidInput(f"--seed: expected 0 or more, got {self.seed}")
        if self.attacks and not self.eps and any(attack != "none" for attack in self.attacks):
            raise InvalidInput("--eps: expected at least one size, as in --eps 0.001 0.0025")


@dataclass(frozen=True)
class Plan:
    """The cells of an evaluation with what was learned while checking them."""

    cells: tuple[Cell, ...]
    balls: dict[str, Ball]
    """Cell key to fitted budget."""
    shape: Shape
    victim: LoadedAgent
    configuration: dict[str, Any]
    """What a resumed run must share."""
    circumstances: dict[str, Any]
    """Versions and hashes."""


def plan(config: Evaluation) -> Plan:
    """Loads and checks everything, plays nothing.

    Raises:
        RlattackError: Whatever does not fit, in one line.
    """
    specs = [parse_attack(text) for text in config.attacks]
    table = _Table.lay(config)
    victim = crafted_on = table.seat(config.victim)
    surrogate = None
    if config.surrogate is not None:
        crafted_on = table.seat(config.surrogate)
        surrogate = AgentRef.of(config.surrogate, crafted_on, config.trust)
    actions: ActionMode = table.card.protocol.actions if config.actions == "card" else config.actions
    if config.actions == "card" and victim.policy.value_based:
        actions = "greedy"  # a Q learner's own way
    clean = Cell(
        game=table.card, victim=AgentRef.of(config.victim, victim, config.trust), actions=actions,
        seed=config.seed, episodes=config.episodes, envs=config.envs,
    )  # fmt: skip
    cells = (clean, *_attacked(clean, specs, config, surrogate))
    compared = {name: value for name, value in dataclasses.asdict(config).items() if name != "trust"}
    configuration = {
        "evaluation": compared,
        "game": dataclasses.asdict(table.card),
        "victim": victim.identity,
        "surrogate": surrogate and surrogate.identity,
        "versions": versions(),
    }
    circumstances = {
        "seed": config.seed,
        "victim": victim.name,
        "victim_sha256": victim.sha256,
        "rom_sha256": rom_sha256(table.card),
        "action_names": table.action_names,
        "surrogate": surrogate and surrogate.name,
        "surrogate_sha256": crafted_on.sha256 if surrogate else None,
        "temperature": _temperature(victim),
        "surrogate_temperature": _temperature(crafted_on) if surrogate else None,
        "cells": [cell.key for cell in cells],
        "versions": {"python": platform.python_version(), **versions()},
    }
    return Plan(cells, table.fit(cells, crafted_on), table.shape, victim, configuration, circumstances)


@dataclass(frozen=True)
class _Table:
    """The game as this evaluation plays it, opened once to see what it shows and takes."""

    card: GameCard
    space: Space[Any]
    shape: Shape
    action_names: list[str] | None
    trust: bool

    @classmethod
    def lay(cls, config: Evaluation) -> "_Table":
        """Applies what the victim's own card and the command say about the game."""
        card = with_variant(find_game(config.game), sticky=config.sticky, options=agent_options(config.victim))
        game = make_game(card, 1)
        try:
            assert isinstance(game.action_space, Discrete)
            shape = Shape(game.observation_space.shape or (), int(game.action_space.n))
            return cls(card, game.observation_space, shape, getattr(game, "action_names", None), config.trust)
        finally:
            game.close()

    def seat(self, agent: str) -> LoadedAgent:
        """Loads an agent and checks that it can play here."""
        shape = self.shape
        return load_policy(
            agent, game=self.card.id, observation=shape.observation, actions=shape.actions, trust=self.trust
        )

    def fit(self, cells: Sequence[Cell], crafted_on: LoadedAgent) -> dict[str, Ball]:
        """Fits every budget to the game, so that what cannot work is said before anything is played."""
        balls = {}
        for cell in cells:
            if cell.budget is not None:
                attack = make_attack(cell.attack.name, cell.budget, **cell.attack.parameters)
                balls[cell.key] = Attacker(attack, crafted_on.policy, self.space, 1, model=cell.model).ball
                if attack.knowledge == "white":
                    check_gradient(crafted_on.policy, crafted_on.name, attack.name)
        return balls


def check_gradient(policy: Policy, agent: str, attack: str) -> None:
    """Asks for one gradient, so that a module without any is told before hours of play.

    Args:
        policy: To be asked.
        agent: Its name.
        attack: The name of the attack that will ask it.

    Raises:
        InvalidInput: It gives none.
    """
    try:
        policy.gradient(torch.zeros(1, *policy.observation), lambda out: out.scores.sum(), policy.initial_state(1))
    except Exception as error:  # the user's code: anything
        raise InvalidInput(
            f"{agent} gives no gradient ({one_line(error)}); {attack} needs one, noise and pixel-de do not"
        ) from error


def _attacked(base: Cell, specs: list[AttackSpec], config: Evaluation, surrogate: AgentRef | None) -> list[Cell]:
    """The noise control and the attacks at every size, each once."""
    attacks = [spec for spec in specs if spec.name not in ("none", "noise")]
    if not config.eps:
        return []
    cells: dict[str, Cell] = {}
    for spec in [AttackSpec("noise"), *attacks]:
        for eps in config.eps:
            budget = Budget(norm=config.norm, eps=eps, space=config.space, grid=config.grid)
            cell = dataclasses.replace(
                base, attack=spec, budget=budget, model=config.model,
                surrogate=None if spec.name == "noise" else surrogate,
            )  # fmt: skip
            cells[cell.key] = cell
    return list(cells.values())


def _temperature(agent: LoadedAgent) -> float | None:
    """Of the softmax that makes a distribution of Q values; None for a policy that gives one itself."""
    return getattr(agent.policy, "temperature", None) if agent.policy.value_based else None


def versions(*more: str) -> dict[str, str]:
    """Of what the numbers of a run depend on, and of some more packages."""
    found = {}
    for name in ("rlattack", "torch", "numpy", "gymnasium", "ale-py", "stable-baselines3", *more):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
