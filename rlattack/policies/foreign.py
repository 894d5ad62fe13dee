"""Policies of the user's own code: what a function returns, or what a trusted file holds."""

import pickle
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from gymnasium import Space
from gymnasium.spaces import Box, Discrete
from torch import Tensor, nn

from rlattack.device import on
from rlattack.errors import InvalidInput, RefusedFile, one_line, said_by
from rlattack.policies.contents import is_sb3
from rlattack.policies.distributions import Categorical
from rlattack.policies.module import ContinuousPolicy, ModulePolicy
from rlattack.policies.placed import device_of
from rlattack.policies.policy import Output, Policy
from rlattack.registry import import_own

if TYPE_CHECKING:
    from stable_baselines3.common.base_class import BaseAlgorithm
    from stable_baselines3.common.policies import BasePolicy

_PROTOCOL = ("observation", "action", "acts", "normaliser", "gradient", "value", "initial_state")


def call(spec: str) -> object:
    """Calls a function of the user's, `module:function`, without arguments; the working folder may hold the module.

    Raises:
        InvalidInput: Whatever goes wrong in it, as one line.
    """
    module, _, function = spec.partition(":")
    try:
        return getattr(import_own(module), function)()
    except (Exception, SystemExit) as error:  # the user's code: anything
        raise InvalidInput(f"{spec}: {said_by(error)}") from error


def unpickle(path: Path) -> object:
    """Runs the code in a file, at the user's word, and returns what it makes.

    Raises:
        RefusedFile: It fails.
    """
    try:
        if path.suffix in (".pt", ".pth"):
            return torch.load(path, map_location="cpu", weights_only=False)
        return pickle.loads(path.read_bytes())
    except Exception as error:  # code of the file: anything
        raise RefusedFile(f"{path}: cannot be loaded ({type(error).__name__}: {error})") from error


def adapted(
    made: object, where: str, observation: tuple[int, ...] | None, action: Space[Any] | None = None
) -> Policy:  # fmt: skip
    """Makes a policy of what the user's code gave.

    Args:
        made: A `Policy`, a `torch.nn.Module`, or a Stable-Baselines3 model. A module maps observations to logits; in a
            game of continuous actions, to actions or to a `torch.distributions.Normal` over them.
        where: What messages call it.
        observation: Shape of one observation, which a plain module does not tell.
        action: One action, which it does not tell either; discrete where none is given.

    Raises:
        InvalidInput: Something else, or a policy that fails on such observations or changes them.
    """
    with on(device_of(made)):
        return _adapted(made, where, observation, action)


def _adapted(made: object, where: str, observation: tuple[int, ...] | None, action: Space[Any] | None) -> Policy:
    if is_sb3(made):
        from rlattack.policies.sb3_live import from_sb3

        return from_sb3(cast("BaseAlgorithm | BasePolicy", made))
    lacking = [name for name in _PROTOCOL if not hasattr(made, name)]
    if callable(made) and not lacking:
        policy = cast(Policy, made)
        _ask(policy, where)
        return policy
    if isinstance(made, nn.Module):
        return _bare(made, where, observation, action)
    raise InvalidInput(
        f"{where}: expected a Policy, a torch.nn.Module or a Stable-Baselines3 model, got {type(made).__name__}"
        + (f", which lacks {', '.join(lacking)} to be a Policy" if 0 < len(lacking) < len(_PROTOCOL) else "")
    )


def _bare(
    module: nn.Module, where: str, observation: tuple[int, ...] | None, action: Space[Any] | None
) -> Policy:  # fmt: skip
    """Finds out how many actions a module has, and that it takes the game's observations, by asking it once."""
    if observation is None:
        raise InvalidInput(f"{where}: a torch module does not say what it sees; return rlattack.policies.ModulePolicy")
    if isinstance(action, Box):
        return _bare_continuous(module, where, observation, action)
    policy = ModulePolicy(module, observation, 1)
    actions = _ask(policy, where).actions
    scores = actions.scores if isinstance(actions, Categorical) else None
    if not isinstance(scores, Tensor) or scores.ndim != 2 or len(scores) != 2:
        raise InvalidInput(f"{where}: expected scores of shape (2, actions) for 2 observations, got {scores}")
    policy.action = Discrete(scores.shape[1])
    return policy


def _bare_continuous(module: nn.Module, where: str, observation: tuple[int, ...], action: Box) -> Policy:
    policy = ContinuousPolicy(module, observation, action)
    mean = getattr(_ask(policy, where).actions, "mean", None)
    wanted = (2, *action.shape)
    if not isinstance(mean, Tensor) or tuple(mean.shape) != wanted:
        got = tuple(mean.shape) if isinstance(mean, Tensor) else type(mean).__name__
        raise InvalidInput(f"{where}: expected actions of shape {wanted} for 2 observations, got {got}")
    return policy


def _ask(policy: Policy, where: str) -> Output:
    """Asks a user's policy once: it must take the observations, and leave them as they are, since others look too."""
    shown = torch.ones(2, *policy.observation)
    try:
        with torch.no_grad():
            out = policy(shown, policy.initial_state(2))
    except Exception as error:  # the user's code: anything
        where = f"{where}: fails on observations of shape {policy.observation}"
        raise InvalidInput(f"{where}: {one_line(error)}") from error
    if not isinstance(out, Output):
        raise InvalidInput(f"{where}: expected a rlattack.policies.Output from the policy, got {type(out).__name__}")
    if not (shown == 1).all():
        raise InvalidInput(f"{where}: changes what it is shown in place, as x /= 255 does; write x = x / 255")
    return out
