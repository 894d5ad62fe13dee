"""`rlattack`: reads the command line and turns every error of the user's into one line and an exit code."""

import os
import signal
import sys
from typing import Annotated, Any

_USAGE, _INTERRUPTED = 2, 130
_KEEPING = (["attack"], ["duel"], ["certify"], ["benchmark"])
"""Commands that go on with what is missing."""
_ABOUT = "Train and attack game-playing agents, and measure how far they fall."


def main(arguments: list[str] | None = None) -> int:
    """Runs a command.

    Args:
        arguments: Without the program's name; `sys.argv` by default.

    Returns:
        0; 1 where a cell failed, as where an attack left its reach, or `--fail-if` holds; 2 for wrong input; 130 when
        interrupted.
    """
    from rlattack.errors import typed

    with typed():
        return _run(sys.argv[1:] if arguments is None else arguments)


def _run(arguments: list[str]) -> int:
    from rlattack.errors import RlattackError
    from rlattack.registry import plug

    try:
        command = parse(arguments)
        plug(getattr(getattr(command, "verb", command), "plugin", ()))
        return int(command(["rlattack", *arguments]) or 0)
    except RlattackError as error:
        return _complain(str(error))
    except KeyboardInterrupt:
        kept = "; finished cells are kept, the same command goes on with what is missing"
        _complain("interrupted" + (kept if arguments[:1] in _KEEPING else ""))
        return _INTERRUPTED
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115  # so that the interpreter's last flush has a place to go
        return 0


def parse(arguments: list[str]) -> Any:  # one of the command dataclasses
    """Reads a command line, without the program's name; what does not fit ends in one line and exit code 2."""
    import tyro

    from rlattack.cli import attack, benchmark, certify, importer, inspect, listing, perf, report, train, verify
    from rlattack.cli.parsing import parsed

    commands = (
        Annotated[listing.List, tyro.conf.subcommand("list", prefix_name=False)]
        | Annotated[attack.Attack, tyro.conf.subcommand("attack", prefix_name=False)]
        | Annotated[attack.Duel, tyro.conf.subcommand("duel", prefix_name=False)]
        | Annotated[certify.Certify, tyro.conf.subcommand("certify", prefix_name=False)]
        | Annotated[train.Train, tyro.conf.subcommand("train", prefix_name=False)]
        | Annotated[inspect.Inspect, tyro.conf.subcommand("inspect", prefix_name=False)]
        | Annotated[benchmark.Benchmark, tyro.conf.subcommand("benchmark", prefix_name=False)]
        | Annotated[report.Report, tyro.conf.subcommand("report", prefix_name=False)]
        | Annotated[verify.Verify, tyro.conf.subcommand("verify", prefix_name=False)]
        | Annotated[importer.Import, tyro.conf.subcommand("import", prefix_name=False)]
        | Annotated[perf.Perf, tyro.conf.subcommand("perf", prefix_name=False)]
    )
    return parsed(commands, arguments, _ABOUT)


def _complain(message: str) -> int:
    print("rlattack: " + " ".join(message.split()), file=sys.stderr)  # noqa: T201
    return _USAGE


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.exit(main())
