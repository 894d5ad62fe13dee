"""`rlattack import`: turns other people's weights into an agent folder."""

from dataclasses import dataclass
from typing import Annotated

import tyro

from rlattack.evaluation.options import Plugins
from rlattack.report.progress import say


@dataclass(frozen=True, kw_only=True)
class Import(Plugins):
    """Import an agent trained elsewhere, without running its code."""

    kind: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="auto|sb3|sa-ppo|cleanrl|...")]
    """Where it comes from; auto finds out and says so. Kinds: sb3 (zips of Stable-Baselines3), sa-ppo (.model files of
    SA-PPO, ATLA, RADIAL, PA-ATLA, WocaR), cleanrl, ppo-pytorch, ppo-pytorch-continuous, a2c-ppo-acktr and dueling-dqn
    (networks of Atari), bansal (the zoo of 2018), and those of installed packages."""
    path: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="PATH")]
    """The file; of bansal also its address, or a name to download, such as you-shall-not-pass/runner-v1."""
    agent: str
    """Id of the agent folder to write: agents/<id>/. An equal agent there stays as it is; another one is refused."""
    game: str | None = None
    """The game it plays, where the file does not say."""
    normaliser: Annotated[str, tyro.conf.arg(metavar="FILE|none")] = ""
    """Statistics of what it saw in training, where they lie neither in the file nor beside it; they go into the agent
    folder. none: it plays without."""
    trust: bool = False
    """Load files that can only be read by running their code."""

    def __call__(self, command: list[str]) -> int:
        """Runs the command."""
        from rlattack.policies.folder import find_agent
        from rlattack.policies.importer import import_agent

        before = find_agent(self.agent)  # another agent than this one would be refused
        folder = import_agent(
            self.kind, self.path, self.agent, game=self.game, trust=self.trust, normaliser=self.normaliser, say=say
        )  # fmt: skip
        now = "can now" if before is None else "was there already and is equal: nothing was written. It can"
        say(f"[bold]{folder}[/bold] {now} be named as {self.agent}")
        return 0
