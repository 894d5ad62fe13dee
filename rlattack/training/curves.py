"""Events of a training run for TensorBoard, in the run's own folder."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.logger import configure
from torch.utils.tensorboard import SummaryWriter

from rlattack.files import writing_events


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


def write_points(run: Path, values: Mapping[str, float], step: int) -> None:
    """Adds one point to each of the named curves."""
    with writing_events(run), SummaryWriter(str(run)) as writer:
        for name, value in values.items():
            writer.add_scalar(name, value, step)
