"""`rlattack import`: turns other people's weights into an agent folder."""

from dataclasses import dataclass
from typing import Annotated

import tyro

from rlattack.report.progress import say


@dataclass(frozen=True, kw_only=True)
class Import:
    """Import an agent trained elsewhere, without running its code."""

    kind: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="KIND")]
    """Where it comes from: `sb3` for a Stable-Baselines3 zip, `a2c-ppo-acktr` for the network of that and its
    relatives, `bansal` for the agent zoo of Bansal et al. 2018, or an importer of an installed package."""
    path: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="PATH")]
    """The file; of bansal also its address, or a name to download, such as you-shall-not-pass/runner-v1."""
    agent: str
    """Id of the agent folder to write: agents/<id>/. An equal agent there stays as it is; another one is refused."""
    game: str | None = None
    """The game it plays, where the file does not say."""
    trust: bool = False
    """Load files that can only be read by running their code."""

    def __call__(self, command: list[str]) -> int:
        """Runs the command."""
        from rlattack.policies.folder import find_agent
        from rlattack.policies.importer import import_agent

        before = find_agent(self.agent)  # another agent than this one would be refused
        folder = import_agent(self.kind, self.path, self.agent, game=self.game, trust=self.trust)
        now = "can now" if before is None else "was there already and is equal: nothing was written. It can"
        say(f"[bold]{folder}[/bold] {now} be named as {self.agent}")
        return 0
