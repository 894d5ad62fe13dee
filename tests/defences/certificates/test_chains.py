"""Policies as chains of layers: what they say is what the policy says, and what is not bounded is named."""

import dataclasses

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete
from torch import nn

from rlattack.defences import Defended, Front
from rlattack.defences.certificates import chain
from rlattack.errors import InvalidInput
from rlattack.games import Seat
from rlattack.policies import GaussianPolicy, ModulePolicy
from rlattack.policies.channels import ChannelsLast, Picked
from rlattack.policies.gaussian import GaussianNetwork
from rlattack.policies.gaussian_spec import GaussianSpec
from rlattack.policies.module import ContinuousPolicy
from rlattack.policies.network import Network, NetworkSpec
from rlattack.policies.normalised import Normalised
from rlattack.policies.placeholders import Zero
from rlattack.policies.policy import Normaliser, Policy

FRAMES = NetworkSpec(observation=(2, 12, 12), actions=3, head="q", convolutions=((4, 4, 4), (4, 2, 1)), hidden=(8,))
NUMBERS = GaussianSpec(observation=(5,), actions=2, hidden=(6, 4), head="normal", clip=2.0, critics=1, judges="states")
RANGE = Box(-2, 3, (2,), np.float32)


def gaussian(**changes: object) -> GaussianPolicy:
    network = GaussianNetwork(dataclasses.replace(NUMBERS, **changes))
    with torch.no_grad():
        network.obs_mean.copy_(torch.randn(5))
        network.obs_std.copy_(torch.rand(5) + 0.5)
        network.value_mean.fill_(3.0)
        network.value_std.fill_(2.0)
    return GaussianPolicy(network, RANGE if network.spec.head != "categorical" and network.spec.head != "q" else None)


def framed(**changes: object) -> ModulePolicy:
    return ModulePolicy.of(Network(dataclasses.replace(FRAMES, **changes)))


def said_by(policy: Policy, obs: torch.Tensor) -> torch.Tensor:
    out = policy(obs)
    scores = out.q if out.q is not None else getattr(out.actions, "scores", None)
    return out.actions.greedy if scores is None else scores


STATISTICS = Normaliser(torch.randn(4), torch.rand(4) + 0.5, 1.0, torch.tensor([True, False, False, False]))
POLICIES = {
    "q": framed(),
    "actor": framed(head="actor-critic", actor=(5,), critic=(6,), activation="tanh"),
    "apart": framed(head="actor-critic", shared=False),
    "quantile": framed(head="quantile", quantiles=5),
    "numbers": ModulePolicy.of(Network(NetworkSpec(observation=(4,), actions=2, head="q", scale=2.0, actor=(6,)))),
    "normal": gaussian(),
    "relu": gaussian(activation="relu", largest_mean=0.1),
    "squashed": gaussian(head="squashed", deviation="layer"),
    "certain": gaussian(head="squashed-point"),
    "discrete": gaussian(head="categorical"),
    "gaussian q": gaussian(head="q", critics=0),
    "several": gaussian(head="categorical", actions=5, choices=(2, 3)),
    "module": ModulePolicy(nn.Sequential(nn.Sequential(nn.Linear(4, 3), nn.ReLU()), nn.Linear(3, 2)), (4,), 2),
    "continuous": ContinuousPolicy(nn.Linear(4, 2), (4,), RANGE),
    "behind statistics": Normalised(ModulePolicy(nn.Linear(4, 2), (4,), 2), STATISTICS, ""),
    "picked": Picked(ModulePolicy(nn.Linear(4, 2), (4,), 2), torch.tensor([5, 0, 1, 3]), 6, ()),
    "channels last": ChannelsLast(framed()),
}


@pytest.mark.parametrize("name", POLICIES)
def test_a_chain_says_what_the_policy_says(name):
    policy = POLICIES[name]
    obs = torch.rand(7, *policy.observation) * (255 if len(policy.observation) == 3 else 6) - 3
    torch.testing.assert_close(chain(policy)(obs), said_by(policy, obs), rtol=1e-4, atol=1e-5)


def test_a_mean_of_many_deviations_leaves_what_the_policy_leaves():
    statistics = Normaliser(torch.full((4,), 9.0), torch.full((4,), 1e-4), 10.0)
    policy = Normalised(ModulePolicy(nn.Linear(4, 2), (4,), 2), statistics, "")
    obs = 9 + 1e-4 * torch.randn(64, 4)
    torch.testing.assert_close(chain(policy)(obs), said_by(policy, obs), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ["actor", "apart", "normal", "relu", "q", "gaussian q"])
def test_a_chain_of_values_says_what_the_critic_says(name):
    policy = POLICIES[name]
    obs = torch.rand(7, *policy.observation) * (255 if len(policy.observation) == 3 else 6) - 3
    said, expected = chain(policy, "values")(obs), policy.value(obs)
    torch.testing.assert_close(said.amax(dim=1), expected, rtol=1e-4, atol=1e-5)


class Halved(nn.Linear):
    """A linear layer that is none."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return super().forward(input) / 2


def hooked() -> nn.Linear:
    layer = nn.Linear(4, 2)
    layer.register_forward_hook(lambda module, given, said: said.square())
    return layer


class Memory(nn.Module):
    """Remembers."""

    def forward(self, obs: torch.Tensor, state: torch.Tensor) -> tuple[torch.Tensor, None, torch.Tensor]:
        return obs[:, :2], None, state


class Nothing(Front[object]):
    """A front."""

    name = "nothing"

    def seen(self, obs: torch.Tensor, draws: object) -> torch.Tensor:
        return obs


def module(*layers: nn.Module) -> ModulePolicy:
    return ModulePolicy(nn.Sequential(*layers), (4,), 2)


@pytest.mark.parametrize(
    ("policy", "named"),
    [
        (module(nn.Linear(4, 2), nn.GELU()), "got GELU, which has no bounds here; bounded are networks of"),
        (module(Halved(4, 2)), "got Halved"),
        (module(hooked()), "got Linear with hooks"),
        (module(nn.Conv2d(1, 1, 3, padding=1, padding_mode="circular")), "got Conv2d with circular padding"),
        (module(nn.Conv2d(1, 1, 3, padding="same")), "got Conv2d with padding='same'"),
        (module(nn.Flatten(0)), "got Flatten from 0 to -1"),
        (ModulePolicy(Memory(), (4,), 2, state_shape=(1,)), "without memory, got Memory with a state"),
        (gaussian(memory=8), "expected a policy without memory, got an LSTM of 8"),
        (Defended(POLICIES["module"], Nothing(None)), "with no front before it, got the front nothing"),
        (Zero(Seat('one', Box(-1, 1, (3,)), Discrete(2))), "expected a policy made of a network, got Zero"),
    ],
)  # fmt: skip
def test_what_is_not_bounded_is_named(policy, named):
    with pytest.raises(InvalidInput, match=f"^bounds: .*{named}"):
        chain(policy)


def test_a_critic_that_is_not_bounded_is_named():
    with pytest.raises(InvalidInput, match="expected a critic that is known, got that of Linear"):
        chain(ModulePolicy(nn.Linear(4, 2), (4,), 2), "values")
    with pytest.raises(InvalidInput, match="expected a critic of states, got one of actions"):
        chain(gaussian(judges="actions"), "values")
    with pytest.raises(InvalidInput, match="expected a critic of states, got none"):
        chain(gaussian(critics=0), "values")
