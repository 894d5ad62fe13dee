import pytest
import torch

from rlattack.errors import ContentError
from rlattack.policies.network import SMALL, Network, NetworkSpec


def spec(**changes) -> NetworkSpec:
    return NetworkSpec(**{"observation": (4, 84, 84), "actions": 6, "head": "q", "convolutions": SMALL} | changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"actions": 0}, "sizes from 1 to 1,000,000, got 0"),
        ({"observation": ()}, "got an empty observation"),
        ({"hidden": (10**7,)}, "got 10000000"),
        ({"convolutions": ((16, 8, 0),)}, "got 0"),
        ({"hidden": (1,) * 101}, "at most 100 sizes"),
        ({"scale": 0.0}, "scale above 0"),
        ({"scale": float("inf")}, "scale above 0"),
        ({"garbage": True}, "a class of garbage stands beside scores of an actor, not q"),
        ({"observation": (4,)}, r"convolutions need \(frames, height, width\)"),
    ],
)
def test_sizes_that_no_network_has_are_refused(changes, message):
    with pytest.raises(ContentError, match=message):
        spec(**changes)


def test_convolutions_that_do_not_fit_are_refused():
    with pytest.raises(ContentError, match="does not fit observations"):
        Network(spec(observation=(4, 20, 20)))


def test_quantiles_are_averaged():
    network = Network(spec(head="quantile", quantiles=5))
    obs = torch.rand(3, 4, 84, 84) * 255
    quantiles = network.actor(network.trunk(obs / 255)).view(3, 5, 6)
    assert network(obs)[0].equal(quantiles.mean(dim=1))


def test_actor_and_critic_can_have_a_trunk_each():
    network = Network(spec(head="actor-critic", shared=False))
    obs = torch.rand(2, 4, 84, 84) * 255
    before = network(obs)
    with torch.no_grad():
        network.critic_trunk[0].bias += 1.0
    after = network(obs)
    assert before[0].equal(after[0])
    assert not before[1].equal(after[1])


def test_a_class_of_garbage_stands_beside_the_actions():
    network = Network(spec(head="actor-critic", actor=(8,), garbage=True))
    obs = torch.rand(2, 4, 84, 84) * 255
    scores, _, _, hidden, garbage = network(obs)
    assert garbage.equal(network.garbage(hidden).squeeze(1))
    assert scores.shape == (2, 6)
    assert Network(spec(head="actor-critic"))(obs)[4] is None


@pytest.mark.parametrize("side", [84, 80, 82])
@pytest.mark.parametrize("layer", [(16, 8, 4), (8, 4, 4), (8, 6, 4)])
def test_gradient_of_a_frozen_strided_convolution_is_torch_s_own(side, layer):
    spec = NetworkSpec(observation=(3, side, side), actions=3, head="q", convolutions=(layer, (8, 3, 2)), hidden=(9,))
    network = Network(spec)
    obs = (torch.rand(2, 3, side, side) * 255).requires_grad_()
    expected, *_ = torch.autograd.grad(network(obs)[0].logsumexp(1).sum(), obs)  # in training: torch's own way
    network.requires_grad_(False)
    got, *_ = torch.autograd.grad(network(obs)[0].logsumexp(1).sum(), obs)
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-6 * float(expected.abs().max()))
    assert network(obs)[0].equal(network(obs.detach())[0])
