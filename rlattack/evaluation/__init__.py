"""Evaluation: a study is planned into cells, played under the judge's eyes, and counted."""

from typing import TYPE_CHECKING

from rlattack.registry import lazily

if TYPE_CHECKING:
    from rlattack.evaluation.evaluator import Results, evaluate
    from rlattack.evaluation.observer import Moment, Observer
    from rlattack.evaluation.plan import Plan
    from rlattack.evaluation.results import Result
    from rlattack.evaluation.study import Study

__all__ = ["Moment", "Observer", "Plan", "Result", "Results", "Study", "evaluate"]

__getattr__ = lazily(
    __name__, evaluator="Results evaluate", observer="Moment Observer", plan="Plan", results="Result", study="Study"
)
