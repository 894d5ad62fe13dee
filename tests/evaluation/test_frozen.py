"""Numbers of before the two engines became one: the same commands must give them to the bit, on the same machine."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from rlattack.cli.main import main

FROZEN = Path(__file__).with_name("frozen.json")
"""Recorded with torch 2.13 on an AVX512 machine; other processors round otherwise."""
PONG = "attack atari/pong --victim atari/pong/ppo --episodes 3 --seed 7"
COMMANDS = {
    "pong": f"{PONG} --attack fgsm pgd --eps 0.001",
    "pong-pixel": f"{PONG} --attack pixel --norm l0 --eps 2",
    "pong-frame-grid": f"{PONG} --attack fgsm --eps 0.02 --model frame --grid",
    "cartpole": "attack gymnasium/CartPole-v1 --victim gymnasium/CartPole-v1/dqn --attack pgd --eps 0.1 --space raw "
    "--episodes 10",
    "cartpole-transfer": "attack gymnasium/CartPole-v1 --victim gymnasium/CartPole-v1/dqn --attack fgsm --eps 0.3 "
    "--space raw --actions sampled --episodes 10 --surrogate trained/cartpole",
    "you-shall-not-pass": "duel mujoco/you-shall-not-pass --players mujoco/you-shall-not-pass/adversary-runner-v1,zero "
    "trained/runner --mask none runner blocker:zero blocker:noise --episodes 6",
    "sumo": "duel mujoco/sumo-humans --players mujoco/sumo-humans/self-play mujoco/sumo-humans/adversary-self-play "
    "--victim first "
    "--attack pgd noise --eps 0.1 --space sigma --episodes 4 --mask none first",
    "connect-four": "duel pettingzoo/connect_four_v3 --players trained/four random --attack fgsm --eps 0.4 "
    "--attacked 0 --episodes 6",
}
TRAININGS = {
    "trained/cartpole": "train victim gymnasium/CartPole-v1 --steps 4096 --episodes 5",
    "trained/runner": "train adversary mujoco/you-shall-not-pass --steps 4096 "
    "--victim mujoco/you-shall-not-pass/adversary-runner-v1 --batch 1024 --envs 8 --episodes 4",
    "trained/four": "train victim pettingzoo/connect_four_v3 --steps 4096 --batch 1024 --envs 8 --episodes 4",
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder with the trained agents."""
    folder = tmp_path_factory.mktemp("frozen")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for agent, command in TRAININGS.items():
            assert main([*command.split(), "--agent", agent]) == 0
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("name", TRAININGS)
def test_a_training_ends_with_the_score_of_before(name: str, place: Path) -> None:
    assert trained(place / "agents" / name) == frozen()[name]


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_gives_the_numbers_of_before(name: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert played(name, place, monkeypatch) == frozen()[name]


def played(name: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Scores of every episode and what was measured of every cell."""
    monkeypatch.chdir(place)
    run = place / "runs" / name
    assert main([*COMMANDS[name].split(), "--workers", "1", "--run", str(run)]) == 0
    return numbers(run)


def trained(folder: Path) -> Any:
    """Digest of the weights and the score on the card."""
    import tomllib

    card = tomllib.loads((folder / "agent.toml").read_text())
    score = card["score"]
    return {"sha256": card["sha256"], "mean": score.get("mean"), "win": (score.get("win") or {}).get("rate")}


def numbers(run: Path) -> Any:
    """What does not depend on the format of the files; outcomes are those of seat 0."""
    cells = json.loads((run / "results.json").read_text())["cells"]
    with (run / "episodes.csv").open() as file:
        rows = list(csv.DictReader(file))
    found = []
    for cell in cells:
        names = [seat["name"] for seat in cell["seats"]]
        own = [[row for row in rows if row["cell"] == cell["cell"] and row["seat"] == name] for name in names]
        attack = next(iter(cell["attacks"]), None)
        seat = next((seat for seat in cell["seats"] if attack and seat["name"] == attack["seat"]), {})
        found.append(
            {
                "attack": attack["name"] if attack else "none",
                "mask": cell["mask"],
                "players": [seat["player"] for seat in cell["seats"]] if len(names) > 1 else None,
                "episodes": [
                    [int(of[0]["seed"]), int(of[0]["length"]), *(float(row["return"]) for row in of)]
                    for of in zip(*own, strict=True)
                ],
                "outcomes": [row["outcome"] for row in own[0]],
                "attacked": seat.get("attacked") or 0,
                # of continuous actions it was not measured before
                "action_change": 0 if cell["game"] == "mujoco/sumo-humans" else seat.get("action_change") or 0,
                "size": seat.get("sizes") or dict.fromkeys(("linf", "l2", "l1", "l0"), 0.0)
                if len(names) == 1 or attack
                else {},
                "queries": seat.get("queries") or 0,
                "gradients": seat.get("gradients") or 0,
                "distinct": cell["distinct"],
            }
        )
    return found


def frozen() -> Any:
    return json.loads(FROZEN.read_text())


if __name__ == "__main__":
    import sys
    import tempfile

    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        patch.chdir(folder)
        found = {}
        for agent, command in TRAININGS.items():
            assert main([*command.split(), "--agent", agent]) == 0
            found[agent] = trained(Path(folder) / "agents" / agent)
        for name in COMMANDS:
            found[name] = played(name, Path(folder), patch)
        FROZEN.write_text(json.dumps(found, indent=1) + "\n")
        sys.exit(0)
