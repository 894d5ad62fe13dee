"""A cell: one game, victim, attack, budget and protocol with a seed; the unit that is played, kept and compared."""

import dataclasses
import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

from rlattack.attacks import AttackSpec, Model
from rlattack.budget import Budget
from rlattack.games.card import ActionMode, GameCard
from rlattack.policies import LoadedAgent

__all__ = ["AgentRef", "Cell"]


@dataclass(frozen=True)
class AgentRef:
    """An agent by what was typed to name it and the digest of what was found there."""

    spec: str
    identity: str
    """As `LoadedAgent.identity`."""
    name: str
    trust: bool = False
    foreign: bool = False
    """Whether it is code of the user's."""

    @classmethod
    def of(cls, spec: str, agent: LoadedAgent, trust: bool) -> "AgentRef":
        """Names an agent that was loaded."""
        return cls(spec, agent.identity, agent.name, trust, agent.algorithm == "module")


@dataclass(frozen=True, kw_only=True)
class Cell:
    """What is played, and nothing about how fast: equal cells have equal results on one machine."""

    game: GameCard
    victim: AgentRef
    attack: AttackSpec = field(default_factory=lambda: AttackSpec("none"))
    budget: Budget | None = None
    model: Model = "stack"
    surrogate: AgentRef | None = None
    actions: ActionMode
    seed: int
    episodes: int
    envs: int

    @property
    def key(self) -> str:
        """Eight hexadecimal digits that name the cell."""
        return hashlib.sha256(json.dumps(self.identity, sort_keys=True).encode()).hexdigest()[:8]

    @property
    def identity(self) -> dict[str, Any]:
        """Everything that a result depends on; agents by their digests."""
        values = dataclasses.asdict(self)
        values["attack"] = {"name": self.attack.name, "parameters": dict(self.attack.parameters)}
        for role in ("victim", "surrogate"):
            values[role] = values[role] and values[role]["identity"]
        return values
