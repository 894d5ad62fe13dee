"""Tensors and arrays are found wherever an object of the user's holds them; what does not play is left out."""

import functools

import gymnasium
import numpy as np
import pytest
import torch

from rlattack.policies import load_agent
from rlattack.policies.contents import class_digest, tensor_digest
from tests.kit.agents import CARTPOLE


class Holder:
    def __init__(self, **parts):
        self.__dict__ |= parts


class Slotted:
    __slots__ = ("net",)

    def __init__(self, net):
        self.net = net


def linear(seed):
    torch.manual_seed(seed)
    return torch.nn.Linear(3, 2)


class Quiet(torch.nn.Module):
    """Has a tensor that its state_dict leaves out."""

    def __init__(self, seed):
        super().__init__()
        self.scale = torch.full((2,), float(seed))
        self.register_buffer("shift", torch.full((2,), float(seed)), persistent=False)


HOLDERS = {
    "a module": linear,
    "an attribute": lambda seed: Holder(net=linear(seed)),
    "a list in an attribute": lambda seed: Holder(name="x", nets=[None, linear(seed)]),
    "a dictionary": lambda seed: Holder(nets={"a": 1, 2: {"b": linear(seed)}}),
    "a set": lambda seed: Holder(nets={linear(seed)}),
    "an object in an object": lambda seed: Holder(inner=Holder(net=linear(seed))),
    "an array": lambda seed: Holder(table=np.arange(4) == seed),
    "a scalar array": lambda seed: Holder(table=np.array(float(seed))),
    "an array of objects": lambda seed: Holder(table=np.array([linear(seed), None], dtype=object)),
    "a tensor": lambda seed: Holder(table=torch.full((3, 2), float(seed)).T),
    "a closure": lambda seed: Holder(net=(lambda net: lambda obs: net(obs))(linear(seed))),
    "a method": lambda seed: Holder(net=linear(seed).forward),
    "a partial": lambda seed: functools.partial(print, linear(seed)),
    "slots": lambda seed: Slotted(linear(seed)),
    "no state_dict": Quiet,
    "a script": lambda seed: Holder(net=torch.jit.trace(linear(seed), torch.ones(1, 3))),
}


@pytest.mark.parametrize("make", HOLDERS.values(), ids=HOLDERS)
@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_what_is_held_is_told_apart(make):
    assert tensor_digest(make(0)) == tensor_digest(make(0)) != tensor_digest(make(1))
    assert len(tensor_digest(make(0))) == 64


def test_weights_that_change_places_are_others():
    one, two = torch.zeros(2), torch.ones(2)
    assert tensor_digest(Holder(up=one, down=two)) != tensor_digest(Holder(up=two, down=one))


def test_objects_that_hold_each_other_have_an_end():
    one, other = Holder(net=linear(0)), Holder()
    one.other, other.one = other, one
    assert tensor_digest(one) == tensor_digest(one)


def test_what_holds_no_tensor_has_no_digest():
    assert tensor_digest(Holder(table=[1, 2.0], name="x", of=Holder)) == ""


def test_what_only_learning_needs_is_left_out():
    def learning(step):
        net, env = linear(0), gymnasium.make("CartPole-v1")
        env.reset(seed=step)
        optimizer = torch.optim.Adam(net.parameters())
        optimizer.state[0] = torch.full((1,), float(step))
        return Holder(net=net, env=env, optimizer=optimizer)

    assert tensor_digest(learning(0)) == tensor_digest(learning(1)) == tensor_digest(learning(2))


def test_statistics_of_observations_that_an_environment_keeps_are_told_apart():
    from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

    def holder(mean):
        env = VecNormalize(DummyVecEnv([lambda: gymnasium.make("CartPole-v1")]))
        env.training = False
        env.reset()
        env.obs_rms.mean = np.full(4, mean)
        return Holder(env=env)

    assert tensor_digest(holder(0.0)) == tensor_digest(holder(0.0)) != tensor_digest(holder(1.0))


def test_classes_of_the_user_s_are_told_by_their_source_and_those_of_packages_are_not():
    assert class_digest(torch.nn.Linear(1, 1)) == ""
    assert class_digest(Holder()) == class_digest(Holder(net=Quiet(0)))
    assert len(class_digest(torch.nn.Sequential(Quiet(0)))) == 64


POLICY = """
import torch
from gymnasium.spaces import Discrete
from rlattack.policies.distributions import Categorical
from rlattack.policies.policy import Differentiable, Output

class Mine(Differentiable):
    observation, action, acts, normaliser = (4,), Discrete(2), None, None

    def __init__(self):
        self.net = torch.nn.Linear(4, 2)
        self.net.load_state_dict(torch.load("weights.pt"))

    def __call__(self, obs, state=None, draws=None):
        return Output(Categorical(self.net(obs)))

    def value(self, obs, action=None, state=None):
        return None

    def initial_state(self, n):
        return None

make = Mine
"""


def test_a_policy_whose_weights_were_trained_further_is_another_whatever_it_calls_them(script):
    spec, agents = script(POLICY), []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        torch.save(torch.nn.Linear(4, 2).state_dict(), "weights.pt")
        agents.append(load_agent(spec, CARTPOLE))
    one, same, trained = agents
    assert one.identity == same.identity != trained.identity
    assert one.sha256 == same.sha256 != trained.sha256
