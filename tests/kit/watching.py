"""Tuning episodes for fronts, without a game: what is seen is drawn, and who acts does nothing."""

from collections.abc import Iterator

import numpy as np
import torch
from gymnasium.spaces import Box

from rlattack.attacks import TuningStep
from rlattack.draws import Draws, SharedDraws
from rlattack.games.game import Seat
from rlattack.policies.policy import Policy


class Drawn:
    """Plays episodes of `length` steps in which a seat sees what is smooth, so that noise stands out in it."""

    def __init__(self, seat: Seat, policy: Policy, length: int = 40, slots: int = 2, seed: int = 0) -> None:
        self.seat, self.policy, self.slots, self.length = seat, policy, slots, length
        self.draws: Draws = SharedDraws(1, seed)
        self.said: list[str] = []

    def say(self, line: str) -> None:
        """Keeps the line."""
        self.said.append(line)

    def steps(self, episodes: int, first: int = 0) -> Iterator[TuningStep]:
        """Each step of each episode by a seed of its own."""
        for start in range(first, first + episodes, self.slots):
            playing = np.asarray([one if one < first + episodes else -1 for one in range(start, start + self.slots)])
            active = playing >= 0
            for step in range(self.length):
                shown = np.stack([self.shown(int(one), step) for one in playing])
                received, action = torch.as_tensor(shown.astype(np.float32)), torch.zeros(self.slots, dtype=torch.int64)
                ended = active & (step == self.length - 1)
                reward = np.zeros(self.slots)
                yield TuningStep(active, shown, received, action, reward, ended, ended, None, playing)

    def shown(self, episode: int, step: int) -> np.ndarray:
        """One grey for the whole picture, or one number for all entries."""
        space = self.seat.observation
        assert isinstance(space, Box)
        drawn = np.random.default_rng([episode + 1, step]).uniform(0.2, 0.8)
        low, high = (np.nan_to_num(end.astype(np.float64), posinf=1, neginf=0) for end in (space.low, space.high))
        return (low + drawn * (high - low)).astype(space.dtype)
