"""Modules of a user's, whose function `make` gives what plays."""

LINEAR = """
import torch
def make():
    torch.manual_seed(0)
    return torch.nn.Linear(4, 2)
"""
HALF = """
class Half:
    observation, action = (4,), None
    def __call__(self, obs, state=None, draws=None):
        return obs
make = Half
"""
WRONG = """
import torch
from rlattack.policies import ModulePolicy
class Wrong(ModulePolicy):
    def __call__(self, obs, state=None, draws=None):
        return obs
def make():
    return Wrong(torch.nn.Identity(), (4,), 4)
"""
NUMBERS = """
import numpy as np
import torch
from gymnasium.spaces import Box
from rlattack.policies import GaussianPolicy
from rlattack.policies.gaussian import GaussianNetwork
from rlattack.policies.gaussian_spec import GaussianSpec
def make():
    torch.manual_seed(0)
    network = GaussianNetwork(GaussianSpec(observation=(3,), actions=2, hidden=(4,)))
    return GaussianPolicy(network, Box(np.float32([-0.4, -1]), np.float32([0.4, 3])))
"""
