"""The command line as the tests of this folder call it, and agents that know nothing for it to work with."""

from rlattack.cli.main import main
from tests.kit.agents import gaussian_agent

PASS, SUMO = "mujoco/you-shall-not-pass", "mujoco/sumo-ants"
SIZES = {PASS: (380, 17), SUMO: (137, 8)}


def call(*arguments):
    """Runs a command in this process; returns its exit code."""
    try:
        return main(list(arguments))
    except SystemExit as stop:
        return stop.code


def refused(capsys, *arguments):
    """Runs a command that must be refused; returns the one line that says why."""
    capsys.readouterr()  # what was said before
    assert call(*arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    (line,) = said.err.strip().splitlines()
    assert line.startswith("rlattack: ")
    return line


def save_untrained(folder, game, *, seat="", seed=0, **changes):
    """An agent that knows nothing, by its folder: as the runner it soon falls."""
    return gaussian_agent(folder, game, *SIZES[game], seat=seat, seed=seed, **{"hidden": (8,)} | changes)
