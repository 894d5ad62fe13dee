"""Torch files with more in them than tensors, read as data: the zips of today, and the files before torch 1.6."""

import io
import math
import re
import struct
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rlattack.errors import RefusedFile
from rlattack.policies.archive import LARGEST, Archive
from rlattack.policies.pickled import Record, read_pickle
from rlattack.policies.tensors import Tensors

_ZIP = b"PK\x03\x04"
_MAGIC = 0x1950A86A20F9469CFC6C
"""Of the files before torch 1.6."""
_DTYPES = {"torch.FloatStorage": "<f4", "torch.DoubleStorage": "<f8", "torch.HalfStorage": "<f2"}
_LARGEST_SIDE = 2**32


class TorchFile:
    """What `torch.save` wrote, of which nothing was run.

    Args:
        raw: The whole file.
        where: What messages call it.

    Attributes:
        content: Its dicts, lists, numbers and strings; a `Record` for everything else, tensors too.

    Raises:
        RefusedFile: No such file, damaged, or made to do harm.
    """

    def __init__(self, raw: bytes, where: str) -> None:
        self._where = where
        self._stored: dict[str, bytes] = {}
        if raw.startswith(_ZIP):
            archive = Archive(raw, where)
            (pickled, *_) = [name for name in archive.names if re.fullmatch(r"[^/]+/data\.pkl", name)] or [""]
            if not pickled:
                raise RefusedFile(f"{where}: expected a file of torch, got a zip of {', '.join(archive.names[:4])}")
            self.content = read_pickle(archive.read(pickled), where, _named)
            folder = pickled.removesuffix(".pkl") + "/"
            for name in archive.names:
                if name.startswith(folder):
                    self._stored[name.removeprefix(folder)] = archive.read(name)
        else:
            self.content = self._before_zips(io.BytesIO(raw))

    def tensors(self, thing: Any) -> Tensors:
        """The tensors of a state dict, float32, by their names.

        Raises:
            RefusedFile: It is none, or holds what is no tensor of floats.
        """
        pairs = thing.items if isinstance(thing, Record) else list(thing.items()) if isinstance(thing, dict) else None
        if pairs is None:
            raise RefusedFile(f"{self._where}: expected a state dict, got {type(thing).__name__}")
        found: Tensors = {}
        size = 0
        for name, value in pairs:
            if name == "_metadata":
                continue
            found[str(name)] = self._tensor(value, f"{self._where}: {name}")
            size += 4 * found[str(name)].numel()
            if size > LARGEST:  # many can share what is stored once
                raise RefusedFile(f"{self._where}: tensors of more than {LARGEST // 1024**2} MB")
        return found

    def _tensor(self, thing: Any, where: str) -> Tensor:
        if isinstance(thing, Record) and thing.name == "torch._utils._rebuild_parameter":
            thing = thing.args[0] if thing.args else None
        if not isinstance(thing, Record) or thing.name != "torch._utils._rebuild_tensor_v2":
            raise RefusedFile(f"{where}: expected a tensor of floats")
        try:
            (kind, key), offset, shape, strides = thing.args[:4]
            sides = list(zip(shape, strides, strict=True))
            whole = all(type(n) is int and 0 <= n < _LARGEST_SIDE for n in (offset, *shape, *strides))
            numbers = np.frombuffer(self._stored[key], dtype=_DTYPES[kind])
        except (KeyError, TypeError, ValueError) as error:
            raise RefusedFile(f"{where}: expected a tensor of floats") from error
        last = offset + sum((side - 1) * stride for side, stride in sides) if whole else -1
        if not whole or math.prod(shape) > len(numbers) or (math.prod(shape) and last >= len(numbers)):
            raise RefusedFile(f"{where}: a tensor that does not hold what it says")
        flat = torch.from_numpy(numbers.astype(np.float32))
        return flat.as_strided(shape, strides, offset).contiguous()

    def _before_zips(self, stream: io.BytesIO) -> Any:
        """A row of pickles: magic number, version, machine, content, names of what is stored; then that itself."""
        if read_pickle(stream, self._where) != _MAGIC:
            raise RefusedFile(f"{self._where}: expected a file of torch")
        for _ in ("version", "machine"):
            read_pickle(stream, self._where)
        kinds: dict[str, str] = {}

        def named(pid: Any) -> tuple[str, str]:
            kind, key = _named(pid)
            kinds[key] = kind
            return kind, key

        content, keys = read_pickle(stream, self._where, named), read_pickle(stream, self._where)
        for key in keys if isinstance(keys, list) else ():
            size = np.dtype(_DTYPES.get(kinds.get(key, ""), "<f4")).itemsize
            header = stream.read(8)
            count = struct.unpack("<q", header)[0] if len(header) == 8 else -1
            data = stream.read(size * count) if 0 <= count < _LARGEST_SIDE else b""
            if len(data) != size * count:
                raise RefusedFile(f"{self._where}: truncated")
            self._stored[str(key)] = data
        return content


def _named(pid: Any) -> tuple[str, str]:
    """Kind and name of a storage, of its persistent id."""
    if isinstance(pid, tuple) and len(pid) >= 5 and pid[0] == "storage":
        return str(getattr(pid[1], "name", "")), str(pid[2])
    raise RefusedFile("refers to what is not in it")
