"""Whom a learner goes on from: the layers that it must have for that, and weights and statistics of an agent in it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from stable_baselines3 import DQN
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.preprocessing import is_image_space
from stable_baselines3.common.running_mean_std import RunningMeanStd
from stable_baselines3.common.vec_env import VecNormalize

from rlattack.errors import InvalidInput
from rlattack.policies.folder import AnyNetwork
from rlattack.policies.gaussian import GaussianNetwork, GaussianPolicy
from rlattack.policies.load import Agent
from rlattack.policies.network import Network, NetworkSpec
from rlattack.training.export import convert_policy, sb3_state
from rlattack.training.extractor import ConvolutionalExtractor

_ACTIVATIONS = {"tanh": torch.nn.Tanh, "relu": torch.nn.ReLU}
_HEADS = {"actor-critic": "ppo", "q": "dqn", "normal": "ppo"}
"""What learns a network with that head."""


@dataclass(frozen=True)
class Origin:
    """An agent's network, of a kind that a learner has.

    Attributes:
        network: Its weights, and its statistics.
        policy_kwargs: By which Stable-Baselines3 makes a policy of the same layers.
    """

    network: AnyNetwork
    policy_kwargs: dict[str, Any]

    @classmethod
    def of(cls, agent: Agent, algo: str, option: str = "--victim") -> "Origin":
        """Takes an agent, however it was loaded.

        Raises:
            InvalidInput: A policy of another kind than that algorithm learns.
        """
        policy = agent.policy
        network: object = getattr(policy, "network" if isinstance(policy, GaussianPolicy) else "module", None)
        if not isinstance(network, GaussianNetwork | Network):
            raise InvalidInput(
                f"{option} {agent.name}: expected an agent's folder or a zip of Stable-Baselines3 that is read without "
                "running its code: others cannot go on learning here"
            )
        spec = network.spec
        if (learns := _HEADS.get(spec.head)) != algo:
            fitting = "no learner here goes on from one" if learns is None else f"choose --algo {learns}"
            raise InvalidInput(
                f"{option} {agent.name}: has a network of the kind {spec.head}, {algo} has not: {fitting}"
            )
        if isinstance(network, GaussianNetwork):
            return cls(network, _numbers(network, f"{option} {agent.name}"))
        return cls(network, _layers(network.spec))


def fill(model: BaseAlgorithm, origin: Origin, temperature: float = 1.0) -> None:
    """Gives a learner of the same layers the weights of an agent, and its statistics, which then stay as they are.

    Its actions are the agent's from the first. The returns' scale, which belongs to the rewards, is found anew; so
    values start as the agent's up to a factor.

    Args:
        model: The learner.
        origin: Of the agent.
        temperature: Divides the scores of an actor of discrete actions; this changes no greedy action.

    Raises:
        InvalidInput: The agent divides what it sees by something else than the learner does.
    """
    network = origin.network
    if isinstance(network, GaussianNetwork):
        model.policy.load_state_dict(sb3_state(model, network))
        if (normal := model.get_vec_normalize_env()) is not None:
            freeze(normal, network)
        return
    scale = 255.0 if is_image_space(model.observation_space) else 1.0
    if network.spec.scale != scale:
        raise InvalidInput(f"--victim: divides what it sees by {network.spec.scale:g}, a learner here by {scale:g}")
    _, ours = convert_policy(model)  # views of the learner's own tensors, by our names
    with torch.no_grad():
        for name, tensor in network.state_dict().items():
            if name.startswith("garbage."):  # no learner has that class
                continue
            last = name.startswith(f"actor.{len(network.actor) - 1}.")
            ours[name].copy_(tensor / temperature if last else tensor)
    if isinstance(model, DQN):  # which explores no more than at its end: what to do is known
        model.q_net_target.load_state_dict(model.q_net.state_dict())
        model.exploration_schedule = lambda _: model.exploration_final_eps


def freeze(normal: VecNormalize, network: GaussianNetwork) -> None:
    """Gives a normaliser the statistics of a network, whatever it sees from now on; none where that has none."""
    if not network.spec.clip:
        normal.norm_obs = False
        return
    frozen = _Frozen(shape=network.spec.observation)
    frozen.mean = network.obs_mean.double().numpy(force=True)
    # `VecNormalize` adds epsilon to the variance
    frozen.var = np.maximum(network.obs_std.double().numpy(force=True) ** 2 - normal.epsilon, 0)
    normal.clip_obs = network.spec.clip
    normal.obs_rms = frozen  # type: ignore[assignment]  # SB3 types it as that of a dictionary


class _Frozen(RunningMeanStd):
    """Statistics that stay as they are, whatever is seen."""

    def update(self, arr: np.ndarray[Any, Any]) -> None:
        """Does nothing."""


def _numbers(network: GaussianNetwork, where: str) -> dict[str, Any]:
    spec = network.spec
    plain = spec.deviation == "fixed" and not spec.memory and not spec.keys and spec.critics == 1
    if not plain:
        raise InvalidInput(
            f"{where}: expected a network without memory, of one array, with a deviation that is the same everywhere "
            "and a critic: no learner here goes on from another one"
        )
    critic = spec.hidden if spec.critic is None else spec.critic
    return {
        "net_arch": {"pi": list(spec.hidden), "vf": list(critic)}, "activation_fn": _ACTIVATIONS[spec.own_activation],
    }  # fmt: skip


def _layers(spec: NetworkSpec) -> dict[str, Any]:
    heads: Any = {"pi": list(spec.actor), "vf": list(spec.critic)} if spec.head != "q" else list(spec.actor)
    found: dict[str, Any] = {"net_arch": heads, "activation_fn": _ACTIVATIONS[spec.activation]}
    if spec.convolutions or spec.hidden:
        found["features_extractor_class"] = ConvolutionalExtractor
        found["features_extractor_kwargs"] = {"convolutions": spec.convolutions, "hidden": spec.hidden}
    return found if spec.shared else found | {"share_features_extractor": False}
