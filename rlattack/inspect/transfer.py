"""Whether what fools one agent fools another: the same inputs, shown to others."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rlattack.device import CPU
from rlattack.errors import RlattackError
from rlattack.evaluation.estimates import Rate
from rlattack.evaluation.statistics import wilson
from rlattack.inspect.kinds import Fooling
from rlattack.inspect.subject import Subject
from rlattack.inspect.targets import NONE, Targets
from rlattack.policies.folder import agent_cards
from rlattack.policies.load import Agent, load_agent
from rlattack.policies.placed import placed
from rlattack.report.values import Value, percent

HEADS = ("agent", "inputs", "means the same", "by chance", "sure of the same")


@dataclass(frozen=True)
class Transfer:
    """What another agent makes of fooling inputs.

    Attributes:
        agent: Who it is.
        inputs: How many it was shown.
        same: Share of which it does what they fool the victim into.
        chance: The same if inputs and targets were paired by chance.
        sure: Share of which it is as sure of that.
    """

    agent: str
    inputs: int
    same: Rate
    chance: float
    sure: Rate

    @property
    def row(self) -> tuple[str, list[Value]]:
        """As a row of a sheet with `HEADS`."""
        chance = Value(f"{self.chance:.0%}", "", self.chance)
        return self.agent, [Value(str(self.inputs), "", self.inputs), percent(self.same), chance, percent(self.sure)]

    @property
    def numbers(self) -> dict[str, Any]:
        """As JSON."""
        return dict(vars(self))


def others_of(subject: Subject, asked: Sequence[str]) -> list[Agent]:
    """The agents that were asked for; else those that ship for the game and fit the seat.

    Raises:
        RlattackError: One that was asked for cannot be loaded, or does not fit.
    """
    game, seat = subject.cell.game.card.id, subject.seat
    ship = [name for name, card in agent_cards() if card.game == game and card.role == "victim"]
    names = [name for name in asked or ship if name not in (NONE, subject.name)]
    found = []
    with torch.device(CPU):
        for name in names:
            try:
                found.append(load_agent(name, seat, game=game))
            except RlattackError:
                if asked:
                    raise  # one that ships may be of a variant that sees other things
    return found


def transfer(
    subject: Subject, options: Fooling, targets: Targets, found: Sequence[tuple[Tensor, int]], others: Sequence[Agent]
) -> list[Transfer]:
    """Shows inputs that fool the victim to others; nothing where none does.

    Args:
        subject: The victim.
        options: As they were typed.
        targets: What it is sure of.
        found: Inputs, shape (*observation,), each with the number of its target.
        others: Who is shown them.
    """
    if not found:
        return []
    inputs, goals = torch.stack([one for one, _ in found]), np.asarray([goal for _, goal in found])
    told = []
    for other in others:
        numbers = subject.numbers(inputs, None, placed(other.policy, subject.cell.device), garbage=True)
        sure = targets.sure(numbers).numpy(force=True)
        likeliest = sure[:, : targets.single].argmax(axis=1)
        means = np.asarray([[one in of for of in targets.sets] for one in likeliest])  # (inputs, targets)
        same = means[np.arange(len(goals)), goals]
        there = sure[np.arange(len(goals)), goals] >= options.sure
        chance = float(means.mean(axis=0)[goals].mean())
        rates = [Rate(float(of.mean()), wilson(int(of.sum()), len(goals))) for of in (same, there)]
        told.append(Transfer(other.name, len(goals), rates[0], chance, rates[1]))
    return told
