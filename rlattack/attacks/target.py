"""What an attack may ask of the policy it works on; counts each question."""

import dataclasses
from collections.abc import Callable
from typing import Literal, TypeVar, cast, get_args

import numpy as np
import torch
from torch import Tensor

from rlattack.arrays import BoolArray, IntArray
from rlattack.policies.policy import Loss, Output, Policy, State

Knowledge = Literal["white", "scores", "decision", "none"]
"""What an attack may ask for: gradients, whole outputs, greedy actions, nothing; each includes what is below it."""
_LEVELS: tuple[Knowledge, ...] = get_args(Knowledge)
T = TypeVar("T")


class Target:
    """The policy under attack, on `slots` observations, through which every output and gradient is asked.

    Calls have a fixed batch shape, since float rounding depends on it: the whole batch, or rows in chunks of `slots`.

    Args:
        policy: The victim, or the surrogate that the attack is crafted on.
        slots: Number of slots.
        knowledge: What the attack declared; more is refused.
    """

    def __init__(self, policy: Policy, slots: int, knowledge: Knowledge) -> None:
        self.slots = slots
        self.queries: IntArray = np.zeros(slots, dtype=np.int64)
        self.gradients: IntArray = np.zeros(slots, dtype=np.int64)
        self._policy = policy
        self._knowledge = knowledge
        self._state: State = policy.initial_state(slots)
        self._active: BoolArray = np.ones(slots, dtype=np.bool_)
        self._clean = torch.empty(0)
        self._handed: Tensor | None = None
        self._own: Output | None = None
        self._shared: Output | None = None
        self._legal: Tensor | None = None
        self._values_actions = True

    def begin(
        self, clean: Tensor, active: BoolArray, legal: Tensor | None = None, handed: Tensor | None = None
    ) -> None:
        """Starts a step.

        Args:
            clean: The truly clean observations, which no attack holds.
            active: The slots that count.
            legal: What is legal in each slot, where the game tells.
            handed: The attack's copy of them: who asks about it, unchanged, has asked about the clean ones.
        """
        self._clean, self._handed, self._legal = clean, handed, legal
        self._own = self._shared = None
        self.count(active)

    def count(self, active: BoolArray, knowledge: Knowledge | None = None) -> None:
        """Lets only questions about these slots count from now on, and allows them by another knowledge."""
        self._active = active.copy()
        self._knowledge = knowledge or self._knowledge

    @property
    def active(self) -> Tensor:
        """The slots that are attacked now, bool, shape (slots,)."""
        return torch.from_numpy(self._active.copy())

    @property
    def known_clean_output(self) -> Output | None:
        """The output at the clean observations where the attack happened to ask for it: free, and out of its reach."""
        return self._own

    @property
    def clean_output(self) -> Output:
        """The output at the clean observations; a query unless it is known already."""
        self._allow("scores")
        return self._at_clean()

    @property
    def labels(self) -> Tensor:
        """The policy's own greedy choice on the clean observations, shape (slots,), int64, of discrete actions."""
        self._allow("decision")
        return self._at_clean().actions.greedy

    def __call__(self, obs: Tensor, only: Tensor | None = None) -> Output:
        """Outputs for the whole batch, (slots, *observation): one query a slot.

        Args:
            obs: Shape (slots, *observation).
            only: Slots that are asked about, bool, shape (slots,); all by default. What is said of the others is no
                answer, and is not counted.
        """
        self._allow("scores")
        return self._ask(obs, only)

    def choices(self, obs: Tensor, only: Tensor | None = None) -> Tensor:
        """Greedy actions for the whole batch, shape (slots,) or (slots, entries): one query a slot, as in a call."""
        self._allow("decision")
        return self._ask(obs, only).actions.greedy

    def rows(self, obs: Tensor, slots: Tensor, read: Callable[[Output], Tensor]) -> Tensor:
        """Asks about any number of observations, each seen by the slot it names: one query each.

        Args:
            obs: Shape (m, *observation).
            slots: Which slot each belongs to, shape (m,), int64.
            read: What is wanted of an output of k rows, shape (k, ...).

        Returns:
            What was read, shape (m, ...).
        """
        self._allow("scores")
        self.queries += np.bincount(slots.numpy(), minlength=self.slots)
        missing = -len(obs) % self.slots
        padded = torch.cat([obs, obs[:1].expand(missing, *obs.shape[1:])])
        owners = torch.cat([slots, slots[:1].expand(missing)])
        with torch.no_grad():
            chunks = [
                read(self._policy(part, _of(self._state, owner)).among(_of(self._legal, owner)))
                for part, owner in zip(torch.split(padded, self.slots), torch.split(owners, self.slots), strict=True)
            ]
        return torch.cat(chunks)[: len(obs)]

    def gradient(self, obs: Tensor, loss: Loss, only: Tensor | None = None) -> Tensor:
        """Gradient of a loss with respect to the whole batch: one backward pass with its forward a slot, as in a call.

        Args:
            obs: Shape (slots, *observation).
            loss: A sum over the batch.
            only: Slots that are asked about, bool, shape (slots,); all by default.
        """
        self._allow("white")
        obs, asked = self._asked(obs, only)
        self.gradients += asked

        def remembering(out: Output) -> Tensor:
            out = out.among(self._legal)
            self._remember(obs, out)
            return loss(out)

        grad, _ = self._policy.gradient(obs, remembering, self._state)
        return grad

    def value_gradient(self, obs: Tensor, action: Tensor) -> Tensor | None:
        """Gradient of the policy's own value of continuous actions, shape (slots, entries): one backward pass a slot.

        None, and free, where it has no critic that looks at actions.

        Args:
            obs: Shape (slots, *observation).
            action: Shape (slots, entries).
        """
        self._allow("white")
        point = action.detach().requires_grad_(True)
        slope = None
        with torch.enable_grad():
            value = self._policy.value(obs, point, self._state) if self._values_actions else None
            if value is not None and value.requires_grad:
                (slope,) = torch.autograd.grad(value.sum(), point, allow_unused=True)
        self._values_actions = slope is not None
        self.gradients += self._active * self._values_actions
        return slope

    def advance(self, received: Tensor, active: BoolArray) -> None:
        """Moves the recurrent state of active slots past what was received; nothing for a policy without memory."""
        if self._state is None:
            return
        with torch.no_grad():
            after = self._policy(received, self._state).state
        assert after is not None
        rows = torch.from_numpy(active).view(-1, *[1] * (after.ndim - 1))
        self._state = torch.where(rows, after, self._state)

    def restart(self, slots: IntArray) -> None:
        """Clears the recurrent state of slots whose episode ended."""
        if self._state is not None and len(slots):
            fresh = self._policy.initial_state(self.slots)
            assert fresh is not None
            self._state = self._state.clone()
            self._state[slots] = fresh[slots]

    def _allow(self, level: Knowledge) -> None:
        if _LEVELS.index(self._knowledge) > _LEVELS.index(level):
            raise PermissionError(f"an attack declared as `{self._knowledge}` asked what takes `{level}`")

    def _at_clean(self) -> Output:
        if self._shared is None:
            self._own = self._ask(self._clean)
            self._shared = _copied(self._own)  # a policy may give back what it was shown
        return self._shared

    def _asked(self, obs: Tensor, only: Tensor | None) -> tuple[Tensor, BoolArray]:
        """What is shown to the policy, nothing in slots that are not asked about, and the slots that count."""
        asked: BoolArray = self._active if only is None else self._active & only.numpy()
        if np.array_equal(asked, self._active):
            return obs, asked
        return obs.masked_fill(torch.from_numpy(~asked).view(-1, *[1] * (obs.ndim - 1)), 0), asked

    def _ask(self, obs: Tensor, only: Tensor | None = None) -> Output:
        obs, asked = self._asked(obs, only)
        self.queries += asked
        with torch.no_grad():
            out = self._policy(obs, self._state).among(self._legal)
        self._remember(obs, out)
        return out

    def _remember(self, obs: Tensor, out: Output) -> None:
        if self._own is None and self._is_clean(obs):
            self._shared = out.detach()
            self._own = _copied(self._shared)

    def _is_clean(self, obs: Tensor) -> bool:
        """Whether this is the attack's copy, and still what it was: numpy compares in a fifth of torch's time."""
        return obs is self._handed and np.array_equal(obs.numpy(force=True), self._clean.numpy(force=True))


def _of(rows: Tensor | None, owner: Tensor) -> Tensor | None:
    return None if rows is None else rows[owner]


def _copied(part: T) -> T:
    """An output, or a part of one, that shares no memory: an attack may write to what it was given."""
    if isinstance(part, Tensor):
        return cast(T, part.clone())
    if dataclasses.is_dataclass(part) and not isinstance(part, type):
        fields = {field.name: _copied(getattr(part, field.name)) for field in dataclasses.fields(part)}
        return dataclasses.replace(part, **fields)
    if isinstance(part, list | tuple):
        return cast(T, [_copied(one) for one in part])
    return part
