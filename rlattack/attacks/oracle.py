"""Who answers what attacks ask of the policy that they work on, and counts each question."""

from collections.abc import Callable
from functools import cached_property
from typing import Literal, Protocol, get_args

import numpy as np
import torch
from torch import Tensor

from rlattack.arrays import Array, BoolArray, IntArray, renewed, rowwise, same
from rlattack.attacks.copies import copied, copied_policy
from rlattack.attacks.lookahead import Ahead, Here, Lookahead
from rlattack.attacks.words import Knowledge
from rlattack.draws import Draws, SharedDraws
from rlattack.errors import InvalidInput
from rlattack.policies.policy import Loss, Output, Policy, State

_LEVELS: tuple[Knowledge, ...] = get_args(Knowledge)
Estimate = Literal["value", "q"]
"""What a critic says of observations: how good it is there or, on the clean ones, to do what the policy does there."""


class Watch(Protocol):
    """A detector that looks at what the victim receives, as who evades it has it."""

    def suspicion(self, obs: Tensor, out: Output, ask: Callable[[Tensor], Output]) -> Tensor:
        """How far observations are above what is usual, at least 0, shape (slots,), with a slope.

        Args:
            obs: Shape (slots, *observation).
            out: What the victim says of them.
            ask: Gives what it would say of others.
        """


class Oracle:
    """Answers questions about a policy on `slots` observations, and counts them; attacks have its `Target` alone.

    Calls have a fixed batch shape, and a slot its own row, since float rounding depends on both.

    Args:
        policy: The victim, or the surrogate that the attack is crafted on.
        slots: Number of slots.
        knowledge: What the attack declared; more is refused.
        foreign: Whether code of others asks: then a copy of the policy answers, which may be ruined.

    Attributes:
        queries: Outputs that were asked for in each slot.
        gradients: Backward passes that were asked for in each slot.
        through: What the policy sees of what attacks ask about, with a slope, where that is another thing.

    Raises:
        InvalidInput: A policy that cannot be copied.
    """

    def __init__(self, policy: Policy, slots: int, knowledge: Knowledge, *, foreign: bool = False) -> None:
        self.slots = slots
        self.queries: IntArray = np.zeros(slots, dtype=np.int64)
        self.gradients: IntArray = np.zeros(slots, dtype=np.int64)
        self._policy, self._foreign = copied_policy(policy) if foreign else policy, foreign
        self._knowledge = knowledge
        self._state: State = policy.initial_state(slots)
        self._apart: bool = getattr(policy, "remembers", False)  # then attacks of the past turn what it does now
        self._unattacked: State = self._state
        self._active: BoolArray = np.ones(slots, dtype=np.bool_)
        self._clean = torch.empty(0)
        self._handed: Tensor | None = None
        self._own: Output | None = None
        self._shared: Output | None = None
        self._legal: Tensor | None = None
        self._values_actions = True
        self.planned: Tensor | None = None
        self.lookahead: Lookahead | None = None
        self.watch: Watch | None = None
        self.through: Callable[[Tensor], Tensor] | None = None

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
        """The slots that count, bool, shape (slots,); a copy."""
        return torch.as_tensor(self._active.copy())

    @cached_property
    def random(self) -> bool:
        """Whether the policy is random in itself, before it draws its actions."""
        return is_random(self._policy)

    @property
    def known_clean_output(self) -> Output | None:
        """The output at the clean observations where the attack asked for it: free; never from the hands of others."""
        return None if self._foreign or self._apart else self._own

    def clean_output(self, level: Knowledge) -> Output:
        """The output at the clean observations, which may be written to; a query unless it is known already."""
        self._allow(level)
        if self._shared is None:
            self._own = self._answer(self._clean, None, state=self._unattacked if self._apart else self._state)
            self._shared = copied(self._own)  # a policy may give back what it was shown
        return self._shared

    def output(self, level: Knowledge, obs: Tensor, only: Tensor | None, draws: Draws | None = None) -> Output:
        """Outputs for the whole batch; a query a slot of `only`."""
        self._allow(level)
        return self._answer(obs, only, draws, through=self.through)

    def gradient(self, obs: Tensor, loss: Loss, only: Tensor | None, draws: Draws | None = None) -> Tensor:
        """Gradient of a loss with respect to the whole batch; a backward pass a slot of `only`."""
        self._allow("white")
        obs, asked = self._asked(obs, only)
        self.gradients += asked

        def remembering(out: Output) -> Tensor:
            out = out.among(self._legal)
            if draws is None:
                self._remember(obs, out)
            return loss(out)

        drawn = {} if draws is None else {"draws": draws}
        if self.through is None:
            return self._policy.gradient(obs, remembering, self._state, **drawn)[0]
        point = obs.detach().requires_grad_(True)
        with torch.enable_grad():
            seen = self.through(point)
        grad, _ = self._policy.gradient(seen.detach(), remembering, self._state, **drawn)
        (slope,) = torch.autograd.grad(seen, point, grad)
        return slope

    def value_gradient(self, obs: Tensor, action: Tensor) -> Tensor | None:
        """Gradient of the policy's own value of continuous actions; None, and free, without a critic of actions."""
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

    def estimate(self, of: Estimate, obs: Tensor) -> Tensor:
        """What the policy's critic says; a query a slot."""
        self._allow("scores")
        self.queries += self._active
        with torch.no_grad():
            return self._estimated(of, obs)

    def estimate_gradient(self, of: Estimate, obs: Tensor) -> Tensor:
        """Gradient of what the policy's critic says with respect to observations; a backward pass a slot."""
        self._allow("white")
        self.gradients += self._active
        point = obs.detach().requires_grad_(True)
        with torch.enable_grad():
            (slope,) = torch.autograd.grad(self._estimated(of, point).sum(), point)
        return slope

    def suspicion(self, obs: Tensor) -> Tensor:
        """How suspicious observations are to a detector; a query a slot, and one for all that it asks."""
        self._allow("scores")
        self.queries += self._active
        with torch.no_grad():
            return self._suspected(obs)

    def suspicion_gradient(self, obs: Tensor) -> Tensor:
        """Gradient of that with respect to observations; a backward pass a slot, and a query for all that it asks."""
        self._allow("white")
        self.gradients += self._active
        point = obs.detach().requires_grad_(True)
        with torch.enable_grad():
            (slope,) = torch.autograd.grad(self._suspected(point).sum(), point)
        return slope

    def _suspected(self, obs: Tensor) -> Tensor:
        obs = obs if self.through is None else self.through(obs)
        if self.watch is None:
            raise InvalidInput(
                "evade=: a detector learns on clean tuning episodes first: play the attack by `rlattack.evaluate`"
            )

        def ask(other: Tensor) -> Output:
            self.queries += self._active
            return self._policy(other, self._state).among(self._legal)

        return self.watch.suspicion(obs, self._policy(obs, self._state).among(self._legal), ask)

    def _estimated(self, of: Estimate, obs: Tensor) -> Tensor:
        obs = obs if self.through is None else self.through(obs)
        if of == "value":
            found = self._policy.value(obs, None, self._state)
        else:
            done = self._policy(obs, self._state).actions.greedy
            found = self._policy.value(self._clean, done, self._state)
        assert found is not None, "who has no critic is refused before play"
        return found

    def ahead(self, slots: IntArray, plans: Array, horizon: int, path: int = 0) -> Ahead:
        """What would come of plans, as `Lookahead.play` finds it."""
        self._allow("decision")
        if self.lookahead is None:
            raise InvalidInput(
                "--when: who looks ahead plays the game itself: `rlattack attack` has it, a wrapper has not"
            )
        here = Here(self._policy, self._clean, self._legal, self._state)
        found = self.lookahead.play(here, slots, plans, horizon, path)
        np.add.at(self.queries, slots, found.asked)
        return found

    def advance(self, received: Tensor, active: BoolArray) -> None:
        """Moves the recurrent state of active slots past what was received; nothing for a policy without memory."""
        if self._state is None:
            return
        with torch.no_grad():
            rows, now = torch.as_tensor(active), self._policy(received, self._state).state
            then = self._policy(self._clean, self._unattacked).state if self._apart else None
        self._state, self._unattacked = renewed(rows, now, self._state), renewed(rows, then, self._unattacked)

    def restart(self, slots: IntArray) -> None:
        """Clears the recurrent state of slots whose episode ended."""
        fresh = torch.as_tensor(np.isin(np.arange(self.slots), slots))
        start = self._policy.initial_state(self.slots)
        self._state, self._unattacked = (renewed(fresh, start, one) for one in (self._state, self._unattacked))

    def _allow(self, level: Knowledge) -> None:
        if _LEVELS.index(self._knowledge) > _LEVELS.index(level):
            raise PermissionError(f"an attack declared as `{self._knowledge}` asked what takes `{level}`")

    def _asked(self, obs: Tensor, only: Tensor | None) -> tuple[Tensor, BoolArray]:
        """What is shown to the policy, nothing in slots that are not asked about, and the slots that count."""
        if only is None:
            return obs, self._active
        asked: BoolArray = self._active & only.numpy(force=True)
        if np.array_equal(asked, self._active):
            return obs, asked
        return obs.masked_fill(rowwise(torch.as_tensor(~asked), obs), 0), asked

    def _answer(
        self, obs: Tensor, only: Tensor | None, draws: Draws | None = None, state: State = None,
        through: Callable[[Tensor], Tensor] | None = None,
    ) -> Output:  # fmt: skip
        obs, asked = self._asked(obs, only)
        self.queries += asked
        with torch.no_grad():
            seen = obs if through is None else through(obs)
            out = self._policy(seen, self._state if state is None else state, draws).among(self._legal)
        if draws is None:  # else another answer might come
            self._remember(obs, out)
        return out

    def _remember(self, obs: Tensor, out: Output) -> None:
        if self._own is None and not self._apart and self._is_clean(obs):
            self._shared = out.detach()
            self._own = copied(self._shared)

    def _is_clean(self, obs: Tensor) -> bool:
        """Whether this is the attack's copy, and still what it was."""
        return obs is self._handed and same(obs.detach(), self._clean)


class _Noticed(SharedDraws):
    """Draws that notice whether anybody draws."""

    drew = False

    def _drawn(self, shape: tuple[int, ...], draw: Callable[[Tensor], Tensor]) -> Tensor:
        self.drew = True
        return super()._drawn(shape, draw)

    def integers(self, high: int, *shape: int) -> Tensor:
        """Whole numbers."""
        self.drew = True
        return super().integers(high, *shape)


def is_random(policy: Policy) -> bool:
    """Whether a policy draws for its answer, though another draw may rarely turn it, as the vote of many copies."""
    draws = _Noticed(1, 0)
    with torch.no_grad():
        policy(torch.zeros(1, *policy.observation), policy.initial_state(1), draws)
    return draws.drew
