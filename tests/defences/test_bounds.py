"""Bounds of networks: nothing that is tried in a box lies outside."""

import pytest
import torch
from torch import nn

from rlattack.defences.bounds import Interval, lead, propagate
from rlattack.errors import InvalidInput


@pytest.fixture
def layers() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(2, 3, 3, 2, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(27, 8), nn.Tanh(), nn.Linear(8, 4)
    )


def test_what_is_tried_in_a_box_lies_within_its_bounds(layers: nn.Sequential) -> None:
    centre = torch.rand(1, 2, 6, 6)
    found = propagate(layers, Interval(centre - 0.1, centre + 0.1))
    with torch.no_grad():
        said = layers(centre + 0.2 * torch.rand(20_000, 2, 6, 6) - 0.1)
    assert (said >= found.lower).all()
    assert (said <= found.upper).all()


def test_one_layer_reaches_its_bounds() -> None:
    last = nn.Linear(2, 1)
    last.weight.data, last.bias.data = torch.tensor([[2.0, -3.0]]), torch.tensor([0.5])
    found = propagate([last], Interval(torch.tensor([[0.0, -1.0]]), torch.tensor([[1.0, 1.0]])))
    assert (found.lower.item(), found.upper.item()) == (-2.5, 5.5)


def test_a_lead_is_tighter_than_bounded_scores_and_holds(layers: nn.Sequential) -> None:
    last, before = layers[-1], layers[:-1]
    centre = torch.rand(5, 2, 6, 6)
    seen = Interval(centre - 0.05, centre + 0.05)
    action = torch.tensor([0, 1, 2, 3, 0])
    leads = lead(last, propagate(before, seen), action)
    scores = propagate(layers, seen)
    loose = scores.lower.gather(1, action[:, None]) - scores.upper
    others = torch.ones(5, 4, dtype=torch.bool).scatter(1, action[:, None], False)
    assert (leads[others] >= loose[others] - 1e-6).all()
    assert leads.gather(1, action[:, None]).abs().max() == 0
    with torch.no_grad():
        for _ in range(200):
            said = layers(centre + 0.1 * torch.rand_like(centre) - 0.05)
            assert (said.gather(1, action[:, None]) - said >= leads - 1e-5).all()


def test_a_layer_without_bounds_is_named() -> None:
    with pytest.raises(InvalidInput, match="got GELU, which has no bounds here"):
        propagate([nn.GELU()], Interval(torch.zeros(1, 2), torch.ones(1, 2)))
