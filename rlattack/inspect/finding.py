"""What an inspection found: tables, pictures and numbers, and the files, the page and the lines made of them."""

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from rlattack.errors import told
from rlattack.evaluation.estimates import Mean, Rate
from rlattack.files import write_whole
from rlattack.report.encoding import Film, data_url
from rlattack.report.page import template
from rlattack.report.progress import say
from rlattack.report.values import Value

SCHEMA = "rlattack/inspection/1"
FILE, PAGE = "inspection.json", "report.html"
_WIDE = 160
"""Columns where no terminal says how many there are."""


@dataclass(frozen=True)
class Sheet:
    """A small table.

    Attributes:
        title: What it is of.
        heads: Of the columns; the first is that of the names.
        rows: A name and its values each.
    """

    title: str
    heads: tuple[str, ...]
    rows: Sequence[tuple[str, Sequence[Value]]]


@dataclass(frozen=True)
class Shown:
    """A picture or a film, the name of its file without an ending, and what is seen there.

    Attributes:
        made: Draws the picture, as a PNG, once it is to be written; or the film.
    """

    name: str
    caption: str
    made: Callable[[], bytes] | Film

    @property
    def film(self) -> Film | None:
        """The film, of one that moves."""
        return self.made if isinstance(self.made, Film) else None

    @property
    def file(self) -> str:
        """Its name in the run folder."""
        return f"{self.name}{self.film.suffix if self.film else '.png'}"

    @cached_property
    def raw(self) -> bytes:
        """What the file holds."""
        return self.made.data if isinstance(self.made, Film) else self.made()

    @property
    def src(self) -> str:
        """An address that holds it."""
        return data_url(self.raw, self.film.mime if self.film else "image/png")


@dataclass(frozen=True)
class Finding:
    """What an inspection found.

    Attributes:
        sentence: The whole of it.
        sheets: Tables, as the terminal and the page show them.
        numbers: The same and more, as JSON: an estimate is an object of `mean` or `rate` with its `ci`.
        notes: What weakens it, and how it was measured.
        shown: Pictures and films.
    """

    sentence: str
    sheets: Sequence[Sheet]
    numbers: Mapping[str, Any]
    notes: Sequence[str] = ()
    shown: Sequence[Shown] = field(default=())

    def show(self, folder: Path, console: Console | None = None) -> None:
        """Prints the tables, the sentence and the notes.

        Args:
            folder: Where the rest lies.
            console: Where to; standard output by default.
        """
        console = console or (Console() if Console().is_terminal else Console(width=_WIDE))
        for sheet in self.sheets:
            drawn = Table(title=sheet.title, title_justify="left")
            for place, head in enumerate(sheet.heads):
                drawn.add_column(head, justify="right" if place else "left", overflow="fold")
            for name, values in sheet.rows:
                drawn.add_row(name, *map(str, values))
            console.print(drawn)
        for line in (self.sentence, *self.notes):
            console.print(told(line), highlight=False, soft_wrap=True, markup=False)
        say(f"[bold]{folder / PAGE}[/bold] shows it all")

    def to_json(self, about: Mapping[str, Any]) -> str:
        """The numbers with what they are of, as the run folder holds them."""
        content = {
            "schema": SCHEMA, **about, "finding": self.sentence, "notes": list(self.notes), "numbers": self.numbers,
            "files": [one.file for one in self.shown],
        }  # fmt: skip
        return json.dumps(content, indent=1, allow_nan=False, default=_plain) + "\n"

    def write(self, folder: Path, about: Mapping[str, Any], command: str) -> None:
        """Writes pictures, numbers and the page into a folder.

        Args:
            folder: The run folder.
            about: What it is of: inspection, game, victim, seed, parameters.
            command: That made it.

        Raises:
            Unwritable: The folder cannot be written.
        """
        for one in self.shown:
            write_whole(folder / one.file, one.raw)
        write_whole(folder / FILE, self.to_json(about).encode())
        page = template("inspection.html.jinja", Path(__file__).parent).render(
            title=f"{about['inspection']}: {about['victim']}", about=about, finding=self, command=command
        )
        write_whole(folder / PAGE, page.encode())


def _plain(thing: object) -> object:
    """Estimates as objects of what they are and their interval."""
    if isinstance(thing, Mean | Rate):
        return {name: value for name, value in dataclasses.asdict(thing).items() if name in ("mean", "rate", "ci")}
    raise TypeError(f"{type(thing).__name__} is no JSON")
