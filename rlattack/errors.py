"""The errors that a user can meet: each says what was expected, what came, and the way out."""

import contextlib
import difflib
from collections.abc import Iterable, Iterator


class RlattackError(Exception):
    """Base of every error that is the input's fault; the command line prints it as one line and exits with 2."""


class UnknownName(RlattackError, KeyError):
    """No game, agent, attack or parameter has that name."""

    def __str__(self) -> str:
        return str(self.args[0])


class InvalidInput(RlattackError, ValueError):
    """A value that cannot be used as it is."""


class BudgetError(InvalidInput):
    """A perturbation budget that makes no sense for its norm, space or game."""


class ContentError(InvalidInput):
    """A card of a game or an agent that does not hold what it must."""


class RefusedFile(RlattackError):
    """A file that will not be read: damaged, truncated, or only readable by running its code."""


class MissingExtra(RlattackError, ImportError):
    """An optional dependency is not installed."""


class RunConflict(RlattackError):
    """A run folder that belongs to another configuration."""


class Unwritable(RlattackError, OSError):
    """A folder or disk that cannot be written."""


class WorkerDied(RlattackError, RuntimeError):
    """A worker process ended without a word: mostly the system's answer to too little memory."""


def nearest(name: str, known: Iterable[str]) -> str:
    """Returns `"; did you mean 'x'?"` for the closest known name, or nothing when none is close."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else ""


def one_line(error: BaseException) -> str:
    """Returns what somebody else's error says, as one line of a message of ours."""
    return " ".join(str(error).split())


@contextlib.contextmanager
def told_by(name: str) -> Iterator[None]:
    """Runs what may be anybody's code: whatever goes wrong in it is one line that begins with this name.

    Raises:
        InvalidInput: Of any error that is not rlattack's own; its cause is kept.
    """
    try:
        yield
    except RlattackError:
        raise
    except Exception as error:  # the user's code: anything
        raise InvalidInput(f"{name}: {type(error).__name__}: {one_line(error)}") from error
