"""Runs as JUnit XML, which continuous integration shows: a suite a run, a test case a cell."""

import re
from collections.abc import Sequence
from xml.etree import ElementTree

from rlattack.evaluation.results import Result
from rlattack.report.comparison import cell_name
from rlattack.report.condition import Condition
from rlattack.report.rows import row
from rlattack.report.runs import RunRecord

_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_TOLD = ("return", "return_drop", "win", "win_drop", "certified")


def junit(runs: Sequence[RunRecord], condition: Condition | None = None) -> str:
    """A case a cell; one fails where its attack left its reach, where a condition holds or cannot be decided in it.

    A cell that is planned and was not played is an error: half a run is no pass.

    Args:
        runs: At least one.
        condition: What a pipeline fails by.
    """
    every = [cell for run in runs for cell in run.results]
    failing = {} if condition is None else {id(one.cell): one.told for one in condition.verdicts(every) if one.fails}
    root = ElementTree.Element("testsuites", name="rlattack")
    for run in runs:
        cases = [_case(cell, "" if cell.ok else cell.status, failing.get(id(cell), "")) for cell in run.results]
        cases += [_unplayed(key) for key in _missing(run)]
        counted = {what: sum(case.find(what[:-1]) is not None for case in cases) for what in ("failures", "errors")}
        about = {"name": _plain(run.name), "tests": str(len(cases)), **{what: str(n) for what, n in counted.items()}}
        suite = ElementTree.SubElement(root, "testsuite", about)
        suite.extend(cases)
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _case(cell: Result, broken: str, failing: str) -> ElementTree.Element:
    seconds = cell.steps / cell.steps_per_second if cell.steps_per_second else 0.0
    name = f"{cell_name(cell)} [{cell.cell}]"  # a case is told from others by its name
    case = ElementTree.Element("testcase", classname=_plain(cell.game), name=_plain(name), time=f"{seconds:.3f}")
    kind, said = ("cell", broken) if broken else ("fail-if", failing)
    if said:
        ElementTree.SubElement(case, "failure", type=kind, message=_plain(said)).text = _plain(said)
    if cell.ok:
        numbers = [(name, value) for name, value in row(cell).items() if name.startswith(_TOLD) and value is not None]
        ElementTree.SubElement(case, "system-out").text = "\n".join(f"{name} {value:.6g}" for name, value in numbers)
    return case


def _unplayed(key: str) -> ElementTree.Element:
    case = ElementTree.Element("testcase", classname="not played", name=_plain(key))
    ElementTree.SubElement(case, "error", type="not played", message="planned, and not played yet")
    return case


def _missing(run: RunRecord) -> list[str]:
    planned, played = run.config.get("cells"), {cell.cell for cell in run.results}
    return [str(key) for key in dict.fromkeys(planned) if key not in played] if isinstance(planned, list) else []


def _plain(text: str) -> str:
    """Without what XML cannot hold."""
    return _NO_XML.sub("?", text)
