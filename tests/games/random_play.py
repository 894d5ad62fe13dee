"""Play that nobody learned, for tests of the batched games."""

import numpy as np


def every(slots):
    return np.ones(slots, dtype=np.bool_)


def both(*actions):
    """The same actions for both seats."""
    return np.array(actions), np.array(actions)


def random_play(duel, steps, size=1.0, seed=0):
    """Actions (steps, 2, slots, actuators), as far as twice the range."""
    rng, space = np.random.default_rng(seed), duel.action_spaces[0]
    return rng.uniform(2 * size * space.low, 2 * size * space.high, (steps, 2, duel.slots, *space.shape)).astype(
        np.float32
    )


def play(duel, actions):
    """All that the steps bring, one array of (steps, 2, slots, ...) each."""
    steps = [duel.step((first, second)) for first, second in actions]
    return [np.stack([np.stack(step.sight.obs) for step in steps]), np.stack([step.rewards for step in steps])]
