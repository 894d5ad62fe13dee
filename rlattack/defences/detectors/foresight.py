"""What the victim would do on what was to be expected (visual foresight; Lin et al. 2017b, sec. 3).

A network that was trained on clean play predicts the newest frame from what was received before and what was done then;
an observation on which the victim would act quite otherwise than on the predicted one is suspicious.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
import torch
from gymnasium.spaces import Box
from torch import Tensor

from rlattack.arrays import rowwise
from rlattack.attacks import Fitted, Setting
from rlattack.attacks.tuning import FEWEST
from rlattack.defences.detectors.detector import Clean, Detector, DetectorConfig, Look, Spread, distance, enough
from rlattack.defences.detectors.predictor import Predictor
from rlattack.games.game import Seat
from rlattack.policies.policy import Output, State
from rlattack.specs import Count, Range

_BATCH, _STEP, _SEED = 32, 3e-3, 0
"""Steps of play a gradient step, the length of the first one (Adam; Kingma and Ba 2015), the seed of the weights."""


@dataclass(frozen=True, kw_only=True)
class ForesightConfig(DetectorConfig):
    """Parameters of `foresight`."""

    states: Annotated[int, Range(least=2 * FEWEST, most=20_000)] = 2000
    """Clean steps that are learned from at most, spread evenly over the episodes."""
    epochs: Count = 8
    """How often it goes through them."""


class Foresight(Detector[ForesightConfig]):
    """How unlike the victim's actions are on what it received and on what a model of clean play predicted."""

    name = "foresight"
    config_type = ForesightConfig
    asks: ClassVar[bool] = True

    _model: Predictor | None = None

    def check(self, setting: Setting, out: Output) -> None:
        """Refuses what cannot be predicted."""
        super().check(setting, out)
        _blank(self.seat)

    def fit(self, clean: Iterator[Clean], say: Callable[[str], None]) -> Fitted:
        """Learns to predict the next observation."""
        kept, last = Spread(self.config.states), None
        for step in clean:
            look, acting = step.look, torch.as_tensor(step.look.acting)
            seen = look.obs.byte() if self.seat.observation.dtype == np.uint8 else look.obs.clone()
            if last is None:
                last = seen, look.done.clone(), np.where(look.acting, step.episode, -1)
                continue
            kept.add(look.acting & (step.episode == last[2]), last[0], last[1], seen)
            last = (
                seen.where(rowwise(acting, seen), last[0]), look.done.where(rowwise(acting, look.done), last[1]),
                np.where(look.acting, step.episode, last[2]),
            )  # fmt: skip
        enough(len(kept), FEWEST, self.name, self.config.episodes)
        before, done, after = kept.tensors
        return self._learn(before, done, after, say)

    def memory(self, n: int) -> State:
        """What was received last, what was done then, and whether there was something."""
        return torch.zeros(n, sum(self._widths))

    def score(self, look: Look, memory: State) -> Tensor:
        """The distance of the actions; no number in the first step of an episode."""
        assert memory is not None, "it has one"
        seen, done, known = torch.split(memory, self._widths, dim=1)
        done = done if isinstance(self.seat.action, Box) else done.long()
        with torch.no_grad():
            predicted = self._predictor(seen.view_as(look.obs), done.view(len(done), *(self.seat.action.shape or ())))
            expected = look.ask(predicted).actions
        return distance(look.out.actions, expected).where(known[:, 0] > 0, torch.nan)

    def after(self, look: Look, memory: State) -> State:
        """Keeps what was received and done."""
        parts = look.obs.flatten(1), look.done.float().reshape(len(look.obs), -1)
        return torch.cat([*parts, torch.ones(len(look.obs), 1)], dim=1)

    @property
    def _widths(self) -> list[int]:
        return [math.prod(one.shape or ()) for one in (self.seat.observation, self.seat.action)] + [1]

    @property
    def _predictor(self) -> Predictor:
        if self._model is None:
            made = _blank(self.seat)
            made.load_state_dict({name: self.known(name) for name in made.state_dict()})
            self._model = made.eval().requires_grad_(False)
        return self._model

    def _learn(self, before: Tensor, action: Tensor, after: Tensor, say: Callable[[str], None]) -> Fitted:
        """Descends the error by Adam, whose steps become shorter."""
        model = _blank(self.seat)
        model.begin(before, after, _SEED)
        optimiser, order = torch.optim.Adam(model.parameters(), lr=_STEP), np.random.default_rng(_SEED)
        count = -(-len(before) // _BATCH)
        for epoch in range(self.config.epochs):
            mixed, total = order.permutation(len(before)), torch.zeros(())
            for number in range(count):
                optimiser.param_groups[0]["lr"] = _STEP * (1 - (epoch + number / count) / self.config.epochs)
                rows = torch.as_tensor(mixed[number * _BATCH : (number + 1) * _BATCH])
                with torch.enable_grad():
                    loss = model.loss(before[rows].float(), action[rows], after[rows].float())
                optimiser.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]  # torch's own
                optimiser.step()
                total += loss.detach() / count
            say(f"epoch {epoch + 1} of {self.config.epochs}, squared error {float(total):.3g}")
        return Fitted({name: tensor.detach().clone() for name, tensor in model.state_dict().items()})


def _blank(seat: Seat) -> Predictor:
    """A network of weights that mean nothing yet, which draws nothing from anybody's generator."""
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):
        made = Predictor(seat)
    return made.to(torch.get_default_device())
