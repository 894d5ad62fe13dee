"""Policies: what holds a seat, and how it is loaded from anybody's files. Importing this imports no torch."""

from typing import TYPE_CHECKING

from rlattack.registry import lazily

if TYPE_CHECKING:
    from rlattack.policies.folder import AgentCard
    from rlattack.policies.gaussian import GaussianPolicy
    from rlattack.policies.load import Agent, agent_options, load_agent
    from rlattack.policies.module import ModulePolicy
    from rlattack.policies.policy import Output, Policy
    from rlattack.policies.sb3_live import from_sb3

__all__ = [
    "Agent", "AgentCard", "GaussianPolicy", "ModulePolicy", "Output", "Policy", "agent_options", "from_sb3",
    "load_agent",
]  # fmt: skip

__getattr__ = lazily(
    __name__,
    load="Agent agent_options load_agent",
    folder="AgentCard",
    gaussian="GaussianPolicy",
    module="ModulePolicy",
    policy="Output Policy",
    sb3_live="from_sb3",
)
