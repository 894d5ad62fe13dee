"""Loads the agent that a user names or holds: an id, a folder, a zip, a hub model, a function, an object in memory."""

import dataclasses
import hashlib
import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from gymnasium.spaces import Box, Discrete

from rlattack.content import iterate_cards
from rlattack.errors import InvalidInput, RefusedFile, RlattackError, UnknownName, nearest
from rlattack.games.find import find_game, game_of
from rlattack.games.game import PLAYER, Seat
from rlattack.policies.archive import read_file
from rlattack.policies.contents import class_digest, tensor_digest
from rlattack.policies.folder import (
    SCHEMA,
    AgentCard,
    AnyNetwork,
    AnySpec,
    find_agent,
    policy_of,
    read_agent,
    read_agent_card,
)
from rlattack.policies.foreign import adapted, call, unpickle
from rlattack.policies.hub import fetch
from rlattack.policies.lent import Lent, lend, lent
from rlattack.policies.normalised import Normalised
from rlattack.policies.placeholders import PLACEHOLDERS
from rlattack.policies.policy import Normaliser, Policy
from rlattack.policies.sa_ppo import load_sa_ppo
from rlattack.policies.sb3_zip import load_sb3_zip
from rlattack.policies.statistics import beside, read_statistics, statistics_for
from rlattack.policies.tensors import load_torch
from rlattack.source import code_digest, versions

if TYPE_CHECKING:
    from stable_baselines3.common.base_class import BaseAlgorithm
    from torch import nn

_SB3 = ("stable-baselines3", "sb3-contrib")


@dataclass(frozen=True, kw_only=True)
class Agent:
    """A policy that is ready to take a seat, and who it is."""

    policy: Policy
    name: str
    """What the user typed to name it."""
    algorithm: str
    """What trained it, where that is known; `module` for a function of the user's."""
    identity: str = ""
    """Digest of all that its play depends on: weights, network, temperature, the user's own code, `packages`."""
    card: AgentCard | None = None
    """What its `agent.toml` says, of an agent folder."""
    sha256: str = ""
    """Digest of the file it came from, or of the tensors that the user's object holds; empty where it holds none."""
    packages: tuple[str, ...] = ()
    """Distributions beside rlattack and torch whose code may play it: of models that live in Stable-Baselines3."""
    foreign: bool = False
    """Whether the policy is code of the user's own."""
    looks: bool = True
    """Whether it looks at what it is shown; `zero` and `random` do not."""


def load_agent(
    spec: "str | Path | Policy | nn.Module | BaseAlgorithm", seat: Seat | None = None, *, game: str | None = None,
    trust: bool = False, normaliser: str = "", way_out: str = "swap the --players",
) -> Agent:  # fmt: skip
    """Loads an agent and checks that it can take its seat; runs no code of a file unless `trust`.

    Args:
        spec: An agent's id, a path to an agent folder or a Stable-Baselines3 `.zip`, `hf:owner/name[:file.zip]`,
            `zero`, `random`, or `module:function`, which is called without arguments and returns a `Policy`, a
            `torch.nn.Module` that maps observations to logits, or a Stable-Baselines3 model. Or such an object itself.
        seat: What the agent is to see and do; one that does not fit is refused. None: not checked.
        game: Id of the game; an agent of another game is refused. None: not checked.
        trust: Whether files that cannot be read otherwise may be read by running the code in them.
        normaliser: File of the statistics of what the agent saw in training, where they do not lie beside it; `none`
            for an agent that is to play without them.
        way_out: What the user can do with an agent that was trained for another seat, for the message.

    Raises:
        UnknownName: No agent of that id.
        InvalidInput: An agent of another game, seat or shape, or a function that fails.
        RefusedFile: A file that is damaged, made to do harm, or readable only by running its code.
        ContentError: An agent's card does not hold what it must.
        MissingExtra: A hub model, and huggingface-hub is not installed.

    >>> import torch
    >>> from rlattack import load_agent
    >>> agent = load_agent("gymnasium/CartPole-v1/dqn")
    >>> agent.algorithm, agent.policy(torch.zeros(1, 4)).actions.greedy.shape
    ('dqn', torch.Size([1]))
    """
    spec = spec_of(spec)
    if spec in PLACEHOLDERS:
        if seat is None:
            raise InvalidInput(f"{spec} plays whatever seat it is given, and here is none")
        return Agent(policy=PLACEHOLDERS[spec](seat), name=spec, algorithm=spec, identity=spec, looks=False)
    agent = _find(spec, seat, trust, normaliser)
    _check(agent, seat, game, way_out)
    return agent


def spec_of(agent: object) -> str:
    """The text that names an agent in this process: of a path, and of an object in memory as it is now.

    Raises:
        InvalidInput: Nothing that acts.
    """
    return agent if isinstance(agent, str) else str(agent) if isinstance(agent, os.PathLike) else lend(agent)


def agent_options(spec: str) -> Mapping[str, Any]:
    """Returns the game options that an agent's card asks for; none for an agent without a card.

    Raises:
        ContentError: Its card does not hold what it must.
    """
    folder = agent_folder(spec)
    return {} if folder is None else read_agent_card(folder).options


def agent_folder(spec: str) -> Path | None:
    """Returns the folder of an agent's id, or the folder that a path names; None for what is neither."""
    if spec in PLACEHOLDERS:
        return None
    path = _path(spec)
    return find_agent(spec) or (path if path.is_dir() else None)


def _find(spec: str, seat: Seat | None, trust: bool, normaliser: str) -> Agent:
    """Loads whatever is named, without a look at whether it fits."""
    if not spec:
        raise UnknownName("expected an agent's name, got an empty one; `rlattack list agents` shows all")
    if (held := lent(spec)) is not None:
        return _of_memory(held, spec, seat, normaliser)
    path = _path(spec)
    if spec.startswith("hf:"):
        return replace(_of_file(fetch(spec), seat, trust, normaliser), name=spec)
    if (folder := agent_folder(spec)) is not None:
        return _of_folder(folder, spec, seat)
    if path.is_file():
        return _of_file(path, seat, trust, normaliser)
    if spec.strip(":") and ":" in spec.strip(":"):
        made = call(spec)
        policy = _normalised(adapted(made, spec, _shown(seat)), normaliser)
        source = code_digest(spec.partition(":")[0]) + class_digest(made)
        return _named(policy, spec, "module", tensor_digest(made), source=source, packages=_SB3, foreign=True)
    hint = nearest(spec, (name for name, _, _ in iterate_cards("agents", "agent.toml", SCHEMA)))
    raise UnknownName(f"no agent and no file {spec!r}{hint or ';'} `rlattack list agents` shows all")


def _path(spec: str) -> Path:
    """The path that a text may be; refuses one far too long, or the home of a user whom there is none of."""
    try:
        path = Path(spec).expanduser()
        path.exists()
    except (OSError, RuntimeError, ValueError) as error:
        shown = spec if len(spec) < 60 else spec[:60] + "..."
        raise UnknownName(f"no agent and no file {shown!r} ({error.__class__.__name__})") from error
    return path


def _of_memory(held: Lent, name: str, seat: Seat | None, normaliser: str) -> Agent:
    """What a program lent."""
    if held.read is not None and not normaliser:
        card, network = held.read
        return _named(
            policy_of(card, network, _box(seat, card)), name, card.algorithm, held.weights, network=card.network
        )
    policy = _normalised(adapted(held.thing, name, _shown(seat)), normaliser)
    if held.normaliser is not None and not normaliser:
        policy = Normalised(policy, held.normaliser, name)
    return _named(policy, name, "module", held.weights, source=held.source, packages=_SB3, foreign=True)


def _of_folder(folder: Path, spec: str, seat: Seat | None) -> Agent:
    card, network = read_agent(folder)
    policy = policy_of(card, network, _box(seat, card))
    return _named(policy, spec, card.algorithm, card.sha256, network=card.network, card=card)


def _of_file(path: Path, seat: Seat | None, trust: bool, normaliser: str) -> Agent:
    made: object
    if path.suffix in (".zip", ".model"):
        try:
            card, network = _read(path, normaliser)
        except RefusedFile:
            if not trust or path.suffix == ".model":
                raise
        else:
            policy, sha256 = policy_of(card, network, _box(seat, card)), card.provenance["file_sha256"]
            return _named(policy, str(path), card.algorithm, sha256, network=card.network)
        from rlattack.policies.sb3_live import load_trusted

        made, algorithm = load_trusted(path)
    elif trust and path.suffix != ".safetensors":
        made, algorithm = unpickle(path), "unknown"
    else:
        raise _not_an_agent(path)
    policy = _normalised(adapted(made, str(path), _shown(seat)), normaliser or str(beside(path) or ""))
    sha256 = hashlib.sha256(read_file(path)).hexdigest()
    return _named(policy, str(path), algorithm, sha256, source=class_digest(made), packages=_SB3)


def _read(path: Path, normaliser: str) -> tuple[AgentCard, AnyNetwork]:
    """Reads a file of others that tells its network."""
    if path.suffix == ".model":
        return load_sa_ppo(path)
    return load_sb3_zip(path, statistics_for(path, normaliser))


def _normalised(policy: Policy, normaliser: str) -> Policy:
    statistics = None if normaliser in ("", "none") else read_statistics(Path(normaliser))
    return policy if statistics is None else Normalised(policy, statistics, f"--normaliser {normaliser}")


def _box(seat: Seat | None, card: AgentCard) -> Box | None:
    """The seat's actions, where they are those of a network of continuous ones."""
    action = None if seat is None else seat.action
    return action if isinstance(action, Box) and action.shape == (card.network.actions,) else None


def _named(
    policy: Policy, name: str, algorithm: str, sha256: str, *, network: AnySpec | None = None,
    card: AgentCard | None = None, source: str = "", packages: tuple[str, ...] = (), foreign: bool = False,
) -> Agent:  # fmt: skip
    """An agent with the one digest of all that its play depends on, however it was named."""
    identity = {
        "weights": sha256,
        "network": None if network is None else dataclasses.asdict(network),
        "temperature": getattr(policy, "temperature", None),
        "acts": policy.acts,
        "statistics": _digest(policy.normaliser),
        "source": source,
        "packages": {name: version for name, version in versions(*packages).items() if name in packages},
    }
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
    return Agent(
        policy=policy, name=name, algorithm=algorithm, identity=digest, card=card, sha256=sha256, packages=packages,
        foreign=foreign,
    )  # fmt: skip


def _digest(normaliser: Normaliser | None) -> str:
    if normaliser is None:
        return ""
    numbers = torch.cat([normaliser.mean.flatten(), normaliser.deviation.flatten(), torch.tensor([normaliser.clip])])
    return hashlib.sha256(numbers.numpy(force=True).tobytes()).hexdigest()


def _not_an_agent(path: Path) -> RlattackError:
    if path.suffix in (".pt", ".pth", ".safetensors"):
        if path.suffix != ".safetensors":
            load_torch(read_file(path), str(path))
        return InvalidInput(
            f"{path}: holds tensors without their network: `rlattack import` makes an agent of those it knows, "
            "else name a module:function that builds it"
        )
    if path.suffix == ".py":
        return InvalidInput(f"{path}: to name a function in it, write {path.stem}:FUNCTION")
    return RefusedFile(
        f"{path}: expected an agent folder or a Stable-Baselines3 .zip; a pickle runs code when it is read, "
        "which --trust allows"
    )


def _shown(seat: Seat | None) -> tuple[int, ...] | None:
    """Shape of one observation of a seat."""
    return None if seat is None else tuple(seat.observation.shape or ())


def _check(agent: Agent, seat: Seat | None, game: str | None, way_out: str) -> None:
    # a file that stands alone can tell its game by its name
    of = agent.card.game if agent.card is not None else game_of(agent.name)
    misfit = "" if seat is None else _misfit(agent.policy, seat, game)
    if game and of and not _same_game(of, game):
        raise InvalidInput(f"agent {agent.name} was trained for {of}, not for {game}{misfit and f'; it {misfit}'}")
    if seat is not None and agent.card is not None and agent.card.seat not in ("", seat.name):
        raise InvalidInput(
            f"agent {agent.name} was trained for the seat {agent.card.seat!r}, not for {seat.name!r}; {way_out}"
        )
    if misfit:
        other = f"; the agent was trained for {of}" if of and of != game else ""
        raise InvalidInput(f"agent {agent.name} {misfit}{other}")


def _misfit(policy: Policy, seat: Seat, game: str | None) -> str:
    """What a policy sees and does, beside what its seat shows and takes; empty where it fits."""
    has, takes = policy.action, seat.action
    n = has.n if isinstance(has, Discrete) else math.prod(has.shape or ())
    alike = isinstance(takes, Discrete) and takes.n == n if isinstance(has, Discrete) else takes.shape == has.shape
    if alike and tuple(policy.observation) == seat.observation.shape:
        return ""
    if seat.name == PLAYER:
        where = f"game {game}" if game else "the game"
    else:
        where = f"seat {seat.name} of {game}" if game else f"seat {seat.name}"
    if isinstance(has, Discrete) and not isinstance(takes, Discrete):
        return f"has discrete actions, {where} takes {takes}"
    does = f"has {n} actions" if isinstance(has, Discrete) else f"acts by {n} numbers"
    wants = f"one of {takes.n}" if isinstance(takes, Discrete) else takes.shape
    return f"sees {policy.observation} and {does}; {where} shows {seat.observation.shape} and takes {wants}"


def _same_game(one: str, two: str) -> bool:
    """Whether two ids are the same game, or variants of one: two cards of a ROM."""
    if one == two:
        return True
    try:
        rom = find_game(one).rom
        return rom is not None and rom == find_game(two).rom
    except RlattackError:  # a game that is not here is not this one
        return False
