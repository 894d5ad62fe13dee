"""What an attack may ask of the policy it works on; counts each question."""

from collections.abc import Callable
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rlattack.policies.base import Output, State
from rlattack.policies.gaussian import AnyOutput, AnyPolicy

__all__ = ["Knowledge", "Target", "scores"]

Knowledge = Literal["white", "query", "none"]


class Target:
    """The policy under attack, on `slots` observations, through which every output and gradient is asked.

    Calls have a fixed batch shape, since float rounding depends on it: the whole batch, or rows in chunks of `slots`.

    Args:
        policy: The victim, or the surrogate that the attack is crafted on.
        slots: Number of slots.
        knowledge: What the attack declared: `query` refuses gradients, `none` every question.
    """

    def __init__(self, policy: AnyPolicy, slots: int, knowledge: Knowledge) -> None:
        self.policy = policy
        self.slots = slots
        self.queries: npt.NDArray[np.int64] = np.zeros(slots, dtype=np.int64)
        self.gradients: npt.NDArray[np.int64] = np.zeros(slots, dtype=np.int64)
        self.state: State = policy.initial_state(slots)
        self._knowledge = knowledge
        self._active: npt.NDArray[np.bool_] = np.ones(slots, dtype=np.bool_)
        self._clean = torch.empty(0)
        self._clean_output: AnyOutput | None = None
        self._legal: Tensor | None = None

    def begin(self, clean: Tensor, active: npt.NDArray[np.bool_], legal: Tensor | None = None) -> None:
        """Starts a step: the truly clean observations, the slots that count, and what is legal where the game tells."""
        self._clean, self._active, self._clean_output, self._legal = clean, active, None, legal

    @property
    def known_clean_output(self) -> AnyOutput | None:
        """The output at the clean observations where the attack happened to ask for it, for free reuse."""
        return self._clean_output

    @property
    def clean_output(self) -> AnyOutput:
        """The output at the clean observations; a query unless it is known already."""
        return self(self._clean) if self._clean_output is None else self._clean_output

    @property
    def labels(self) -> Tensor:
        """The policy's own greedy choice on the clean observations, shape (slots,), int64; of discrete actions only."""
        return scores(self.clean_output).argmax(dim=1)

    def __call__(self, obs: Tensor) -> AnyOutput:
        """Outputs for the whole batch, (slots, *observation): one query a slot."""
        self._allow("white", "query")
        self.queries += self._active
        with torch.no_grad():
            return self._remember(obs, _among(self.policy(obs, self.state), self._legal))

    def rows(self, obs: Tensor, slots: Tensor) -> Tensor:
        """Scores for any number of observations, each seen by the slot it names: one query each.

        Args:
            obs: Shape (m, *observation).
            slots: Which slot each belongs to, shape (m,), int64.

        Returns:
            Scores, shape (m, actions).
        """
        self._allow("white", "query")
        self.queries += np.bincount(slots.numpy(), minlength=self.slots)
        missing = -len(obs) % self.slots
        padded, owners = (
            torch.cat([obs, obs[:1].expand(missing, *obs.shape[1:])]),
            torch.cat([slots, slots[:1].expand(missing)]),
        )
        with torch.no_grad():
            chunks = [
                scores(_among(self.policy(part, _of(self.state, owner)), _of(self._legal, owner)))
                for part, owner in zip(torch.split(padded, self.slots), torch.split(owners, self.slots), strict=True)
            ]
        return torch.cat(chunks)[: len(obs)]

    def gradient(self, obs: Tensor, loss: Callable[[AnyOutput], Tensor]) -> Tensor:
        """Gradient of a loss with respect to the whole batch: one backward pass with its forward a slot."""
        self._allow("white")
        self.gradients += self._active

        def remembering(out: AnyOutput) -> Tensor:
            out = _among(out, self._legal)
            self._remember(obs, out.detach())
            return loss(out)

        grad, _ = self.policy.gradient(obs, remembering, self.state)
        return grad

    def advance(self, received: Tensor, active: npt.NDArray[np.bool_]) -> None:
        """Moves the recurrent state of active slots past what was received; nothing for a policy without memory."""
        if self.state is None:
            return
        with torch.no_grad():
            after = self.policy(received, self.state).state
        assert after is not None
        rows = torch.from_numpy(active).view(-1, *[1] * (after.ndim - 1))
        self.state = torch.where(rows, after, self.state)

    def restart(self, slots: npt.NDArray[np.int64]) -> None:
        """Clears the recurrent state of slots whose episode ended."""
        if self.state is not None and len(slots):
            fresh = self.policy.initial_state(self.slots)
            assert fresh is not None
            self.state = self.state.clone()
            self.state[slots] = fresh[slots]

    def _allow(self, *knowledge: Knowledge) -> None:
        if self._knowledge not in knowledge:
            raise PermissionError(f"an attack declared as `{self._knowledge}` asked what takes `{knowledge[-1]}`")

    def _remember(self, obs: Tensor, out: AnyOutput) -> AnyOutput:
        if obs is self._clean:
            self._clean_output = out
        return out


def _among(out: AnyOutput, legal: Tensor | None) -> AnyOutput:
    return out.among(legal) if isinstance(out, Output) else out


def _of(rows: Tensor | None, owner: Tensor) -> Tensor | None:
    return None if rows is None else rows[owner]


def scores(out: AnyOutput) -> Tensor:
    """Scores of discrete actions, shape (n, actions)."""
    assert isinstance(out, Output)  # attacks that ask for scores refuse continuous actions in `check`
    return out.scores
