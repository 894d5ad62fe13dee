"""Everything that is shown: tables, curves, films, TensorBoard, the page; of games of any number of seats alike."""

from typing import TYPE_CHECKING

from rlattack.registry import lazily

if TYPE_CHECKING:
    from rlattack.report.page import write_page
    from rlattack.report.runs import read_run
    from rlattack.report.terminal import print_results
    from rlattack.report.write import write_run

__all__ = ["print_results", "read_run", "write_page", "write_run"]

__getattr__ = lazily(__name__, terminal="print_results", runs="read_run", page="write_page", write="write_run")
