"""Stable-Baselines3 zips rebuilt from their readable JSON and their tensors: nothing in them is unpickled or run."""

import ast
import base64
import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from rlattack.errors import ContentError, RefusedFile
from rlattack.policies.archive import Archive, read_file
from rlattack.policies.folder import AgentCard, AnyNetwork, AnySpec, build
from rlattack.policies.pickled import Record, read_pickle
from rlattack.policies.policy import Normaliser
from rlattack.policies.sb3_numbers import NumbersArchitecture, convert_numbers
from rlattack.policies.sb3_state import Sb3Architecture, convert
from rlattack.policies.tensors import Tensors, load_torch

_VERSION = "_stable_baselines3_version"
_LARGEST_JSON = 64 * 1024**2
_LONGEST = 10_000
"""Characters of the printed bounds of a space, from which numpy leaves out the middle."""
_TRUST = "; --trust loads it with Stable-Baselines3, which runs the code in it"
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
_OURS = "<class 'rlattack.training.extractor.ConvolutionalExtractor'>"
_HARMLESS = {
    "net_arch", "n_quantiles", "activation_fn", "features_extractor_class", "features_extractor_kwargs",
    "share_features_extractor", "normalize_images", "ortho_init", "optimizer_class", "optimizer_kwargs",
    "log_std_init", "full_std", "sde_net_arch", "use_expln", "use_sde", "squash_output", "n_critics", "with_bias",
    "lstm_hidden_size", "n_lstm_layers", "shared_lstm", "enable_critic_lstm", "device", "clip_mean",
}  # fmt: skip
"""Keywords of a policy whose effect on what it plays is in the tensors or looked at below."""


def load_sb3_zip(path: Path, normaliser: Normaliser | None = None) -> tuple[AgentCard, AnyNetwork]:
    """Loads a zip of any version of Stable-Baselines3 or sb3-contrib, and runs nothing in it.

    Args:
        path: The zip.
        normaliser: Statistics of the observations that it was trained on, where they were normalised.

    Returns:
        A card without a game, whose provenance names `file_sha256`, and from 1.0 on the version that wrote it; and the
        network.

    Raises:
        RefusedFile: Damaged, made to do harm, or a policy that its readable part does not describe completely.
    """
    raw = read_file(path)
    archive = Archive(raw, str(path))
    data = read_data(archive, str(path))
    tensors = load_torch(archive.read("policy.pth"), f"{path}: policy.pth")
    try:
        arch, actions = _architecture(data)
        continuous = _class_of(_table(data, "action_space")) == "Box"
        if continuous or normaliser or arch.algorithm in ("recurrent-ppo", "ars"):
            built: tuple[AnySpec, Tensors] = convert_numbers(
                tensors, _of_numbers(data, arch, actions, continuous), normaliser
            )
        else:
            built = convert(tensors, arch)
        spec, state = built
        network = build(spec, state, str(path))
    except (RefusedFile, ContentError) as error:
        raise RefusedFile(f"{path}: {error}{_TRUST}") from error
    if spec.actions != actions:
        raise RefusedFile(f"{path}: the action space has {actions} actions, the network {spec.actions}")
    provenance = {"file": path.name, "file_sha256": hashlib.sha256(raw).hexdigest()}
    if _VERSION in archive.names and (version := archive.read(_VERSION, 100).decode(errors="replace").strip()):
        provenance = {"stable-baselines3": version} | provenance
    card = AgentCard(game="", role="victim", algorithm=arch.algorithm, network=spec, provenance=provenance)
    return card, network


def _of_numbers(data: Mapping[str, Any], arch: Sb3Architecture, actions: int, continuous: bool) -> NumbersArchitecture:
    """What the tensors of a policy that sees numbers do not say.

    Raises:
        RefusedFile: It sees pictures, or has a part that cannot be told from what is readable.
    """
    if len(arch.observation) != 1:
        raise RefusedFile(f"observations of shape {arch.observation}; of continuous, recurrent and normalised agents "
                          "those of one axis are read")  # fmt: skip
    kwargs = _table(data, "policy_kwargs")
    if kwargs.get("use_expln") or kwargs.get("squash_output") or kwargs.get("n_lstm_layers", 1) != 1:
        raise RefusedFile("use_expln, squash_output or several LSTM layers, which are not read")
    return NumbersArchitecture(
        entries=arch.observation[0], actions=actions, continuous=continuous, activation=arch.activation,
        squashed=arch.algorithm == "ars" and "Linear" not in _policy_name(data),
    )  # fmt: skip


def _policy_name(data: Mapping[str, Any]) -> str:
    """Name of the policy's class, which is told by a pickle alone; it is read as data."""
    pickled = _table(data, "policy_class").get(":serialized:")
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
    module = str(_table(data, "policy_class").get("__module__", ""))
    for word in ("recurrent", "maskable"):
        if word in module:
            return f"{word}-ppo"
    for name, algorithm in _ATTRIBUTES.items():
        if name in data:  # DDPG is TD3 with one critic
            return "ddpg" if algorithm == "td3" and _table(data, "policy_kwargs").get("n_critics") == 1 else algorithm
    return "a2c" if "gae_lambda" in data else "unknown"


def _architecture(data: Mapping[str, Any]) -> tuple[Sb3Architecture, int]:
    algorithm = guess_algorithm(data)
    module = str(_table(data, "policy_class").get("__module__"))
    if algorithm not in _POLICIES.get(module, ()):
        raise RefusedFile(f"policy of {module!r} ({algorithm}); those of Stable-Baselines3 and sb3-contrib are read")
    kwargs = _table(data, "policy_kwargs")
    unknown = [key for key in kwargs if key not in _HARMLESS and not key.startswith(":")]
    if unknown:
        raise RefusedFile(f"unknown policy keyword {unknown[0]!r}")
    activation = kwargs.get("activation_fn")
    default: Literal["relu", "tanh"] = "relu" if algorithm in _RELU else "tanh"
    if activation is not None and activation not in _ACTIVATIONS:
        raise RefusedFile(f"activation {activation!r}; ReLU and Tanh are read")
    shape, scale = _observation(_table(data, "observation_space"), kwargs.get("normalize_images", True) is True)
    quantiles = data.get("n_quantiles", kwargs.get("n_quantiles", 200)) if algorithm == "qrdqn" else 1
    arch = Sb3Architecture(
        observation=shape,
        scale=scale,
        activation=default if activation is None else _ACTIVATIONS[activation],
        strides=_strides(kwargs),
        quantiles=_whole(quantiles, "n_quantiles"),
        algorithm=algorithm,
    )
    return arch, _actions(_table(data, "action_space"))


def _observation(space: Mapping[str, Any], normalize: bool) -> tuple[tuple[int, ...], float]:
    """Returns shape and input scale of a box; SB3 divides uint8 images by 255, whose bounds are elided in the text."""
    if _class_of(space) != "Box":
        raise RefusedFile(f"observations of {_class_of(space)}; boxes are read")
    listed = _plain(space.get("_shape", space.get("shape")))
    if not isinstance(listed, list | tuple) or not 0 < len(listed) <= 4:
        raise RefusedFile(f"observations of shape {listed!r}")
    shape = tuple(_whole(side, "a side of the observation") for side in listed)
    if not normalize or len(shape) != 3 or not re.search(r"\buint8\b", str(space.get("dtype"))):
        return shape, 1.0
    if _numbers(space.get("low")) - {"0"} or _numbers(space.get("high")) - {"255"}:
        raise RefusedFile("images whose bounds are not 0 and 255")
    return shape, 255.0


def _actions(space: Mapping[str, Any]) -> int:
    """How many actions there are to choose from, or entries of a continuous one."""
    if _class_of(space) == "Box":
        listed = _plain(space.get("_shape", space.get("shape")))
        if not isinstance(listed, list | tuple) or len(listed) != 1:
            raise RefusedFile(f"actions of shape {listed!r}; those of one axis are read")
        return _whole(listed[0], "the entries of an action")
    if _class_of(space) != "Discrete":
        raise RefusedFile(f"actions of {_class_of(space)}; discrete ones and boxes are read")
    if _plain(space.get("start", 0)) != 0:
        raise RefusedFile(f"actions counted from {space.get('start')}")
    return _whole(space.get("n"), "the number of actions")


def _strides(kwargs: Mapping[str, Any]) -> tuple[int, ...]:
    extractor = kwargs.get("features_extractor_class", _NATURE)
    if extractor not in (_NATURE, _FLATTEN, _OURS):
        raise RefusedFile(f"features extractor {extractor!r}; Stable-Baselines3's own and ours are read")
    if extractor != _OURS:
        return Sb3Architecture.strides
    layers = _table(kwargs, "features_extractor_kwargs").get("convolutions")
    if not isinstance(layers, list) or not all(isinstance(row, list) and len(row) == 3 for row in layers):
        raise RefusedFile(f"convolutions {layers!r}")
    return tuple(_whole(row[2], "a stride") for row in layers)


def _table(data: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = data.get(name) or {}
    if not isinstance(value, dict):
        raise RefusedFile(f"{name} is not a table")
    return value


def _class_of(space: Mapping[str, Any]) -> str:
    match = re.fullmatch(r"<class '(?:gym|gymnasium)\.spaces\.\w+\.(\w+)'>", str(space.get(":type:")))
    return match[1] if match else repr(space.get(":type:"))


def _whole(value: object, what: str) -> int:
    number = _plain(value)
    if type(number) is not int or not 0 < number < 2**31:
        raise RefusedFile(f"{what}: expected a whole number above 0, got {value!r}")
    return number


def _plain(value: object) -> object:
    """Reads the text of a Python literal; anything but text is returned as it is."""
    if not isinstance(value, str) or len(value) > 1000:
        return value
    try:
        return ast.literal_eval(value)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return value


def _numbers(text: object) -> set[str]:
    """Numbers that the printed form of an array shows, whatever it leaves out."""
    if len(shown := str(text)) > _LONGEST:
        raise RefusedFile(f"bounds of {len(shown):,} characters")
    return set(re.findall(r"[-\w.]*\d[\w.]*", shown))
