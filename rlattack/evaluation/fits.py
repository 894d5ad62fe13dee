"""What attacks learned, as it is kept in the store: tensors and facts by key, checked when they are read."""

import hashlib
import json
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from rlattack.attacks import Fitted
from rlattack.files import write_whole

FIT_SCHEMA = "rlattack/fit/1"


def keep_fit(folder: Path, key: str, learned: Fitted) -> None:
    """Keeps what was learned.

    Args:
        folder: Of the fits of a store.
        key: Of the fit.
        learned: Its tensors and facts.

    Raises:
        Unwritable: The folder cannot be written.
    """
    raw = save_tensors({name: tensor.contiguous() for name, tensor in learned.tensors.items()})
    said = {"schema": FIT_SCHEMA, "sha256": hashlib.sha256(raw).hexdigest(), "facts": dict(learned.facts)}
    write_whole(folder / f"{key}.safetensors", raw)
    write_whole(folder / f"{key}.json", json.dumps(said, allow_nan=False).encode())


def read_fit(folder: Path, key: str) -> Fitted | None:
    """What was kept of a fit; None where nothing is.

    Args:
        folder: Of the fits of a store.
        key: Of the fit.

    Raises:
        ValueError: It is damaged.
    """
    try:
        raw = (folder / f"{key}.safetensors").read_bytes()
        said = json.loads((folder / f"{key}.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise ValueError(f"fit {key} cannot be read ({error})") from error
    if (
        not isinstance(said, dict)
        or said.get("schema") != FIT_SCHEMA
        or said.get("sha256") != hashlib.sha256(raw).hexdigest()
    ):
        raise ValueError(f"fit {key} is damaged")
    try:
        return Fitted(load_tensors(raw), said.get("facts") or {})
    except SafetensorError as error:
        raise ValueError(f"fit {key} is damaged ({error})") from error
