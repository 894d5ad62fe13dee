"""Tensors from files that strangers wrote: safetensors, and torch files that hold nothing else. No code is run."""

import io
import json
import warnings
import zipfile
from collections.abc import Mapping
from typing import TypeGuard

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from rlattack.errors import RefusedFile
from rlattack.policies.archive import LARGEST, Archive

Tensors = dict[str, Tensor]
_ZIP = b"PK\x03\x04"


def load_safetensors(raw: bytes, where: str) -> tuple[Tensors, dict[str, str]]:
    """Reads tensors (as float32) and the metadata beside them.

    Raises:
        RefusedFile: Damaged, truncated, or not of numbers.
    """
    try:
        tensors = safetensors.torch.load(raw)
        header = json.loads(raw[8 : 8 + int.from_bytes(raw[:8], "little")])
    except (SafetensorError, KeyError, ValueError, RuntimeError, RecursionError) as error:
        raise RefusedFile(f"{where}: not a readable safetensors file ({error})") from error
    return _floats(tensors, where), header.get("__metadata__", {})


def load_torch(raw: bytes, where: str) -> Tensors:
    """Reads a state dict that `torch.save` wrote (as float32), with the unpickler that knows nothing but tensors.

    Raises:
        RefusedFile: Damaged, a zip made to do harm, or more than tensors.
    """
    if raw.startswith(_ZIP):
        raw = repacked(raw, where)
    try:
        with warnings.catch_warnings(action="ignore"):
            loaded = torch.load(io.BytesIO(raw), map_location="cpu", weights_only=True)
    except Exception as error:  # whatever a crafted file provokes; torch's advice in it must not be followed
        raise RefusedFile(
            f"{where}: damaged, or more than tensors: only running its code could read it, which --trust allows"
        ) from error
    if not isinstance(loaded, dict) or not all(type(key) is str for key in loaded):
        raise RefusedFile(f"{where}: expected a state dict, got {type(loaded).__name__}")
    return _floats(loaded, where)


def repacked(raw: bytes, where: str) -> bytes:
    """Writes a zip anew from its checked members, so that torch's own reader sees what was checked and nothing else.

    Raises:
        RefusedFile: Damaged, or made to do harm.
    """
    archive = Archive(raw, where)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as clean:
        for name in archive.names:
            clean.writestr(name, archive.read(name))
    return buffer.getvalue()


def _floats(tensors: Mapping[str, object], where: str) -> Tensors:
    """Checks that all are plain, and together no larger than a file may be (strides can pretend to be)."""
    size = 0
    floats: Tensors = {}
    for name, tensor in tensors.items():
        if not _is_plain(tensor):
            got = tensor.dtype if isinstance(tensor, Tensor) else type(tensor).__name__
            raise RefusedFile(f"{where}: expected {name!r} to be a tensor of floats, got {got}")
        size += 4 * tensor.numel()
        if size > LARGEST:
            raise RefusedFile(f"{where}: tensors of more than {LARGEST // 1024**2} MB")
        floats[name] = tensor.detach().float()
    return floats


def _is_plain(value: object) -> TypeGuard[Tensor]:
    if type(value) not in (Tensor, nn.Parameter):
        return False
    assert isinstance(value, Tensor)
    return value.is_floating_point() and value.layout == torch.strided and value.device.type == "cpu"
