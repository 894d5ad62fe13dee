"""Agents that a program holds in memory, under names by which a study can speak of them."""

import copy
import hashlib
import pickle
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from rlattack.device import CPU
from rlattack.errors import InvalidInput, RefusedFile, one_line
from rlattack.policies.contents import class_digest, is_sb3, tensor_digest, value_digest
from rlattack.policies.folder import AgentCard, AnyNetwork
from rlattack.policies.placed import placed
from rlattack.policies.policy import Normaliser
from rlattack.policies.sb3_zip import load_sb3_zip
from rlattack.policies.statistics import Statistics


@dataclass(frozen=True)
class Lent:
    """What was lent: a copy, so that the program may go on and train it.

    Attributes:
        thing: The user's object, or, of a Stable-Baselines3 model that its tensors and settings describe completely,
            an agent as it is read from its zip.
        weights: Digest of its tensors.
        source: Digest of the user's classes in it.
        normaliser: Statistics of the `VecNormalize` that a model was trained in.
    """

    thing: object
    weights: str
    source: str
    normaliser: Statistics | None = None

    @property
    def read(self) -> tuple[AgentCard, AnyNetwork] | None:
        """The card and the network, where it is known as completely as a file."""
        return self.thing if isinstance(self.thing, tuple) else None


_lent: dict[str, Lent] = {}
"""What this process lent, by name; kept as long as it lives, since a study holds names alone."""


def lend(thing: object) -> str:
    """Names a policy, a torch module or a Stable-Baselines3 model of this process, as it is now.

    Returns:
        Its class and eight digits of what it holds, such as `PPO@1f2e3d4c`: another name once it has learned.

    Raises:
        InvalidInput: Nothing that acts.
    """
    if not (is_sb3(thing) or isinstance(thing, nn.Module) or hasattr(thing, "initial_state")):
        raise InvalidInput(
            "expected an agent: a name, a path, a Policy, a torch.nn.Module or a Stable-Baselines3 model, "
            f"got {type(thing).__name__}"
        )
    kind = type(thing)
    held = snapshot(thing) if is_sb3(thing) else _of_code(thing)
    about = [held.weights, held.source, "" if held.normaliser is None else value_digest(held.normaliser)]
    name = f"{kind.__name__}@{hashlib.sha256(' '.join(about).encode()).hexdigest()[:8]}"
    _lent[name] = held
    return name


def lent(name: str) -> Lent | None:
    """What was lent under a name; None for what is no such name."""
    return _lent.get(name)


def lent_agents() -> Mapping[str, Lent]:
    """All that was lent."""
    return dict(_lent)


def receive(agents: Mapping[str, bytes]) -> None:
    """Takes over what another process lent, pickled there.

    Raises:
        InvalidInput: The code of one cannot be found here.
    """
    for name, raw in agents.items():
        try:
            _lent[name] = pickle.loads(raw)
        except Exception as error:  # the user's code: anything
            raise InvalidInput(
                f"{name} cannot be played by another process ({one_line(error)}): define its classes where a module is "
                "imported, not under `if __name__`, or play with --workers 1"
            ) from error


def _of_code(thing: object) -> Lent:
    """Of a policy or a module; one that cannot be copied is taken as it is."""
    try:
        held = placed(copy.deepcopy(thing), CPU)
    except Exception:  # the user's code: anything
        held = thing
    return Lent(held, value_digest(thing), class_digest(thing))


def snapshot(model: Any, *, normalised: bool = True) -> Lent:
    """Takes a learner or a policy of Stable-Baselines3 as it is now.

    Args:
        model: The learner or the policy.
        normalised: Whether the statistics of a learner's own `VecNormalize` are part of it.
    """
    policy = getattr(model, "policy", model)
    weights = tensor_digest(policy)
    statistics = statistics_in(model) if normalised else None
    if hasattr(model, "save") and policy is not model:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.zip"
            model.save(path)
            try:
                return Lent(load_sb3_zip(path, statistics), weights, "")
            except RefusedFile:  # a part of the user's own: its code plays
                pass
    return Lent(placed(copy.deepcopy(policy), CPU), weights, class_digest(policy), statistics)


def statistics_in(model: Any) -> Statistics | None:
    """What a learner's `VecNormalize` has seen, where it has one that normalises observations."""
    env = model.get_vec_normalize_env() if hasattr(model, "get_vec_normalize_env") else None
    if env is None or not env.norm_obs:
        return None

    def of(rms: Any) -> Normaliser:
        mean, deviation = rms.mean, (rms.var + env.epsilon) ** 0.5
        return Normaliser(torch.as_tensor(mean).float(), torch.as_tensor(deviation).float(), float(env.clip_obs))

    return {key: of(one) for key, one in env.obs_rms.items()} if isinstance(env.obs_rms, dict) else of(env.obs_rms)
