"""Runs as a summary in Markdown, for a comment on a pull request: the finding, every cell, what to read with care."""

import html
import re
from collections.abc import Sequence

from rlattack.report.columns import BUDGET, DISTINCT, numbers
from rlattack.report.comparison import Setting, settings
from rlattack.report.condition import Condition
from rlattack.report.findings import finding, win_rule
from rlattack.report.runs import RunRecord
from rlattack.report.tables import Row, table
from rlattack.report.warnings import warnings


def markdown(runs: Sequence[RunRecord], condition: Condition | None = None) -> str:
    """A summary of runs, as GitHub and GitLab show it.

    Args:
        runs: At least one.
        condition: What a pipeline fails by, which is said first.
    """
    verdict = [] if condition is None else [_verdict(condition, runs)]
    return "\n\n".join([*verdict, *(part for run in runs for part in _run(run))]) + "\n"


def lines(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of escaped text, its first column to the left and the others to the right."""
    rule = [":--", *["--:"] * (len(heads) - 1)]
    escaped = ["| " + " | ".join(map(escape, cells)) + " |" for cells in (heads, *rows)]
    return "\n".join([escaped[0], f"| {' | '.join(rule)} |", *escaped[1:]])


def escape(text: str) -> str:
    """Text that Markdown shows as it is, in a line: no marks, no tags, nobody mentioned."""
    marked = re.sub(r"([\\`*_\[\]|~#])", r"\\\1", " ".join(text.split()))
    return html.escape(marked, quote=False).replace("@", "&#64;")


def _verdict(condition: Condition, runs: Sequence[RunRecord]) -> str:
    found = condition.verdicts([cell for run in runs for cell in run.results])
    failing = [f"- {escape(one.told)}" for one in found if one.fails]
    head = f'{"Failed" if failing else "Passed"}: --fail-if "{condition.text}"'
    where = f"{len(failing)} of {len(found)} attacked cells" if failing else f"{len(found)} attacked cells"
    return "\n".join([f"**{escape(head)}** ({where})", *([""] if failing else []), *failing])


def _run(run: RunRecord) -> list[str]:
    parts = [part for setting in settings(run.results) for part in _setting(setting)]
    if not parts:
        parts = [f"### {escape(run.name)}", "This run has no finished cell yet."]
    elif run.planned is not None and run.planned > len(run.results):
        parts.append(f"Not finished: {len(run.results)} of {run.planned} cells.")
    if run.command:
        said = ", ".join(f"{name} {version}" for name, version in run.versions.items())
        about = f"<pre>{html.escape(run.command)}</pre>\n\n{escape(said)}"
        parts.append(f"<details><summary>How to repeat it</summary>\n\n{about}\n\n</details>")
    return parts


def _setting(setting: Setting) -> list[str]:
    first = setting.first
    columns = [one for one in numbers(setting) if one.title not in ("eps", "grey levels")]
    laid = table(setting, [BUDGET, *columns, DISTINCT])
    heads = ["attack" if setting.alone else "players or attack", *(column.title for column in laid.columns)]
    rows = []
    for group in laid.groups:
        rows += [[f"{group.who}:", *[""] * len(laid.columns)]] if group.who else []
        rows += [_row(row) for row in group.rows]
    protocol = f"{first.episodes} episodes, {first.actions} actions, seed {first.seed}; 95 % intervals in brackets"
    care = [f"- {escape(line)}" for line in warnings(setting)]
    return [
        f"### {escape(setting.title)}",
        escape(finding(setting).sentence),
        lines(heads, rows),
        escape(f"{protocol}. {win_rule(first)}"),
        *(["\n".join(["<details><summary>Read with care</summary>", "", *care, "", "</details>"])] if care else []),
    ]


def _row(row: Row) -> list[str]:
    label = f"{row.label} (control)" if row.control else row.label
    if row.status:
        return [label, row.status, *[""] * (len(row.values) - 1)]
    return [label, *map(str, row.values)]
