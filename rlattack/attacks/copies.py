"""What attacks are handed in place of what the engine holds: copies that they may write to or ruin."""

import copy
import dataclasses
from typing import TypeVar, cast

from torch import Tensor

from rlattack.errors import InvalidInput, one_line
from rlattack.policies.policy import Policy

T = TypeVar("T")


def copied_policy(policy: Policy) -> Policy:
    """A policy that shares no memory with this one.

    Raises:
        InvalidInput: It cannot be copied.
    """
    try:
        return copy.deepcopy(policy)
    except Exception as error:  # the user's code: anything
        raise InvalidInput(
            "attacks and schedules that are not rlattack's own work on a copy of the policy, and "
            f"{type(policy).__name__} cannot be copied: {one_line(error)}"
        ) from error


def copied(part: T) -> T:
    """An output, or a part of one, that shares no memory: an attack may write to what it was given."""
    if isinstance(part, Tensor):
        return cast(T, part.clone())
    if dataclasses.is_dataclass(part) and not isinstance(part, type):
        fields = {field.name: copied(getattr(part, field.name)) for field in dataclasses.fields(part)}
        return dataclasses.replace(part, **fields)
    if isinstance(part, list | tuple):
        return cast(T, [copied(one) for one in part])
    return part
