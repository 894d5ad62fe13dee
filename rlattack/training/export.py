"""The policy of a Stable-Baselines3 learner as an agent of ours, with what it normalises observations by."""

from typing import cast

import numpy as np
import torch
from gymnasium.spaces import Box
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.preprocessing import is_image_space
from stable_baselines3.common.vec_env import VecNormalize
from torch import Tensor, nn

from rlattack.policies.folder import AnyNetwork
from rlattack.policies.gaussian import GaussianNetwork, GaussianSpec
from rlattack.policies.network import Network
from rlattack.policies.sb3_state import Sb3Architecture, convert
from rlattack.training.checkpoint import running
from rlattack.training.extractor import ConvolutionalExtractor

_NAMES = {
    "mlp_extractor.policy_net.": "pi.layers.", "mlp_extractor.value_net.": "vf.layers.", "action_net.": "pi.out.",
    "value_net.": "vf.out.", "log_std": "log_std",
}  # fmt: skip
"""SB3's names, in this order, and those of a `GaussianNetwork`."""


def export(learner: BaseAlgorithm) -> AnyNetwork:
    """Returns the learner's policy as it is now, its observation statistics frozen.

    Args:
        learner: One of discrete actions, or PPO of continuous ones behind a `VecNormalize`.
    """
    state = {name: tensor.detach().cpu() for name, tensor in learner.policy.state_dict().items()}
    if "log_std" in state:
        return _gaussian(state, cast(VecNormalize, learner.get_vec_normalize_env()))
    space = learner.observation_space
    assert isinstance(space, Box)
    heads = getattr(learner.policy, "activation_fn", nn.ReLU)
    arch = Sb3Architecture(
        observation=space.shape,
        scale=255.0 if is_image_space(space) else 1.0,  # where SB3 divides
        strides=next((one.strides for one in learner.policy.modules() if isinstance(one, ConvolutionalExtractor)), ()),
        activation="tanh" if heads is nn.Tanh else "relu",
        quantiles=getattr(learner.policy, "n_quantiles", 1),
    )
    spec, ours = convert(state, arch)
    network = Network(spec)
    network.load_state_dict(ours)
    return network


def sb3_state(learner: BaseAlgorithm, network: GaussianNetwork) -> dict[str, Tensor]:
    """The tensors of a network by the names that they have in a learner of the same layers."""
    state = network.state_dict()
    state["vf.out.bias"] = state["vf.out.bias"] + state["value_mean"] / state["value_std"]
    return {name: state[_ours(name)] for name in learner.policy.state_dict()}


def _gaussian(state: dict[str, Tensor], normal: VecNormalize) -> GaussianNetwork:
    """Actor and critic behind the statistics, which are float64 in SB3 and float32 here.

    Where an entry hardly varies (a mass, a fixed angle) a rounded mean would be many deviations off; what it is off by,
    the same in every observation, goes into the first layers.
    """
    seen = running(normal)["obs"]
    mean, std = torch.from_numpy(seen.mean), torch.from_numpy(np.sqrt(seen.var + normal.epsilon))
    off = (mean.float().double() - mean) / std
    ours = {_ours(name): tensor for name, tensor in state.items()} | {
        "obs_mean": mean.float(),
        "obs_std": std.float(),
        "value_mean": torch.zeros(()),
        "value_std": torch.tensor(float(np.sqrt(normal.ret_rms.var + normal.epsilon))),
    }
    for head in ("pi", "vf"):
        weight, bias = ours[f"{head}.layers.0.weight"].double(), ours[f"{head}.layers.0.bias"].double()
        ours[f"{head}.layers.0.bias"] = (bias + weight @ off).float()
    hidden = tuple(
        len(tensor) for name, tensor in ours.items() if name.startswith("pi.layers.") and name.endswith("bias")
    )
    spec = GaussianSpec(observation=seen.mean.shape, actions=len(ours["log_std"]), hidden=hidden, clip=normal.clip_obs)
    network = GaussianNetwork(spec)
    network.load_state_dict(ours)
    return network


def _ours(name: str) -> str:
    prefix = next(prefix for prefix in _NAMES if name.startswith(prefix))
    return _NAMES[prefix] + name.removeprefix(prefix)
