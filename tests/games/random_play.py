"""Play that nobody learned, for tests of the batched games."""

from types import SimpleNamespace

import numpy as np


def every(slots):
    return np.ones(slots, dtype=np.bool_)


def both(*actions):
    """The same actions for both seats."""
    return np.array(actions), np.array(actions)


def random_play(game, steps, size=1.0, seed=0):
    """Actions (steps, 2, slots, actuators), as far as twice the range."""
    rng, space = np.random.default_rng(seed), game.seats[0].action
    return rng.uniform(2 * size * space.low, 2 * size * space.high, (steps, 2, game.slots, *space.shape)).astype(
        np.float32
    )


def seen_by_all(views):
    """Observations of seats that see alike, shape (seats, slots, ...)."""
    return np.stack([view.obs for view in views])


def play(game, actions):
    """All that the steps bring, one array of (steps, 2, slots, ...) each."""
    steps = [game.step(both_seats) for both_seats in actions]
    return [np.stack([seen_by_all(step.views) for step in steps]), np.stack([step.rewards for step in steps])]


class Alone:
    """A game of one seat without the axis of the seats."""

    def __init__(self, game):
        (seat,) = game.seats
        self.game, self.slots = game, game.slots
        self.observation_space, self.action_space = seat.observation, seat.action
        self.close = game.close

    def reset(self, mask, seeds):
        (view,) = self.game.reset(mask, seeds)
        return view.obs

    def step(self, actions):
        step = self.game.step([actions])
        (view,), (rewards,) = step.views, step.rewards
        return SimpleNamespace(obs=view.obs, rewards=rewards, terminated=step.terminated, truncated=step.truncated)
