"""What a seat saw, did and was paid last, for whoever learns of tuning episodes."""

from collections.abc import Callable

import numpy as np
from torch import Tensor

from rlattack.arrays import Array, BoolArray, FloatArray
from rlattack.evaluation.observer import Moment, Observer
from rlattack.games.game import Step
from rlattack.policies.policy import Output


class Looking(Observer):
    """Keeps what a seat was shown, received and did last, what it was paid, and what it was shown then."""

    shown: Array = np.empty(0)
    then: Array
    pictures: Array | None = None
    received: Tensor
    action: Tensor
    acting: BoolArray
    out: Output
    about: Callable[[Tensor], Output]
    reward: FloatArray

    def see(self, moment: Moment) -> None:
        """Keeps the game's own array, and the tensors of play."""
        if moment.seat == self.seat:
            self.shown, self.received, self.action = moment.shown, moment.received, moment.action
            self.acting, self.out, self.about = moment.acting, moment.out, moment.about
            self.pictures = moment.pictures

    def after(self, step: Step) -> None:
        """Keeps what the step paid; where several play, for the end of a game alone, which a win is read from."""
        paid = step.rewards if step.sparse is None or len(step.rewards) == 1 else step.sparse
        self.reward, self.then = paid[self.seat], step.views[self.seat].obs
