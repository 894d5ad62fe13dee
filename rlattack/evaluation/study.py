"""What one evaluation asks for: the options of `attack` and `duel`, and a table of a benchmark's TOML."""

import dataclasses
import functools
import importlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import tyro
from pydantic import TypeAdapter, ValidationError

from rlattack.budget import Model, Norm, Unit
from rlattack.errors import InvalidInput
from rlattack.evaluation.options import PlayOptions
from rlattack.specs import Spec

if TYPE_CHECKING:
    from pathlib import Path

    from stable_baselines3.common.base_class import BaseAlgorithm
    from torch import nn

    from rlattack.attacks import Attack
    from rlattack.defences import Front
    from rlattack.evaluation.asked import Asked
    from rlattack.policies.policy import Policy

    Attacking = str | Attack[Any] | type[Attack[Any]]
    Standing = str | Front[Any] | type[Front[Any]]
    Player = str | Path | Policy | nn.Module | BaseAlgorithm

_MOST = {"episodes": 1_000_000, "envs": 10_000}
"""Beyond which a number is a slip: more episodes than ever were evaluated, more copies than a process steps at once."""
NO_MASK = "none"
"""The mask that hides nothing."""
SELF = "self"
"""In place of a surrogate: the victim itself."""
BARE = "bare"
"""In place of a surrogate: the victim without what stands before it, of which such an attack does not know."""
EVERY = "every"
"""The schedule of an attack that acts in every step."""


@dataclass(frozen=True, kw_only=True)
class Options(PlayOptions):
    """Everything that results depend on, but who sits where; each option is spelled and documented here."""

    attack: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME[:key=value,...] ...")] = ()
    """Attacks as NAME or NAME:key=value,..., several at once joined by +; the clean game and the control always run. A
    value that holds a comma or a plus stands in double quotes. One may have a size and a norm of its own, in place of
    --eps and --norm: pgd:eps=0.5,norm=l2 patch:eps=8, each of several at once too: pgd:eps=0.1+mas:eps=0.3."""
    eps: Annotated[tuple[float, ...], tyro.conf.arg(metavar="E ...")] = ()
    """Sizes per entry in units of --space; the number of pixels for --norm l0. Attacks that look for the smallest
    size, as deepfool, take none; natural changes, as rotate, play at standard severities where none is given."""
    norm: Norm = "linf"
    """Largest entry, root mean square, mean, or number of pixels."""
    space: Unit = "unit"
    """Pixels over 255, the game's own range, or standard deviations of what the agent saw in training."""
    free: Annotated[str, tyro.conf.arg(metavar="ENTRY[,ENTRY...]")] = ""
    """Entries of an observation that may change, by number or by the name that the game gives them; all by default."""
    keys: Annotated[str, tyro.conf.arg(metavar="KEY[,KEY...]")] = ""
    """Keys of a Dict observation that may change; all that hold numbers by default, and the others pass unchanged."""
    when: Annotated[tuple[str, ...], tyro.conf.arg(metavar="SCHEDULE[:share=S] ...")] = (EVERY,)
    """When attacks act: every, random:share=0.1, timed:share=0.1; several are compared, controls keep the schedule."""
    model: Model = "stack"
    """Perturb all stacked frames anew each step, or each frame once, when it is newest; screen: what the emulator of an
    Atari game shows in colours, in whole bytes, before it becomes the newest frame."""
    grid: bool = False
    """Keep perturbed pixels whole bytes."""
    surrogate: Annotated[tuple[str, ...], tyro.conf.arg(metavar="AGENT|self|bare|imitate[:key=value,...] ...")] = ()
    """Craft on these agents instead of the victim (transfer), each in turn: `self` is the victim itself, `bare` the
    victim without its --defence (an oblivious attack), `imitate` a network that learns from what the victim does in
    tuning episodes, as imitate:episodes=20."""
    mask: Annotated[tuple[str, ...], tyro.conf.arg(metavar="SEAT[:initial|zero|noise] ...")] = (NO_MASK,)
    """Seats, by name or number, from which the other player is hidden; several are compared, and `none` is one."""
    observe: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME[:key=value,...] ...")] = ()
    """What else is measured of the victim at every step, as margins or certified:eps=0.004; changes no episode."""
    detect: Annotated[tuple[str, ...], tyro.conf.arg(metavar="DETECTOR[:key=value,...] ...")] = ()
    """Detectors of attacks, as mahalanobis or squeeze:alarm=cusum, fitted on clean tuning episodes of the victim; they
    look on, and change no episode. How well they tell attacks from clean play is shown beside what attacks do."""
    ledger: bool = False
    """Keep a ledger of each cell, by which `rlattack verify` checks it without the attack: all actions and rewards and,
    of about 1 step in 50, what the game showed, what arrived and what was said; changes no episode."""
    episodes: int = 20
    """Episodes a cell; the same seeds in every cell."""


@dataclass(frozen=True, kw_only=True)
class Study(Options):
    """An evaluation: every combination of players plays clean, under the control and under the attacks.

    What a program holds stands for names: paths, models, torch modules and policies in `players` and `surrogate`;
    attacks and fronts, or classes of them, in `attack` and `defence`. They become the names that the fields hold. One
    thing stands for a tuple of one: `eps=0.1`.

    Raises:
        InvalidInput: A count below 1, a negative seed, or a seat without a player.

    >>> import torch
    >>> from rlattack import Study
    >>> study = Study(game="gymnasium/CartPole-v1", players=torch.nn.Linear(4, 2), attack=("fgsm", "pgd"), eps=0.1)
    >>> study.attack, study.eps, study.players[0][0].partition("@")[0]
    (('fgsm', 'pgd'), (0.1,), 'Linear')
    """

    # A program may name by what it holds, so these take more than what is typed.
    attack: "Attacking | Sequence[Attacking]" = ()  # type: ignore[assignment]
    defence: "Standing | Sequence[Standing]" = ()  # type: ignore[assignment]
    eps: float | Sequence[float] = ()  # type: ignore[assignment]
    surrogate: "Player | Sequence[Player] | None" = ()  # type: ignore[assignment]
    players: "Player | Sequence[Player | Sequence[Player]]"
    """Who takes each seat, in order: one, or several candidates, each of whom meets each of the others'."""
    victim: str = ""
    """The seat under study, by name or number; the last one by default."""
    attacked: str = ""
    """The seat that the attacks work on; the victim's by default."""

    def __post_init__(self) -> None:
        """Checks what can be checked before anything is loaded, and names what is no text."""
        for name in _SEVERAL:
            object.__setattr__(self, name, _tuple(getattr(self, name)))
        object.__setattr__(self, "attack", tuple(map(_attack_name, _tuple(self.attack))))
        object.__setattr__(self, "defence", self.fronts)
        object.__setattr__(self, "surrogate", self.crafted_on)
        self._check_kinds()
        for name, most in _MOST.items():
            if getattr(self, name) < 1:
                raise InvalidInput(f"--{name}: expected at least 1, got {getattr(self, name)}")
            if getattr(self, name) > most:
                raise InvalidInput(f"--{name}: expected at most {most:,}, got {getattr(self, name):,}")
        if self.max_steps is not None and not 1 <= self.max_steps < 2**31:
            raise InvalidInput(f"--max-steps: expected 1 to {2**31 - 1:,}, got {self.max_steps:,}")
        if self.seed < 0:
            raise InvalidInput(f"--seed: expected 0 or more, got {self.seed}")
        object.__setattr__(self, "players", self.candidates)
        if len(self.candidates) == 1 and not any(self.candidates[0]):
            raise InvalidInput("--victim: expected an agent, got an empty name; `rlattack list agents` shows all")
        if not self.candidates or not all(of and all(of) for of in self.candidates):
            got = " ".join(map(",".join, self.candidates)) or "nothing"
            raise InvalidInput(
                "--players: expected one a seat, who takes seat 0, who takes seat 1 (several as A,B: every pair "
                f"plays), got {got}"
            )

    def _check_kinds(self) -> None:
        """Makes plain values of what a program gives, as NumPy's numbers; the command line gives no others."""
        given = {field.name: getattr(self, field.name) for field in dataclasses.fields(Options)}
        try:
            plain = _adapter().validate_python(given)
        except ValidationError as error:
            first = error.errors()[0]
            name = str(first["loc"][0]).replace("_", "-")
            said = first["msg"].replace("Input should be ", "expected ")
            raise InvalidInput(f"--{name}: {said}, got {first['input']!r}") from error
        for name in given:
            object.__setattr__(self, name, getattr(plain, name))

    @classmethod
    def of(cls, options: PlayOptions, **more: Any) -> "Study":
        """Makes a study of the options that a command has, the others by default, and of who sits where."""
        names = [field.name for field in dataclasses.fields(Options) if hasattr(options, field.name)]
        return cls(**{name: getattr(options, name) for name in names}, **more)

    @property
    def candidates(self) -> tuple[tuple[str, ...], ...]:
        """Who may take each seat."""
        return tuple(tuple(map(_agent_name, _tuple(of))) for of in _tuple(self.players))

    @property
    def options(self) -> dict[str, Any]:
        """What the command changes of the game's options, as a card's table has them.

        Raises:
            InvalidInput: An argument of the environment that is none.
        """
        named = {"args": _arguments(self.env_args), "stack": self.frame_stack, "channels": self.channels}
        return {name: value for name, value in named.items() if value not in (None, {})}

    def normalisers(self, victim: int) -> list[str]:
        """The statistics that were named for each seat: of the victim alone."""
        return [self.normaliser if seat == victim else "" for seat in range(len(self.candidates))]

    @property
    def sizes(self) -> tuple[float, ...]:
        """The sizes that are compared."""
        return _tuple(self.eps)

    @property
    def fronts(self) -> tuple[str, ...]:
        """What stands before the victim, in order."""
        return tuple(map(_front_name, _tuple(self.defence)))

    @property
    def crafted_on(self) -> tuple[str, ...]:
        """The names of the agents that attacks are crafted on; none for the victim alone."""
        return () if self.surrogate is None else tuple(map(_agent_name, _tuple(self.surrogate)))

    @property
    def asked(self) -> "list[Asked]":
        """The attacks that are compared, each with the size that it has of its own.

        Raises:
            UnknownName: No such attack or parameter.
            InvalidInput: A value that does not fit, or the clean game at once with an attack.
        """
        from rlattack.evaluation.asked import read_attacks  # needs torch, which the options alone do not

        return read_attacks([_attack_name(one) for one in _tuple(self.attack)])

    @property
    def attacks(self) -> list[tuple[Spec, ...]]:
        """The attacks that are compared; each is one, or several at once; errors as of `asked`."""
        return [one.specs for one in self.asked]


def _arguments(texts: Sequence[str]) -> dict[str, Any]:
    """Reads KEY=VALUE of each text."""
    found: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key.isidentifier() or key in found:
            raise InvalidInput(f"--env-args: expected KEY=VALUE, each key once, got {text!r}")
        try:
            found[key] = json.loads(value)
        except ValueError:
            found[key] = value
    return found


@functools.cache
def _adapter() -> TypeAdapter[Options]:
    return TypeAdapter(Options)


_SEVERAL = ("attack", "eps", "when", "defence", "mask", "observe", "detect", "plugin")
"""Options that take several values."""


def _tuple(given: Any) -> tuple[Any, ...]:
    several = isinstance(given, Sequence | np.ndarray) and not isinstance(given, str)
    return tuple(given) if several else (given,)


def _name(thing: Any, lender: str) -> str:
    """A name itself, or that of what is none, from whoever lends it one: they need torch, as such a thing does."""
    if isinstance(thing, str):
        return thing
    module, _, function = lender.partition(":")
    name: str = getattr(importlib.import_module(module), function)(thing)
    return name


_agent_name = functools.partial(_name, lender="rlattack.policies.load:spec_of")
_attack_name = functools.partial(_name, lender="rlattack.attacks.make:lend_attack")
_front_name = functools.partial(_name, lender="rlattack.defences.front:lend_front")
