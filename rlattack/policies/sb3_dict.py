"""Stable-Baselines3 agents that see a Dict: its keys, as pickles in the zip tell them, and what looks at pictures."""

import base64
import dataclasses
import math
import re
from collections.abc import Mapping
from typing import Any

from rlattack.errors import RefusedFile
from rlattack.policies.gaussian_spec import GaussianSpec
from rlattack.policies.held import table
from rlattack.policies.normalised import as_they_are
from rlattack.policies.pickled import Record, array, read_pickle
from rlattack.policies.sb3_spaces import foreign, whole
from rlattack.policies.tensors import Tensors

Keys = dict[str, tuple[int, ...]]
"""Shapes by the keys of a Dict, in order; of a choice, one number an alternative."""
_LOOKS = re.compile(r"(.*?)features_extractor\.extractors\.(.+)\.(cnn|linear)\.(\d)\.(weight|bias)")
_OWNERS = {
    "": ("pi", "vf"), "pi_": ("pi",), "vf_": ("vf",), "actor.": ("pi",), "critic.": ("q",), "q_net.": ("pi",),
    "quantile_net.": ("pi",),
}  # fmt: skip
"""Heads that look through a features extractor, by what its tensors' names begin with; later ones come before."""
_LINEAR = 7
"""Place of the layer after the convolutions, their activations and the flatten."""


def keys_of(space: Mapping[str, Any]) -> Keys:
    """The keys of a Dict with their shapes.

    Raises:
        RefusedFile: It is damaged, or holds what is no numbers.
    """
    thing = _pickled(space, "observation_space")
    spaces = table(thing.fields.get("spaces")) if isinstance(thing, Record) else {}
    if not spaces:
        raise RefusedFile("observations of a Dict whose keys cannot be read")
    return {name: _shape(name, one) for name, one in spaces.items()}


def goal_keys(data: Mapping[str, Any]) -> Keys:
    """The keys that agents of HER before Stable-Baselines3 1.1 see, joined in this order; none of others.

    Raises:
        RefusedFile: The zip does not tell their sizes.
    """
    if "goal_selection_strategy" not in data or not isinstance(data.get("_last_obs"), dict):
        return {}
    shown = table(_pickled(data["_last_obs"], "_last_obs"))
    if not {"observation", "desired_goal"} <= shown.keys():
        raise RefusedFile(f"an agent of HER whose goals cannot be read, got {', '.join(shown)}")
    return {name: array(shown[name], name).shape[1:] for name in ("observation", "desired_goal")}


def entries(keys: Keys) -> int:
    """Numbers in all keys together."""
    return sum(map(math.prod, keys.values()))


def split_looks(state: Tensors, keys: Keys) -> tuple[Tensors, Tensors, dict[str, int]]:
    """Takes the networks that look at pictures apart from the rest, which sees features.

    Returns:
        The rest; those networks by our names; and the features of each picture, by its key.
    """
    rest, looks = dict(state), Tensors()
    features: dict[str, int] = {}
    for owner, heads in _OWNERS.items():
        for name, tensor in state.items():
            found = _LOOKS.fullmatch(name)
            if found is None or found[1] != owner or found[2] not in keys:
                continue
            layer = int(found[4]) + _LINEAR * (found[3] == "linear")
            number = list(keys).index(found[2])
            looks |= {f"eyes.{head}.keys.{number}.{layer}.{found[5]}": rest.get(name, tensor) for head in heads}
            features |= {found[2]: tensor.shape[0]} if found[3] == "linear" and tensor.ndim else {}
            rest.pop(name, None)
    return {name: one for name, one in rest.items() if "_target." not in name}, looks, features


def seen_width(keys: Keys, features: Mapping[str, int]) -> int:
    """Inputs of the layers behind all keys."""
    return sum(features.get(name, math.prod(shape)) for name, shape in keys.items())


def with_keys(
    spec: GaussianSpec, state: Tensors, keys: Keys, looks: Tensors, features: Mapping[str, int], scale: float
) -> tuple[GaussianSpec, Tensors]:
    """A network of what all keys give together, as one that sees the keys.

    Args:
        spec: Of the network behind.
        state: Its tensors.
        keys: What is seen.
        looks: Networks that look at pictures.
        features: How many each of them gives.
        scale: Pictures are divided by this.
    """
    size = entries(keys)
    spec = dataclasses.replace(
        spec, observation=(size,), keys=tuple(keys), shapes=tuple(keys.values()), scale=scale,
        pictures=tuple(features.get(name, 0) for name in keys),
    )  # fmt: skip
    heads = ("pi.", "q." if spec.judges == "actions" else "vf.")[: 1 + bool(spec.critics)]
    own = {name: one for name, one in looks.items() if name.removeprefix("eyes.").startswith(heads)}
    statistics = {name: one for name, one in as_they_are(size).items() if name.startswith("obs")}
    return spec, state | statistics | own


def _pickled(thing: Mapping[str, Any], where: str) -> Any:
    """What lies pickled in a zip's JSON, read as data."""
    text = thing.get(":serialized:")
    try:
        raw = base64.b64decode(text) if isinstance(text, str) else b""
    except ValueError as error:
        raise RefusedFile(f"{where} is not readable") from error
    return read_pickle(raw, where)


def _shape(name: str, space: Any) -> tuple[int, ...]:
    """Shape of what a key shows, a choice as one number an alternative."""
    kind = space.name.rpartition(".")[2] if isinstance(space, Record) else type(space).__name__
    fields = space.fields if isinstance(space, Record) else {}
    if kind == "Box":
        listed = fields.get("_shape", fields.get("shape"))
        if not isinstance(listed, tuple) or len(listed) > 4:
            raise RefusedFile(f"key {name!r} of shape {listed!r}")
        return tuple(whole(side, f"a side of {name!r}") for side in listed)
    if kind not in ("Discrete", "MultiBinary", "MultiDiscrete"):
        raise foreign(f"key {name!r} of {kind}; boxes and choices are read")
    numbers = fields.get("nvec" if kind == "MultiDiscrete" else "n")
    listed = numbers if isinstance(numbers, tuple) else array(numbers, name).ravel().tolist()
    sizes = [whole(one, f"choices of {name!r}") for one in listed]
    return (whole(math.prod(sizes) if kind == "MultiBinary" else sum(sizes), f"choices of {name!r}"),)
