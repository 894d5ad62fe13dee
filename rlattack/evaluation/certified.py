"""How much of play is certain: states in which no attack of a size changes what is done, beside one that tries."""

from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from gymnasium import Space
from torch import Tensor

from rlattack.arrays import BoolArray
from rlattack.attacks.worst import Bounds
from rlattack.budget import Budget, Norm, Unit
from rlattack.budget.change import is_picture
from rlattack.defences.certificates.certifier import Certifier
from rlattack.errors import InvalidInput
from rlattack.evaluation.cell import Cell
from rlattack.evaluation.measured import BROKEN, CERTIFIED, MOVES, OPEN, RADIUS, Measured
from rlattack.evaluation.observer import Moment, Observer
from rlattack.games.game import Seat
from rlattack.policies.policy import Policy
from rlattack.specs import Count, Fraction, Positive

_MOVED = 1e-5
"""Share of its range by which rounding may move a mean."""


@dataclass(frozen=True, kw_only=True)
class CertifiedConfig:
    """Parameters of `certified`."""

    eps: Positive
    """Size per entry, in units of the space, as --eps."""
    norm: Norm = "linf"
    """linf, l2 or l1."""
    space: Unit | None = None
    """unit, raw or sigma; by default unit for pictures, else sigma where the victim has statistics."""
    free: str = ""
    """Numbers of the entries that may change, as --free, in double quotes where there are several; all by default."""
    method: Bounds = "auto"
    """ibp, crown-ibp or crown; by default crown, of pictures crown-ibp, which takes a fraction of the time."""
    every: Count = 1
    """Looks at every so many-th step of an episode."""
    tolerance: Fraction = 0.05
    """Part of its range by which an entry of a continuous action may move in a state that counts as certified."""
    radius: bool = False
    """Looks for the largest size up to eps that is certain, by bisection: thirteen times the work."""

    def __post_init__(self) -> None:
        """Checks what a single range cannot say."""
        self.budget("raw")

    def budget(self, usual: Unit) -> Budget:
        """The size that is certified.

        Args:
            usual: The space where none is given.
        """
        return Budget(norm=self.norm, eps=self.eps, space=self.space or usual, free=self._entries)

    def covers(self, budget: Budget) -> bool:
        """Whether an attack of a budget changes nothing that this does not let change; of another unit it may be."""
        alike = (self.eps, self.norm) == (budget.eps, budget.norm) and self.space in (None, budget.space)
        return alike and (not self.free or (bool(budget.free) and {*budget.free} <= {*self._entries}))

    @property
    def _entries(self) -> tuple[int, ...]:
        entries = self.free.split(",") if self.free else ()
        if not all(one.isdecimal() for one in entries):
            raise InvalidInput(f'free: expected numbers of entries, as 0 or "0,3", got {self.free!r}')
        return tuple(map(int, entries))

    def budget_in(self, space: Space[Any], policy: Policy) -> Budget:
        """The same for a policy that sees a space."""
        usual: Unit = "unit" if is_picture(space) else "raw" if policy.normaliser is None else "sigma"
        return self.budget(usual)

    def named(self, what: str) -> str:
        """The name of one of its numbers, which `Measured` reads: `certified at linf 0.004 by crown`."""
        return Measured(what, self.norm, self.eps, "" if self.method == "auto" else self.method).name


class Certified(Observer):
    """Certified share of states, of what the game showed; under an attack of that size, whether it broke any.

    Under other attacks nothing is measured. A state is certified where no perturbation changes the greedy action, or
    moves an entry of a continuous one by more than the tolerance. `open`: neither certified nor changed.
    """

    config_type = CertifiedConfig

    def __init__(
        self, seat: int, slots: int, config: CertifiedConfig, attacked: bool | None, units: Set[Unit] = frozenset()
    ) -> None:  # fmt: skip
        super().__init__(seat, slots)
        self.config, self._attacked, self._units = config, attacked, units
        self._certifier: Certifier | None = None
        self._step = np.zeros(slots, dtype=np.int64)
        self._looked = np.zeros(slots)
        self._sums = {name: np.zeros(slots) for name in (CERTIFIED, RADIUS, MOVES, OPEN, BROKEN)}

    @classmethod
    def of(cls, cell: Cell, seat: int, config: CertifiedConfig | None = None) -> Self:
        """Looks where nothing is attacked, and where attacks of its size work on what the seat sees."""
        assert config is not None, "it has parameters"
        same = [config.covers(ref.budget) for ref in cell.attacks]
        seen = [ref.seat == seat and ref.access == "observation" for ref in cell.attacks]
        fits = bool(cell.attacks) and all(same) and all(seen)
        units = {ref.budget.space for ref in cell.attacks}
        return cls(seat, cell.envs, config, None if cell.attacks and not fits else fits, units)

    @classmethod
    def check(cls, config: CertifiedConfig, policy: Policy, seat: Seat) -> None:
        """Refuses a victim of which something is not bounded, and a size that makes no sense there."""
        try:
            _certifier(config, policy, seat.observation)
        except InvalidInput as error:
            raise InvalidInput(f"observer certified: {error}") from error

    def see(self, moment: Moment) -> None:
        """Looks at one step."""
        if moment.seat != self.seat or self._attacked is None:
            return
        if self._attacked and not self._in_its_unit(moment):
            self._attacked = None
            return
        now: BoolArray = moment.acting & (self._step % self.config.every == 0)
        self._step += moment.acting
        if now.any():
            self._looked += now
            for name, values in self._found(moment).items():
                self._sums[name] += np.where(now, values.numpy(force=True), 0.0)

    def collect(self, slot: int) -> Mapping[str, float | None]:
        """Means of the episode that ended in a slot, and how many certificates were broken in it."""
        looked = self._looked[slot]
        sums = {name: float(values[slot]) for name, values in self._sums.items()}
        self._step[slot] = self._looked[slot] = 0
        for values in self._sums.values():
            values[slot] = 0.0
        if self._attacked is None:
            return {}
        names = [CERTIFIED, *[RADIUS] * self.config.radius, *[OPEN] * self._attacked]
        names += [MOVES] if self._certifier is not None and not self._certifier.discrete else []
        found: dict[str, float | None] = {name: sums[name] / looked if looked else None for name in names}
        if self._attacked:
            found[BROKEN] = sums[BROKEN]
        return {self.config.named(name): value for name, value in found.items()}

    def _in_its_unit(self, moment: Moment) -> bool:
        """Whether an attack of that size counts it in the same unit, which by default the victim tells."""
        assert moment.policy is not None, "play tells who plays"
        assert moment.space is not None, "and what is seen"
        return self._units <= {self.config.budget_in(moment.space, moment.policy).space}

    def _found(self, moment: Moment) -> dict[str, Tensor]:
        """What is measured of every slot, shape (slots,) each."""
        if self._certifier is None:
            assert moment.policy is not None, "play tells who plays"
            assert moment.space is not None, "and what is seen"
            self._certifier = _certifier(self.config, moment.policy, moment.space)
        certifier, legal = self._certifier, moment.legal
        shown = torch.as_tensor(moment.shown).to(torch.float32)
        tolerance = None if certifier.discrete else self.config.tolerance
        if certifier.discrete:
            moves, certified = torch.zeros(self.slots), certifier.certified(shown, legal)
        else:
            moves = certifier.moved(shown)
            certified = moves <= self.config.tolerance
        found = {CERTIFIED: certified, MOVES: moves}
        if self.config.radius:
            found[RADIUS] = self.config.eps * certifier.radius(shown, legal, tolerance)
        if self._attacked:
            found |= self._under_attack(moment, certified, moves)
        return found

    def _under_attack(self, moment: Moment, certified: Tensor, moves: Tensor) -> dict[str, Tensor]:
        out, clean, certifier = moment.out.actions, moment.clean.actions, self._certifier
        assert certifier is not None, "it has looked"
        if certifier.discrete:
            changed = out.moved(clean) > 0
            return {OPEN: ~certified & ~changed, BROKEN: certified & changed}
        moved = certifier.parts(out.greedy, clean.greedy)
        return {OPEN: ~certified & (moved <= self.config.tolerance), BROKEN: moved > moves + _MOVED}


def _certifier(config: CertifiedConfig, policy: Policy, space: Space[Any]) -> Certifier:
    deviation = None if policy.normaliser is None else policy.normaliser.unit
    budget = config.budget_in(space, policy)
    return Certifier(policy, budget.ball(space, deviation=deviation), config.method)


def broken(measured: Mapping[str, float | None]) -> float:
    """How many certificates an attack broke in an episode: none, unless a certificate is wrong."""
    return sum(value or 0.0 for name, value in measured.items() if name.startswith(BROKEN))
