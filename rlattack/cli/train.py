"""`rlattack train`: fits victims, adversaries and defended agents, each a verb of its own."""

from dataclasses import dataclass
from typing import Annotated

import tyro

from rlattack.cli.train_adversary import Adversary
from rlattack.cli.train_defended import Defended
from rlattack.cli.train_victim import Victim

__all__ = ["Train"]


@dataclass(frozen=True, kw_only=True)
class Train:
    """Train an agent with Stable-Baselines3; if killed, the same command with --resume goes on from its checkpoint."""

    role: (
        Annotated[Victim, tyro.conf.subcommand("victim", prefix_name=False)]
        | Annotated[Adversary, tyro.conf.subcommand("adversary", prefix_name=False)]
        | Annotated[Defended, tyro.conf.subcommand("defended", prefix_name=False)]
    )

    def __call__(self, command: list[str]) -> int:
        """Runs the command."""
        return self.role(command)
