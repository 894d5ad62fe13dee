"""Where tensors lie: on the CPU, or on a GPU for as long as somebody says so."""

import contextlib
from collections.abc import Iterator

import torch

from rlattack.errors import InvalidInput

CPU = "cpu"


@contextlib.contextmanager
def on(device: str) -> Iterator[None]:
    """Makes on a device what torch makes meanwhile, and lets a GPU compute alike each time; on the CPU changes nothing.

    Arrays get there by `torch.as_tensor`, and tensors come back by `numpy(force=True)`.
    """
    if device == CPU:
        yield
        return
    alike = torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)
    with torch.device(device), alike:
        yield


def check_device(device: str) -> None:
    """Refuses what is no device of this machine.

    Raises:
        InvalidInput: It is not `cpu`, `cuda` or `cuda:NUMBER`, or there is no such GPU.
    """
    kind, colon, number = device.partition(":")
    if device == CPU:
        return
    if kind != "cuda" or bool(colon) != number.isdecimal():
        raise InvalidInput(f"--device: expected cpu, cuda or cuda:NUMBER, got {device!r}")
    if not torch.cuda.is_available():
        without = torch.version.cuda is None and torch.version.hip is None
        why = "this torch was built without CUDA" if without else "torch finds no GPU here"
        raise InvalidInput(f"--device {device}: {why}; expected cpu")
    count = torch.cuda.device_count()
    if colon and int(number) >= count:
        there = "cuda:0" if count == 1 else f"cuda:0 to cuda:{count - 1}"
        raise InvalidInput(f"--device {device}: expected cpu or {there}")


def device_name(device: str) -> str:
    """The name of a GPU, which decides the last digits of what it computes; nothing for the CPU."""
    return "" if device == CPU else torch.cuda.get_device_name(device)
