"""Whether who chooses among four actions does so by chance, in three slots where not all are legal."""

import numpy as np
import torch

from tests.kit.agents import act, streams

LEGAL = np.array([[False, True, False, True], [True, False, False, False], [False, False, True, True]])


def check_even_chance(policy):
    """Plays 400 rounds among `LEGAL` actions."""
    draws, chosen = streams(0, 1, 2), np.zeros((3, 4), dtype=int)
    for _ in range(400):
        actions, _ = act(policy, np.zeros((3, 4)), draws, legal=LEGAL)
        assert actions.dtype == torch.int64
        chosen[np.arange(3), actions.numpy()] += 1
    assert (chosen[~LEGAL] == 0).all()
    assert chosen[1].tolist() == [400, 0, 0, 0]
    assert (abs(chosen[[0, 2]][LEGAL[[0, 2]]] - 200) < 50).all()  # five standard deviations


def check_own_streams(policy):
    """Plays 20 rounds in slots of these seeds."""

    def acts(*seeds):
        draws = streams(*seeds)
        return [act(policy, np.zeros((len(seeds), 4)), draws)[0].tolist() for _ in range(20)]

    assert [row[0] for row in acts(5, 6)] == [row[1] for row in acts(7, 5)]
    assert [row[0] for row in acts(5, 6)] != [row[1] for row in acts(5, 6)]
