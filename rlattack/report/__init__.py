"""Everything that is shown: tables, curves, films, TensorBoard, the page; of games of any number of seats alike."""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rlattack.report.page import write_page
    from rlattack.report.runs import read_run
    from rlattack.report.terminal import print_results
    from rlattack.report.write import write_run

__all__ = ["print_results", "read_run", "write_page", "write_run"]

_HOMES = {"print_results": "terminal", "read_run": "runs", "write_page": "page", "write_run": "write"}


def __getattr__(name: str) -> object:
    """Imports a name when it is first used: TensorBoard and matplotlib take their time."""
    if name not in _HOMES:
        raise AttributeError(f"module 'rlattack.report' has no attribute {name!r}")
    return getattr(importlib.import_module(f"rlattack.report.{_HOMES[name]}"), name)
