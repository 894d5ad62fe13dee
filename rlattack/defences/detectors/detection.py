"""A detector at work: fitted on clean tuning episodes, with the rule and the threshold that raise its alarms."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rlattack.arrays import IntArray, renewed
from rlattack.attacks import Fitted, Setting
from rlattack.defences.detectors.alarms import make_rule, threshold
from rlattack.defences.detectors.detector import UNFITTED, Clean, Detector, DetectorConfig, Look
from rlattack.errors import InvalidInput
from rlattack.games.game import Seat
from rlattack.policies.policy import Policy, State
from rlattack.registry import Registry
from rlattack.specs import Spec, canonical, configured, parse_spec

DETECTORS: Registry[type[Detector[Any]]] = Registry(
    "detector",
    {
        "squeeze": "rlattack.defences.detectors.squeeze:Squeeze",
        "mahalanobis": "rlattack.defences.detectors.mahalanobis:Mahalanobis",
        "mixture": "rlattack.defences.detectors.mixture:MixtureDetector",
        "foresight": "rlattack.defences.detectors.foresight:Foresight",
        "ad3": "rlattack.defences.detectors.divergence:Divergence",
        "garbage": "rlattack.defences.detectors.garbage:Garbage",
    },
    "rlattack.detectors",
)
_SCORES, _EPISODE = "clean scores", "clean episode"
_OTHERS = 1_000_000
"""Number of the first tuning episode by which thresholds are found."""
_USUAL = 5
"""An attacker keeps a score below what so many times as many clean steps as the rate are above: safely unsuspicious."""
Plays = Callable[[int, int], Iterator[Clean]]
"""Plays so many clean tuning episodes from a number on."""


class Detection:
    """A fitted detector with what raises its alarms; what it remembers of a row is handed to it and comes back.

    Args:
        detector: What scores.
        learned: What `fit_detector` found.

    Attributes:
        threshold: The evidence above which there is an alarm.

    Raises:
        InvalidInput: Nothing was learned yet, or too little for the rate of false alarms.
    """

    def __init__(self, detector: Detector[Any], learned: Fitted) -> None:
        self.threshold, config = _threshold(detector.name, detector.config, learned), detector.config
        self.detector = detector
        detector.learned = learned
        scores = learned.tensors[_SCORES].cpu()
        usual = scores[~scores.isnan()]
        self._level = float(usual.quantile(1 - min(_USUAL * config.rate, 0.5), interpolation="higher"))
        self._deviation = max(float(usual.std(correction=0)), 1e-12)
        self._rule = make_rule(config, usual)
        self._width = _width(detector.memory(1))

    def memory(self, n: int) -> State:
        """What it remembers at the start of n episodes, float32, shape (n, width)."""
        return _joined(self.detector.memory(n), self._rule.memory(n))

    def __call__(self, look: Look, memory: State) -> tuple[Tensor, State]:
        """By how much the evidence of this step is above the threshold, and what is remembered before the victim acts.

        Above 0 is an alarm; no number where there is no evidence, and no alarm.
        """
        own, of_rule = self._apart(memory)
        evidence, after = self._rule(self.detector.score(look, own).float(), of_rule)
        return evidence - self.threshold, _joined(own, after)

    def after(self, look: Look, memory: State) -> State:
        """What it remembers once the victim has acted."""
        own, of_rule = self._apart(memory)
        return _joined(self.detector.after(look, own), of_rule)

    def suspicion(self, look: Look, memory: State) -> Tensor:
        """How far a score is above the highest usual ones, in deviations, at least 0, shape (rows,), with a slope."""
        scores = self.detector.score(look, self._apart(memory)[0])
        return ((scores - self._level) / self._deviation).nan_to_num(0.0).clamp_min(0)

    def _apart(self, memory: State) -> tuple[State, State]:
        """The detector's memory, and the rule's."""
        if memory is None:
            return None, None
        return memory[:, : self._width], memory[:, self._width :]


def _joined(*parts: State) -> State:
    there = [part for part in parts if part is not None]
    return torch.cat(there, dim=1) if there else None


def _width(memory: State) -> int:
    return 0 if memory is None else memory.shape[1]


def make_detector(text: str, seat: Seat) -> Detector[Any]:
    """Makes the detector that `NAME` or `NAME:key=value,...` names; it has learned nothing yet.

    Raises:
        UnknownName: No such detector or parameter.
        InvalidInput: A value of the wrong type or range.
    """
    spec = parse_spec("detector", DETECTORS, text)
    kind = DETECTORS.get(spec.name)
    if not issubclass(kind, Detector):
        raise InvalidInput(f"detector {spec.name}: expected a subclass of Detector, got {kind!r}")
    return kind(configured("detector", spec.name, kind, spec.parameters), seat)


def make_detection(text: str, seat: Seat, learned: Fitted | None) -> Detection:
    """Makes a detector at work of what it learned; errors as of `make_detector` and `Detection`."""
    return Detection(make_detector(text, seat), _here(learned or Fitted()))


def check_learned(text: str, learned: Fitted | None) -> None:
    """Checks that what a detector learned tells its threshold; errors as of `Detection`."""
    spec = parse_spec("detector", DETECTORS, text)
    kind = DETECTORS.get(spec.name)
    _threshold(spec.name, configured("detector", spec.name, kind, spec.parameters), learned or Fitted())


def _threshold(name: str, config: DetectorConfig, learned: Fitted) -> float:
    if _SCORES not in learned.tensors:
        raise InvalidInput(f"detector {name} {UNFITTED}")
    with torch.device("cpu"):
        return threshold(name, config, *(learned.tensors[one].cpu() for one in (_SCORES, _EPISODE)))


def check_detectors(texts: Iterable[str], policy: Policy, seat: Seat) -> None:
    """Checks that detectors have something to say of who holds a seat.

    Raises:
        UnknownName: No such detector or parameter.
        InvalidInput: A value that does not fit, or a victim of whom one can say nothing.
    """
    for text in texts:
        detector = make_detector(text, seat)
        with torch.no_grad():
            out = policy(torch.zeros(1, *policy.observation), policy.initial_state(1))
        detector.check(Setting.of(policy, seat.observation), out)


def check_evaded(text: str, policy: Policy, seat: Seat) -> None:
    """Checks that a detector can be evaded at who holds a seat; errors as of `check_detectors`.

    Raises:
        InvalidInput: Its score has no slope.
    """
    check_detectors([text], policy, seat)
    detector = make_detector(text, seat)
    if not detector.smooth:
        others = ", ".join(name for name, kind in DETECTORS.working() if kind.smooth)
        raise InvalidInput(f"evade={detector.name}: its score has no slope; expected one of {others}")


def detector_name(text: str, *, learned: bool = False) -> str:
    """The one spelling of a detector; `learned`: without the parameters by which nothing is learned."""
    spec = parse_spec("detector", DETECTORS, canonical("detector", DETECTORS, text))
    after = DETECTORS.get(spec.name).config_type.aftermath if learned else ()
    return str(Spec(spec.name, {name: value for name, value in spec.parameters.items() if name not in after}))


def fit_detector(text: str, seat: Seat, play: Plays, say: Callable[[str], None]) -> Fitted:
    """Fits a detector on clean tuning episodes, and scores as many others, by which thresholds are found.

    Args:
        text: The detector, as typed.
        seat: What the victim sees and does.
        play: Plays so many tuning episodes from a number on.
        say: Told in a line how far it is.

    Raises:
        InvalidInput: Too little clean play.
    """
    detector = make_detector(text, seat)
    episodes = detector.config.episodes
    detector.learned = _here(detector.fit(play(episodes, 0), say))
    say("scoring other clean episodes")
    with torch.no_grad():
        scores, numbers = _scored(detector, play(episodes, _OTHERS))
    found = Fitted({**detector.learned.tensors, _SCORES: scores, _EPISODE: numbers}, detector.learned.facts)
    Detection(make_detector(text, seat), found)  # refuses what is too little
    return found


def _here(learned: Fitted) -> Fitted:
    """What was learned, on the device of whoever plays."""
    return Fitted({name: torch.as_tensor(one) for name, one in learned.tensors.items()}, learned.facts)


def _scored(detector: Detector[Any], clean: Iterator[Clean]) -> tuple[Tensor, Tensor]:
    """The score of every clean step, float32, and its episode, on the CPU."""
    memory: State = None
    scores, numbers = [], []
    before: IntArray = np.empty(0, dtype=np.int64)
    for step in clean:
        look, fresh = step.look, detector.memory(len(step.episode))
        if len(before):
            memory = renewed(torch.as_tensor(step.episode != before), fresh, memory)
        else:
            memory, before = fresh, step.episode
        scored = detector.score(look, memory).float().numpy(force=True)
        memory = renewed(torch.as_tensor(look.acting), detector.after(look, memory), memory)
        scores.append(scored[look.acting])
        numbers.append(step.episode[look.acting])
        before = step.episode
    return torch.as_tensor(np.concatenate(scores), device="cpu"), torch.as_tensor(np.concatenate(numbers), device="cpu")
