"""Kinds of tampering with a leaderboard of two agents, each with the check that must fail, as of `forgeries`."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

Forge = Callable[[Path], object]
BOARD_FORGERIES: dict[str, tuple[Forge, str]] = {}
"""By what is done to the folder of a grid."""


def changed(folder: Path, change: Callable[[dict[str, Any]], object], name: str = "leaderboard.json") -> None:
    """Changes a JSON file of a folder."""
    path = folder / name
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def _forgery(what: str, check: str) -> Callable[[Forge], Forge]:
    def add(forge: Forge) -> Forge:
        BOARD_FORGERIES[what] = forge, check
        return forge

    return add


def _row(what: str, *path: str, value: Any) -> None:
    """Adds the forgery of a value in the first row of the first table; of a number by how much it is larger."""

    def change(content: dict[str, Any]) -> None:
        place: Any = content["boards"][0]["rankings"][0]["rows"][0]
        for name in path[:-1]:
            place = place[int(name) if name.isdigit() else name]
        last: Any = int(path[-1]) if path[-1].isdigit() else path[-1]
        place[last] = place[last] + value if type(value) is float else value

    BOARD_FORGERIES[what] = (lambda folder: changed(folder, change)), "standings"


_row("the rank is another", "rank", value=2)
_row("the clean mean is better", "clean", "mean", value=0.5)
_row("an interval of the clean mean is narrower", "clean", "ci", "0", value=0.5)
_row("the best known is higher", "best", "value", "mean", value=0.5)
_row("the interval of the best known is narrower", "best", "value", "ci", "1", value=-0.01)
_row("the median of seeds is higher", "best", "value", "median", value=0.5)
_row("the strongest attack has another name", "best", "attack", value="fgsm")
_row("the best known is said to be on all seeds or not", "best", "own_seeds", value=True)
_row("the attack asked less", "best", "gradients", value=-0.5)
_row("noise leaves less", "control", "mean", value=-0.5)
_row("the area is larger", "area", value=0.5)
_row("the worst decile is better", "worst", value=0.5)
_row("the tier is higher", "tier", value="verified")
_row("reasons are left out", "reasons", value=[])
_row("it learned to stand something", "defence", value="sa, linf 0.1")
_row("an agent kept more under attack", "agents", "0", "best", value=0.5)
_row("an agent is another", "agents", "0", "identity", value="0" * 64)
_row("there were more run seeds", "seeds", value=[0, 1])
_row("something is proven of it", "certificate", value={"share": None, "voided": False})


@_forgery("a row is taken out of a table", "standings")
def _no_row(folder: Path) -> None:
    changed(folder, lambda content: content["boards"][0]["rankings"][0]["rows"].pop())


@_forgery("an agent is taken out of every table", "rows")
def _no_agent(folder: Path) -> None:
    def change(content: dict[str, Any]) -> None:
        gone = content["compared"].pop()["agent"]
        for ranking in content["boards"][0]["rankings"]:
            ranking["rows"] = [row for row in ranking["rows"] if row["name"] != gone]
            ranking["differences"] = []

    changed(folder, change)


@_forgery("a table is taken out", "standings")
def _no_ranking(folder: Path) -> None:
    changed(folder, lambda content: content["boards"][0]["rankings"].pop())


@_forgery("rows stand in another order", "standings")
def _other_order(folder: Path) -> None:
    changed(folder, lambda content: content["boards"][0]["rankings"][0]["rows"].reverse())


@_forgery("two rows have changed their names", "standings")
def _other_names(folder: Path) -> None:
    def change(content: dict[str, Any]) -> None:
        first, second = content["boards"][0]["rankings"][0]["rows"]
        first["name"], second["name"] = second["name"], first["name"]

    changed(folder, change)


@_forgery("two agents have changed their cells", "rows")
def _other_cells(folder: Path) -> None:
    def change(content: dict[str, Any]) -> None:
        first, second = content["compared"]
        first["cells"], second["cells"] = second["cells"], first["cells"]

    changed(folder, change)


@_forgery("the cells of the strongest attack are left out", "rows")
def _left_out(folder: Path) -> None:
    changed(folder, lambda content: content["compared"][0]["cells"].pop())


@_forgery("a cell is made up", "rows")
def _made_up(folder: Path) -> None:
    changed(folder, lambda content: content["compared"][0]["cells"].append("0" * 16))


@_forgery("an agent stands on cells of both", "rows")
def _both(folder: Path) -> None:
    def change(content: dict[str, Any]) -> None:
        first, second = content["compared"]
        first["cells"] += second["cells"]

    changed(folder, change)


@_forgery("the size of a table is another", "standings")
def _other_size(folder: Path) -> None:
    changed(folder, lambda content: content["boards"][0]["rankings"][0]["threat"].update(eps=1.0))


@_forgery("a difference is surer", "standings")
def _surer(folder: Path) -> None:
    changed(folder, lambda content: content["boards"][0]["rankings"][0]["differences"][0].update(p=0.0001))


@_forgery("an attacker was the strongest more often", "standings")
def _stronger(folder: Path) -> None:
    changed(folder, lambda content: content["boards"][0]["attackers"][0].update(strongest=9))


@_forgery("another protocol is said to have been played", "standings")
def _other_protocol(folder: Path) -> None:
    changed(folder, lambda content: content["boards"][0]["protocol"].update(episodes=100))


@_forgery("no cell is said to have failed", "standings")
def _none_failed(folder: Path) -> None:
    changed(folder, lambda content: content.update(failed=1))


@_forgery("versions are others", "standings")
def _other_versions(folder: Path) -> None:
    changed(folder, lambda content: content["versions"].update(numpy="0.1"))


@_forgery("a run is not there", "rows")
def _no_run(folder: Path) -> None:
    changed(folder, lambda content: content["runs"].append("another"))


@_forgery("a run of another folder is taken", "rows")
def _outside(folder: Path) -> None:
    changed(folder, lambda content: content["runs"].append(f"../{folder.name}/{content['runs'][0]}"))


@_forgery("seeds are said to have been drawn", "rows")
def _not_drawn(folder: Path) -> None:
    changed(folder, lambda content: content.update(salt="a lottery", entries=["0" * 64]))


@_forgery("a number in leaderboard.csv is better", "table")
def _better_csv(folder: Path) -> None:
    path = folder / "leaderboard.csv"
    head, first, *more = path.read_text().splitlines()
    names, values = head.split(","), first.split(",")
    values[names.index("clean")] = "5.0"
    path.write_text("\n".join([head, ",".join(values), *more]) + "\n")


@_forgery("a row of leaderboard.csv is taken out", "table")
def _short_csv(folder: Path) -> None:
    path = folder / "leaderboard.csv"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))


@_forgery("leaderboard.csv is not there", "table")
def _no_csv(folder: Path) -> None:
    (folder / "leaderboard.csv").unlink()


@_forgery("the leaderboard was cut off", "refused")
def _cut(folder: Path) -> None:
    path = folder / "leaderboard.json"
    path.write_text(path.read_text()[:-20])


@_forgery("the leaderboard is of another version", "refused")
def _other_schema(folder: Path) -> None:
    changed(folder, lambda content: content.update(schema="rlattack/leaderboard/9"))


@_forgery("a number in the leaderboard is a word", "refused")
def _word(folder: Path) -> None:
    changed(folder, lambda content: content["boards"][0]["rankings"][0]["rows"][0]["clean"].update(mean="high"))


@_forgery("a return in episodes.csv is better", "standings")
def _better_return(folder: Path) -> None:
    (path,) = folder.glob("*/episodes.csv")
    lines = path.read_text().splitlines()
    values = lines[1].split(",")
    values[lines[0].split(",").index("return")] = "9.0"
    path.write_text("\n".join([lines[0], ",".join(values), *lines[2:]]) + "\n")


@_forgery("a cell is dropped from the results of a run", "rows")
def _dropped_cell(folder: Path) -> None:
    (path,) = folder.glob("*/results.json")
    changed(path.parent, lambda content: content["cells"].pop(), path.name)
