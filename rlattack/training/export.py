"""The policy of a Stable-Baselines3 learner as an agent of ours, with what it normalises observations by."""

from typing import Literal

import numpy as np
import torch
from gymnasium.spaces import Box
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.preprocessing import is_image_space
from stable_baselines3.common.vec_env import VecNormalize
from torch import Tensor, nn

from rlattack.policies.folder import AnyNetwork
from rlattack.policies.gaussian import GaussianNetwork
from rlattack.policies.network import Network, NetworkSpec
from rlattack.policies.normalised import behind
from rlattack.policies.policy import Normaliser
from rlattack.policies.sb3_numbers import NumbersArchitecture, convert_numbers
from rlattack.policies.sb3_state import Sb3Architecture, convert
from rlattack.training.checkpoint import running
from rlattack.training.extractor import ConvolutionalExtractor

_NAMES = {
    "mlp_extractor.policy_net.": "pi.layers.", "mlp_extractor.value_net.": "vf.layers.", "action_net.": "pi.out.",
    "value_net.": "vf.out.", "log_std": "log_std",
}  # fmt: skip
"""SB3's names of PPO, and those of a `GaussianNetwork`."""


def export(learner: BaseAlgorithm) -> AnyNetwork:
    """Returns the learner's policy as it is now, its observation statistics frozen."""
    space = learner.observation_space
    if isinstance(learner.action_space, Box) and len(space.shape or ()) == 1:
        return _gaussian(learner, {name: tensor.cpu() for name, tensor in learner.policy.state_dict().items()})
    spec, ours = convert_policy(learner)
    network = Network(spec)
    network.load_state_dict(ours)
    return network


def convert_policy(learner: BaseAlgorithm) -> tuple[NetworkSpec, dict[str, Tensor]]:
    """The policy of a learner of pictures, or of discrete actions, by our names: its own tensors, without a graph."""
    state, space = dict(learner.policy.state_dict()), learner.observation_space
    assert isinstance(space, Box)
    state.pop("log_std", None)  # of who perturbs pictures: its numbers stand where others have scores
    arch = Sb3Architecture(
        observation=space.shape,
        scale=255.0 if is_image_space(space) else 1.0,  # where SB3 divides
        strides=next((one.strides for one in learner.policy.modules() if isinstance(one, ConvolutionalExtractor)), ()),
        activation=_activation(learner),
        quantiles=getattr(learner.policy, "n_quantiles", 1),
    )
    return convert(state, arch)


def sb3_state(learner: BaseAlgorithm, network: GaussianNetwork) -> dict[str, Tensor]:
    """The tensors of a network by the names that they have in a learner of the same layers."""
    state = network.state_dict()
    state["vf.out.bias"] = state["vf.out.bias"] + state["value_mean"] / state["value_std"]
    return {name: state[_ours(name)] for name in learner.policy.state_dict()}


def _ours(name: str) -> str:
    prefix = next(prefix for prefix in _NAMES if name.startswith(prefix))
    return _NAMES[prefix] + name.removeprefix(prefix)


def _activation(learner: BaseAlgorithm) -> Literal["relu", "tanh"]:
    return "tanh" if getattr(learner.policy, "activation_fn", nn.ReLU) is nn.Tanh else "relu"


def _gaussian(learner: BaseAlgorithm, state: dict[str, Tensor]) -> GaussianNetwork:
    """A policy of continuous actions, behind the statistics where it has learned from normalised observations."""
    (entries,), (actions,) = learner.observation_space.shape or (), learner.action_space.shape or ()
    arch = NumbersArchitecture(entries=entries, actions=actions, continuous=True, activation=_activation(learner))
    spec, ours = convert_numbers(state, arch)
    network = GaussianNetwork(spec)
    normal = learner.get_vec_normalize_env()
    if normal is None or not normal.norm_obs:
        network.load_state_dict(ours)
        return network
    normaliser, off = _statistics(normal)
    ours["value_std"] = torch.tensor(float(np.sqrt(normal.ret_rms.var + normal.epsilon)))
    for head in ("pi", "vf"):
        weight, bias = ours[f"{head}.layers.0.weight"].double(), ours[f"{head}.layers.0.bias"].double()
        ours[f"{head}.layers.0.bias"] = (bias + weight @ off).float()
    network.load_state_dict(ours)
    return behind(network, normaliser, "the learner")


def _statistics(normal: VecNormalize) -> tuple[Normaliser, Tensor]:
    """The statistics, which are float64 in SB3 and float32 here, and by how many deviations the means are rounded.

    Where an entry hardly varies (a mass, a fixed angle) that is many; since it is the same in every observation, it
    goes into the first layers.
    """
    seen = running(normal)["obs"]
    mean, std = torch.from_numpy(seen.mean), torch.from_numpy(np.sqrt(seen.var + normal.epsilon))
    return Normaliser(mean.float(), std.float(), normal.clip_obs), (mean.float().double() - mean) / std
