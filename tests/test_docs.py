"""What the README and the documentation show: code blocks run, command lines are read, links lead somewhere."""

import re
import shlex
import tomllib
from pathlib import Path

import pytest

from rlattack.attacks import ATTACKS, SCHEDULES
from rlattack.cli.attack import Command
from rlattack.cli.main import parse
from rlattack.defences import FRONTS
from rlattack.defences.detectors import DETECTORS
from rlattack.evaluation.plan import plan
from rlattack.training.hardening import POISONS, REGIMES

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]
PAGES = [page for page in PAGES if not {"generated", "_build"} & set(page.relative_to(ROOT).parts)]
TEXTS = {page.relative_to(ROOT).as_posix(): page.read_text(encoding="utf-8") for page in PAGES}
BLOCKS = [
    pytest.param(block, id=f"{page}: {block.strip().splitlines()[0][:40]}")
    for page, text in TEXTS.items()
    for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL)
]


def commands():
    """Command lines of blocks that are no Python, joined where they go on, and of tables of figures."""
    for page, text in TEXTS.items():
        yield from ((page, line) for line in re.findall(r"\| `(rlattack [^`]+)` \|", text))
        for language, block in re.findall(r"```(\w*)\n(.*?)```", text, re.DOTALL):
            lines = re.sub(r"\\\n", " ", block).splitlines() if language in ("", "sh", "bash") else []
            yield from ((page, line) for line in lines if line.startswith("rlattack ") and "..." not in line)


LINES = dict.fromkeys(commands())
COMMANDS = [pytest.param(line, id=f"{page}: {line[:60]}") for page, line in LINES]
OWN = re.compile(r"my[/_.]|zoo/|mine/|hf:|path/to|\bID\b|\.zip|\.model|\.pkl|GAME|AGENT|FILE")
"""What a reader has, and we have not."""
PLAYED = [
    pytest.param(line, id=f"{page}: {line[:60]}")
    for page, line in LINES
    if re.match("rlattack (attack|duel|certify) ", line) and not OWN.search(line)
]


@pytest.mark.parametrize("block", BLOCKS)
def test_a_block_of_python_runs(block, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(block, names)  # our own text
    assert set(names) > {"__builtins__"}


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_line_is_read(line):
    assert parse(shlex.split(line, comments=True)[1:]) is not None


@pytest.mark.parametrize("line", PLAYED)
def test_a_command_line_that_needs_nothing_of_the_reader_can_be_played(line, monkeypatch):
    planned = []
    monkeypatch.setattr(Command, "evaluate", lambda self, study, command: planned.append(plan(study)))
    arguments = shlex.split(line, comments=True)
    parse(arguments[1:])(arguments)
    assert planned[0].cells


def test_there_is_something_to_run():
    assert len(BLOCKS) >= 4
    assert len(COMMANDS) >= 20
    assert len(PLAYED) >= 10


@pytest.mark.parametrize("page", TEXTS)
def test_links_to_files_lead_somewhere(page):
    targets = [link.partition("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", TEXTS[page]) if ":" not in link]
    missing = [link for link in targets if link and not ((ROOT / page).parent / link).exists()]
    assert missing == []


@pytest.mark.parametrize(
    ("kind", "registry"),
    [
        pytest.param(kind, registry, id=kind)
        for kind, registry in (
            ("attacks", ATTACKS),
            ("schedules", SCHEDULES),
            ("recipes", REGIMES),
            ("fronts", FRONTS),
            ("poisons", POISONS),
            ("detectors", DETECTORS),
        )
    ],
)
def test_everything_that_can_be_named_has_its_equation(kind, registry):
    equations = tomllib.loads((ROOT / "docs" / "equations.toml").read_text(encoding="utf-8"))[kind]
    own = {name for name in registry if registry.get(name).__module__.startswith("rlattack.")}
    assert own - equations.keys() == set()
    assert equations.keys() - own == set()


def test_messages_of_the_questions_are_those_of_the_program():
    said = re.findall(r'\*\*"(.+?)"\*\*', TEXTS["docs/faq.md"])
    code = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "rlattack").glob("**/*.py"))
    assert len(said) >= 5
    assert [message for message in said if message not in code] == []


def test_every_page_is_listed():
    listed = set(re.findall(r"^([\w/-]+)$", TEXTS["docs/index.md"], re.MULTILINE))
    pages = {page.removeprefix("docs/").removesuffix(".md") for page in TEXTS if page.startswith("docs/")}
    assert pages - {"index"} <= listed
