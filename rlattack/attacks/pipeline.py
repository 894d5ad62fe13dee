"""What a pipeline of wrappers shows a network: the space in which an attack works, and the network as it sees that.

Stable-Baselines3's `VecNormalize` shows normalised numbers under the bounds of the raw ones; pictures have channels
last or first; a `Dict` holds several things of which an attack may change some.
"""

import itertools
import math
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any, cast

import gymnasium
import numpy as np
import torch
from gymnasium import Space
from gymnasium.spaces import Box, Dict
from torch import Tensor

from rlattack.arrays import Array
from rlattack.errors import InvalidInput, nearest
from rlattack.games.game import Part
from rlattack.policies.contents import is_sb3
from rlattack.policies.normalised import flat
from rlattack.policies.policy import Normaliser, Policy

Observation = Array | dict[str, Array]


class Pipeline:
    """An environment as a network behind it sees it.

    Args:
        env: An environment of Gymnasium or Stable-Baselines3, wrapped or not, or one observation's space.
        keys: What of a `Dict` an attack may change; all that is a Box by default.

    Attributes:
        space: What may change of one observation: a Box; several keys are one flat one.
        slots: Environments at once.
        normalised: Whether it is shown in standard deviations already.
        normalises: Whether any of what is shown is.
        keys: The keys of a Dict, in order; empty for a Box.

    Raises:
        InvalidInput: No such key, or nothing that is a Box.
    """

    def __init__(self, env: Any, keys: Sequence[str] = ()) -> None:
        whole = env if isinstance(env, Space) else getattr(env, "single_observation_space", None)
        whole = getattr(env, "observation_space", None) if whole is None else whole
        if not isinstance(whole, Space):
            raise InvalidInput(f"expected a space, or an environment that shows it, got {type(env).__name__}")
        self.slots = int(getattr(env, "num_envs", 1))
        parts = dict(whole.spaces) if isinstance(whole, Dict) else {"": whole}
        self.keys = _checked(keys, parts)
        normaliser = _normaliser(env)
        self.normalises = normaliser is not None
        of = () if normaliser is None else parts if normaliser.norm_obs_keys is None else normaliser.norm_obs_keys
        self._parts = {
            name: _bounded(part, normaliser.clip_obs) if name in of else part for name, part in parts.items()
        }
        changed = self.keys or ("",)
        self.normalised = all(name in of for name in changed)
        if any(name in of for name in changed) != self.normalised:
            raise InvalidInput(f"keys: expected normalised ones or raw ones, got both of {', '.join(changed)}")
        several = [self._parts[key] for key in changed]
        self.space: Any = several[0] if len(several) == 1 else _joined(several)
        self._beside: dict[str, Array] = {}

    def join(self, obs: Observation) -> Array:
        """What an attack may change of a batch, shape (n, *space); the rest is what a network sees beside it."""
        if not isinstance(obs, dict):
            return obs
        self._beside = {name: np.array(part) for name, part in obs.items() if name not in self.keys}
        parts = [np.asarray(obs[key]) for key in self.keys]
        return parts[0] if len(parts) == 1 else np.concatenate([part.reshape(len(part), -1) for part in parts], axis=1)

    def split(self, attacked: Array, obs: Observation) -> Observation:
        """The batch with what was changed in its place."""
        return attacked if not isinstance(obs, dict) else {**obs, **self._divided(attacked)}

    def shown(self, space: Box) -> Space[Any]:
        """One observation after an attack, of which what may change is in `space`."""
        if not self.keys:
            return space
        low, high = (self._divided(bound[None]) for bound in (space.low, space.high))
        changed = {key: Box(low[key][0], high[key][0], dtype=cast(Any, space.dtype)) for key in self.keys}
        return Dict({**self._parts, **changed})

    def seen(self, obs: Tensor) -> dict[str, Tensor]:
        """A batch of what may change, shape (n, *space), with what was beside it when it was joined last."""
        rest = {name: part for name, part in self._parts.items() if name not in self.keys}
        found: dict[str, Any] = {}
        for name, part in rest.items():
            held = self._beside.get(name)
            rows = np.zeros((1, *(part.shape or ())), part.dtype) if held is None else held
            found[name] = torch.as_tensor(np.resize(rows, (len(obs), *rows.shape[1:])))
        divided = self._divided(obs)
        return {name: found[name] if name in found else divided[name] for name in self._parts}

    def normaliser(self, statistics: Mapping[str, Normaliser]) -> Normaliser | None:
        """Statistics of what may change, of those of each key; None where no key of it has any."""
        if not statistics.keys() & set(self.keys):
            return None
        shapes = [self._parts[key].shape or () for key in self.keys]
        starts = itertools.accumulate(map(math.prod, shapes), initial=0)
        parts = [Part(key, start, math.prod(shape), shape, True)
                 for key, start, shape in zip(self.keys, starts, shapes, strict=False)]  # fmt: skip
        found = flat(dict(statistics), parts, "the model")
        mean, deviation = (one.view(self.space.shape) for one in (found.mean, found.deviation))
        return Normaliser(mean, deviation, found.clip, None if found.raw is None else found.raw.view(self.space.shape))

    def _divided(self, values: Any) -> dict[str, Any]:
        if len(self.keys) == 1:
            return {self.keys[0]: values}
        sizes = [math.prod(self._parts[key].shape or ()) for key in self.keys]
        ends = np.cumsum(sizes)
        return {
            key: values[:, end - size : end].reshape(len(values), *(self._parts[key].shape or ()))
            for key, size, end in zip(self.keys, sizes, ends, strict=True)
        }

    def __deepcopy__(self, memo: dict[int, Any]) -> "Pipeline":
        """Itself: a copy of a policy that foreign code asks must see what is beside too."""
        return self


def policy_of(agent: Any, pipeline: Pipeline) -> Policy:
    """Returns an agent as a policy of what a pipeline shows.

    Args:
        agent: A policy, a Stable-Baselines3 model, a torch module, or what `load_agent` takes.
        pipeline: What it is shown.

    Raises:
        InvalidInput: It sees something else, or normalises what is normalised.
    """
    from rlattack.policies.load import load_agent  # not needed by whoever has a policy

    if isinstance(agent, str | os.PathLike):
        agent = load_agent(cast(Any, agent)).policy
    elif is_sb3(agent):
        agent = _of_model(agent, pipeline)
    elif not hasattr(agent, "initial_state"):
        from rlattack.policies.foreign import adapted

        agent = adapted(agent, type(agent).__name__, pipeline.space.shape)
    policy = cast(Policy, agent)
    if pipeline.normalised and policy.normaliser is not None:
        raise InvalidInput(
            "the agent normalises what it sees, and so does this environment: take VecNormalize off, or give the model "
            "without its statistics"
        )
    return policy


def check_around(attacker_asks: bool, normalises: bool) -> None:
    """Refuses an attack inside of a wrapper that normalises what the network is shown, where the attack asks another.

    Raises:
        InvalidInput: Whoever resets this is a `VecNormalize` or a `NormalizeObservation`.
    """
    frame = sys._getframe(1) if attacker_asks and not normalises else None
    while frame is not None:
        outer = frame.f_locals.get("self")
        kind = next((kind for kind in type(outer).__mro__ if kind.__name__ in _NORMALISING), None)
        if kind is not None and frame.f_code.co_name in ("reset", "step_wait") and getattr(outer, "norm_obs", True):
            raise InvalidInput(
                f"the environment under attack is inside a {kind.__name__}, so the network sees something else than "
                f"the attack asks it about: wrap it the other way round, AttackObservation({kind.__name__}(env), ...), "
                "or give the attacker the model that learned in it"
            )
        frame = frame.f_back


_NORMALISING = ("VecNormalize", "NormalizeObservation")


def _of_model(model: Any, pipeline: Pipeline) -> Policy:
    """A model of Stable-Baselines3, with the statistics of its own where the pipeline shows raw observations.

    One of discrete actions can go on learning, and the policy follows; one of continuous actions is taken as it is now.
    """
    from rlattack.policies.folder import policy_of as network_policy
    from rlattack.policies.lent import snapshot, statistics_in
    from rlattack.policies.normalised import Normalised
    from rlattack.policies.sb3_live import from_sb3

    policy = getattr(model, "policy", model)
    shape, sees = tuple(pipeline.space.shape), tuple(policy.observation_space.shape or ())
    statistics = None if pipeline.normalises else statistics_in(model)
    if pipeline.keys:
        return _of_keys(model, pipeline, statistics if isinstance(statistics, dict) else {})
    if isinstance(policy.action_space, Box) and (read := snapshot(model, normalised=not pipeline.normalised).read):
        return network_policy(*read, policy.action_space)
    if len(shape) == 3 and sees == (shape[2], *shape[:2]) != shape:
        bare: Policy = from_sb3(model, shape, _channels_first)
    else:
        bare = from_sb3(model)
    if isinstance(statistics, Normaliser) and statistics.mean.shape != shape:  # they are of pictures with channels last
        raise InvalidInput(
            f"the statistics of {type(model).__name__} are of shape {tuple(statistics.mean.shape)}, not {shape}"
        )
    return bare if statistics is None else Normalised(bare, statistics, type(model).__name__)


def _of_keys(model: Any, pipeline: Pipeline, statistics: Mapping[str, Normaliser]) -> Policy:
    """A model that sees a Dict, of which some keys may change, behind its statistics of those that have some."""
    from rlattack.policies.sb3_live import from_sb3

    def seen(obs: Tensor) -> dict[str, Tensor]:
        shown = pipeline.seen(obs)
        return {key: statistics[key](part) if key in statistics else part for key, part in shown.items()}

    policy = from_sb3(model, tuple(pipeline.space.shape), seen)
    policy.normaliser = pipeline.normaliser(statistics)
    return policy


def _channels_first(obs: Tensor) -> Tensor:
    return obs.permute(0, 3, 1, 2)


def _normaliser(env: Any) -> Any:
    """The outermost `VecNormalize` of a pipeline that normalises observations; None where there is none."""
    while env is not None and not isinstance(env, Space | gymnasium.Env):
        if any(kind.__name__ == "VecNormalize" for kind in type(env).__mro__) and env.norm_obs:
            return env
        env = getattr(env, "venv", None)
    return None


def _checked(keys: Sequence[str], parts: Mapping[str, Space[Any]]) -> tuple[str, ...]:
    """The keys that an attack may change: those that were asked for, or all that are a Box."""
    boxes = [name for name, part in parts.items() if name and isinstance(part, Box)]
    if "" in parts:
        if keys:
            raise InvalidInput(f"keys: expected none, since {parts['']} is no Dict")
        return ()
    for key in keys:
        if key not in boxes:
            raise InvalidInput(f"keys: expected of {', '.join(boxes)}, got {key!r}{nearest(key, boxes)}")
    if not boxes:
        raise InvalidInput(f"expected a Box in the Dict, got {', '.join(map(str, parts.values()))}")
    return tuple(keys or boxes)


def _bounded(part: Space[Any], clip: float) -> Box:
    """The space of normalised observations, whose own bounds are still those of raw ones."""
    return Box(-float(clip), float(clip), part.shape, np.float32)


def _joined(parts: Sequence[Any]) -> Box:
    dtype = np.uint8 if all(part.dtype == np.uint8 for part in parts) else np.float32
    low, high = (
        np.concatenate([bound.astype(dtype).ravel() for bound in of])
        for of in ([p.low for p in parts], [p.high for p in parts])
    )
    return Box(low, high, dtype=cast(Any, dtype))
