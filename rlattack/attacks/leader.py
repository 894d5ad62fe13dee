"""Agents that an attack leads its victim to imitate, named in its parameters as `agent:NAME`."""

from typing import Annotated

import torch

from rlattack.attacks.attack import Setting
from rlattack.errors import InvalidInput
from rlattack.policies.distributions import Actions, Categorical
from rlattack.policies.load import load_agent
from rlattack.policies.placed import placed
from rlattack.policies.placeholders import PLACEHOLDERS
from rlattack.policies.policy import Policy
from rlattack.specs import Begins

_PREFIX = "agent:"
AgentName = Annotated[str, Begins(_PREFIX, "agent:NAME")]
"""An agent, as a parameter names it."""


def is_agent(value: object) -> bool:
    """Whether the value of a parameter names an agent."""
    return isinstance(value, str) and value.startswith(_PREFIX)


def leader_name(value: str, where: str = "") -> str:
    """The name of the agent in the value of a parameter, which messages call `where`, by default `target=agent:NAME`.

    Raises:
        InvalidInput: It is of none that looks at the game.
    """
    name, where = value.removeprefix(_PREFIX), where or f"target={value}"
    if name in PLACEHOLDERS:
        raise InvalidInput(
            f"{where}: expected an agent that looks at the game, and {name} does not; `rlattack list agents` shows some"
        )
    return name


def load_leader(value: str, setting: Setting, where: str = "") -> Policy:
    """Loads the agent that a parameter names, `where` as in `leader_name`.

    Raises:
        InvalidInput: It sees or does something else than the policy under attack, or has a memory.
        RlattackError: It cannot be loaded.
    """
    name, where = leader_name(value, where), where or f"target={value}"
    policy = load_agent(name).policy
    with torch.no_grad():
        does = policy(torch.zeros(1, *policy.observation, device="cpu"), policy.initial_state(1)).actions
    seen = tuple(policy.observation)
    if seen != setting.observation or _kind(does) != _kind(setting.actions):
        raise InvalidInput(
            f"{where}: expected an agent that sees {setting.observation} and does what the victim does, got one "
            f"that sees {seen} and acts by {policy.action}"
        )
    if policy.initial_state(1) is not None:
        raise InvalidInput(f"{where}: expected an agent without memory: what it would do depends on its past")
    return placed(policy, str(torch.get_default_device()))


def _kind(actions: Actions) -> tuple[object, ...]:
    """How many actions there are to choose from, or how many numbers one is."""
    shape = actions.scores.shape if isinstance(actions, Categorical) else actions.greedy.shape
    return (isinstance(actions, Categorical), *shape[1:])
