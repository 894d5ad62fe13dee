"""Policies: what plays, how it is loaded from anybody's files, and its gradients. Importing this imports no torch."""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rlattack.policies.base import ModulePolicy, Output, Policy
    from rlattack.policies.folder import AgentCard
    from rlattack.policies.load import LoadedAgent, agent_options, load_policy
    from rlattack.policies.player import load_player
    from rlattack.policies.sb3_live import from_sb3

__all__ = [
    "AgentCard",
    "LoadedAgent",
    "ModulePolicy",
    "Output",
    "Policy",
    "agent_options",
    "from_sb3",
    "load_player",
    "load_policy",
]

_HOMES = {
    "AgentCard": "folder",
    "LoadedAgent": "load",
    "ModulePolicy": "base",
    "Output": "base",
    "Policy": "base",
    "agent_options": "load",
    "from_sb3": "sb3_live",
    "load_player": "player",
    "load_policy": "load",
}


def __getattr__(name: str) -> object:
    """Imports a name when it is first used, so that neither torch nor Stable-Baselines3 is loaded in vain."""
    if name not in _HOMES:
        raise AttributeError(f"module 'rlattack.policies' has no attribute {name!r}")
    return getattr(importlib.import_module(f"rlattack.policies.{_HOMES[name]}"), name)
