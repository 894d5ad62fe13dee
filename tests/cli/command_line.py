"""The command line as the tests of this folder call it, and agents that know nothing for it to work with."""

import json

import torch

from rlattack.cli.main import main
from rlattack.policies.folder import AgentCard, save_agent
from rlattack.policies.gaussian import GaussianNetwork, GaussianSpec

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


def numbers(run):
    """What a run found; its speed is none of that."""
    cells = json.loads((run / "results.json").read_text())["cells"]
    return [{key: value for key, value in cell.items() if key != "steps_per_second"} for cell in cells]


def save_untrained(folder, game, *, seat="", seed=0, **changes):
    """An agent that knows nothing: as the runner it soon falls."""
    entries, actions = SIZES[game]
    torch.manual_seed(seed)
    spec = GaussianSpec(**{"observation": (entries,), "actions": actions, "hidden": (8,), **changes})
    card = AgentCard(game=game, role="victim", algorithm="ppo", seat=seat, network=spec)
    save_agent(folder, card, GaussianNetwork(spec))
