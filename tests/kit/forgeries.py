"""Kinds of tampering with a run, each with the checks of which one must fail; `refused` where it cannot be read."""

import shutil
from collections.abc import Callable
from typing import Any

import numpy as np

from tests.kit.forged import Forgery

Forge = Callable[[Forgery], object]
FORGERIES: dict[str, tuple[Forge, str]] = {}
"""By what is done to the run."""


def _forgery(what: str, check: str) -> Callable[[Forge], Forge]:
    def add(forge: Forge) -> Forge:
        FORGERIES[what] = forge, check
        return forge

    return add


def _number(what: str, check: str, *path: str, by: float = 1.0, cell: str = "attack") -> None:
    """Adds the forgery of a number in results.json."""

    def change(result: dict[str, Any]) -> None:
        place: Any = result
        for name in path[:-1]:
            place = place[int(name) if name.isdigit() else name]
        last: Any = int(path[-1]) if path[-1].isdigit() else path[-1]
        place[last] += by

    FORGERIES[what] = (lambda run: run.results(change, cell)), check


def _said(what: str, check: str, *path: str, value: Any, cell: str = "attack") -> None:
    """Adds the forgery of a word in results.json."""

    def change(result: dict[str, Any]) -> None:
        place: Any = result
        for name in path[:-1]:
            place = place[int(name) if name.isdigit() else name]
        place[path[-1]] = value

    FORGERIES[what] = (lambda run: run.results(change, cell)), check


_number("the mean return is better", "figures", "seats", "0", "return", "mean")
_number("the interval is wider", "figures", "seats", "0", "return", "ci", "1", by=20.0)
_number("the interquartile mean is better", "figures", "seats", "0", "return", "iqm")
_number("the fall is smaller", "figures", "seats", "0", "drop", "return", "mean", by=-3.0)
_number("the clean mean is another", "figures", "seats", "0", "return", "mean", by=-2.0, cell="clean")
_number("the control leaves more", "figures", "seats", "0", "return", "mean", by=4.0, cell="noise")
_number("episodes are longer", "figures", "length", "mean")
_number("there are more steps", "figures", "steps", by=1)
_number("there are fewer different episodes", "figures", "distinct", by=-1)
_number("fewer episodes were cut", "figures", "truncated", by=1)
_number("the largest size is smaller", "figures", "seats", "0", "sizes", "linf", by=-0.01)
_number("fewer steps were attacked", "figures", "seats", "0", "attacked", by=-0.5)
_number("fewer actions were changed", "figures", "seats", "0", "action_change", by=-0.1)
_number("the attack asked less", "figures", "seats", "0", "gradients", by=-0.5)
_number("eps is another", "settings", "attacks", "0", "eps", by=-0.05)
_number("the radius is another", "settings", "attacks", "0", "radius", by=0.05)
_number("the seed is another", "settings", "seed", by=1)
_number("the share of sticky actions is another", "settings", "sticky", by=0.25)
_said("an attack has another name", "settings", "attacks", "0", "name", value="pgd")
_said("an attack has another norm", "settings", "attacks", "0", "reach", value="l2")
_said("an attack acts at other times", "settings", "attacks", "0", "schedule", value="random:share=0.1")
_said("an attack calls itself a control", "settings", "attacks", "0", "control", value=True)
_said("an attack has other parameters", "settings", "attacks", "0", "parameters", value={"loss": "margin"})
_said("endings have other names", "figures", "endings", value={"won": 5})
_said("actions are drawn", "settings", "actions", value="sampled")
_said("somebody else plays", "settings", "seats", "0", "player", value="gymnasium/CartPole-v1/better")
_said("a front stands there", "settings", "defence", value="median")
_said("a rule of winning is made up", "settings", "win_rule", value={"rule": "score", "threshold": None})
_said("a win rate is made up", "figures", "seats", "0", "win", value={"rate": 1.0, "ci": [0.5, 1.0]})
_said("a claim is made up", "settings", "claim", value={"defence": "sa", "kinds": ["linf"], "eps": 0.1, "space": "raw"})
_said("a number is none", "refused", "seats", "0", "return", "mean", value=float("nan"))


@_forgery("a return in episodes.csv is better", "episodes")
def _better_row(run: Forgery) -> None:
    run.rows(lambda rows: rows[1].update({"return": "60.0"}))


@_forgery("a length in episodes.csv is another", "episodes")
def _longer_row(run: Forgery) -> None:
    run.rows(lambda rows: rows[0].update({"length": "1"}))


@_forgery("a seed in episodes.csv is another", "episodes")
def _other_seed_row(run: Forgery) -> None:
    run.rows(lambda rows: rows[0].update({"seed": "7"}))


@_forgery("an outcome in episodes.csv is a win", "episodes")
def _won_row(run: Forgery) -> None:
    run.rows(lambda rows: rows[0].update({"outcome": "win"}))


@_forgery("an episode is dropped from episodes.csv", "episodes")
def _dropped_row(run: Forgery) -> None:
    run.rows(lambda rows: rows.pop())


@_forgery("an episode stands twice in episodes.csv", "episodes")
def _doubled_row(run: Forgery) -> None:
    run.rows(lambda rows: rows.append(rows[0]))


@_forgery("an episode is dropped, and the numbers follow", "episodes")
def _dropped_episode(run: Forgery) -> None:
    run.rows(lambda rows: rows.pop())
    run.results(lambda result: result.update(episodes=result["episodes"] - 1))


@_forgery("an attack is dropped from results.json", "cells")
def _dropped_cell(run: Forgery) -> None:
    run.all_results(lambda cells: cells.pop(next(i for i, c in enumerate(cells) if c["cell"] == run.keys["attack"])))


@_forgery("the control is dropped everywhere", "control")
def _dropped_control(run: Forgery) -> None:
    key = run.keys["noise"]
    run.rows(lambda rows: rows.clear(), "noise")
    run.all_results(lambda cells: cells.pop(next(i for i, c in enumerate(cells) if c["cell"] == key)))
    run.config(lambda config: config["cells"].remove(key))
    run.ledger_path("noise").unlink()


@_forgery("a cell stands twice in results.json", "cells")
def _doubled_cell(run: Forgery) -> None:
    run.all_results(lambda cells: cells.append(cells[-1]))


@_forgery("the digest of the weights in config.json is another", "weights")
def _other_weights(run: Forgery) -> None:
    run.config(lambda config: [of.update(dict.fromkeys(of, "0" * 64)) for of in config["players_sha256"].values()])


@_forgery("another agent is said to have played", "said")
def _other_agent(run: Forgery) -> None:
    run.renamed(lambda played: played.update(players=[["0" * 64]]))


@_forgery("the ledger was cut off", "ledger")
def _cut(run: Forgery) -> None:
    path = run.ledger_path()
    path.write_bytes(path.read_bytes()[:-200])


@_forgery("the ledger is that of another cell", "ledger")
def _other_ledger(run: Forgery) -> None:
    shutil.copy(run.ledger_path("noise"), run.ledger_path())


@_forgery("one ledger is missing", "ledger")
def _no_ledger(run: Forgery) -> None:
    run.ledger_path().unlink()


@_forgery("a byte of the ledger is another, and its checksum is not", "ledger")
def _checksum(run: Forgery) -> None:
    path = run.ledger_path()
    raw = bytearray(path.read_bytes())
    raw[raw.index(b"rewards.npy") + 60] ^= 1
    path.write_bytes(bytes(raw))


@_forgery("the sampled share is lower", "ledger")
def _lower_share(run: Forgery) -> None:
    run.said(lambda said: said.update(share=0.001))


@_forgery("a sampled step is left out", "ledger")
def _left_out(run: Forgery) -> None:
    for name in ("sampled", "shown.0", "received.0", "chosen.0", "said.0.scores"):
        run.array(name, lambda values: values[1:])


@_forgery("another step is called the sampled one", "ledger")
def _other_step(run: Forgery) -> None:
    run.array("sampled", lambda steps: steps.__setitem__((0, 1), (steps[0, 1] + 1) % 5))


@_forgery("a perturbation is too large in one sampled step", "reach")
def _too_large(run: Forgery) -> None:
    run.received(lambda values: values.__setitem__((0, 2), values[0, 2] + 1.0))


@_forgery("a perturbation is left out in one sampled step", "reach")
def _undone(run: Forgery) -> None:
    run.received(lambda values: values.__setitem__((0, 2), values[0, 2] + 0.05))


@_forgery("the clean player was shown something else", "reach")
def _clean_touched(run: Forgery) -> None:
    run.received(lambda values: values + 0.01, "clean")


@_forgery("what was shown is another in one sampled step", "shown")
def _other_shown(run: Forgery) -> None:
    run.array("shown.0", lambda values: values.__setitem__((0, 0), values[0, 0] + 0.01))


@_forgery("the agent said something else in one sampled step", "said")
def _other_said(run: Forgery) -> None:
    run.array("said.0.scores", lambda values: values.__setitem__((0, 0), values[0, 0] + 1.0))


@_forgery("the agent chose another action in one sampled step", "said")
def _other_choice(run: Forgery) -> None:
    run.array("chosen.0", lambda values: values.__setitem__(0, 1 - values[0]))


@_forgery("an action is another in one step that is not sampled", "replay")
def _other_action(run: Forgery) -> None:
    run.array("action.0", lambda values: values.__setitem__(3, 1 - values[3]))


@_forgery("an action is none of the game", "replay")
def _no_action(run: Forgery) -> None:
    run.array("action.0", lambda values: values.__setitem__(3, 7))


@_forgery("a reward is another", "replay")
def _other_reward(run: Forgery) -> None:
    run.array("rewards", lambda values: values.__setitem__((2, 0), 2.0))


@_forgery("a reward is no number", "ledger")
def _nan_reward(run: Forgery) -> None:
    run.array("rewards", lambda values: values.__setitem__((2, 0), np.nan))


@_forgery("sizes of steps that are not sampled are too large", "reach")
def _larger_sizes(run: Forgery) -> None:
    run.array("sizes.0", lambda values: values * 3)


@_forgery("sizes of steps are smaller", "reach")
def _smaller_sizes(run: Forgery) -> None:
    run.array("sizes.0", lambda values: values / 2)


@_forgery("a step is said not to have been attacked", "ledger")
def _not_changed(run: Forgery) -> None:
    run.array("changed.0", lambda values: values.__setitem__(3, False))


@_forgery("the judge found less", "ledger")
def _judged_less(run: Forgery) -> None:
    run.said(lambda said: said["episodes"][0]["seats"][0]["judged"].update(changed=0.0))


@_forgery("a return in the ledger is better", "replay")
def _better_score(run: Forgery) -> None:
    run.said(lambda said: said["episodes"][0]["seats"][0].update(score=60.0))


@_forgery("an ending in the ledger is another", "replay")
def _other_ending(run: Forgery) -> None:
    run.said(lambda said: said["episodes"][0].update(ending="time"))


@_forgery("a digest of a trajectory is another", "replay")
def _other_trajectory(run: Forgery) -> None:
    run.said(lambda said: said["episodes"][0].update(trajectory="0" * 16))


@_forgery("the budget is renamed everywhere, key and all", "reach")
def _renamed_budget(run: Forgery) -> None:
    run.renamed(lambda played: played["attacks"][0]["budget"].update(eps=0.05))
    run.results(lambda result: result["attacks"][0].update(eps=0.05, radius=0.05))


@_forgery("the attack is renamed to its control everywhere", "control")
def _renamed_attack(run: Forgery) -> None:
    run.renamed(lambda played: played["attacks"][0].update(spec={"name": "noise", "parameters": {}}, code="x"))
    run.results(lambda result: result["attacks"][0].update(name="noise", control=True, parameters={}))


@_forgery("the control is no noise", "control")
def _no_noise(run: Forgery) -> None:
    run.received(lambda values: values.__setitem__((slice(None), 0), values[:, 0] - 0.0625), "noise")


@_forgery("another limit of steps is said to have held", "replay")
def _other_options(run: Forgery) -> None:
    run.renamed(lambda played: played["game"].update(max_steps=12))


@_forgery("sticky actions are said to have been played", "ledger")
def _sticky(run: Forgery) -> None:
    run.said(lambda said: said["identity"]["game"].update(sticky=0.25))


@_forgery("another seed is said to have been played, key and all", "replay")
def _other_seed(run: Forgery) -> None:
    run.renamed(lambda played: played.update(seed=1))
    run.results(lambda result: result.update(seed=1))


@_forgery("what was played is another than the key names", "ledger")
def _other_identity(run: Forgery) -> None:
    run.said(lambda said: said["identity"]["attacks"][0]["budget"].update(eps=0.05))
