"""Short studies of every kind of game, and what came of them."""

import tests.kit.pictures  # noqa: F401  # registers `film` and `sides`
from rlattack.evaluation import Study, evaluate

COINS = {"game": "coins/any", "players": ("tests.kit.players:coin",), "space": "raw", "episodes": 6, "envs": 4}


FILM = {"game": "film/any", "players": ("tests.kit.players:bright",), "actions": "greedy", "episodes": 6, "envs": 4}


ROPE = {
    "game": "pull/any", "players": ("zero", "tests.kit.players:puller"), "actions": "greedy", "space": "raw",
    "episodes": 6, "envs": 4,
}  # fmt: skip


def run(folder, workers=1, say=lambda line: None, **values):
    return evaluate(Study(**values), run=folder, workers=workers, say=say).cells


def names(cells):
    return [" + ".join(attack.name for attack in cell.attacks) or "clean" for cell in cells]
