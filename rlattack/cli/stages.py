"""What happens beside the games, on standard error: a moving line for a person, a line a stage for a log."""

from types import TracebackType

from rich.console import Console
from rich.text import Text

__all__ = ["Stages"]


class Stages:
    """Says which stage of a long work has begun and how far it is.

    Args:
        quiet: Shows nothing.
    """

    def __init__(self, *, quiet: bool) -> None:
        self._console = Console(stderr=True, quiet=quiet)
        self._status = self._console.status("")
        self._begun = ""

    def __enter__(self) -> "Stages":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._status.stop()

    def __call__(self, what: str, done: int = 0, total: int = 0) -> None:
        """Tells what is done now, and how much of how much is, where that can be counted."""
        if self._console.is_terminal:
            self._status.update(Text(f"{what}: {done} of {total}" if total else what))
            self._status.start()
        elif what != self._begun:
            self._console.print(what, highlight=False, soft_wrap=True, markup=False)
        self._begun = what
