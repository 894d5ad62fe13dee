"""Policies: what holds a seat, and how it is loaded from anybody's files. Importing this imports no torch."""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rlattack.policies.folder import AgentCard
    from rlattack.policies.gaussian import GaussianPolicy
    from rlattack.policies.load import Agent, agent_options, load_agent
    from rlattack.policies.module import ModulePolicy
    from rlattack.policies.policy import Output, Policy
    from rlattack.policies.sb3_live import from_sb3

__all__ = [
    "Agent",
    "AgentCard",
    "GaussianPolicy",
    "ModulePolicy",
    "Output",
    "Policy",
    "agent_options",
    "from_sb3",
    "load_agent",
]

_HOMES = {
    "Agent": "load",
    "AgentCard": "folder",
    "GaussianPolicy": "gaussian",
    "ModulePolicy": "module",
    "Output": "policy",
    "Policy": "policy",
    "agent_options": "load",
    "from_sb3": "sb3_live",
    "load_agent": "load",
}


def __getattr__(name: str) -> object:
    """Imports a name when it is first used, so that neither torch nor Stable-Baselines3 is loaded in vain."""
    if name not in _HOMES:
        raise AttributeError(f"module 'rlattack.policies' has no attribute {name!r}")
    return getattr(importlib.import_module(f"rlattack.policies.{_HOMES[name]}"), name)
