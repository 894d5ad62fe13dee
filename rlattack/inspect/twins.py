"""The same network that knows nothing, as a control: with shuffled weights, or with fresh ones."""

import copy
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn

from rlattack.errors import InvalidInput
from rlattack.policies.policy import Policy


def modules_of(policy: object) -> list[nn.Module]:
    """The torch modules that a policy holds, outermost alone, each once.

    Raises:
        InvalidInput: It holds none.
    """
    found = list({id(one): one for one in _modules(policy, set())}.values())
    if not found:
        raise InvalidInput(f"--victim: expected an agent that is made of a network, got a {type(policy).__name__}")
    return found


def shuffled(policy: Policy, seed: int) -> Policy:
    """A copy in which the numbers of every weight and bias stand in random order: as large, and without sense.

    Raises:
        InvalidInput: It holds no network.
    """
    twin, generator = copy.deepcopy(policy), torch.Generator().manual_seed(seed)
    for module in modules_of(twin):
        for weight in module.parameters():
            order = torch.randperm(weight.numel(), generator=generator, device="cpu").to(weight.device)
            weight.data.copy_(weight.data.flatten()[order].view_as(weight))
    return twin


def shuffles(policy: Policy, seed: int, count: int) -> list[Policy]:
    """Several of `shuffled`, whose seeds come from one.

    Raises:
        InvalidInput: It holds no network.
    """
    seeds = np.random.SeedSequence(seed).generate_state(count)
    return [shuffled(policy, int(one)) for one in seeds]


def reborn(policy: Policy, seed: int) -> Policy:
    """A copy with fresh weights, as torch draws them before training.

    Raises:
        InvalidInput: It holds no network, or one whose layers cannot be drawn anew.
    """
    twin, drawn = copy.deepcopy(policy), 0
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for module in modules_of(twin):
            for layer in module.modules():
                reset = getattr(layer, "reset_parameters", None)
                if callable(reset):
                    reset()
                    drawn += 1
    if not drawn:
        raise InvalidInput("--victim: expected a network of torch's own layers, which can be drawn anew")
    return twin


def _modules(part: object, seen: set[int]) -> Iterator[nn.Module]:
    if id(part) in seen or isinstance(part, Tensor | str | bytes | type):
        return
    seen.add(id(part))
    if isinstance(part, nn.Module):
        yield part
        return
    inside = part.values() if isinstance(part, dict) else part if isinstance(part, list | tuple) else None
    for one in vars(part).values() if inside is None and hasattr(part, "__dict__") else inside or ():
        yield from _modules(one, seen)
