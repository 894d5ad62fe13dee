"""Loads the agent that a user names or holds: an id, a folder, a zip, a hub model, a function, an object in memory."""

import dataclasses
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from gymnasium import Space
from gymnasium.spaces import Box

from rlattack.content import iterate_cards
from rlattack.device import CPU
from rlattack.errors import InvalidInput, RefusedFile, UnknownName, nearest
from rlattack.games.game import Seat
from rlattack.policies.archive import read_file
from rlattack.policies.channels import turned
from rlattack.policies.contents import class_digest, tensor_digest
from rlattack.policies.folder import (
    SCHEMA,
    AgentCard,
    AnySpec,
    find_agent,
    policy_of,
    read_agent,
    read_agent_card,
)
from rlattack.policies.foreign import adapted, call, unpickle
from rlattack.policies.gaussian_spec import GaussianSpec
from rlattack.policies.hub import fetch
from rlattack.policies.importer import guess, importer
from rlattack.policies.lent import Lent, lend, lent
from rlattack.policies.misfit import range_apart, refuse_misfit
from rlattack.policies.normalised import Normalised, behind
from rlattack.policies.placed import placed
from rlattack.policies.placeholders import PLACEHOLDERS
from rlattack.policies.policy import Normaliser, Policy
from rlattack.policies.published import Published, published
from rlattack.policies.statistics import MissingStatistics, Statistics, beside, read_statistics, statistics_for
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
    published: Published | None = None
    """What its card, or what lies beside its file, says of how well it plays."""
    looks: bool = True
    """Whether it looks at what it is shown; `zero` and `random` do not."""


def load_agent(
    spec: "str | Path | Policy | nn.Module | BaseAlgorithm", seat: Seat | None = None, *, game: str | None = None,
    trust: bool = False, normaliser: str = "", way_out: str = "swap the players, or choose another --seat",
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
    if seat is not None:
        agent = replace(agent, policy=turned(agent.policy, seat, agent.name))
    refuse_misfit(agent.policy, agent.name, agent.card, seat, game, way_out)
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
        return _of_folder(folder, spec, seat, normaliser)
    if path.is_file():
        return _of_file(path, seat, trust, normaliser)
    if spec.strip(":") and ":" in spec.strip(":"):
        made = placed(call(spec), CPU)
        policy = adapted(made, spec, *_place(seat))
        if normaliser not in ("", "none"):
            policy = Normalised(policy, _statistics(normaliser), f"--normaliser {normaliser}")
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
    policy = adapted(held.thing, name, *_place(seat))
    if normaliser not in ("", "none"):
        policy = Normalised(policy, _statistics(normaliser), f"--normaliser {normaliser}")
    elif held.normaliser is not None and not normaliser:
        policy = Normalised(policy, held.normaliser, name)
    return _named(policy, name, "module", held.weights, source=held.source, packages=_SB3, foreign=True)


def _of_folder(folder: Path, spec: str, seat: Seat | None, normaliser: str) -> Agent:
    card, network = read_agent(folder)
    if normaliser not in ("", "none"):
        network = behind(network, _statistics(normaliser), spec)
        card = replace(card, network=network.spec)
    policy = policy_of(card, network, _box(seat, card))
    agent = _named(policy, spec, card.algorithm, card.sha256, network=card.network, card=card)
    return replace(agent, published=published(card.score, None))


def _of_file(path: Path, seat: Seat | None, trust: bool, normaliser: str) -> Agent:
    if path.suffix == ".py":
        raise InvalidInput(f"{path}: to name a function in it, write {path.stem}:FUNCTION")
    try:
        kind = guess(str(path))
        card, network = importer(kind).read(str(path), False, normaliser)
    except RefusedFile as error:
        if not trust or isinstance(error, MissingStatistics):
            raise
        return _of_trusted(path, seat, normaliser)
    policy, sha256 = policy_of(card, network, _box(seat, card)), card.provenance["file_sha256"]
    agent = _named(policy, str(path), card.algorithm, sha256, network=card.network)
    return replace(agent, published=published(None, path))


def _of_trusted(path: Path, seat: Seat | None, normaliser: str) -> Agent:
    """Loads a file by running the code in it."""
    made: object
    if path.suffix == ".zip":
        from rlattack.policies.sb3_live import load_trusted

        made, algorithm, says = load_trusted(path)
    else:
        made, algorithm, says = unpickle(path), "unknown", ""
    policy = adapted(made, str(path), *_place(seat))
    if (statistics := statistics_for(path, normaliser, says)) is not None:
        policy = Normalised(policy, statistics, normaliser or str(beside(path)))
    sha256 = hashlib.sha256(read_file(path)).hexdigest()
    agent = _named(policy, str(path), algorithm, sha256, source=class_digest(made), packages=_SB3)
    return replace(agent, published=published(None, path))


def _statistics(normaliser: str) -> Statistics:
    """The statistics in a file that the user names."""
    found = read_statistics(Path(normaliser))
    if found is None:
        raise InvalidInput(f"--normaliser {normaliser}: leaves observations as they are; --normaliser none says so")
    return found


def _place(seat: Seat | None) -> tuple[tuple[int, ...] | None, Space[Any] | None]:
    """Shape of one observation of a seat, and one action."""
    return (None, None) if seat is None else (tuple(seat.observation.shape or ()), seat.action)


def _box(seat: Seat | None, card: AgentCard) -> Box | None:
    """The seat's actions, where they are those of a network of continuous ones, as far as it knows its own."""
    action, spec = None if seat is None else seat.action, card.network
    if not isinstance(action, Box) or action.shape != (spec.actions,):
        return None
    own = action
    if isinstance(spec, GaussianSpec) and spec.low:
        own = Box(np.asarray(spec.low, np.float32), np.asarray(spec.high, np.float32))
    return None if range_apart(own, action) else action


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
    parts = [normaliser.mean, normaliser.deviation, torch.tensor([normaliser.clip])]
    parts += [] if normaliser.raw is None else [normaliser.raw.float()]
    numbers = torch.cat([part.flatten() for part in parts])
    return hashlib.sha256(numbers.numpy(force=True).tobytes()).hexdigest()
