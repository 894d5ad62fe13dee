"""Loads the agent that a user names: an id, a folder, a Stable-Baselines3 zip, a hub model, or a function of theirs."""

import dataclasses
import hashlib
import importlib
import json
import os
import pickle
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn

from rlattack.content import iterate_cards
from rlattack.errors import InvalidInput, RefusedFile, RlattackError, UnknownName, nearest, one_line
from rlattack.games.find import find_game, game_of
from rlattack.policies.archive import read_file
from rlattack.policies.base import ModulePolicy, Policy
from rlattack.policies.folder import SCHEMA, AgentCard, find_agent, load_agent, read_agent_card
from rlattack.policies.gaussian import GaussianNetwork
from rlattack.policies.hub import fetch
from rlattack.policies.sb3_zip import load_sb3_zip
from rlattack.policies.tensors import load_torch

if TYPE_CHECKING:
    from stable_baselines3.common.base_class import BaseAlgorithm
    from stable_baselines3.common.policies import BasePolicy

__all__ = ["LoadedAgent", "agent_folder", "agent_options", "load_policy"]

Shape = tuple[int, ...]
_PROTOCOL = ("observation", "actions", "value_based", "gradient", "initial_state")


@dataclass(frozen=True, kw_only=True)
class LoadedAgent:
    """A player, ready to play."""

    policy: Policy
    name: str
    """As the user named it."""
    algorithm: str
    """Of its training, where that is known; `module` for a function of the user's."""
    card: AgentCard | None = None
    """Of an agent folder."""
    sha256: str = ""
    """Of the file it came from, or of the tensors of the user's module; empty for a policy without tensors."""
    code: str = ""
    """Digest of the user's source file."""

    @property
    def identity(self) -> str:
        """Digest of all that its play depends on: weights, network, temperature, and the user's own code."""
        policy = self.policy
        network = None if self.card is None else dataclasses.asdict(self.card.network)
        parts = [self.sha256, self.code, network, policy.value_based, getattr(policy, "temperature", None)]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def load_policy(
    spec: str,
    *,
    game: str | None = None,
    observation: Shape | None = None,
    actions: int | None = None,
    trust: bool = False,
) -> LoadedAgent:
    """Loads an agent and checks that it can play the game; runs no code of a file unless `trust`.

    Args:
        spec: An agent's id, a path to an agent folder or a Stable-Baselines3 `.zip`, `hf:owner/name[:file.zip]`, or
            `module:function`, which is called without arguments and returns a `Policy`, a `torch.nn.Module` that maps
            observations to logits, or a Stable-Baselines3 model.
        game: Id of the game; an agent of another game is refused. None: not checked.
        observation: Shape of the game's observations. None: not checked.
        actions: Number of the game's actions. None: not checked.
        trust: Whether files that cannot be read otherwise may be read by running the code in them.

    Raises:
        UnknownName: No agent of that id.
        InvalidInput: An agent of another shape or game, or a function that fails.
        RefusedFile: A file that is damaged, made to do harm, or readable only by running its code.
        ContentError: An agent's card does not hold what it must.
        MissingExtra: A hub model, and huggingface-hub is not installed.
    """
    if not spec:
        raise UnknownName("expected an agent's name, got an empty one; `rlattack list agents` shows all")
    path = _path(spec)
    if spec.startswith("hf:"):
        agent = replace(_from_file(fetch(spec), trust, observation), name=spec)
    elif (folder := agent_folder(spec)) is not None:
        card, network = load_agent(folder)
        if isinstance(network, GaussianNetwork):
            raise InvalidInput(
                f"agent {spec} has continuous actions and was trained for {card.game}: "
                f"`rlattack duel {card.game} --players ...` plays it"
            )
        policy = ModulePolicy.of(network, card.temperature)
        agent = LoadedAgent(policy=policy, name=spec, card=card, sha256=card.sha256, algorithm=card.algorithm)
    elif path.is_file():
        agent = _from_file(path, trust, observation)
    elif spec.strip(":") and ":" in spec.strip(":"):
        agent = replace(_adapted(_call(spec), spec, observation), code=_source(spec))
    else:
        hint = nearest(spec, (name for name, _, _ in iterate_cards("agents", "agent.toml", SCHEMA)))
        raise UnknownName(f"no agent and no file {spec!r}{hint or ';'} `rlattack list agents` shows all")
    _check(agent, game, observation, actions)
    return agent


def agent_options(spec: str) -> Mapping[str, Any]:
    """Returns the game options that an agent's card asks for; none for an agent without a card.

    Raises:
        ContentError: Its card does not hold what it must.
    """
    folder = agent_folder(spec)
    return {} if folder is None else read_agent_card(folder).options


def agent_folder(spec: str) -> Path | None:
    """Returns the folder of an agent's id, or the folder that a path names; None for what is neither."""
    path = _path(spec)
    return find_agent(spec) or (path if path.is_dir() else None)


def _path(spec: str) -> Path:
    """The path that a text may be; no text that the operating system would not take as one.

    Raises:
        UnknownName: It is far too long, or the home of a user whom there is none of.
    """
    try:
        path = Path(spec).expanduser()
        path.exists()
    except (OSError, RuntimeError, ValueError) as error:
        shown = spec if len(spec) < 60 else spec[:60] + "..."
        raise UnknownName(f"no agent and no file {shown!r} ({error.__class__.__name__})") from error
    return path


def _from_file(path: Path, trust: bool, observation: Shape | None) -> LoadedAgent:
    if path.suffix == ".zip":
        try:
            found = load_sb3_zip(path)
        except RefusedFile:
            if not trust:
                raise
        else:
            policy = ModulePolicy.of(found.network)
            return LoadedAgent(policy=policy, name=str(path), sha256=found.sha256, algorithm=found.algorithm)
        from rlattack.policies.sb3_live import from_sb3, load_trusted

        model, algorithm = load_trusted(path)
        agent = LoadedAgent(policy=from_sb3(model), name=str(path), algorithm=algorithm)
    elif trust and path.suffix != ".safetensors":
        agent = replace(_adapted(_unpickle(path), str(path), observation), algorithm="unknown")
    else:
        raise _not_an_agent(path)
    return replace(agent, sha256=hashlib.sha256(read_file(path)).hexdigest())


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


def _unpickle(path: Path) -> object:
    """Runs the code in a file, at the user's word."""
    try:
        if path.suffix in (".pt", ".pth"):
            return torch.load(path, map_location="cpu", weights_only=False)
        return pickle.loads(path.read_bytes())
    except Exception as error:  # code of the file: anything
        raise RefusedFile(f"{path}: cannot be loaded ({type(error).__name__}: {error})") from error


def _call(spec: str) -> object:
    """Calls the user's function; whatever goes wrong in it becomes one line."""
    module, _, function = spec.partition(":")
    if (here := os.getcwd()) not in sys.path:
        sys.path.insert(0, here)
    try:
        return getattr(importlib.import_module(module), function)()
    except (Exception, SystemExit) as error:  # the user's code: anything
        raise InvalidInput(f"{spec}: {type(error).__name__}: {one_line(error)}") from error


def _source(spec: str) -> str:
    """Digest of the file in which a user's function stands."""
    file = getattr(sys.modules[spec.partition(":")[0]], "__file__", None)
    return "" if file is None else hashlib.sha256(Path(file).read_bytes()).hexdigest()


def _adapted(made: object, spec: str, observation: Shape | None) -> LoadedAgent:
    """Makes a policy of what a user's function or trusted file gave."""
    if any(kind.__module__.startswith("stable_baselines3.") for kind in type(made).__mro__):
        from rlattack.policies.sb3_live import from_sb3

        policy: Policy = from_sb3(cast("BaseAlgorithm | BasePolicy", made))
        module = getattr(made, "policy", made)
    elif isinstance(made, nn.Module):
        policy, module = _bare(made, spec, observation), made
    elif callable(made) and all(hasattr(made, name) for name in _PROTOCOL):
        policy, module = cast(Policy, made), getattr(made, "module", None)
        _ask(policy, spec)
    else:
        raise InvalidInput(
            f"{spec}: expected a Policy, a torch.nn.Module or a Stable-Baselines3 model, got {type(made).__name__}"
        )
    digest = _digest(module.state_dict()) if isinstance(module, nn.Module) else ""
    return LoadedAgent(policy=policy, name=spec, sha256=digest, algorithm="module")


def _bare(module: nn.Module, spec: str, observation: Shape | None) -> ModulePolicy:
    """Finds out how many actions a module has, and that it takes the game's observations, by asking it once."""
    if observation is None:
        raise InvalidInput(f"{spec}: a torch module does not say what it sees; return rlattack.policies.ModulePolicy")
    policy = ModulePolicy(module, observation, 1)
    scores = _ask(policy, spec)
    if not isinstance(scores, Tensor) or scores.ndim != 2 or len(scores) != 2:
        raise InvalidInput(f"{spec}: expected scores of shape (2, actions) for 2 observations, got {scores}")
    policy.actions = scores.shape[1]
    return policy


def _ask(policy: Policy, spec: str) -> Tensor:
    """Asks a user's policy once: it must take the observations, and leave them as they are, since others look too."""
    shown = torch.ones(2, *policy.observation)
    try:
        with torch.no_grad():
            scores = policy(shown, policy.initial_state(2)).scores
    except Exception as error:  # the user's code: anything
        raise InvalidInput(f"{spec}: fails on observations of shape {policy.observation}: {one_line(error)}") from error
    if not (shown == 1).all():
        raise InvalidInput(f"{spec}: changes what it is shown in place, as x /= 255 does; write x = x / 255")
    return scores


def _digest(tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _check(agent: LoadedAgent, game: str | None, observation: Shape | None, actions: int | None) -> None:
    sees, has = agent.policy.observation, agent.policy.actions
    # a file that stands alone can tell its game by its name
    of = agent.card.game if agent.card is not None else game_of(agent.name)
    if observation not in (None, sees) or actions not in (None, has):
        shows = sees if observation is None else observation
        raise InvalidInput(
            f"agent {agent.name} sees {sees} and has {has} actions; "
            f"{f'game {game}' if game else 'the game'} shows {shows} and takes {has if actions is None else actions}"
            + (f"; the agent was trained for {of}" if of and of != game else "")
        )
    if game and of and not _same_game(of, game):
        raise InvalidInput(f"agent {agent.name} was trained for {of}, not for {game}")


def _same_game(one: str, two: str) -> bool:
    """Whether two ids are the same game, or variants of one: two cards of a ROM."""
    if one == two:
        return True
    try:
        rom = find_game(one).rom
        return rom is not None and rom == find_game(two).rom
    except RlattackError:  # a game that is not here is not this one
        return False
