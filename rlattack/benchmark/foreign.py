"""Folders that strangers send, as entries and counterexamples: what they may hold, and what each must state."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rlattack.budget import NORMS, SPACES, Budget
from rlattack.content import read_card
from rlattack.errors import ContentError, InvalidInput, RefusedFile

_WORDS = 500
"""Characters of a text on a card."""
_CARD = 1 << 20
"""Bytes of a card."""


@dataclass(frozen=True)
class Form:
    """What a folder of one kind holds.

    Attributes:
        what: It is called in messages, as "an entry".
        card: File that states all of it.
        schema: Of that file.
        agent: Folder of an agent in it.
        files: All files that it may hold, and no other.
        largest: Bytes of a file.
        way_out: Command that makes one.
    """

    what: str
    card: str
    schema: str
    agent: str
    files: Collection[str]
    largest: int
    way_out: str

    def there(self, folder: Path) -> bool:
        """Whether a folder claims to be one."""
        return (folder / self.card).is_file()

    def read(self, folder: Path) -> dict[str, Any]:
        """What its card states, once nothing else is there than may be; runs no code of it.

        Raises:
            ContentError: No card, or none of this schema.
            RefusedFile: A file that does not belong there, or one that lies elsewhere.
        """
        if not self.there(folder):
            raise ContentError(f"{folder}: expected {self.what} with {self.card}; `{self.way_out}` makes one")
        self._refuse_files(folder)
        table = read_card(folder / self.card, self.schema)
        if table is None:
            raise ContentError(f"{folder / self.card}: expected schema = {self.schema!r}")
        for words in _texts(table):
            if not words.isprintable() or len(words) > _WORDS:
                raise ContentError(f"{folder / self.card}: expected texts of one line, got {words[:20]!r}")
        return {key: value for key, value in table.items() if key != "schema"}

    def _refuse_files(self, folder: Path) -> None:
        """Refuses what it may not hold: code, pickles, links, files of absurd size."""
        for path in sorted(folder.rglob("*")):
            name = path.relative_to(folder).as_posix()
            if path.is_symlink():
                raise RefusedFile(f"{path}: a link; {self.what} holds its files itself")
            if path.is_dir():
                if name != self.agent:
                    raise RefusedFile(f"{path}: {self.what} holds no folder but {self.agent}")
                continue
            if name not in self.files:
                raise RefusedFile(
                    f"{path}: {self.what} holds {', '.join(sorted(self.files))}, and nothing that could be code"
                )
            if not path.is_file():
                raise RefusedFile(f"{path}: is no file that could be read to its end")
            most = _CARD if path.suffix == ".toml" else self.largest
            if path.stat().st_size > most:
                raise RefusedFile(f"{path}: {path.stat().st_size:,} bytes; in {self.what} it has at most {most:,}")


def _texts(value: object) -> Iterator[str]:
    """All texts of a table, however deep."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _texts(one)


def check_stated(licence: str, of_what: str, norm: str, space: str, eps: float, where: str) -> None:
    """Checks what every such folder states.

    Raises:
        InvalidInput: No licence, or a size of no known norm and space.
        BudgetError: A size that is none.
    """
    if not licence:
        raise InvalidInput(f"{where}: licence: expected that of {of_what}, as --licence MIT; got none")
    if norm not in NORMS or space not in SPACES:
        raise InvalidInput(
            f"{where}: claim: expected a norm of {', '.join(NORMS)} and a space of {', '.join(SPACES)}, got {norm} and "
            f"{space}"
        )
    Budget(norm=norm, eps=eps, space=space)


def refuse_taken(folder: Path, what: str) -> None:
    """Refuses a place that is taken.

    Raises:
        ContentError: Something is there.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ContentError(f"{folder}: expected an empty place for {what}; choose another --out")
