"""Two-player games whose answers are known by hand, and cells of `results.json` with numbers known by hand."""

import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete

from rlattack.evaluation.cell import AgentRef
from rlattack.evaluation.duels import DuelCell
from rlattack.games.card import GameCard
from rlattack.games.duel import NOBODY, DuelStep, Sight
from rlattack.policies.folder import AgentCard, save_agent
from rlattack.policies.gaussian import GaussianNetwork, GaussianSpec

sys.path.insert(0, str(Path(__file__).parent))


class Pull:
    """Both pull at a rope for 2 to 4 steps, as the seed says; who pulled more in the end wins. Sees the step."""

    seats, endings = ("left", "right"), ("", "pulled", "tie", "unstable")

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self.observation_spaces = (Box(-10, 10, (1,), np.float32),) * 2
        self.action_spaces = (Box(-1, 1, (1,), np.float32),) * 2
        self.pulled, self.time = np.zeros((2, slots)), np.zeros(slots, dtype=np.int64)
        self.length = np.full(slots, 2)
        self.closed = False

    def reset(self, mask: Any, seeds: Any) -> Sight:
        self.pulled[:, mask] = self.time[mask] = 0
        self.length[mask] = 2 + seeds % 3
        return self._sight()

    def step(self, actions: Any) -> DuelStep:
        force = np.stack([action[:, 0] for action in actions]).astype(np.float64)
        self.pulled += force
        self.time += 1
        over = self.time >= self.length
        left, right = self.pulled
        winner = np.where(left == right, NOBODY, np.where(left > right, 0, 1))
        ending = np.where(over, np.where(left == right, 2, 1), 0)
        return DuelStep(
            sight=self._sight(), rewards=force, sparse=np.zeros_like(force), terminated=over,
            truncated=np.zeros_like(over), winner=np.where(over, winner, NOBODY), ending=ending,
        )  # fmt: skip

    def close(self) -> None:
        self.closed = True

    def _sight(self) -> Sight:
        obs = self.time[:, None].astype(np.float32)
        return Sight((obs, obs.copy()), np.ones((2, self.slots), dtype=np.bool_))


class Turns:
    """Seat 0 and seat 1 name numbers 0 to 2 in turns, 6 in all, the last one's never; the larger sum wins."""

    seats, endings = ("first", "second"), ("", "counted")

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self.observation_spaces = (Box(0, 10, (1,), np.float32),) * 2
        self.action_spaces = (Discrete(3),) * 2
        self.time, self.sums = np.zeros(slots, dtype=np.int64), np.zeros((2, slots))

    def reset(self, mask: Any, seeds: Any) -> Sight:
        self.time[mask] = seeds % 2  # who begins
        self.begun = self.time.copy() if not hasattr(self, "begun") else np.where(mask, self.time, self.begun)
        self.sums[:, mask] = 0
        return self._sight()

    def step(self, actions: Any) -> DuelStep:
        mover = self.time % 2
        named = np.where(mover == 0, actions[0], actions[1]).astype(np.float64)
        assert (named[self.time < self.begun + 6] < 2).all(), "illegal"
        self.sums[mover, np.arange(self.slots)] += named
        self.time += 1
        over = self.time >= self.begun + 6
        winner = np.where(self.sums[0] == self.sums[1], NOBODY, np.where(self.sums[0] > self.sums[1], 0, 1))
        return DuelStep(
            sight=self._sight(), rewards=np.zeros((2, self.slots)), sparse=np.zeros((2, self.slots)), terminated=over,
            truncated=np.zeros_like(over), winner=np.where(over, winner, NOBODY), ending=over.astype(np.int64),
        )  # fmt: skip

    def close(self) -> None:
        pass

    def _sight(self) -> Sight:
        turn = np.stack([self.time % 2 == seat for seat in (0, 1)])
        legal = [np.repeat(of[:, None], 3, axis=1) & (np.arange(3) < 2) for of in turn]
        obs = self.time[:, None].astype(np.float32)
        return Sight((obs, obs), turn, (legal[0], legal[1]))


GAMES = {"pull": Pull, "turns": Turns}


@pytest.fixture
def games(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Makes `pettingzoo/pull` and `pettingzoo/turns` known to duels; remembers what they were made with."""
    made: dict[str, Any] = {"masks": [], "games": []}

    def make(card: GameCard, slots: int, *, masks: Any = None) -> Any:
        made["masks"].append(masks)
        made["games"].append(GAMES[card.id.partition("/")[2]](slots))
        return made["games"][-1]

    for module in ("evaluate", "film", "rollout"):
        monkeypatch.setattr(f"rlattack.evaluation.duels.{module}.make_duel", make)
    monkeypatch.setattr("rlattack.evaluation.duels.evaluate.find_game", lambda name: GameCard(id=name, title="A game"))
    return made


@pytest.fixture
def agent(tmp_path: Path) -> str:
    """A Gaussian agent of the rope, by its folder."""
    torch.manual_seed(0)
    network = GaussianNetwork(GaussianSpec(observation=(1,), actions=1, hidden=(4,)))
    card = AgentCard(game="pettingzoo/pull", role="victim", algorithm="ppo", network=network.spec)
    save_agent(tmp_path / "agent", card, network)
    return str(tmp_path / "agent")


@pytest.fixture
def make_cell() -> Callable[..., DuelCell]:
    """Makes a cell of one of these games."""

    def make(game: str = "pull", **changes: Any) -> DuelCell:
        nobody = AgentRef("zero", "zero", "zero")
        values = {
            "game": GameCard(id=f"pettingzoo/{game}", title="A game"), "seats": GAMES[game].seats,
            "players": (nobody, nobody), "actions": "sampled", "seed": 0, "episodes": 6, "envs": 4,
        }  # fmt: skip
        return DuelCell(**values | changes)

    return make


def record(first: str, second: str, win: float, tie: float = 0.0, mask: Any = None, **changes: Any) -> dict[str, Any]:
    """A cell of results.json: the blocker's win rate is `win`, of 100 games."""

    def rate(value: float) -> dict[str, Any]:
        return {"rate": value, "ci": [max(0.0, value - 0.1), min(1.0, value + 0.1)]}

    return {
        "cell": f"{zlib.crc32(f'{first} {second} {mask}'.encode()):08x}", "status": "ok",
        "game": "mujoco/you-shall-not-pass",
        "players": [first, second], "seats": ["blocker", "runner"], "victim_seat": "runner", "mask": mask,
        "actions": "sampled", "seed": 0, "episodes": 100,
        "win": rate(win), "tie": rate(tie), "loss": rate(round(1 - win - tie, 6)),
        "return": [{"mean": 12.5, "ci": [10.0, 15.0], "degenerate": False},
                   {"mean": -1250.0, "ci": [-1300.0, -1200.0], "degenerate": False}],
        "length": {"mean": 167.25, "ci": [160.0, 175.0], "degenerate": False},
        "endings": {"goal": 40, "fallen": 60}, "unstable": 0, "distinct": 100, "truncated": 0,
        "steps": 16725, "steps_per_second": 1500.0,
    } | changes  # fmt: skip


@pytest.fixture
def make_record() -> Callable[..., dict[str, Any]]:
    return record


def attacked(attack: str, eps: float, win: float, **changes: Any) -> dict[str, Any]:
    """Of the runner against zero, of which the blocker wins that share; nothing without an attack."""
    values = {
        "cell": f"{attack}{eps:g}", "attack": attack, "parameters": {}, "attacked_seat": "runner",
        "knowledge": "white", "norm": "linf", "eps": eps, "radius": eps, "space": "sigma",
        "drop": {"win": win, "win_ci": [win - 0.1, win + 0.1], "return": 100 * win, "return_ci": [0.0, 200.0]},
        "attacked": 1.0, "action_change": None, "size": {"linf": eps, "l2": 1.0, "l1": 2.0, "l0": 380},
        "queries": 1.0, "gradients": 10.0,
    }  # fmt: skip
    return record("zero", "runner", win, **values | changes)


@pytest.fixture
def assault() -> list[dict[str, Any]]:
    """A runner clean, under noise and under two sizes of pgd, and another opponent without an attack."""
    return [
        record("zero", "runner", 0.0, attack="none"),
        attacked("noise", 0.05, 0.01),
        attacked("noise", 0.2, 0.02),
        attacked("pgd", 0.05, 0.6),
        attacked("pgd", 0.2, 1.0),
        record("adversary", "runner", 0.86, attack="none"),
    ]


@pytest.fixture
def heat() -> list[dict[str, Any]]:
    """Two opponents against two victims, and the better one against a masked victim."""
    return [
        record("adversary", "runner", 0.86),
        record("adversary", "mujoco/you-shall-not-pass/tuned", 0.25),
        record("zero", "runner", 0.02, 0.01),
        record("zero", "mujoco/you-shall-not-pass/tuned", 0.04),
        record("adversary", "runner", 0.12, mask={"seat": "runner", "mode": "initial"}),
    ]
