"""Bounds that are carried back: nothing in a region lies outside, and they are never looser than intervals."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from rlattack.defences.bounds import Interval
from rlattack.defences.certificates.crown import METHODS, least, trace
from rlattack.defences.certificates.region import NORMS, Region
from rlattack.defences.certificates.relaxation import bends, lines
from rlattack.defences.layers import Affine, Clip, Pick
from rlattack.errors import InvalidInput

ROUNDING = 2e-5


def picture(act: type[nn.Module], padding: int, stride: int, dilation: int = 1) -> nn.Sequential:
    """A small network of pictures (2, 8, 8) with five outputs."""
    eyes = nn.Sequential(
        nn.Conv2d(2, 4, 3, stride, padding),
        act(),
        nn.Conv2d(4, 4, 2, 1, 0, dilation, groups=dilation),
        act(),
        nn.Flatten(),
    )
    width = eyes(torch.zeros(1, 2, 8, 8)).shape[1]
    return nn.Sequential(*eyes, nn.Linear(width, 6), act(), nn.Linear(6, 5)).requires_grad_(False)


def around(obs: Tensor, size: float, norm: str, ends: float = 10.0) -> Region:
    every = torch.ones_like(obs[:1])
    return Region(obs, size * every, -ends * every, ends * every, norm)


def drawn(region: Region, count: int) -> Tensor:
    """Points of a region, most of them at its ends, shape (count, n, *observation)."""
    noise = torch.randn(count, *region.centre.shape)
    order = {"linf": torch.inf, "l2": 2, "l1": 1}[region.norm]
    if region.norm == "linf":
        noise = noise.sign() * torch.rand(count, *[1] * region.centre.ndim).clamp(min=0.5)
    elif region.norm == "l1":
        noise = noise * (torch.rand_like(noise) < 0.05)
    size = torch.linalg.vector_norm(noise.flatten(2), order, dim=2).clamp(min=1e-9)
    share = torch.rand_like(size).clamp(min=0.7) / size
    point = region.centre + region.width * noise * share.view(*size.shape, *[1] * (region.centre.ndim - 1))
    return torch.maximum(torch.minimum(point, region.high), region.low)


def outside(layers: nn.Sequential, region: Region, found: Tensor, asked: Tensor, count: int) -> float:
    """How far the least of drawn points lies below bounds, at most; of every question."""
    points = drawn(region, count)
    said = layers(points.flatten(0, 1)).view(count, len(region.centre), -1)
    return float((found - (said @ asked[0].T)).amax())


@given(
    seed=st.integers(0, 10_000), act=st.sampled_from([nn.ReLU, nn.Tanh]), padding=st.integers(0, 1),
    stride=st.integers(1, 2), dilation=st.integers(1, 2), norm=st.sampled_from(NORMS),
    ends=st.sampled_from([0.6, 10.0]),
)  # fmt: skip
@settings(max_examples=12, deadline=None)
def test_nothing_in_a_region_of_a_random_network_lies_outside(seed, act, padding, stride, dilation, norm, ends):
    torch.manual_seed(seed)
    layers, obs = picture(act, padding, stride, dilation), torch.rand(3, 2, 8, 8) - 0.5
    region = around(obs, {"linf": 0.1, "l2": 1.0, "l1": 8.0}[norm], norm, ends)
    asked = torch.cat([torch.eye(5), -torch.eye(5), torch.randn(2, 5)])[None]
    found = {method: least(trace(layers, region, method), asked, method) for method in METHODS}
    for method, bounds in found.items():
        assert outside(layers, region, bounds, asked, 300) <= ROUNDING, method
        assert (bounds >= found["ibp"] - ROUNDING).all(), method


@pytest.mark.slow
@pytest.mark.parametrize("act", [nn.ReLU, nn.Tanh])
@pytest.mark.parametrize("norm", NORMS)
def test_none_of_a_million_points_lies_outside(act, norm):
    layers, obs = picture(act, 0, 2), torch.rand(2, 2, 8, 8) - 0.5
    region = around(obs, {"linf": 0.1, "l2": 1.0, "l1": 8.0}[norm], norm)
    asked = torch.cat([torch.eye(5), -torch.eye(5)])[None]
    found = [least(trace(layers, region, method), asked, method) for method in METHODS]
    for _ in range(500):
        points = drawn(region, 1000)
        said = layers(points.flatten(0, 1)).view(1000, 2, -1) @ asked[0].T
        assert all((said >= bounds - ROUNDING).all() for bounds in found)


def test_bounds_of_one_linear_layer_are_what_it_reaches():
    layer = nn.Linear(2, 1, bias=False)
    layer.weight.data = torch.tensor([[3.0, -4.0]])
    asked, obs = torch.ones(1, 1, 1), torch.zeros(1, 2)
    for norm, least_said in (("linf", -7.0), ("l2", -5.0), ("l1", -4.0)):
        for method in METHODS:
            found = least(trace([layer.requires_grad_(False)], around(obs, 1.0, norm), method), asked, method)
            assert found.item() == pytest.approx(least_said)


def test_units_alone_are_bounded_too():
    layers, asked = [Affine(torch.tensor(2.0), torch.tensor(1.0))], torch.tensor([[[1.0, -1.0]]])
    for norm, least_said in (("linf", -0.8), ("l2", -0.4 * 2**0.5), ("l1", -0.4)):
        found = [
            least(trace(layers, around(torch.zeros(1, 2), 0.2, norm), method), asked, method) for method in METHODS
        ]
        assert found[1].item() == found[2].item() == pytest.approx(least_said)
        assert found[0].item() <= found[1].item() + ROUNDING


def test_a_ball_is_cut_by_the_range_of_what_is_seen():
    layer = nn.Linear(1, 1, bias=False).requires_grad_(False)
    layer.weight.data = torch.ones(1, 1)
    found = least(
        trace([layer], around(torch.zeros(1, 1), 1.0, "linf", ends=0.25), "crown"), torch.ones(1, 1, 1), "crown"
    )
    assert found.item() == pytest.approx(-0.25)


def test_crown_cancels_what_intervals_add_up():
    twice = nn.Linear(1, 2, bias=False)
    twice.weight.data = torch.ones(2, 1)
    apart = nn.Linear(2, 1, bias=False)
    apart.weight.data = torch.tensor([[1.0, -1.0]])  # x - x
    layers = nn.Sequential(twice, nn.Tanh(), apart).requires_grad_(False)
    region = around(torch.full((1, 1), 0.5), 0.2, "linf")
    found = {method: least(trace(layers, region, method), torch.ones(1, 1, 1), method).item() for method in METHODS}
    assert found["ibp"] == pytest.approx(float(torch.tensor(0.3).tanh() - torch.tensor(0.7).tanh()))
    assert found["ibp"] / 5 < found["crown"] < 0


def test_layers_of_policies_have_bounds_too():
    index = torch.randperm(6)[:4]
    layers = nn.Sequential(
        Pick(index), Affine(torch.tensor([2.0, -1.0, 0.5, 1.0]), torch.ones(4)),
        Clip(torch.tensor(-0.9), torch.tensor(1.4)), nn.Linear(4, 3), nn.Identity(), nn.Tanh(),
        Affine(torch.tensor(-3.0), torch.tensor(1.0)),
    ).requires_grad_(False)  # fmt: skip
    asked = torch.cat([torch.eye(3), -torch.eye(3)])[None]
    for norm in NORMS:
        region = around(torch.randn(4, 6), 0.2, norm)
        found = {method: least(trace(layers, region, method), asked, method) for method in METHODS}
        assert all(outside(layers, region, bounds, asked, 2000) <= ROUNDING for bounds in found.values())
        assert (found["crown"] >= found["ibp"] - ROUNDING).all()


@pytest.mark.parametrize("layer", [nn.ReLU(), nn.Tanh(), Clip(torch.tensor(-1.0), torch.tensor(0.5))])
def test_what_bends_runs_between_its_lines(layer):
    ends = torch.tensor([-20.0, -3.0, -1.0, -1.0, -0.3, 0.0, 1e-7, 0.5, 0.5 + 1e-7, 2.0, 20.0])
    lower, upper = (one.flatten() for one in torch.meshgrid(ends, ends, indexing="ij"))
    lower, upper = torch.minimum(lower, upper)[None], torch.maximum(lower, upper)[None]
    found, seen = lines(layer, Interval(lower, upper)), Interval(lower, upper)
    for share in torch.linspace(0, 1, 201):
        x = lower + share * (upper - lower)
        assert (layer(x) >= found.low * x + found.low_at - 2e-6).all()
        assert (layer(x) <= found.high * x + found.high_at + 2e-6).all()
    straight = ~bends(layer, seen)
    assert ((found.low == found.high) | (upper == lower))[straight].all()


def test_a_chord_of_tanh_ends_before_it_would_cut_it():
    lower = torch.linspace(-3, -0.01, 40, dtype=torch.float64)[:, None]
    touching = torch.zeros_like(lower)
    for step in 0.5 ** torch.arange(1, 60):  # where the line from the lower end touches, to the last digit
        more = touching + 3 * step
        touching = torch.where(more.tanh() - (1 - more.tanh() ** 2) * (more - lower) < lower.tanh(), more, touching)
    upper = touching + torch.linspace(-1e-3, 3e-3, 81, dtype=torch.float64)
    found = lines(nn.Tanh(), Interval(lower.expand_as(upper), upper))
    for share in torch.linspace(0, 1, 101, dtype=torch.float64):
        x = lower + share * (upper - lower)
        assert (x.tanh() <= found.high * x + found.high_at + 1e-12).all()
    below = lines(nn.Tanh(), Interval(-upper, -lower.expand_as(upper)))
    assert (below.low_at == -found.high_at).all()


def test_a_layer_without_bounds_is_named():
    with pytest.raises(InvalidInput, match="with zeros around, ReLU, Tanh, Flatten, got Sigmoid, which"):
        trace([nn.Linear(2, 2), nn.Sigmoid()], around(torch.zeros(1, 2), 1.0, "linf"), "crown")
