"""Small environments to learn in, made to be known by hand, and what tests of trainings look at.

Importing this registers the families `backwards` and `grids` (two seats) beside those of `tests.kit.games`.
"""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium.spaces import Box, Discrete
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from stable_baselines3.common.vec_env import VecMonitor
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from rlattack.games import EmbedOpponent, find_game
from rlattack.games.card import GameCard, Variant
from rlattack.games.find import FAMILIES
from rlattack.games.game import NOBODY, Game, Step
from rlattack.policies.distributions import Actions
from rlattack.policies.gaussian import GaussianNetwork
from rlattack.policies.policy import Policy
from rlattack.training import GymnasiumVecEnv, TrainAdversary, Watch
from rlattack.training.learner import Learner
from rlattack.training.ppo import make_ppo
from rlattack.training.recipes import TrainSingle
from rlattack.training.run import TrainingRun
from rlattack.training.single import single_learner
from rlattack.training.vecenv import SoloVecEnv
from tests.kit.agents import gaussian_network
from tests.kit.by_hand import ByHand, Pusher
from tests.kit.games import Tug

SPACES = {
    "images": Box(0, 255, (4, 40, 36), np.uint8),
    "floats": Box(-1, 1, (4, 40, 36), np.float32),
    "vectors": Box(-5, 5, (4,), np.float32),
    "table": Box(-5, 5, (3, 2), np.float32),
}
CARD = GameCard(id="gymnasium/CartPole-v1", title="a stand-in: an agent's card asks for no more than options and id")


class Crash(Exception):
    """In place of a SIGKILL: nothing of ours catches it."""


class Countdown(gymnasium.Env[Any, int]):
    """Shows the step and its own number; step t pays t; ends by the rules, or is cut off, after `length` steps."""

    observation_space = Box(0, 100, (2,), np.float32)
    action_space = Discrete(3)

    def __init__(self, number: int, length: int, *, cut: bool) -> None:
        self.number, self.length, self.cut = number, length, cut
        self.step_ = 0
        self.resets: list[tuple[int | None, Any]] = []
        self.played: list[int] = []

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.resets.append((seed, options))
        self.step_ = 0
        return self._obs(), {"fresh": len(self.resets)}

    def step(self, action: int) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.played.append(int(action))
        self.step_ += 1
        over = self.step_ >= self.length
        info = {"is_success": not self.cut} if over else {"at": self.step_}
        return self._obs(), float(self.step_), over and not self.cut, over and self.cut, info

    def double(self, value: int) -> int:
        return 2 * value

    def _obs(self) -> Any:
        return np.array([self.step_, self.number], dtype=np.float32)


class Noise(gymnasium.Env[Any, int]):
    """Shows noise of a space; the action 0 pays, or a vector near 0."""

    def __init__(
        self, space: gymnasium.Space[Any], action: gymnasium.Space[Any] | None = None, length: int = 7
    ) -> None:
        self.observation_space, self.action_space = space, action or Discrete(3)
        self.length, self.step_ = length, 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.step_ = 0
        return self._obs(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.step_ += 1
        paid = action == 0 if isinstance(self.action_space, Discrete) else -np.square(action).sum()
        return self._obs(), float(paid), self.step_ == self.length, False, {}

    def _obs(self) -> Any:
        space = self.observation_space
        if not isinstance(space, Box):
            return space.sample()
        if space.dtype == np.uint8:
            return self.np_random.integers(0, 256, space.shape, dtype=np.uint8)
        return self.np_random.uniform(-1, 1, space.shape).astype(np.float32)


def same_step(makers: list[Callable[[], gymnasium.Env[Any, Any]]]) -> SyncVectorEnv:
    """Environments as trainings want them: the next episode begins in the step that ends one."""
    return SyncVectorEnv(makers, autoreset_mode=AutoresetMode.SAME_STEP)


Seen = str | gymnasium.Space[Any]
ARMS = Box(np.float32([-2.0, -0.5]), np.float32([1.0, 0.5]))
"""Actions of a range that is not the same in all entries."""


def noise(space: Seen, envs: int = 2, action: gymnasium.Space[Any] | None = None) -> SyncVectorEnv:
    """Copies of `Noise`."""
    seen = SPACES[space] if isinstance(space, str) else space
    return same_step([lambda: Noise(seen, action)] * envs)


def vec(space: Seen, envs: int = 2, action: gymnasium.Space[Any] | None = None) -> VecMonitor:
    """Copies of `Noise` as learners take them."""
    return VecMonitor(GymnasiumVecEnv(noise(space, envs, action)))


class Diary(Watch):
    """Keeps what a training tells, and may stop it as a kill does.

    Args:
        crash_at: Steps at which it is killed, or what the note begins with and the steps.
    """

    def __init__(self, crash_at: int | tuple[str, int] | None = None) -> None:
        self.told: list[tuple[str, int]] = []
        self.played: list[tuple[int, int, str, bool]] = []
        self.shipped: list[Any] = []
        self.begun: list[tuple[str, int, int]] = []
        self._crash = ("", crash_at) if isinstance(crash_at, int) else crash_at

    @property
    def wins(self) -> list[float | None]:
        """Share of the last games that were won, each time that steps were told; None before the first game."""
        return [float(note.rpartition(" ")[2]) if "win rate" in note else None for note, _ in self.told]

    def begin(self, name: str, turn: int, turns: int) -> None:
        self.begun.append((name, turn, turns))

    def steps(self, done: int, total: int, note: str = "") -> None:
        self.told.append((note, done))
        if self._crash is not None and note.startswith(self._crash[0]) and done >= self._crash[1]:
            raise Crash

    def episodes(self, done: int, total: int, note: str, kept: bool) -> None:
        self.played.append((done, total, note, kept))

    def ship(self, shipped: Any) -> None:
        self.shipped.append(shipped)


def curve(run: Path, tag: str) -> dict[int, float]:
    """Points of a curve by step, of the TensorBoard events in a folder; none where there is no such curve."""
    events = EventAccumulator(str(run), size_guidance={"scalars": 0})
    events.Reload()
    return {point.step: point.value for point in events.Scalars(tag)} if tag in events.Tags()["scalars"] else {}


def tug(length: int = 4, push: float | None = 0.5) -> tuple[Tug, int, Policy]:
    """A game to learn in, the learner's seat, and who holds the other."""
    return Tug(16, length), 0, Pusher(push)


def seated(folder: Path, game: tuple[Any, int, Policy], *, seed: int = 0, **values: Any) -> Learner:
    """Somebody who learns in a seat of a game of 16 slots; `values` changes the recipe of an adversary."""
    played, seat, opponent = game
    name = played.seats[seat].name
    default = {"game": "tug/any", "victim": "some/one", "seat": name, "steps": 512, "envs": 16, "batch": 128}
    recipe = TrainAdversary(**default | values)
    run = TrainingRun(recipe=recipe, card=find_game("tug/any"), command="rlattack train ...")
    env = EmbedOpponent(played, seat, opponent)
    return Learner(
        run=run, folder=folder, seed=seed, seat=name, cut=recipe.cut,
        make=lambda seed: make_ppo(recipe, SoloVecEnv(env), seed),
    )  # fmt: skip


def alone(recipe: TrainSingle, folder: Path, env: SyncVectorEnv, card: GameCard = CARD) -> Learner:
    """Somebody who learns in a game of one seat."""
    return single_learner(TrainingRun(recipe=dataclasses.replace(recipe, run=folder), card=card), env)


def initial_network() -> GaussianNetwork:
    """A network for `tug` with statistics of its own, that learning can go on from."""
    network = gaussian_network(3, hidden=(8, 4))
    with torch.no_grad():
        network.obs_mean.copy_(torch.tensor([1.0, -2.0, 5.852784449356555]))
        network.obs_std.copy_(torch.tensor([0.5, 3.0, 1e-4]))
        network.log_std.fill_(-1.5)
        network.value_mean.fill_(7.0)
        network.value_std.fill_(2.5)
    return network


class Backwards(Tug):
    """Who pushes is paid, but the lower sum wins."""

    def step(self, actions: Any) -> Step:
        step = super().step(actions)
        assert step.sparse is not None
        winner = np.where(step.winner == NOBODY, NOBODY, 1 - step.winner)
        return dataclasses.replace(step, winner=winner, sparse=-step.sparse, rewards=step.rewards - 2 * step.sparse)


def backwards(variant: Variant, slots: int, threads: int = 1) -> Game:
    """`find_game("backwards/any")`."""
    return Backwards(slots)


FAMILIES.add("backwards", "tests.kit.learning:backwards")


def strong() -> Policy:
    """An opponent at `tug` whom nobody beats by chance: `tests.kit.learning:strong`."""
    return Pusher(0.9)


def middling() -> Policy:
    """An opponent at `tug` who pushes by 0.5."""
    return Pusher(0.5)


def weak() -> Policy:
    """An opponent at `tug` who pulls the other way."""
    return Pusher(-0.9)


def grids(variant: Variant, slots: int, threads: int = 1) -> Game:
    """`find_game("grids/any")`: a game that nobody learns, since its actions are no vectors."""
    game = Tug(slots)
    game.seats = tuple(dataclasses.replace(seat, action=Box(-1, 1, (1, 1), np.float32)) for seat in game.seats)
    return game


FAMILIES.add("grids", "tests.kit.learning:grids")


class _Grid(ByHand):
    action = Box(-1, 1, (1, 1), np.float32)

    def distributions(self, n: int) -> Actions:
        return Pusher(0.0).distributions(n)


def grid() -> Policy:
    """A player of `grids`."""
    return _Grid()
