"""A learner's own past, from which opponents are drawn (Bansal et al. 2018, section 4.2)."""

import dataclasses
import shutil
from pathlib import Path

import numpy as np

from rlattack.policies.folder import AgentCard, AnyNetwork, policy_of, read_agent, save_agent
from rlattack.policies.policy import Policy


class Past:
    """Snapshots of a learner by the steps it had learned from, each an agent folder; their number is bounded.

    Args:
        folder: Holds them, named by their steps; those that lie there are read.
        delta: Opponents are drawn from versions not older than this share of the steps done.
        every: Steps between snapshots.
        most: How many are kept.
        until: Steps of the checkpoint that a run goes on from; what came after it is removed. None: all are read.
    """

    def __init__(self, folder: Path, *, delta: float, every: int = 1, most: int = 64, until: int | None = None) -> None:
        self.folder, self._delta, self._every, self._most = folder, delta, every, most
        found = sorted(int(path.parent.name) for path in folder.glob("[0-9]*/agent.toml"))
        self._policies = {steps: policy_of(*read_agent(folder / str(steps))) for steps in found}
        for steps in found:
            if until is not None and steps > until:
                self._drop(steps)

    @property
    def versions(self) -> list[int]:
        """Steps of the snapshots, ascending."""
        return sorted(self._policies)

    def due(self, now: int) -> bool:
        """Whether the time has come for another one."""
        return not self._policies or now - max(self._policies) >= self._every

    def add(self, now: int, card: AgentCard, network: AnyNetwork, *, either: bool = False) -> None:
        """Keeps the learner as it is now, and drops versions that are too old or too close to others.

        Args:
            now: Steps done.
            card: Of the learner.
            network: Its own copy of the weights.
            either: Whether the snapshot takes the other seat too: its card then names none.
        """
        if either:
            card = dataclasses.replace(card, seat="")
        save_agent(self.folder / str(now), card, network, half=False)
        self._policies[now] = policy_of(card, network)
        for steps in [steps for steps in self.versions if steps < self._delta * now and steps != now]:
            self._drop(steps)
        if len(self._policies) > self._most:
            kept = self.versions
            gaps = [after - before for before, after in zip(kept[:-2], kept[2:], strict=True)]
            self._drop(kept[1 + int(np.argmin(gaps))])

    def draw(self, now: int, count: int, rng: np.random.Generator) -> list[tuple[int, Policy]]:
        """Draws versions: their steps are uniform in [delta now, now], up to the spacing of the snapshots.

        Args:
            now: Steps done by the learner whose past this is.
            count: How many; one may come twice.
            rng: Of the draws.
        """
        window = [steps for steps in self.versions if self._delta * now <= steps <= now] or self.versions[-1:]
        ages = rng.uniform(self._delta * now, now, size=count)
        nearest = np.abs(ages[:, None] - np.asarray(window)).argmin(axis=1)
        return [(window[index], self._policies[window[index]]) for index in nearest]

    def _drop(self, steps: int) -> None:
        del self._policies[steps]
        (self.folder / str(steps) / "agent.toml").unlink(missing_ok=True)  # first: half a snapshot is none
        shutil.rmtree(self.folder / str(steps), ignore_errors=True)
