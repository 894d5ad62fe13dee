"""What attacks make of a state of Pong, as pictures: `python docs/portraits.py`, once `docs/reference` has changed."""

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from rlattack import Attacker, Budget, find_game, load_agent, make_attack, make_game
from rlattack.attacks import ATTACKS

HERE = Path(__file__).parent
STATES = 80
"""Steps of the victim's own play, of which the last is drawn; attacks that remember have seen all of them."""
SIDE = 168


def draw() -> None:
    """Writes a picture of every attack on observations that `reference/pong.csv` has and that learns nothing first."""
    with (HERE / "reference" / "pong.csv").open(encoding="utf-8") as file:
        rows = {row["attack"]: row for row in csv.DictReader(file) if row["attack"] != "none"}
    states = _played(next(iter(rows.values())))
    for name, row in rows.items():
        kind = ATTACKS.get(name)
        if kind.access == "observation" and not kind.fitted:
            _panels(*_attacked(row, states)).save(HERE / "pictures" / "attacks" / f"{name}.png", optimize=True)


def _played(row: Mapping[str, str]) -> torch.Tensor:
    """Float (STATES, 4, 84, 84): what a victim that plays greedily sees."""
    game = make_game(find_game(row["game"]), slots=1)
    policy = load_agent(row["victim"], game.seats[0]).policy

    def shown() -> Iterator[torch.Tensor]:
        views = game.reset(np.asarray([True]), np.asarray([7]))
        for _ in range(STATES):
            obs = torch.from_numpy(np.array(views[0].obs, np.float32))
            yield obs
            with torch.no_grad():
                action = policy(obs).actions.greedy
            views = game.step([action.numpy()]).views

    return torch.cat(list(shown()))


def _attacked(row: Mapping[str, str], states: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    game = make_game(find_game(row["game"]), slots=1)
    budget = Budget(norm=row["reach"], eps=float(row["eps"]) if row["eps"] else None, space="unit")
    given = dict(part.split("=") for part in row["parameters"].split(",") if part)
    attack = make_attack(row["attack"], budget, **{key: int(value) for key, value in given.items()})
    attacker = Attacker(attack, row["victim"], game.seats[0].observation, slots=1)
    attacker.restart(np.asarray([0]), [np.random.SeedSequence(7)])
    received = [attacker(state[None]) for state in states[-8:]][-1]
    return states[-1, -1], received[0, -1]


def _panels(clean: torch.Tensor, received: torch.Tensor) -> Image.Image:
    """The newest frame, what arrives, and the change: grey is none, its largest is white or black."""
    change = received - clean
    change = 127.5 + 127.5 * change / change.abs().max().clamp(min=1e-9)
    frames = torch.cat([clean, received, change], dim=1).clamp(0, 255).round().byte().numpy()
    return Image.fromarray(frames).resize((3 * SIDE, SIDE), Image.Resampling.NEAREST)


if __name__ == "__main__":
    draw()
