"""Attacks on the picture that an Atari emulator shows, in colours and whole bytes, through what ale-py makes of it.

An attack is handed what was on the screen in place of what the victim sees, and asks the victim through a twin of the
preprocessing that has a slope: grey, the brighter of two pictures, made smaller by area. What the victim then receives
is what the preprocessing itself makes of the settled pictures, and stays in the stack as it was received. Both pictures
of a step are changed at once: whoever changes a real screen must know the second one a sixtieth of a second before.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from rlattack.arrays import Array, BoolArray, IntArray, rowwise
from rlattack.attacks.attack import ObservationAttack
from rlattack.attacks.attacker import HeldFrames
from rlattack.attacks.leader import is_agent
from rlattack.attacks.runner import Runner
from rlattack.attacks.schedule import Schedule
from rlattack.budget import CHANGES, Budget
from rlattack.device import on
from rlattack.errors import BudgetError, InvalidInput
from rlattack.games.game import Seat
from rlattack.games.screen import COLOURS, LUMA, SCREEN, Screen
from rlattack.policies.placed import device_of
from rlattack.policies.policy import Policy

WHITE = 255.0


class Twin:
    """What ale-py makes of pictures, with a slope: at most a grey level from it, since sums round otherwise.

    Rounding passes slopes as they are (a straight-through estimator, Bengio et al. 2013).

    Args:
        screen: How what is shown becomes what is seen.

    Raises:
        InvalidInput: Frames that are larger than the screen, which no area makes.
    """

    def __init__(self, screen: Screen) -> None:
        if max(np.subtract(screen.resize, SCREEN)) > 0:
            raise InvalidInput(
                f"--model screen: expected frames no larger than the screen, {list(SCREEN)}, got {list(screen.resize)}"
            )
        top, left, height, width = screen.cut
        self._rows = _areas(SCREEN[0], screen.resize[0])[top : top + height]
        self._columns = _areas(SCREEN[1], screen.resize[1])[left : left + width]
        self._luma = torch.as_tensor(LUMA)

    def __call__(self, pictures: Tensor) -> Tensor:
        """Frames, float32, shape (n, 1, height, width), of pictures, float32, shape (n, 210, 160, 6)."""
        grey = _rounded(pictures.view(*pictures.shape[:3], 2, COLOURS) @ self._luma)
        brighter = torch.maximum(grey[..., 0], grey[..., 1])
        return _rounded(self._rows @ brighter @ self._columns.T)[:, None]


class ScreenAttacker(Runner):
    """Perturbs what the screens of `slots` running episodes show, before it becomes what their victims see.

    Args:
        attack: The attack with its budget.
        policy: The victim, or a surrogate to craft on.
        seat: What the victim sees, by which screen.
        slots: Number of episodes at once.
        schedule: When it acts; every step by default.
        budget: What it is held to; the attack's own by default.

    Attributes:
        lit: What the screens showed in the last step, float32, shape (slots, 210, 160, 6).

    Raises:
        BudgetError: The budget does not fit the screen.
        InvalidInput: There is no screen, or the attack does not fit the policy or the screen.
    """

    access = "screen"
    model = "screen"
    lit: Tensor

    def __init__(
        self, attack: ObservationAttack[Any, Any], policy: Policy, seat: Seat, slots: int,
        schedule: Schedule[Any] | None = None, budget: Budget | None = None,
    ) -> None:  # fmt: skip
        if seat.screen is None:
            raise InvalidInput(
                "--model screen changes the picture that an Atari emulator shows, and this game has none: leave "
                "--model out, or play an atari/ game"
            )
        budget, self.screen = budget or attack.budget, seat.screen
        _check_budget(budget)
        if attack.adversaries or attack.replays or is_agent(getattr(attack.config, "target", None)):
            raise InvalidInput(
                f"attack {attack.name}: who leads it, or what was recorded, is of frames and not of a screen; use "
                "--model frame"
            )
        self._device = device_of(policy)
        with on(self._device):
            super().__init__(attack, policy, self.screen.space, slots, schedule, handed=self.screen.space.shape)
            self._hold(budget.reach(self.screen.space))
            self._twin = Twin(self.screen)
            self._frames = HeldFrames(slots, tuple(seat.observation.shape or ()))
        self._older = self._seen_last = torch.empty(0)
        self._alike = False
        self._perturb = attack.perturb
        self.oracle.through = self._through

    def restart(self, slots: IntArray, seeds: list[np.random.SeedSequence]) -> None:
        """Starts new episodes: clears frames held and recurrent state, and gives each slot its random streams."""
        super().restart(slots, seeds)
        self._frames.fresh[slots] = True

    def __call__(self, clean: Tensor, pictures: Array, active: BoolArray, legal: Tensor | None = None) -> Tensor:
        """Perturbs one step of the batch.

        Args:
            clean: What the game shows the victim, float32, shape (slots, *observation).
            pictures: What its screen shows, bytes, shape (slots, 210, 160, 6).
            active: Slots that play; the others are carried along unperturbed and uncounted.
            legal: Legal actions, where the game tells.

        Returns:
            What the victim receives, a new tensor of the shape of `clean`; `lit` is what the screens then showed.
        """
        with on(self._device):
            shown = torch.as_tensor(pictures).to(torch.float32, copy=True)
            base = self._frames.base(clean, active)
            self._older, alone = base[:, :-1], torch.as_tensor(self._frames.fresh | self.screen.alone)
            self.oracle.begin(clean, active, legal)
            lit = self._attacked(shown.clone(), shown, active)
            lit[..., :COLOURS] = torch.where(rowwise(alone, lit), shown[..., :COLOURS], lit[..., :COLOURS])
            self.lit = lit
            newest = torch.as_tensor(self.screen.frames(lit.byte().numpy(force=True))).to(clean)
            newest = torch.where(rowwise(torch.as_tensor(active), clean), newest, clean[:, -1:])
            received = self._frames.keep(torch.cat([self._older, newest], dim=1), clean, active)
            self.oracle.advance(received, active)
        return received

    def rehearse(self, clean: Tensor) -> None:
        """Begins a step of a fit, of which the victim saw `clean`, shape (slots, *observation).

        What is learned there is the same in every step, so older frames are changed as the newest is.
        """
        self.oracle.begin(clean, np.ones(len(clean), dtype=np.bool_))
        self._older, self._seen_last, self._alike = clean[:, :-1], clean[:, -1:], True

    def _through(self, pictures: Tensor) -> Tensor:
        """What the victim sees of pictures, shape (slots, *observation)."""
        newest, older = self._twin(pictures), self._older
        if self._alike:
            older = (older + newest - self._seen_last).clamp(0, WHITE)
        return torch.cat([older, newest], dim=1)

    def _wanted(self, obs: Tensor, clean: Tensor) -> Tensor:
        return self._perturb(self.target, obs, self._handed_reach, self._draws)


def _check_budget(budget: Budget) -> None:
    """Refuses what is no size of a picture in colours."""
    if budget.norm in CHANGES:
        raise BudgetError(f"--model screen: {budget.norm} changes what the victim sees; leave --model out")
    if budget.norm == "l0":
        raise BudgetError("--model screen: --norm l0 counts pixels of grey frames; use --norm linf, or attack patch")
    if budget.space == "sigma":
        raise BudgetError("--model screen: a screen has no deviations; use --space unit, or raw for grey levels")
    if not budget.grid:
        raise BudgetError("--model screen: a screen shows whole bytes alone; use --grid")


def _areas(before: int, after: int) -> Tensor:
    """How much of each of `before` pixels in a row is in each of `after`, shape (after, before); rows add up to 1."""
    edges = np.linspace(0, before, after + 1)
    pixels = np.arange(before)
    shared = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    shares = shared.clip(0) * after / before
    return torch.as_tensor(shares.astype(np.float32))


def _rounded(values: Tensor) -> Tensor:
    return values + (values.round() - values).detach()
