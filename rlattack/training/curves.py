"""Events of a training run for TensorBoard, in the run's own folder."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.logger import configure
from torch.utils.tensorboard import SummaryWriter

from rlattack.errors import Unwritable

__all__ = ["curves", "write_points"]


@contextmanager
def curves(learner: BaseAlgorithm, run: Path) -> Iterator[None]:
    """Lets a learner log its curves; what was logged after its checkpoint gives way: those steps are played again.

    Raises:
        Unwritable: The disk is full.
    """
    with _writing(run):
        if learner.num_timesteps:
            SummaryWriter(str(run), purge_step=learner.num_timesteps + 1).close()
        learner.set_logger(configure(str(run), ["tensorboard"]))
        try:
            yield
        finally:
            learner.logger.close()


def write_points(run: Path, values: Mapping[str, float], step: int) -> None:
    """Adds one point to each of the named curves.

    Raises:
        Unwritable: The disk is full.
    """
    with _writing(run), SummaryWriter(str(run)) as writer:
        for name, value in values.items():
            writer.add_scalar(name, value, step)


@contextmanager
def _writing(run: Path) -> Iterator[None]:
    """Makes one error of a full disk, which TensorBoard meets in a thread, prints there, and lets through here."""
    before = threading.excepthook

    def hook(args: threading.ExceptHookArgs) -> None:
        if not isinstance(args.exc_value, OSError):
            before(args)

    threading.excepthook = hook
    try:
        yield
    except OSError as error:
        if isinstance(error, Unwritable):
            raise
        reason = error.strerror or error
        raise Unwritable(f"{run}: cannot be written ({reason}); what was finished before is kept") from error
    finally:
        threading.excepthook = before
