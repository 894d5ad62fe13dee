"""What tyro says of a wrong command line, as one line about the command that was typed."""

import itertools
import re

_WITH_VERBS = ("train", "inspect")
"""Commands that have commands of their own."""


def refusal(text: str, arguments: list[str]) -> str:
    """Gives the sense of a boxed message.

    Args:
        text: The box, coloured or not.
        arguments: What was typed after the program's name.
    """
    plain = re.sub(r"\x1b\[[0-9;]*m|\[/?bold\]", "", text)
    inside = (line.strip("│|╭╮╰╯+ \t") for line in plain.splitlines())
    lines = [words for line in inside if (words := re.sub(r"^[─━-]+ | ?[─━-]{4,}$", "", line))]
    message = lines[1:]  # the first is a title
    for read in (_wrong_value, _unknown_words):
        if found := read(message, arguments):
            return found
    words = re.sub(r" Argument helptext: .*", "", " ".join(_until(message, "For full helptext")))
    return f"{words.rstrip('.')}; see {_usage(arguments)}"


def _wrong_value(message: list[str], arguments: list[str]) -> str:
    found = re.match(r"Error parsing (--\S+):", message[0]) if message else None
    if found is None:
        return ""
    name = found[1]
    takes = next((line.removeprefix(name).strip() for line in message if line.startswith(f"{name} ")), "something else")
    typed = [part for word in arguments for part in (word.split("=", 1) if word.startswith("--") else [word])]
    places = [place for place, word in enumerate(typed) if word.replace("_", "-") == name]
    given = list(itertools.takewhile(lambda word: not word.startswith("--"), typed[places[-1] + 1 :] if places else []))
    if " " not in takes:  # what comes after is not the option's
        given = given[:1]
    elif takes.endswith("...") and any("," in word for word in given):
        takes += ", with spaces between them"
    return f"{name}: expected {takes}, got {' '.join(given)}; see {_usage(arguments)}"


def _unknown_words(message: list[str], arguments: list[str]) -> str:
    if not message or not re.match(r"Unrecognized (?:or misplaced )?options:", message[0]):
        return ""
    ends = ("Arguments ", "Available subcommands", "Perhaps you meant", "For full helptext")
    said = [re.sub(r" \(applied to .*\)$", "", line) for line in _until(message, *ends)]
    words = re.sub(r",(?= |$)", "", " ".join(said).partition(":")[2]).split()
    usage, option, near = _usage(arguments, words), "", []
    for line in message:  # an option, its help, and the commands that have it
        if line.startswith("--"):
            option = line.split()[0]
        elif line == f"in {usage}" and option not in near:
            near.append(option)
    verbs = [line for line in message if line.startswith("Available subcommands:")]
    hint = (
        f", did you mean {' and '.join(sorted(near))}?"
        if near
        else "".join(f", expected one of{line[22:]}" for line in verbs)
    )
    return f"unknown: {' '.join(words)}{hint}; see {usage}"


def _usage(arguments: list[str], unknown: list[str] | None = None) -> str:
    """The help of the command as far as it was typed."""
    command = [] if not arguments or arguments[0].startswith("-") else arguments[:1]
    if command and command[0] in _WITH_VERBS and arguments[1:2] and not arguments[1].startswith("-"):
        command = arguments[:2]
    return " ".join(["rlattack", *(word for word in command if word not in (unknown or [])), "--help"])


def _until(message: list[str], *ends: str) -> list[str]:
    return list(itertools.takewhile(lambda line: not line.startswith(ends), message))
