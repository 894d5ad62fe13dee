"""What a command does for pipelines of others: fails by a condition, and logs what came of it to a tracker."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from rlattack.evaluation.results import Result
from rlattack.report.progress import say

if TYPE_CHECKING:
    from rlattack.report.condition import Condition
    from rlattack.report.runs import RunRecord


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """Options of commands that stand in a pipeline."""

    fail_if: Annotated[str | None, tyro.conf.arg(metavar="CONDITION")] = None
    """Exit with 1 where it holds in a cell with an attack that is no control: "win_drop > 0.1", "return_drop > 50 and
    eps <= 0.1". Names: return, win, return_drop, win_drop, certified, each with _low and _high for the ends of its
    interval; return_iqm, action_change, attacked_steps, queries, gradients, length, distinct, eps."""

    track: tuple[Literal["wandb", "mlflow"], ...] = ()
    """Log what came of it to Weights & Biases or MLflow, which take where to from their own environment variables, as
    WANDB_MODE=offline and MLFLOW_TRACKING_URI."""

    @property
    def condition(self) -> "Condition | None":
        """What is to fail; None where nothing is asked for.

        Raises:
            InvalidInput: What is no condition.
            UnknownName: A name that no cell ever has.
        """
        from rlattack.report.condition import Condition

        return None if self.fail_if is None else Condition(self.fail_if)

    @staticmethod
    def fails(condition: "Condition | None", results: Sequence[Result]) -> bool:
        """Says on standard error in which cells a condition holds, or cannot be decided; whether there are such."""
        failing = [] if condition is None else [one for one in condition.verdicts(results) if one.fails]
        for one in failing:
            say(f"rlattack: {one.told}", stderr=True, markup=False)
        return bool(failing)

    def check_trackers(self) -> None:
        """Refuses a tracker that is not installed before anything is played.

        Raises:
            MissingExtra: It is not there.
        """
        if self.track:
            from rlattack.report.trackers import check_tracker

            for name in self.track:
                check_tracker(name)

    def log(self, run: "RunRecord") -> None:
        """Logs a run that is written down to every tracker that was asked for."""
        if self.track:
            from rlattack.report.trackers import TRACKERS

            for name in dict.fromkeys(self.track):
                say(f"rlattack: logged to {name}: {TRACKERS[name](run)}", stderr=True, markup=False)
