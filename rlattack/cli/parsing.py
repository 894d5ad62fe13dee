"""Command lines, read into the dataclasses that say what there is to type."""

import contextlib
import io
from typing import Any

import tyro

from rlattack.cli.refusal import refusal
from rlattack.errors import InvalidInput


def parsed(kinds: Any, arguments: list[str], about: str = "") -> Any:  # an object of one of the kinds
    """Reads a command line; prints help, and exits, where that is asked for.

    Args:
        kinds: A dataclass, or a union of subcommands.
        arguments: Words.
        about: What the program is, for its help.

    Raises:
        InvalidInput: What cannot be read.
    """
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            return tyro.cli(
                kinds, prog="rlattack", args=arguments, description=about,
                config=(tyro.conf.OmitArgPrefixes, tyro.conf.FlagCreatePairsOff),
            )  # fmt: skip
    except SystemExit as stop:
        if stop.code in (0, None):
            raise
        raise InvalidInput(refusal(said.getvalue(), arguments)) from None
