"""A policy with its fronts, which is a policy again: whatever attacks or watches it meets both."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from gymnasium import Space
from torch import Tensor

from rlattack.attacks import Fitted
from rlattack.defences.front import FRONTS, Front
from rlattack.draws import CopyDraws, Draws
from rlattack.errors import InvalidInput, told_by
from rlattack.games.card import ActionMode
from rlattack.games.game import Seat
from rlattack.policies.policy import Differentiable, Normaliser, Output, Policy, State, judged
from rlattack.specs import make


@dataclass(frozen=True)
class Defended(Differentiable):
    """A policy behind a front.

    The recurrent state of a row is the front's memory, then the policy's own state, once a copy that it sees.

    Attributes:
        policy: Who acts.
        front: What stands before it.
    """

    policy: Policy
    front: Front[Any]

    @property
    def observation(self) -> tuple[int, ...]:
        """Shape of one observation."""
        return self.policy.observation

    @property
    def action(self) -> Space[Any]:
        """One action."""
        return self.policy.action

    @property
    def acts(self) -> ActionMode | None:
        """How the policy acts whatever the game's card says."""
        return self.policy.acts

    @property
    def normaliser(self) -> Normaliser | None:
        """Statistics of what the policy saw in training."""
        return self.policy.normaliser

    @property
    def remembers(self) -> bool:
        """Whether a front here remembers what was received.

        What the policy does then turns on what attacks did before. A choice that they have turned already is none to
        lead away from: attacks are told what it would do had it never been attacked.
        """
        return self.front.memory(1) is not None or getattr(self.policy, "remembers", False)

    @property
    def judged(self) -> "Defended":
        """The same whose critic can be asked, where it has a memory of its own."""
        return Defended(judged(self.policy), self.front)

    def __call__(self, obs: Tensor, state: State = None, draws: Draws | None = None) -> Output:
        """What the policy says of what the front lets through; gradients go past what has none."""
        memory, own = self._apart(state, len(obs))
        seen = self._through(obs, draws, memory)
        drawn = draws if draws is None or self.front.copies == 1 else CopyDraws(draws, self.front.copies)
        out = self.policy(seen, own, drawn)
        said, after = self.front.decided(out, obs, memory)
        return said if after is None and self.front.copies == 1 else replace(said, state=_joined(after, out.state, obs))

    def value(self, obs: Tensor, action: Tensor | None = None, state: State = None) -> Tensor | None:
        """What the policy's critic says of what the front lets through: of several copies, on the mean."""
        copies = self.front.copies
        memory, own = self._apart(state, len(obs))
        done = action if action is None or copies == 1 else action.repeat_interleave(copies, dim=0)
        found = self.policy.value(self._through(obs, None, memory), done, own)
        return found if found is None or copies == 1 else found.view(len(obs), copies).mean(dim=1)

    def initial_state(self, n: int) -> State:
        """Recurrent state at the start of n episodes, of the front and of the policy."""
        memory, own = self.front.memory(n), self.policy.initial_state(n * self.front.copies)
        if memory is None and self.front.copies == 1:
            return own
        return _joined(memory, own, torch.empty(n))

    def _apart(self, state: State, n: int) -> tuple[State, State]:
        """The front's memory, and the policy's own state in the shape and the numbers that it has."""
        memory = self.front.memory(n)
        if memory is None and self.front.copies == 1:
            return None, state
        own = self.policy.initial_state(n * self.front.copies)
        if state is None:
            return memory, own
        width = 0 if memory is None else math.prod(memory.shape[1:])
        if memory is not None:
            memory = state[:, :width].to(memory.dtype).view(memory.shape)
        return memory, None if own is None else state[:, width:].to(own.dtype).reshape(own.shape)

    def _through(self, obs: Tensor, draws: Draws | None, memory: State) -> Tensor:
        front = self.front
        # whose code is not ours may write to what it is shown
        shown = obs if type(front).__module__.startswith("rlattack.") else obs.clone()
        remembered = () if memory is None else (memory,)
        with torch.set_grad_enabled(torch.is_grad_enabled() and front.sloped):
            seen = front.seen(shown, draws, *remembered)
        if seen.shape != (len(obs) * front.copies, *obs.shape[1:]):
            through, expected = tuple(seen.shape[1:]), tuple(obs.shape[1:])
            rows = "" if through != expected else f" of {len(obs) * front.copies} rows, in {len(seen)}"
            raise InvalidInput(
                f"defence {front.name}: expected a front that keeps the shape of what is seen, {expected}{rows}, got "
                f"{through}"
            )
        if front.sloped or not obs.requires_grad:
            return seen
        stand_in = front.differentiable(obs)
        if front.copies > 1:
            stand_in = stand_in.repeat_interleave(front.copies, dim=0)
        return stand_in + (seen - stand_in).detach()


def _joined(memory: State, own: State, rows: Tensor) -> State:
    """What a front remembers and the policy's state of all its copies, n rows side by side."""
    parts = [part.reshape(len(rows), -1) for part in (memory, own) if part is not None]
    return torch.cat(parts, dim=1) if parts else None


def defend(policy: Policy, fronts: Sequence[str], seat: Seat, learned: Sequence[Fitted | None] = ()) -> Policy:
    """Puts fronts before a policy; what is shown goes through them in this order.

    Args:
        policy: Who acts.
        fronts: Each as `NAME` or `NAME:key=value,...`.
        seat: What the policy holds.
        learned: What each front learned on tuning episodes, on the policy's device; None of those that learn nothing.

    Raises:
        UnknownName: No such front or parameter.
        InvalidInput: A parameter, a seat or a policy that does not fit, or a front that has learned nothing yet.
    """
    fits = learned or [None] * len(fronts)
    for text, fit in reversed(list(zip(fronts, fits, strict=True))):
        front = make_front(text, seat)
        if front.fitted and fit is None:
            raise InvalidInput(f"defence {front.name} learns on tuning episodes first: play it by `rlattack.evaluate`")
        front.learned = fit or front.learned
        with told_by(text):
            front.meet(policy)
        policy = Defended(policy, front)
    return policy


def outline(policy: Policy, fronts: Sequence[str], seat: Seat) -> Policy:
    """Puts fronts before a policy before any has learned: those that are to learn are checked, and do not stand there.

    Arguments and errors are those of `defend`.
    """
    return defend(policy, [text for text in fronts if not make_front(text, seat).fitted], seat)


def make_front(text: str, seat: Seat) -> Front[Any]:
    """Makes a front, and checks that it can stand before that seat; errors as in `defend`."""
    front: Front[Any] = make("defence", FRONTS, text)
    with told_by(text):
        front.check(seat)
    return front
