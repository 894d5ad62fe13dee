"""A cell: one game, victim, attack, budget and protocol with a seed; the unit that is played, kept and compared."""

import dataclasses
import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

from rlattack.attacks import AttackSpec, Model
from rlattack.budget import Budget
from rlattack.errors import RefusedFile
from rlattack.games.card import ActionMode, GameCard
from rlattack.policies import LoadedAgent

__all__ = ["AgentRef", "Cell", "digest"]


def digest(identity: dict[str, Any]) -> str:
    """Eight hexadecimal digits that name what has that identity."""
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:8]


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

    def check(self, identity: str) -> None:
        """Compares with what was found when it was loaded again.

        Raises:
            RefusedFile: It is another agent by now.
        """
        if identity != self.identity:
            raise RefusedFile(f"{self.spec}: changed while the run played; finished cells are kept, run it again")


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
        return digest(self.identity)

    @property
    def label(self) -> str:
        """What is tried in it, in a word or two."""
        return "clean" if self.budget is None else f"{self.attack.name} {self.budget.eps:g}"

    @property
    def identity(self) -> dict[str, Any]:
        """Everything that a result depends on; agents by their digests."""
        values = dataclasses.asdict(self)
        values["attack"] = {"name": self.attack.name, "parameters": dict(self.attack.parameters)}
        for role in ("victim", "surrogate"):
            values[role] = values[role] and values[role]["identity"]
        return values
