"""Studies as the command lines that play them, for cards and leaderboards."""

import dataclasses
import shlex
from collections.abc import Mapping
from typing import Any

from rlattack.evaluation.study import Options, Study

_ALWAYS = ("game", "episodes", "seed")
"""Options that stand in every command."""
_FIRST = ("attack", "eps", "norm", "space", "actions", "defence")
CLEAN: dict[str, Any] = {name: getattr(Study, name) for name in ("attack", "eps", "norm", "space")}
"""What makes a study clean."""


def command_of(study: Study, names: Mapping[str, str] | None = None) -> str:
    """The command line that plays a study of one agent a seat.

    Args:
        study: What is played.
        names: Names that agents will have, by those that they have in the study.
    """
    known = names or {}
    players = [known.get(player, player) for (player, *_) in study.candidates]
    who = ["attack", study.game, "--victim"] if len(players) == 1 else ["duel", study.game, "--players"]
    whose = ["--victim", study.victim] if len(players) > 1 and study.attack else []
    words = ["rlattack", *who, *players, *whose, "--episodes", str(study.episodes), "--seed", str(study.seed)]
    options = [field.name for field in dataclasses.fields(Options) if field.name not in (*_ALWAYS, *_FIRST)]
    for option in (*_FIRST, *options):
        value = getattr(study, option)
        if value != getattr(Study, option):
            words.append(f"--{option.replace('_', '-')}")
            words += [_word(one, known) for one in (value if isinstance(value, tuple) else [value]) if one is not True]
    return shlex.join(words)


def _word(value: object, names: Mapping[str, str]) -> str:
    text = f"{value:g}" if isinstance(value, float) and float(f"{value:g}") == value else str(value)
    for folder, name in names.items():
        text = text.replace(f"agent={folder}", f"agent={name}")
    return text
