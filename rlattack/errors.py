"""The errors that a user can meet: each says what was expected, what came, and the way out."""

import contextlib
import difflib
import re
from collections.abc import Iterable, Iterator

_OPTION = re.compile(
    r"""`[^`]*`                                     # a command as it is typed stays one
    | --(?P<name>\w[\w-]*)
      (?P<values>
        (?:\ -?\d[\d.e-]*\b)+                      # --eps 0.1 0.2
        | \ (?:card|frame|greedy|l0|none|raw|sampled|sigma|stack|unit)\b
        | \ [A-Z]{2,}\b                             # --normaliser FILE
        | \ [\w~.-]*[.:=/][\w.=~/-]*\w             # --run runs/mine
      )?""",
    re.VERBOSE,
)
"""An option in a message, with the value that stands behind it."""
_SWITCHES = ("grid", "trust", "video")
"""Options without a value."""
_typing = False
"""Whether this process is the command line, or a worker of it."""


class RlattackError(Exception):
    """Base of every error that is the input's fault; the command line prints it as one line and exits with 2.

    Messages are written with options (`--eps 0.1`); who is no command line reads arguments (`eps=0.1`) in them.
    """

    def __str__(self) -> str:
        return told(super().__str__())


class UnknownName(RlattackError, KeyError):
    """No game, agent, attack or parameter has that name."""

    def __str__(self) -> str:
        return told(str(self.args[0]))


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


def told(message: str) -> str:
    """Returns a message as whoever reads it can follow it: with options on the command line, with arguments elsewhere.

    >>> told("--norm l0 takes no --grid: choose another --space, as in --space raw --eps 1 2")
    "norm='l0' takes no grid: choose another space, as in space='raw' eps=(1, 2)"
    """
    return message if _typing else _OPTION.sub(_argument, message)


def is_typed() -> bool:
    """Returns whether messages speak of options."""
    return _typing


@contextlib.contextmanager
def typed(yes: bool = True) -> Iterator[None]:
    """Lets messages speak of options, as the command line and its workers do."""
    global _typing
    before, _typing = _typing, yes
    try:
        yield
    finally:
        _typing = before


def _argument(option: re.Match[str]) -> str:
    if option["name"] is None:
        return option[0]
    name, values = option["name"].replace("-", "_"), (option["values"] or "").split()
    if not values:
        colon = option.string[option.end() :].startswith(":")
        return f"{name}=True" if name in _SWITCHES and not colon else name
    said = [value if value.isupper() or re.fullmatch(r"-?[\d.e-]+", value) else repr(value) for value in values]
    return f"{name}={said[0]}" if len(said) == 1 else f"{name}=({', '.join(said)})"


def nearest(name: str, known: Iterable[str]) -> str:
    """Returns `"; did you mean 'x'?"` for the closest known name, or nothing when none is close."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else ""


def one_line(error: BaseException) -> str:
    """Returns what somebody else's error says, as one line of a message of ours."""
    return " ".join(str(error).split())


def said_by(error: BaseException) -> str:
    """Returns the kind of somebody else's error and what it says, if anything: `ValueError: no such map`."""
    said = one_line(error)
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


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
        raise InvalidInput(f"{name}: {said_by(error)}") from error
