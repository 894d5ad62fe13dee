"""Evaluation: a study is planned into cells, played under the judge's eyes, and counted."""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rlattack.evaluation.evaluator import Results, evaluate
    from rlattack.evaluation.observer import Moment, Observer
    from rlattack.evaluation.plan import Plan
    from rlattack.evaluation.results import Result
    from rlattack.evaluation.study import Study

__all__ = ["Moment", "Observer", "Plan", "Result", "Results", "Study", "evaluate"]

_HOMES = {
    "Moment": "observer",
    "Observer": "observer",
    "Plan": "plan",
    "Result": "results",
    "Results": "evaluator",
    "Study": "study",
    "evaluate": "evaluator",
}


def __getattr__(name: str) -> object:
    """Imports a name when it is first used, so that a command that plays nothing loads no torch."""
    if name not in _HOMES:
        raise AttributeError(f"module 'rlattack.evaluation' has no attribute {name!r}")
    return getattr(importlib.import_module(f"rlattack.evaluation.{_HOMES[name]}"), name)
