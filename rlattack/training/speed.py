"""How fast adversaries are trained, beside the loop a user would write: SB3's `SubprocVecEnv` over single games."""

import time
from contextlib import closing
from dataclasses import dataclass
from functools import partial

import torch
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.vec_env import SubprocVecEnv

from rlattack.games.opponent import EmbeddedEnv, EmbedOpponent
from rlattack.training.adversary_learner import make_adversary
from rlattack.training.adversary_session import contest
from rlattack.training.config import TrainAdversary
from rlattack.training.vecenv import DuelVecEnv

__all__ = ["TrainingSpeed", "measure_training"]


@dataclass(frozen=True, kw_only=True)
class TrainingSpeed:
    """Agent steps a second, updates included."""

    batched: float
    """Ours: games in slots, the victim asked for all of them at once."""
    subprocesses: float
    """Single games in processes of their own, each with its victim."""

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
    with closing(SubprocVecEnv([partial(_single, game, victim)] * processes, start_method="spawn")) as single:
        turns = [_Turn(learner(envs, slots), batch), _Turn(learner(processes, single), batch)]
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


def _single(game: str, victim: str) -> EmbeddedEnv:
    """One game with its victim, in a process of its own."""
    torch.set_num_threads(1)
    against = contest(game, victim, envs=1)
    return EmbeddedEnv(EmbedOpponent(against.duel, against.seat, against.victim.player))
