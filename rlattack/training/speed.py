"""How fast adversaries are trained, beside the loop a user would write: SB3's `SubprocVecEnv` over single games."""

import time
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.vec_env import SubprocVecEnv
from torch import nn

from rlattack.budget import Draws
from rlattack.games.opponent import EmbeddedEnv, EmbedOpponent
from rlattack.policies.base import State
from rlattack.policies.gaussian import GaussianNetwork
from rlattack.policies.player import GaussianPlayer
from rlattack.training.adversary_learner import make_adversary
from rlattack.training.adversary_session import contest
from rlattack.training.config import TrainAdversary
from rlattack.training.vecenv import DuelVecEnv

__all__ = ["PlainPlayer", "TrainingSpeed", "measure_training", "single"]

Array = npt.NDArray[Any]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class TrainingSpeed:
    """Agent steps a second, updates included."""

    batched: float
    """Ours: games in slots, the victim asked for all of them at once."""
    subprocesses: float
    """Single games in processes of their own, each with its victim, in plain numpy where it has no memory."""

    @property
    def ratio(self) -> float:
        """Ours over theirs."""
        return self.batched / self.subprocesses


def measure_training(
    game: str, victim: str, *, threads: int, seconds: float, envs: int = 64, processes: int = 8, batch: int = 16_384
) -> TrainingSpeed:
    """Trains in both ways with the same hyper-parameters, batch by batch in turns, so that both meet the same machine.

    Args:
        game: A game of two seats.
        victim: An agent.
        threads: That step our games.
        seconds: For each way, at least, after a first batch that does not count.
        envs: Games at once in ours.
        processes: Games at once in theirs.
        batch: Steps between updates, of both.

    Raises:
        RlattackError: The victim or the game cannot be loaded.
    """
    torch.set_num_threads(1)
    against = contest(game, victim, envs=envs, threads=threads)

    def learner(count: int, env: DuelVecEnv | SubprocVecEnv) -> OnPolicyAlgorithm:
        config = TrainAdversary(
            game=game, victim=victim, victim_sha256=against.victim.sha256, seat=against.duel.seats[against.seat],
            envs=count, batch=batch, steps=batch,
        )  # fmt: skip
        return make_adversary(config, env, 0)

    slots = DuelVecEnv(EmbedOpponent(against.duel, against.seat, against.victim.player))
    with closing(SubprocVecEnv([partial(single, game, victim)] * processes, start_method="spawn")) as theirs:
        turns = [_Turn(learner(envs, slots), batch), _Turn(learner(processes, theirs), batch)]
        for turn in turns:
            turn(counts=False)
        while min(turn.seconds for turn in turns) < seconds:
            for turn in turns:
                turn()
    return TrainingSpeed(batched=turns[0].speed, subprocesses=turns[1].speed)


class _Turn:
    """A learner that goes on for a batch, and the time that took."""

    def __init__(self, learner: OnPolicyAlgorithm, batch: int) -> None:
        self._learner, self._batch = learner, batch
        self.seconds, self._steps = 0.0, 0

    def __call__(self, *, counts: bool = True) -> None:
        begun = time.perf_counter()
        self._learner.learn(self._batch, reset_num_timesteps=False)
        if counts:
            self.seconds += time.perf_counter() - begun
            self._steps += self._batch

    @property
    def speed(self) -> float:
        """Steps a second."""
        return self._steps / self.seconds


class PlainPlayer:
    """A Gaussian network without memory in numpy, as one would write it for a game at a time.

    One row through torch takes three times as long, which would make the loop of others slower than it is.

    Args:
        network: Without memory.
    """

    def __init__(self, network: GaussianNetwork) -> None:
        self._mean, self._std, self._clip = network.obs_mean.numpy(), network.obs_std.numpy(), network.spec.clip
        linear = [layer for layer in (*network.pi.layers, network.pi.out) if isinstance(layer, nn.Linear)]
        self._layers = [(layer.weight.detach().numpy().T.copy(), layer.bias.detach().numpy()) for layer in linear]
        self._deviation = network.log_std.detach().exp().numpy()
        self._rng = np.random.default_rng()

    def initial_state(self, n: int) -> None:
        """See `Player`."""

    def act(
        self, obs: Array, state: State, draws: Draws, *, legal: Mask | None = None, greedy: bool = False
    ) -> tuple[Array, None]:
        """See `Player`; has random numbers of its own."""
        x = ((obs - self._mean) / self._std).clip(-self._clip, self._clip)
        *hidden, (weight, bias) = self._layers
        for one, other in hidden:
            x = np.tanh(x @ one + other)
        mean = x @ weight + bias
        if greedy:
            return mean, None
        return mean + self._deviation * self._rng.standard_normal(mean.shape, dtype=np.float32), None


def single(game: str, victim: str) -> EmbeddedEnv:
    """One game with its victim, in a process of its own."""
    torch.set_num_threads(1)
    against = contest(game, victim, envs=1)
    player = against.victim.player
    if isinstance(player, GaussianPlayer) and not player.policy.network.spec.memory:
        player = PlainPlayer(player.policy.network)
    return EmbeddedEnv(EmbedOpponent(against.duel, against.seat, player))
