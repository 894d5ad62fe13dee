"""How fast control tasks are stepped and learned, beside Gymnasium's own: `SyncVectorEnv` and SB3's `SubprocVecEnv`."""

import dataclasses
from collections.abc import Callable
from contextlib import closing
from functools import partial
from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium.spaces import Box
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv
from stable_baselines3.common.vec_env import SubprocVecEnv, VecMonitor

from rlattack.errors import MissingExtra, one_line
from rlattack.games import training_env
from rlattack.games.card import GameCard
from rlattack.perf.clock import Clock, take_turns
from rlattack.perf.table import Speed, SpeedTable
from rlattack.perf.training import compare_training
from rlattack.training.algorithms import make_learner
from rlattack.training.recipes import TrainSingle
from rlattack.training.settings import CONTROL
from rlattack.training.vecenv import GymnasiumVecEnv

STEPS = 32
"""Control steps of a turn."""


def measure_control(card: GameCard, *, seconds: float, slots: int = 64, processes: int = 8) -> dict[str, SpeedTable]:
    """Plays a control task with random actions, and trains PPO on it, in ours and in Gymnasium's.

    Args:
        card: One of MuJoCo's control tasks.
        seconds: For each way, at least, after a first turn that does not count.
        slots: Games at once in ours, and in a `SyncVectorEnv`.
        processes: Gymnasium's environments, each in a process, in a `SubprocVecEnv`.

    Returns:
        Tables by `random` and `training`.

    Raises:
        MissingExtra: Gymnasium's own task needs a package that is not installed.
    """
    assert card.task is not None
    torch.set_num_threads(1)
    make = partial(gymnasium.make, card.task.gymnasium_id)
    try:
        make().close()
    except (ImportError, gymnasium.error.DependencyNotInstalled) as error:
        raise MissingExtra(f"beside Gymnasium's own {card.task.gymnasium_id}: {one_line(error)}") from error
    return {
        "random": _measure_random(card, make, seconds, slots),
        "training": _measure_training(card, make, seconds, slots, processes),
    }


def _measure_random(card: GameCard, make: Callable[[], Any], seconds: float, slots: int) -> SpeedTable:
    """Random play, resets included: all that a loop over the vector environment waits for."""
    envs: tuple[VectorEnv[Any, Any, Any], ...] = (
        training_env(card, slots), SyncVectorEnv([make] * slots, autoreset_mode=AutoresetMode.SAME_STEP),
    )  # fmt: skip
    clocks, rng = (Clock(slots * STEPS), Clock(slots * STEPS)), np.random.default_rng(0)
    box = envs[0].single_action_space
    assert isinstance(box, Box)
    for env in envs:
        env.reset(seed=0)

    def turn() -> None:
        actions = rng.uniform(box.low, box.high, (STEPS, slots, *box.shape)).astype(np.float32)
        for env, clock in zip(envs, clocks, strict=True):
            with clock:
                for action in actions:
                    env.step(action)

    take_turns(turn, clocks, seconds)
    for env in envs:
        env.close()
    speed = Speed(
        name="random play in slots", per_second=clocks[0].speed, beside="Gymnasium's SyncVectorEnv",
        reference=clocks[1].speed,
    )  # fmt: skip
    return SpeedTable(
        title="random play, control steps a second on one core", setting={"slots": slots}, speeds=(speed,)
    )


def _measure_training(
    card: GameCard, make: Callable[[], Any], seconds: float, slots: int, processes: int
) -> SpeedTable:  # fmt: skip
    """PPO with the same settings, updates included: a batch of as many steps, however many games it comes from."""
    recipe = TrainSingle(game=card.id, envs=slots)
    ours = make_learner(recipe, VecMonitor(GymnasiumVecEnv(training_env(card, slots))), 0)
    with closing(SubprocVecEnv([make] * processes, start_method="spawn")) as env:
        theirs = make_learner(dataclasses.replace(recipe, envs=processes), VecMonitor(env), 0)
        speed = compare_training(ours, theirs, CONTROL["ppo"]["batch"], seconds)
    setting = {"slots": slots, "processes of SubprocVecEnv": processes}
    return SpeedTable(title="training of a victim by PPO, agent steps a second", setting=setting, speeds=(speed,))
