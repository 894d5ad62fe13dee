"""Stable-Baselines3 zips rebuilt from their readable JSON and their tensors: nothing in them is unpickled or run."""

import base64
import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from rlattack.errors import ContentError, InvalidInput, RefusedFile
from rlattack.policies.archive import Archive, read_file
from rlattack.policies.folder import AgentCard, AnyNetwork, AnySpec, build
from rlattack.policies.gaussian_spec import GaussianSpec
from rlattack.policies.held import Held
from rlattack.policies.importer import Importer
from rlattack.policies.normalised import behind, of_numbers
from rlattack.policies.pickled import Record, read_pickle
from rlattack.policies.sb3_dict import Keys, goal_keys, keys_of, seen_width, split_looks, with_keys
from rlattack.policies.sb3_numbers import CLIP_MEAN, NumbersArchitecture, convert_numbers
from rlattack.policies.sb3_spaces import actions as actions_of
from rlattack.policies.sb3_spaces import bounds, choices, class_of, foreign, observation, plain, table, whole
from rlattack.policies.sb3_state import Sb3Architecture, convert
from rlattack.policies.statistics import Statistics, statistics_for
from rlattack.policies.tensors import Tensors, load_torch

_VERSION = "_stable_baselines3_version"
_LARGEST_JSON = 64 * 1024**2
_POLICIES = {
    "stable_baselines3.common.policies": ("ppo", "a2c", "trpo"),
    "stable_baselines3.dqn.policies": ("dqn",),
    "sb3_contrib.qrdqn.policies": ("qrdqn",),
    "sb3_contrib.common.maskable.policies": ("maskable-ppo",),
    "sb3_contrib.common.recurrent.policies": ("recurrent-ppo",),
    "sb3_contrib.ars.policies": ("ars",),
    "sb3_contrib.tqc.policies": ("tqc",),
    "stable_baselines3.sac.policies": ("sac",),
    "stable_baselines3.td3.policies": ("td3", "ddpg"),
}
"""Module of the policy class -> algorithms that play with it as it is."""
_ATTRIBUTES = {
    "top_quantiles_to_drop_per_net": "tqc", "target_policy_noise": "td3", "n_delta": "ars", "n_quantiles": "qrdqn",
    "exploration_rate": "dqn", "cg_max_steps": "trpo", "n_epochs": "ppo", "target_entropy": "sac",
}  # fmt: skip
"""An attribute that only the learner of one algorithm has, most telling first."""
_ACTIVATIONS: dict[object, Literal["relu", "tanh"]] = {
    "<class 'torch.nn.modules.activation.ReLU'>": "relu",
    "<class 'torch.nn.modules.activation.Tanh'>": "tanh",
}
_RELU = ("dqn", "qrdqn", "sac", "tqc", "td3", "ddpg", "ars")
"""Algorithms whose policies have ReLU where nothing else is said."""
_NATURE = "<class 'stable_baselines3.common.torch_layers.NatureCNN'>"
_FLATTEN = "<class 'stable_baselines3.common.torch_layers.FlattenExtractor'>"
_COMBINED = "<class 'stable_baselines3.common.torch_layers.CombinedExtractor'>"
_OURS = "<class 'rlattack.training.extractor.ConvolutionalExtractor'>"
_HARMLESS = {
    "net_arch", "n_quantiles", "activation_fn", "features_extractor_class", "features_extractor_kwargs",
    "share_features_extractor", "normalize_images", "ortho_init", "optimizer_class", "optimizer_kwargs",
    "log_std_init", "full_std", "sde_net_arch", "use_expln", "use_sde", "squash_output", "n_critics", "with_bias",
    "lstm_hidden_size", "n_lstm_layers", "shared_lstm", "enable_critic_lstm", "device", "clip_mean",
}  # fmt: skip
"""Keywords of a policy whose effect on what it plays is in the tensors or looked at below."""


def import_sb3(source: str, trust: bool, normaliser: str = "") -> tuple[AgentCard, AnyNetwork]:
    """Imports a Stable-Baselines3 zip.

    Raises:
        InvalidInput: `trust`: what only its own code can build does not fit into an agent folder.
        RefusedFile: A zip that is damaged, made to do harm, or not described completely by its readable part.
    """
    if trust:
        raise InvalidInput(f"an import runs no code of {source}; to attack it as it is: --victim {source} --trust")
    return load_sb3_zip(Path(source), normaliser)


def _known(held: Held) -> bool:
    return {"data", "policy.pth"} <= set(held.members)


def load_sb3_zip(path: Path, normaliser: str | Statistics | None = "") -> tuple[AgentCard, AnyNetwork]:
    """Loads a zip of any version of Stable-Baselines3 or sb3-contrib, and runs nothing in it.

    Args:
        path: The zip.
        normaliser: File of the statistics of the observations that it was trained on, where they were normalised and
            do not lie beside it; `none` for an agent that is to play without. Or what is known already of them.

    Returns:
        A card without a game, whose provenance names `file_sha256`, and from 1.0 on the version that wrote it; and the
        network.

    Raises:
        RefusedFile: Damaged, made to do harm, or a policy that its readable part does not describe completely; the
            statistics are missing, or not of this agent.
    """
    raw = read_file(path)
    archive = Archive(raw, str(path))
    data = read_data(archive, str(path))
    tensors = load_torch(archive.read("policy.pth"), f"{path}: policy.pth")
    try:
        arch, actions = _architecture(data)
        kind = class_of(table(data, "action_space"))
        keys = keys_of(table(data, "observation_space")) if arch.observation == () else goal_keys(data)
        if keys:
            spec, state = _with_keys(data, tensors, arch, actions, keys)
        else:
            spec, state = _converted(data, tensors, arch, actions)
    except (RefusedFile, ContentError) as error:
        raise RefusedFile(f"{path}: {error}") from error
    if isinstance(spec, GaussianSpec) and kind == "Box":
        low, high = bounds(table(data, "action_space"))
        spec = dataclasses.replace(spec, low=low, high=high)
    try:
        network: AnyNetwork = build(spec, state, str(path))
    except ContentError as error:
        raise RefusedFile(str(error)) from error
    if spec.actions != actions:
        raise RefusedFile(f"{path}: the action space has {actions} actions, the network {spec.actions}")
    statistics = normaliser
    if isinstance(statistics, str):
        statistics = statistics_for(path, statistics, says_normalised(data))
    if statistics is not None:
        network = behind(network, statistics, str(path))
    provenance = {"file": path.name, "file_sha256": hashlib.sha256(raw).hexdigest()}
    if _VERSION in archive.names and (version := archive.read(_VERSION, 100).decode(errors="replace").strip()):
        provenance = {"stable-baselines3": version} | provenance
    card = AgentCard(game="", role="victim", algorithm=arch.algorithm, network=network.spec, provenance=provenance)
    return card, network


def _converted(
    data: Mapping[str, Any], tensors: Tensors, arch: Sb3Architecture, actions: int
) -> tuple[AnySpec, Tensors]:
    """The network of one array."""
    kind = class_of(table(data, "action_space"))
    if kind != "Discrete" or arch.algorithm in ("recurrent-ppo", "ars"):
        return convert_numbers(tensors, _of_numbers(data, arch, actions, kind == "Box"))
    return convert(tensors, arch)


def _with_keys(
    data: Mapping[str, Any], tensors: Tensors, arch: Sb3Architecture, actions: int, keys: Keys
) -> tuple[AnySpec, Tensors]:
    """The network of a Dict: what is behind all keys sees numbers, features in place of pictures."""
    rest, looks, features = split_looks(tensors, keys)
    behind_keys = dataclasses.replace(arch, observation=(seen_width(keys, features),), scale=1.0)
    spec, state = _converted(data, rest, behind_keys, actions)
    if not isinstance(spec, GaussianSpec):
        spec, state = of_numbers(spec, state, "Dict")
    scale = 255.0 if table(data, "policy_kwargs").get("normalize_images", True) is True else 1.0
    return with_keys(spec, state, keys, looks, features, scale)


def says_normalised(data: Mapping[str, Any]) -> str:
    """What in a zip says that its observations were normalised; empty where nothing does.

    Learners on their own policy keep the observation before normalisation, where there was any. Those with a memory of
    others' play (DQN, SAC and their kin) always keep one.
    """
    own = not any(word in data for word in ("buffer_size", "replay_buffer_class"))
    return "its _last_original_obs" if own and data.get("_last_original_obs") is not None else ""


def _of_numbers(data: Mapping[str, Any], arch: Sb3Architecture, actions: int, continuous: bool) -> NumbersArchitecture:
    """What the tensors of a policy that sees numbers do not say.

    Raises:
        RefusedFile: It sees pictures, or has a part that cannot be told from what is readable.
    """
    if len(arch.observation) != 1:
        raise foreign(f"observations of shape {arch.observation}: of agents with continuous actions, with several "
                       "actions at once or with memory, those of one axis are read")  # fmt: skip
    kwargs = table(data, "policy_kwargs")
    if kwargs.get("n_lstm_layers", 1) != 1:
        raise foreign("an LSTM of several layers")
    squashes = arch.algorithm == "ars" and "Linear" not in _policy_name(data)
    clip = plain(kwargs.get("clip_mean", CLIP_MEAN))
    if not isinstance(clip, int | float) or not 0 <= clip < math.inf:
        raise RefusedFile(f"clip_mean: expected a number of 0 or more, got {clip!r}")
    return NumbersArchitecture(
        entries=arch.observation[0], actions=actions, continuous=continuous, activation=arch.activation,
        squashed=kwargs.get("squash_output", squashes) is True, clip_mean=float(clip),
        expln=kwargs.get("use_expln") is True, choices=choices(table(data, "action_space")),
    )  # fmt: skip


def _policy_name(data: Mapping[str, Any]) -> str:
    """Name of the policy's class, which is told by a pickle alone; it is read as data."""
    pickled = table(data, "policy_class").get(":serialized:")
    if not isinstance(pickled, str):
        raise RefusedFile("the policy's class has no name")
    try:
        raw = base64.b64decode(pickled)
    except ValueError as error:
        raise RefusedFile("the policy's class has no readable name") from error
    found = read_pickle(raw, "policy_class")
    return found.name if isinstance(found, type) and issubclass(found, Record) else ""


def read_data(archive: Archive, where: str) -> dict[str, Any]:
    """Reads the learner's attributes: JSON, with pickles as base64 text that nobody decodes.

    Raises:
        RefusedFile: Not JSON, or not a table.
    """
    try:
        data = json.loads(archive.read("data", _LARGEST_JSON))
    except (ValueError, RecursionError) as error:
        raise RefusedFile(f"{where}: `data` is not readable JSON, so this is no Stable-Baselines3 zip") from error
    if not isinstance(data, dict):
        raise RefusedFile(f"{where}: `data` is not a table, so this is no Stable-Baselines3 zip")
    return data


def guess_algorithm(data: Mapping[str, Any]) -> str:
    """Names the algorithm, which a zip does not say, by its policy's module or by what only its learner has."""
    module = str(table(data, "policy_class").get("__module__", ""))
    for word in ("recurrent", "maskable"):
        if word in module:
            return f"{word}-ppo"
    for name, algorithm in _ATTRIBUTES.items():
        if name in data:  # DDPG is TD3 with one critic
            return "ddpg" if algorithm == "td3" and table(data, "policy_kwargs").get("n_critics") == 1 else algorithm
    return "a2c" if "gae_lambda" in data else "unknown"


def _architecture(data: Mapping[str, Any]) -> tuple[Sb3Architecture, int]:
    algorithm = guess_algorithm(data)
    module = str(table(data, "policy_class").get("__module__"))
    if algorithm not in _POLICIES.get(module, ()):
        refusal = f"policy of {module!r} ({algorithm}); those of Stable-Baselines3 and sb3-contrib are read"
        raise RefusedFile(refusal) if algorithm == "unknown" else foreign(refusal)
    kwargs = table(data, "policy_kwargs")
    unknown = [key for key in kwargs if key not in _HARMLESS and not key.startswith(":")]
    if unknown:
        raise foreign(f"unknown policy keyword{'s' * (len(unknown) > 1)} {', '.join(map(repr, unknown[:4]))}")
    activation = kwargs.get("activation_fn")
    default: Literal["relu", "tanh"] = "relu" if algorithm in _RELU else "tanh"
    if activation is not None and activation not in _ACTIVATIONS:
        raise foreign(f"activation {activation!r}; ReLU and Tanh are read")
    shown = table(data, "observation_space")
    shape: tuple[int, ...] = ()  # of a Dict, whose keys are read by themselves
    scale = 1.0
    if class_of(shown) != "Dict":
        shape, scale = observation(shown, kwargs.get("normalize_images", True) is True)
    quantiles = data.get("n_quantiles", kwargs.get("n_quantiles", 200)) if algorithm == "qrdqn" else 1
    arch = Sb3Architecture(
        observation=shape,
        scale=scale,
        activation=default if activation is None else _ACTIVATIONS[activation],
        strides=_strides(kwargs),
        quantiles=whole(quantiles, "n_quantiles"),
        algorithm=algorithm,
    )
    return arch, actions_of(table(data, "action_space"))


def _strides(kwargs: Mapping[str, Any]) -> tuple[int, ...]:
    extractor = kwargs.get("features_extractor_class", _NATURE)
    if extractor not in (_NATURE, _FLATTEN, _COMBINED, _OURS):
        raise foreign(f"features extractor {extractor!r}; Stable-Baselines3's own and ours are read")
    if extractor != _OURS:
        return Sb3Architecture.strides
    layers = table(kwargs, "features_extractor_kwargs").get("convolutions")
    if not isinstance(layers, list) or not all(isinstance(row, list) and len(row) == 3 for row in layers):
        raise RefusedFile(f"convolutions {layers!r}")
    return tuple(whole(row[2], "a stride") for row in layers)


SB3 = Importer(reads="a zip of Stable-Baselines3", knows=_known, read=import_sb3)
