"""Stable-Baselines3 models in memory as policies: the way for models that only their own code can describe."""

import functools
import importlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gymnasium.spaces import Box, Dict, Discrete, MultiDiscrete
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.policies import BasePolicy
from torch import Tensor, nn

from rlattack.errors import InvalidInput, RefusedFile
from rlattack.games.game import Part
from rlattack.games.gymnasium_spaces import parts_of
from rlattack.policies.archive import Archive, read_file
from rlattack.policies.module import ModulePolicy
from rlattack.policies.sb3_live_numbers import LivePolicy, divided, recurrent, state_shape
from rlattack.policies.sb3_zip import guess_algorithm, read_data, says_normalised

_LEARNERS = {
    "ppo": "stable_baselines3:PPO",
    "a2c": "stable_baselines3:A2C",
    "dqn": "stable_baselines3:DQN",
    "qrdqn": "sb3_contrib:QRDQN",
    "trpo": "sb3_contrib:TRPO",
    "recurrent-ppo": "sb3_contrib:RecurrentPPO",
    "maskable-ppo": "sb3_contrib:MaskablePPO",
    "ars": "sb3_contrib:ARS",
    "sac": "stable_baselines3:SAC",
    "td3": "stable_baselines3:TD3",
    "ddpg": "stable_baselines3:DDPG",
    "tqc": "sb3_contrib:TQC",
}


def from_sb3(
    model: BaseAlgorithm | BasePolicy, shown: tuple[int, ...] | None = None, seen: Callable[[Tensor], Any] | None = None
) -> ModulePolicy | LivePolicy:
    """Wraps a model as it is: it can go on learning, and the policy follows.

    What the model's environment does to observations before it (`VecNormalize`) is not part of it, but for `seen`.

    Args:
        model: A learner of Stable-Baselines3 or sb3-contrib, or its policy.
        shown: Shape of one observation where that is not what the model sees.
        seen: What the model sees of a batch of them.

    Raises:
        InvalidInput: Other spaces, or a policy of another kind.
    """
    policy = model.policy if isinstance(model, BaseAlgorithm) else model
    space = policy.observation_space
    parts: tuple[Part, ...] = ()
    if isinstance(space, Dict) and shown is None:
        parts, seen = parts_of(space), functools.partial(divided, space)
        shown = (sum(part.entries for part in parts),)
    shape = space.shape if shown is None else shown
    if not isinstance(policy.action_space, Discrete | MultiDiscrete | Box) or not shape:
        raise InvalidInput(
            f"expected observations of one shape or a Dict of them, and actions that are Discrete, MultiDiscrete or a "
            f"Box, got {space} and {policy.action_space}"
        )
    if not isinstance(policy.action_space, Discrete):
        live = LivePolicy(policy, shape, seen)
        live.parts = parts
        return live
    kind = next((kind for attribute, kind in _KINDS.items() if hasattr(policy, attribute)), None)
    if kind is None:
        raise InvalidInput(f"{type(policy).__name__}: expected a policy with a distribution, Q values or quantiles")
    made = ModulePolicy(
        kind(policy) if seen is None else _Seeing(kind(policy), seen),
        shape,
        int(policy.action_space.n),
        value_based=kind in (_Q, _Quantiles, _Ars),
        state_shape=state_shape(policy),
    )
    made.parts = parts
    return made


def load_trusted(path: Path) -> tuple[BaseAlgorithm, str, str]:
    """Loads a zip with Stable-Baselines3's own loader, which runs the code in it.

    Returns:
        The model, the algorithm's name, and what in the zip says that its observations were normalised, if anything.

    Raises:
        RefusedFile: Not a zip of a known algorithm, or its loader failed.
    """
    raw = read_file(path)
    data = read_data(Archive(raw, str(path)), str(path))
    algorithm = guess_algorithm(data)
    if algorithm not in _LEARNERS:
        raise RefusedFile(f"{path}: {algorithm} algorithm; {', '.join(_LEARNERS)} can be loaded")
    module, _, name = _LEARNERS[algorithm].partition(":")
    learner = getattr(importlib.import_module(module), name)
    # what only training needs, and old zips cannot restore: schedules, and a replay buffer of many GB
    unused = dict.fromkeys(("learning_rate", "lr_schedule", "clip_range", "exploration_schedule"), 0.0)
    try:
        model: BaseAlgorithm = learner.load(io.BytesIO(raw), device="cpu", custom_objects=unused | {"buffer_size": 1})
    except Exception as error:  # code of the zip: anything
        raise RefusedFile(f"{path}: Stable-Baselines3 cannot load it ({type(error).__name__}: {error})") from error
    return model, algorithm, says_normalised(data)


class _Live(nn.Module):
    """Calls a policy in evaluation mode. It is no submodule, so that freezing this leaves the model trainable."""

    def __init__(self, policy: BasePolicy) -> None:
        super().__init__()
        self._policy: tuple[Any] = (policy,)  # each kind below calls what only its own policies have

    @property
    def policy(self) -> Any:
        (policy,) = self._policy
        policy.set_training_mode(False)
        return policy


class _Seeing(nn.Module):
    """What a model says of something that is not what it sees."""

    def __init__(self, model: nn.Module, seen: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self._model, self._seen = model, seen

    def forward(self, obs: Tensor, *state: Tensor) -> Any:
        return self._model(self._seen(obs), *state)


class _Actor(_Live):
    def forward(self, obs: Tensor) -> tuple[Tensor, Tensor]:
        logits: Tensor = self.policy.get_distribution(obs).distribution.logits
        return logits, self.policy.predict_values(obs).squeeze(1)


class _RecurrentActor(_Live):
    """State: the actor's hidden and cell state, then the critic's where it has one, (n, 2 or 4, layers, units)."""

    def forward(self, obs: Tensor, state: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        told, values, after = recurrent(self.policy, obs, state)
        return told.distribution.logits, values, after


class _Q(_Live):
    def forward(self, obs: Tensor) -> Tensor:
        q: Tensor = self.policy.q_net(obs)
        return q


class _Quantiles(_Live):
    def forward(self, obs: Tensor) -> Tensor:
        q: Tensor = self.policy.quantile_net(obs).mean(dim=1)
        return q


class _Ars(_Live):
    def forward(self, obs: Tensor) -> Tensor:
        policy = self.policy
        scores: Tensor = policy.action_net(policy.extract_features(obs, policy.features_extractor))
        return scores


_KINDS = {
    "quantile_net": _Quantiles, "q_net": _Q, "lstm_actor": _RecurrentActor, "get_distribution": _Actor,
    "action_net": _Ars,
}  # fmt: skip
"""What calls a policy, by the attribute that tells it, most telling first."""
