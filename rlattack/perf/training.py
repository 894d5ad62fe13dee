"""How fast adversaries are trained, beside the loop a user would write: SB3's `SubprocVecEnv` over single games."""

import dataclasses
from contextlib import closing
from functools import partial

import numpy as np
import torch
from gymnasium.spaces import Box
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.vec_env import SubprocVecEnv
from torch import Tensor, nn

from rlattack.draws import Draws
from rlattack.evaluation.spawned import Names, added_names, set_up
from rlattack.evaluation.table import Table
from rlattack.games.solo import EmbedOpponent, Solo, SoloEnv
from rlattack.perf.clock import Clock, take_turns
from rlattack.perf.table import Speed, SpeedTable
from rlattack.policies.distributions import Normal
from rlattack.policies.gaussian import GaussianPolicy
from rlattack.policies.policy import Output, State
from rlattack.training.match import match_adversary
from rlattack.training.ppo import make_ppo
from rlattack.training.recipes import TrainAdversary
from rlattack.training.vecenv import SoloVecEnv


def measure_training(
    table: Table, *, threads: int, seconds: float, slots: int = 64, processes: int = 8, batch: int = 16_384
) -> SpeedTable:
    """Trains in both ways with the same hyper-parameters, batch by batch in turns, so that both meet the same machine.

    Ours: games in slots, the victim asked for all of them at once. Theirs: single games in processes of their own,
    each with its victim, in plain numpy where it has no memory. Updates are included.

    Args:
        table: A game of several seats with its victim.
        threads: That step our games.
        seconds: For each way, at least, after a first batch that does not count.
        slots: Games at once in ours.
        processes: Games at once in theirs.
        batch: Steps between updates, of both.

    Raises:
        InvalidInput: A game that cannot be learned from.
    """
    torch.set_num_threads(1)
    (victim,) = table.study.candidates[table.victim]
    recipe = TrainAdversary(
        game=table.card.id, victim=victim, envs=slots, batch=batch, steps=batch, threads=threads,
        trust=table.study.trust,
    )  # fmt: skip
    ours = make_ppo(recipe, SoloVecEnv(_solo(recipe)), 0)
    game = partial(single, recipe, added_names())
    with closing(SubprocVecEnv([game] * processes, start_method="spawn")) as env:
        theirs = make_ppo(dataclasses.replace(recipe, envs=processes), env, 0)
        speed = compare_training(ours, theirs, batch, seconds)
    setting = {"slots": slots, "threads": threads, "processes of SubprocVecEnv": processes}
    return SpeedTable(title="training of an adversary, agent steps a second", setting=setting, speeds=(speed,))


def compare_training(ours: BaseAlgorithm, theirs: BaseAlgorithm, batch: int, seconds: float) -> Speed:
    """Lets two learners learn from a batch in turns, so that both meet the same machine."""
    learners, clocks = (ours, theirs), (Clock(batch), Clock(batch))

    def turn() -> None:
        for one, clock in zip(learners, clocks, strict=True):
            with clock:
                one.learn(batch, reset_num_timesteps=False)

    take_turns(turn, clocks, seconds)
    return Speed(
        name="training in slots", per_second=clocks[0].speed, beside="single games in SubprocVecEnv",
        reference=clocks[1].speed,
    )  # fmt: skip


class PlainPolicy(GaussianPolicy):
    """A Gaussian network without memory in numpy, as one would write it for a game at a time; it only plays.

    One row through torch takes more than twice as long, which would make the loop of others slower than it is.
    """

    def __init__(self, victim: GaussianPolicy) -> None:
        network = victim.network
        assert isinstance(victim.action, Box)
        super().__init__(network, victim.action)
        self._mean, self._std, self._clip = network.obs_mean.numpy(), network.obs_std.numpy(), network.spec.clip
        linear = [layer for layer in (*network.pi.layers, network.pi.out) if isinstance(layer, nn.Linear)]
        self._layers = [(layer.weight.numpy().T.copy(), layer.bias.numpy()) for layer in linear]
        self._deviation = network.log_std.exp()

    def __call__(self, obs: Tensor, state: State = None, draws: Draws | None = None) -> Output:
        """Normal distributions around the network's mean, with its one deviation."""
        x = ((obs.numpy() - self._mean) / self._std).clip(-self._clip, self._clip)
        *hidden, (weight, bias) = self._layers
        for one, other in hidden:
            x = np.tanh(x @ one + other)
        return Output(Normal(torch.from_numpy(x @ weight + bias), self._low, self._high, self._deviation))


def single(recipe: TrainAdversary, names: Names) -> SoloEnv:
    """One game for who learns against the victim, as a process of its own holds it; `names` are from `added_names`."""
    set_up(names)
    return SoloEnv(_solo(dataclasses.replace(recipe, envs=1, threads=1), plain=True))


def _solo(recipe: TrainAdversary, *, plain: bool = False) -> Solo:
    """The game with the victim in it; `plain`: in numpy, where it has no memory."""
    match = match_adversary(recipe)
    (place,), (victim,) = match.places, match.opponents
    policy = victim.policy
    if plain and isinstance(policy, GaussianPolicy) and not policy.network.spec.memory:
        policy = PlainPolicy(policy)
    return EmbedOpponent(place.game, place.seat, policy)
