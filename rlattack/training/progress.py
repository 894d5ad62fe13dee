"""What happens beside learning: checkpoints, curves, and a stop that loses nothing."""

import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import configure
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from torch.utils.tensorboard import SummaryWriter

from rlattack.files import writing_events
from rlattack.training.recipes import SeatRecipe, TrainDefended, TrainPerturber, TrainSingle

_POINTS = 1000
"""A curve over a whole run has about so many."""
_GAMES, _OUTCOMES = 100, 500
"""A point of a curve is the mean score of so many games, or the share of so many that were won."""


class Weak(Exception):
    """A learner that wins too little to go on with."""


class Progress(BaseCallback):
    """Acts between updates, when weights and optimiser belong together.

    Args:
        recipe: Steps of the whole run and between checkpoints; its role stands before the names of curves.
        save: Writes a checkpoint.
        tell: Called with the steps done.
        cut: Steps and win rate: a learner that has won less of its last 500 games by then is given up.
    """

    def __init__(
        self, recipe: TrainSingle | SeatRecipe | TrainPerturber | TrainDefended, save: Callable[[], None],
        tell: Callable[[int], None], cut: tuple[int, float] | None,
    ) -> None:  # fmt: skip
        super().__init__()
        self._save, self._tell, self._cut, self._name = save, tell, cut, recipe.role
        self._every, self._dump_every = recipe.checkpoint_every, max(1, recipe.steps // _POINTS)
        self._next_save = self._next_dump = 0
        self._scores: deque[float] = deque(maxlen=_GAMES)
        self._outcomes: deque[int] = deque(maxlen=_OUTCOMES)
        self._lengths: deque[int] = deque(maxlen=_OUTCOMES)
        self._stop = False

    def rate(self, outcome: int) -> float | None:
        """Share of the last games that were won (1), tied (0), lost (-1); None before the first one."""
        return self._outcomes.count(outcome) / len(self._outcomes) if self._outcomes else None

    def stop(self) -> None:
        """Stops the training between two updates, after a checkpoint."""
        self._stop = True

    def _on_training_start(self) -> None:
        self._next_save = self.num_timesteps + self._every
        self._next_dump = self.num_timesteps + self._dump_every
        if self._cut is not None and self.num_timesteps >= self._cut[0]:  # it has passed before
            self._cut = None

    def _on_rollout_start(self) -> None:
        self._tell(self.num_timesteps)
        if self.num_timesteps >= self._next_dump:
            self.dump()
            self._next_dump = self.num_timesteps + self._dump_every
        if self._stop or self.num_timesteps >= self._next_save:
            self._save()
            self._next_save = self.num_timesteps + self._every
        if self._stop:
            raise KeyboardInterrupt
        self._judge()

    def _judge(self) -> None:
        """Gives a learner up, once, when it has played enough games to be told weak."""
        if self._cut is None or self.num_timesteps < self._cut[0] or len(self._outcomes) < _OUTCOMES:
            return
        least, self._cut = self._cut[1], None
        if self._outcomes.count(1) / _OUTCOMES < least:
            raise Weak

    def _on_step(self) -> bool:
        for info in self.locals["infos"]:
            if "game_score" in info:
                self._scores.append(info["game_score"])
            if "outcome" in info:
                self._outcomes.append(int(info["outcome"]))
                self._lengths.append(int(info["episode"]["l"]))
        return True

    def dump(self) -> None:
        """Writes one point of every curve."""
        if self._scores:
            self.logger.record("rollout/game_score_mean", float(np.mean(self._scores)))
        if self._outcomes:
            for outcome, name in ((1, "win"), (0, "tie"), (-1, "loss")):
                self.logger.record(f"{self._name}/{name}_rate", self.rate(outcome))
            self.logger.record(f"{self._name}/episode_length", float(np.mean(self._lengths)))
        assert isinstance(self.model, OnPolicyAlgorithm | OffPolicyAlgorithm)
        self.model.dump_logs()

    @contextmanager
    def stoppable(self) -> Iterator[None]:
        """Lets Ctrl-C wait for the end of an update, a second or so; a second one does not wait."""
        before = signal.getsignal(signal.SIGINT)
        if threading.current_thread() is not threading.main_thread() or before is not signal.default_int_handler:
            yield
            return

        def stop(number: int, frame: object) -> None:
            signal.signal(signal.SIGINT, before)
            self.stop()

        signal.signal(signal.SIGINT, stop)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)
        if self._stop:  # in the last update
            raise KeyboardInterrupt


@contextmanager
def curves(learner: BaseAlgorithm, run: Path) -> Iterator[None]:
    """Lets a learner log its curves; what was logged after its checkpoint gives way: those steps are played again."""
    with writing_events(run):
        if learner.num_timesteps:
            SummaryWriter(str(run), purge_step=learner.num_timesteps + 1).close()
        learner.set_logger(configure(str(run), ["tensorboard"]))
        try:
            yield
        finally:
            learner.logger.close()


class Refill(BaseCallback):
    """Holds a resumed value learner back until its replay, which is not in a checkpoint, is as full as at its start.

    The restored policy plays meanwhile; by `learning_starts` alone SB3 would let chance play.
    """

    def __init__(self, steps: int) -> None:
        super().__init__()
        self._steps = steps
        self._until = self._updates = 0

    def stop(self) -> None:
        """Stops the training between two updates, after a checkpoint."""
        self._stop = True

    def _on_training_start(self) -> None:
        assert isinstance(self.model, OffPolicyAlgorithm)
        self._until = self.num_timesteps + self._steps
        self._updates, self.model.gradient_steps = self.model.gradient_steps, 0

    def _on_rollout_start(self) -> None:
        assert isinstance(self.model, OffPolicyAlgorithm)
        if self.num_timesteps >= self._until:
            self.model.gradient_steps = self._updates

    def _on_step(self) -> bool:
        return True
