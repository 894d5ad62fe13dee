"""What attacks learned, as it is kept in the store: tensors, with facts and a checksum in the same file."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from rlattack.attacks import Fitted
from rlattack.files import write_whole

FIT_SCHEMA = "rlattack/fit/2"
_ENTRY = "fit"
"""The one entry of the metadata: several have no order that stays."""


def write_fit(folder: Path, key: str, content: bytes) -> None:
    """Keeps what `pack_fit` made in the folder of the fits of a store.

    Raises:
        Unwritable: The folder cannot be written.
    """
    write_whole(folder / f"{key}.safetensors", content)


def pack_fit(key: str, learned: Fitted) -> bytes:
    """What was learned, as it is kept: the content of a file."""
    tensors = {name: tensor.cpu().contiguous() for name, tensor in learned.tensors.items()}
    said = _said(key, tensors, dict(learned.facts))
    return save(tensors, {_ENTRY: json.dumps(said, allow_nan=False)})


def read_fit(folder: Path, key: str) -> Fitted | None:
    """What was kept of a fit; None where nothing is.

    Raises:
        ValueError: It is damaged.
    """
    path = folder / f"{key}.safetensors"
    if not path.exists():
        return None
    try:
        with safe_open(path, "pt") as file:
            said = json.loads((file.metadata() or {})[_ENTRY])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # no mapping
            learned = Fitted(tensors, said["facts"])
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"fit {key} cannot be read ({error})") from error
    if said != _said(key, learned.tensors, learned.facts):
        raise ValueError(f"fit {key} is damaged")
    return learned


def _said(key: str, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> dict[str, Any]:
    said = {"schema": FIT_SCHEMA, "key": key, "facts": facts}
    checksum = hashlib.sha256(save(dict(tensors)) + json.dumps(said, sort_keys=True).encode()).hexdigest()
    return {**said, "sha256": checksum}
