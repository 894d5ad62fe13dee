"""Critics of continuous actions: roll-outs by hand, and what is learned of them where the answer is known."""

import numpy as np
import pytest
import torch

from rlattack.attacks import TuningStep
from rlattack.attacks.critics import Critics, RollOuts, learn
from rlattack.draws import SharedDraws


def step(shown, done, reward, ended=(False, False), terminated=(False, False)):
    """One of two slots."""
    column = np.asarray(shown, dtype=np.float64)[:, None]
    return TuningStep(
        np.ones(2, dtype=bool), column, None, torch.tensor(done)[:, None], np.asarray(reward),
        np.asarray(ended), np.asarray(terminated),
    )  # fmt: skip


def test_a_step_counts_where_the_next_one_is_known_or_there_is_none():
    steps = [
        step([1, 10], [0.1, 0.5], [1.0, 1.0]),
        step([2, 20], [0.2, 0.6], [2.0, 2.0], ended=[True, True], terminated=[True, False]),  # by the rules, and cut
        step([3, 30], [0.3, 0.7], [3.0, 3.0]),
        step([4, 40], [0.4, 0.8], [4.0, 4.0]),
    ]
    data = RollOuts.of(steps)
    torch.testing.assert_close(
        data.seen[0], torch.tensor([[1, 0.1], [10, 0.5], [2, 0.2], [3, 0.3], [30, 0.7]]), rtol=0, atol=1e-7
    )
    assert data.seen[1, :2, 0].tolist() == [2, 20]
    assert data.seen[1, 3:, 0].tolist() == [4, 40]
    assert data.goes_on.tolist() == [1, 1, 0, 1, 1]
    assert data.reward.tolist() == [1, 1, 2, 3, 3]
    assert data.earned.tolist() == pytest.approx([1 + 0.99 * 2, 1 + 0.99 * 2, 2, 3 + 0.99 * 4, 3 + 0.99 * 4])
    assert data.actions == 1


def chain(count=2000):
    """A first step, which decides nothing, and a last one, which pays what is done in it minus what is seen."""
    drawn = torch.rand(count, 4, generator=torch.Generator().manual_seed(0)) * 2 - 1
    first, last = drawn[:, :2] + torch.tensor([5.0, 0.0]), drawn[:, 2:]
    nothing = torch.zeros(count)
    reward = torch.cat([nothing, last[:, 1] - last[:, 0]])
    goes_on = torch.cat([nothing + 1, nothing])
    seen = torch.stack([torch.cat([first, last]), torch.cat([last, last])])
    return RollOuts(seen, reward, goes_on, torch.cat([0.99 * reward[count:], reward[count:]]), 1)


def learned(box, costs, updates=(200,), data=None):
    return list(
        learn(data or chain(), torch.full((len(costs), 1), box), torch.tensor(costs), SharedDraws(1, 0), updates)
    )


def test_critics_say_what_an_action_is_worth_now_and_one_step_later():
    data = chain()
    data.seen[0, :2000] = data.seen[1, :2000] + torch.tensor([5.0, 0.0])  # so that the first step tells of the next
    ((critic,), spread) = learned(0.1, [0.0], (300,), data), data.earned.std(unbiased=False)
    said = data.earned.mean() + spread * critic(data.seen[:1, :, :1], data.seen[:1, :, 1:])[0]
    last = data.reward[2000:]
    assert (said[2000:] - last).abs().mean() < 0.15 * last.abs().mean()
    assert (said[:2000] - 0.99 * last).abs().mean() < 0.15 * last.abs().mean()


def test_the_regulariser_flattens_critics_and_each_has_its_own():
    ((critics,), shown) = learned(0.5, [0.0, 1.0, 100.0]), torch.zeros(1, 1, 1)
    up, down = (critics(shown, torch.full((1, 1, 1), way))[:, 0] for way in (0.5, -0.5))
    free, some, flat = (up - down).tolist()
    assert free > 1.5 * some > 3 * flat > 0


def test_they_are_kept_as_they_were_after_so_many_updates():
    first, second = learned(0.1, [0.1, 1.0], (20, 40))
    (same,) = learned(0.1, [0.1, 1.0], (20,))
    for name, part in same.tensors.items():
        assert torch.equal(part, first.tensors[name])
        assert name in ("mean", "deviation") or not torch.equal(part, second.tensors[name])
    joined = Critics.joined([first, second])
    shown, done = torch.ones(3, 1), torch.linspace(-1, 1, 3)[:, None]
    each = joined[torch.tensor([0, 3, 0])].each(shown, done)
    apart = [one.each(shown, done) for one in (first[torch.tensor([0])], second[torch.tensor([1])])]
    torch.testing.assert_close(each, torch.stack([apart[0][0], apart[1][1], apart[0][2]]))
    assert len(joined) == 4
