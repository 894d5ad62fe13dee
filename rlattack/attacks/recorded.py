"""Perturbations that were recorded, given again: by this anybody's attack is replayed without its code.

An attack is not told which episode it plays. Its random numbers tell it: they come from the run's seed and the number
of the episode alone, so that the first of them says which of the recorded episodes begins.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import torch
from gymnasium.spaces import Box
from torch import Tensor

from rlattack.arrays import IntArray
from rlattack.attacks.attack import ObservationAttack, Setting
from rlattack.attacks.recording import Page, Recording, steps_of
from rlattack.attacks.target import Knowledge, Target
from rlattack.budget import Ball, Budget, is_stack
from rlattack.device import CPU
from rlattack.draws import Draws, Streams, attack_seed
from rlattack.errors import InvalidInput

_MANY = 2**62
"""So many numbers that no two episodes draw the same one."""


@dataclass(frozen=True, kw_only=True)
class RecordedConfig:
    """Parameters of `recorded`."""

    file: str
    """A file of perturbations: `perturbations.npz` of a counterexample."""


class Recorded(ObservationAttack[RecordedConfig, Ball]):
    """Gives in each step what arrived in that step when it was recorded; changes nothing in any other episode.

    It is to act in every step. Where the game shows something else than it did then, what it shows is moved by as much
    as it was then.

    Raises:
        RefusedFile: The file is no recording, or is damaged.
    """

    name = "recorded"
    title = "Recorded perturbations"
    knowledge: ClassVar[Knowledge] = "none"
    files: ClassVar[tuple[str, ...]] = ("file",)
    replays: ClassVar[bool] = True
    config_type = RecordedConfig

    def __init__(self, budget: Budget, config: RecordedConfig) -> None:
        super().__init__(budget, config)
        self._recording = Recording.read(Path(config.file).expanduser())
        self._numbers = {_first(self._recording.seed, one): one for one in self._recording.episodes}
        self._running: dict[int, tuple[Page | None, int]] = {}
        """Of each slot its episode, None of one that was not recorded, and the next step."""

    def check(self, setting: Setting) -> None:
        """Refuses a recording of another game, and one that goes beyond the budget, which is told before it is played.

        Raises:
            InvalidInput: Observations of another shape, or a step that leaves the budget.
            RefusedFile: An episode that is damaged.
        """
        seen = setting.normaliser
        with torch.device(CPU):
            reach = self.budget.ball(setting.space, deviation=None if seen is None else seen.unit.to(CPU))
        # of frames that are held, each has pixels of its own: only those of the newest are one step's
        newest = reach.kind == "l0" and isinstance(setting.space, Box) and is_stack(setting.space)
        reach = reach.newest_only() if newest else reach
        for episode in self._recording.episodes:
            page = self._recording.page(episode)
            if page.shown.shape[1:] != setting.observation:
                raise InvalidInput(
                    f"{self.config.file}: expected perturbations of observations of shape {setting.observation}, got "
                    f"some of {page.shown.shape[1:]}"
                )
            self._check_page(episode, Page(page.shown[:, -1:], page.received[:, -1:]) if newest else page, reach)

    def _check_page(self, episode: int, page: Page, reach: Ball) -> None:
        moved = steps_of(page)
        if not len(moved):
            return
        with torch.device(CPU):
            sizes = reach.measure(torch.as_tensor(page.received[moved]), torch.as_tensor(page.shown[moved]))
        if not sizes.legal.all():
            place = int((~sizes.legal).argmax())
            raise InvalidInput(
                f"{self.config.file}: episode {episode}, step {moved[place]}: moves what is seen by "
                f"{reach.as_eps(sizes)[place]:.6g} ({reach.kind}), or out of the game's range: expected at most "
                f"{self.budget.size:g}"
            )

    def restart(self, slots: IntArray) -> None:
        """Forgets the episodes that ended in these slots."""
        for slot in map(int, slots):
            self._running.pop(slot, None)

    def perturb(self, victim: Target, obs: Tensor, reach: Ball, draws: Draws) -> Tensor:
        """Gives what was recorded of this step."""
        drawn = draws.integers(_MANY)
        for slot in victim.active.nonzero().flatten().tolist():
            page, step = self._running.get(slot) or (self._begun(int(drawn[slot])), 0)
            self._running[slot] = page, step + 1
            if page is not None and step < len(page.shown):
                obs[slot] = _again(obs[slot], page, step)
        return obs

    def _begun(self, drawn: int) -> Page | None:
        episode = self._numbers.get(drawn)
        return None if episode is None else self._recording.page(episode)


def _again(obs: Tensor, page: Page, step: int) -> Tensor:
    """What arrives in place of what is seen, entry by entry."""
    received, shown = torch.as_tensor(page.received[step]), torch.as_tensor(page.shown[step]).to(torch.float32)
    received, shown = received.to(obs.device), shown.to(obs.device)
    known = (obs == shown) | (obs == received)  # held frames are seen as they were received
    return torch.where(known, received, obs + (received - shown))


def _first(run: int, episode: int) -> int:
    """The number that an attack draws first in an episode of a run."""
    stream = Streams(1)
    stream.restart(0, attack_seed(run, episode))
    return int(stream.integers(_MANY)[0])
