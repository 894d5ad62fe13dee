"""An attack on observations at work in a batch of running episodes: what it holds from step to step, a slot."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from gymnasium.spaces import Box
from torch import Tensor, nn

from rlattack.arrays import BoolArray, IntArray, rowwise
from rlattack.attacks.attack import ObservationAttack
from rlattack.attacks.pipeline import Pipeline, policy_of
from rlattack.attacks.runner import Runner
from rlattack.attacks.schedule import Schedule
from rlattack.budget import MODELS, Budget, Model, Picture, is_stack
from rlattack.device import on
from rlattack.errors import InvalidInput
from rlattack.policies.placed import device_of
from rlattack.policies.policy import Policy

if TYPE_CHECKING:
    from stable_baselines3.common.base_class import BaseAlgorithm


class Attacker(Runner):
    """Perturbs what `slots` running episodes see, and clears what it holds of a slot when its episode ends.

    Args:
        attack: The attack with its budget.
        policy: The victim, or a surrogate to craft on: a policy, a Stable-Baselines3 model, a torch module, or the name
            or path of an agent.
        space: One observation of the game, or the environment that shows it: then the attack works in what that shows
            the network, normalised (`VecNormalize`), stacked or with channels last.
        slots: Number of episodes at once; by default as many as the environment has.
        model: `stack`: all stacked frames are perturbed anew each step, as the literature does. `frame`: a frame is
            perturbed once, when it is newest, and stays so while it is in the stack: what a camera could do.
        schedule: When it acts; every step by default.
        victim: Who receives the observations where that is not `policy`: budgets in `sigma` are in its deviations.
        budget: What it is held to; the attack's own by default, which an attack that is not trusted may have changed.
        keys: What of a `Dict` of observations it may change; all that is a Box by default.

    Raises:
        BudgetError: The budget does not fit the space.
        InvalidInput: The policy or the model does not fit the space, or the attack's parameters do not fit the game.

    >>> import gymnasium, torch
    >>> from rlattack import Attacker, Budget, make_attack
    >>> attack = make_attack("fgsm", Budget(eps=0.1, space="raw"))
    >>> attacker = Attacker(attack, "gymnasium/CartPole-v1/dqn", gymnasium.make("CartPole-v1"), slots=2)
    >>> attacker(torch.zeros(2, 4)).abs().mean(dim=1)
    tensor([0.1000, 0.1000])
    """

    access = "observation"

    def __init__(
        self,
        attack: ObservationAttack[Any, Any],
        policy: "Policy | nn.Module | BaseAlgorithm | str | Path",
        space: Any,  # a space, or an environment of Gymnasium or of Stable-Baselines3
        slots: int | None = None,
        *,
        model: Model = "stack",
        schedule: Schedule[Any] | None = None,
        victim: Policy | None = None,
        budget: Budget | None = None,
        keys: Sequence[str] = (),
    ) -> None:
        self.pipeline = Pipeline(space, keys)
        crafted_on, space = policy_of(policy, self.pipeline), self.pipeline.space
        slots = self.pipeline.slots if slots is None else slots
        if model not in MODELS:
            raise InvalidInput(f"--model: expected one of {', '.join(MODELS)}, got {model!r}")
        if model == "screen":
            raise InvalidInput(
                "--model screen changes what an emulator shows before it becomes an observation: `rlattack attack` has "
                "it, a wrapper has not"
            )
        if model == "frame" and not (isinstance(space, Box) and is_stack(space)):
            raise InvalidInput(
                f"--model frame is for stacked images (frames, height, width), this game shows {space.shape}"
                + " of one picture in colours" * isinstance(space, Picture)
            )
        normaliser = (crafted_on if victim is None else victim).normaliser
        deviation = None if normaliser is None else normaliser.unit
        if self.pipeline.normalised:
            deviation = torch.ones(space.shape)
        self.normalises = normaliser is not None
        budget = budget or attack.budget
        shape = tuple(space.shape or ())
        if tuple(crafted_on.observation) != shape:
            raise InvalidInput(
                f"the policy sees observations of shape {tuple(crafted_on.observation)}, the game shows {shape}"
            )
        self._device = device_of(crafted_on)
        with on(self._device):
            reach = budget.reach(space, newest=model == "frame", deviation=deviation)
            super().__init__(attack, crafted_on, space, slots, schedule)
            self._hold(reach)
            self._frames = HeldFrames(slots, shape) if model == "frame" else None
        self.model, self.space, self.grid = model, space, budget.grid
        self._perturb = attack.perturb

    def restart(self, slots: IntArray, seeds: list[np.random.SeedSequence]) -> None:
        """Starts new episodes: clears frames held and recurrent state, and gives each slot its random streams."""
        super().restart(slots, seeds)
        if self._frames is not None:
            self._frames.fresh[slots] = True

    def __call__(self, clean: Tensor, active: BoolArray | None = None, legal: Tensor | None = None) -> Tensor:
        """Perturbs one step of the batch.

        Args:
            clean: What the game shows, float32 in its own range, shape (slots, *observation).
            active: Slots that play; the others are carried along unperturbed and uncounted. All by default.
            legal: Legal actions, bool, shape (slots, actions), where the game tells: the policy chooses among them.

        Returns:
            What the victim receives, a new tensor of that shape, where the policy computes: inside the budget and the
            space.
        """
        active = np.ones(self.slots, dtype=np.bool_) if active is None else active
        if not active.any():
            return clean.clone()
        with on(self._device):
            return self._received(torch.as_tensor(clean), active, legal)

    def _received(self, clean: Tensor, active: BoolArray, legal: Tensor | None) -> Tensor:
        base = clean if self._frames is None else self._frames.base(clean, active)
        handed = base.clone()
        self.oracle.begin(clean, active, legal, handed if self._frames is None else None)
        received = self._attacked(handed, base, active)
        if self._frames is not None:
            received = self._frames.keep(received, clean, active)
        self.oracle.advance(received, active)
        return received

    def _wanted(self, obs: Tensor, clean: Tensor) -> Tensor:
        return self._perturb(self.target, obs, self._handed_reach, self._draws)


class HeldFrames:
    """The frames that the victims received so far: in the `frame` model they stay as they were received."""

    def __init__(self, slots: int, shape: tuple[int, ...]) -> None:
        self.fresh: BoolArray = np.ones(slots, dtype=np.bool_)
        self._received = torch.zeros(slots, shape[0] - 1, *shape[1:])
        self._shown = torch.zeros(slots, 1, *shape[1:])

    def base(self, clean: Tensor, active: BoolArray) -> Tensor:
        """The received older frames and the clean newest one; a first observation is all clean."""
        older = active & ~self.fresh
        moved = (clean[:, -2:-1] == self._shown).flatten(1).all(dim=1).numpy(force=True)
        if clean.shape[1] > 1 and (older & ~moved).any():
            raise InvalidInput(
                "--model frame is for stacked frames, oldest first; this game's observations do not shift"
            )
        base = torch.cat([self._received, clean[:, -1:]], dim=1)
        return base if older.all() else torch.where(rowwise(torch.as_tensor(older), clean), base, clean)

    def keep(self, received: Tensor, clean: Tensor, active: BoolArray) -> Tensor:
        """Holds what was received; copies of the first frame that fill a fresh stack are the frame the camera saw."""
        fresh = self.fresh & active
        if fresh.any():
            copies = (clean[:, :-1] == clean[:, -1:]).flatten(2).all(dim=2) & torch.as_tensor(fresh)[:, None]
            older = torch.where(copies[..., None, None], received[:, -1:], received[:, :-1])
            received = torch.cat([older, received[:, -1:]], dim=1)
        self.fresh &= ~active
        # copies, since both tensors belong to the caller
        rows = rowwise(torch.as_tensor(active), clean)
        self._received = torch.where(rows, received[:, 1:], self._received)
        self._shown = torch.where(rows, clean[:, -1:], self._shown)
        return received
