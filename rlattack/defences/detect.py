"""A detector before a policy, and what is done where it raises an alarm (detection with a fallback)."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from gymnasium.spaces import Box
from torch import Tensor

from rlattack.attacks import Fitted
from rlattack.budget.frames import is_stack
from rlattack.defences.detectors import Clean, Detection, Detector, Look, check_detectors, fit_detector, make_detector
from rlattack.defences.front import Front, Watching
from rlattack.draws import Draws
from rlattack.errors import InvalidInput
from rlattack.games.game import Seat
from rlattack.policies.distributions import Actions, Categorical, Choices, SquashedNormal
from rlattack.policies.policy import Output, Policy, State

_SURE = 30.0
"""By how much the score of what is done for certain is above all others."""


@dataclass(frozen=True, kw_only=True)
class DetectConfig:
    """Parameters of `detect`."""

    detector: str
    """What raises alarms, as mahalanobis, or "squeeze:alarm=mad,rate=0.001" in double quotes."""
    then: Literal["repeat", "noop", "median"] = "repeat"
    """What is done in a step with an alarm: what was to be done in the last step without one; nothing, which is the
    first action or the one in the middle of its range; or what the policy does on the median of the stacked frames."""


class Detect(Front[DetectConfig]):
    """Lets everything through, and acts otherwise where a detector raises an alarm.

    The detector is told the most likely action of each step, since what is drawn then is not known here. An attack
    goes through it: its gradients are those of the policy, as if there were no alarm (BPDA).
    """

    name = "detect"
    sloped = True
    fitted = True
    config_type = DetectConfig

    def check(self, seat: Seat) -> None:
        """Refuses a seat that sees no stack where the median of one is asked for, and what is no detector."""
        super().check(seat)
        self._seat = seat
        self._detector: Detector[Any] = make_detector(self.config.detector, seat)
        space = seat.observation
        if self.config.then == "median" and not (isinstance(space, Box) and is_stack(space)):
            raise InvalidInput(
                f"defence detect: then=median: expected stacked frames, {seat.name} sees {space}; then=repeat takes all"
            )
        self._detection: Detection | None = None

    def meet(self, policy: Policy) -> None:
        """Refuses a policy of whom the detector can say nothing, or that has a memory which nobody can ask twice."""
        check_detectors([self.config.detector], policy, self._seat)
        asks = self._detector.asks or self.config.then == "median"
        self._recurrent = policy.initial_state(1) is not None
        if asks and self._recurrent:
            raise InvalidInput(
                "defence detect: asks what the policy would do on something else, and this one has a memory; expected "
                "a detector by activations, as mahalanobis, with then=repeat or noop"
            )
        self._policy = policy
        with torch.no_grad():
            said = policy(torch.zeros(1, *policy.observation), policy.initial_state(1))
        self._width = _values(said.actions).shape[1]

    def fit(self, watching: Watching) -> Fitted:
        """Fits the detector on clean play, and finds its threshold on other episodes.

        Raises:
            InvalidInput: The detector fits no such policy, or the episodes had too few steps.
        """
        self.meet(watching.policy)

        def play(episodes: int, first: int) -> Iterator[Clean]:
            for step in watching.steps(episodes, first):
                assert step.episode is not None, "tuning episodes tell it"
                out = step.out if self._recurrent else None
                acting = step.active if step.acting is None else step.acting
                with torch.no_grad():  # of several copies before it, it saw one
                    look = self._look(step.received, out or self._policy(step.received))
                yield Clean(replace(look, acting=acting), step.episode)

        return fit_detector(self.config.detector, self._seat, play, watching.say)

    def memory(self, n: int) -> State:
        """What the detector remembers, what was to be done in the last step without an alarm, and whether there was."""
        return _joined(self._fitted.memory(n), torch.zeros(n, self._width + 1))

    def seen(self, obs: Tensor, draws: Draws | None, memory: State = None) -> Tensor:
        """What the front receives."""
        return obs.clone()

    def decided(self, out: Output, obs: Tensor, memory: State) -> tuple[Output, State]:
        """What the policy says or, with an alarm, what is done then."""
        assert memory is not None, "it has one"
        own, last = memory[:, : -self._width - 1], memory[:, -self._width - 1 :]
        before: State = own if own.shape[1] else None
        wanted = _values(out.actions)
        with torch.no_grad():
            over, after = self._fitted(self._look(obs.detach(), out.detach()), before)
        fallback, there = self._fallback(out.actions, obs, last)
        alarm = (over > 0) & there
        from_where = wanted if fallback.requires_grad else wanted.detach()  # else attacks go past an alarm
        moved = torch.where(alarm[:, None], fallback - from_where, 0.0)
        said = replace(out, actions=_with_values(out.actions, wanted + moved))
        with torch.no_grad():
            after = self._fitted.after(self._look(obs.detach(), said.detach()), after)
        now = torch.cat([wanted.detach(), torch.ones(len(obs), 1)], dim=1)
        return said, _joined(after, torch.where(alarm[:, None], last, now))

    @property
    def _fitted(self) -> Detection:
        if self._detection is None:
            self._detection = Detection(self._detector, self.learned)
        return self._detection

    def _look(self, obs: Tensor, out: Output) -> Look:
        return Look(obs, out, self._policy, np.ones(len(obs), dtype=np.bool_), out.actions.greedy)

    def _fallback(self, actions: Actions, obs: Tensor, last: Tensor) -> tuple[Tensor, Tensor]:
        """What is done with an alarm, as `_values` has it, a median with its slope, and in which rows that is known."""
        known = torch.ones(len(obs), dtype=torch.bool)
        if self.config.then == "repeat":
            return last[:, :-1], last[:, -1] > 0
        if self.config.then == "noop":
            return _nothing(actions), known
        median = obs.median(dim=1, keepdim=True).values.expand_as(obs)
        return _values(self._policy(median).actions), known


def _values(actions: Actions) -> Tensor:
    """The numbers by which actions are most likely: scores, or the mean; shape (n, entries)."""
    found: Tensor = getattr(actions, "scores" if isinstance(actions, Categorical | Choices) else "mean")
    return found


def _with_values(actions: Any, values: Tensor) -> Any:
    """Distributions like others, but of other such numbers."""
    return replace(actions, **{"scores" if isinstance(actions, Categorical | Choices) else "mean": values})


def _nothing(actions: Any) -> Tensor:
    """Those of who does nothing."""
    nothing = torch.zeros_like(_values(actions))
    if isinstance(actions, Categorical | Choices):
        parts = (actions.scores,) if isinstance(actions, Categorical) else [part.scores for part in actions.parts]
        firsts = np.cumsum([0, *(part.shape[1] for part in parts)])[:-1]
        nothing[:, firsts.tolist()] = _SURE
        return nothing
    return nothing if isinstance(actions, SquashedNormal) else nothing.clamp(actions.low, actions.high)


def _joined(memory: State, last: Tensor) -> Tensor:
    return last if memory is None else torch.cat([memory, last], dim=1)
