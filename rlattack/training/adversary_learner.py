"""The learner in a seat of a duel, with the settings of Gleave et al. 2019, and its policy as an agent of ours."""

from typing import Any, cast

import numpy as np
import torch
from gymnasium.spaces import Box, Discrete
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.preprocessing import is_image_space
from stable_baselines3.common.running_mean_std import RunningMeanStd
from stable_baselines3.common.vec_env import VecEnv, VecMonitor, VecNormalize
from torch import Tensor

from rlattack.errors import InvalidInput
from rlattack.games.card import GameCard
from rlattack.policies.folder import AgentCard, AnyNetwork
from rlattack.policies.gaussian import GaussianNetwork, GaussianSpec
from rlattack.policies.network import Network
from rlattack.policies.sb3_state import Sb3Architecture, convert
from rlattack.training.checkpoint import running
from rlattack.training.config import MINIBATCHES, TrainDuelist
from rlattack.training.victim import versions

__all__ = ["export_adversary", "make_adversary", "normaliser"]

_HIDDEN = (64, 64)
_NAMES = {
    "mlp_extractor.policy_net.": "pi.layers.", "mlp_extractor.value_net.": "vf.layers.", "action_net.": "pi.out.",
    "value_net.": "vf.out.", "log_std": "log_std",
}  # fmt: skip
"""SB3's names, in this order, and those of a `GaussianNetwork`."""


def make_adversary(
    config: TrainDuelist, env: VecEnv, seed: int, init: GaussianNetwork | None = None
) -> OnPolicyAlgorithm:
    """Builds PPO as the paper's was set; sb3-contrib's, which knows of illegal actions, where actions are discrete.

    Rewards are normalised, and so are observations where actions are not discrete, since boards and cards need not be.

    Args:
        config: What to train.
        env: The game with the opponent in it, `config.envs` copies.
        seed: Of weights, games and exploration.
        init: Whose weights and observation statistics learning goes on from; the latter stay as they are.

    Raises:
        InvalidInput: A game that is seen by images, or whose actions are neither discrete nor a vector.
    """
    from sb3_contrib import MaskablePPO
    from stable_baselines3 import PPO

    seen, taken = env.observation_space, env.action_space
    discrete = isinstance(taken, Discrete)
    hidden = _HIDDEN if init is None else init.spec.hidden
    vectors = isinstance(taken, Box) and len(taken.shape) == 1 and len(seen.shape or ()) == 1
    if not isinstance(seen, Box) or is_image_space(seen) or not (discrete or vectors):
        raise InvalidInput(
            f"game {config.game}: expected numbers to see, no images, and one number or a vector to act by; "
            f"got {seen} and {taken}"
        )
    kind: Any = MaskablePPO if discrete else PPO
    normal = VecNormalize(VecMonitor(env), norm_obs=not discrete, gamma=0.99)
    learner: OnPolicyAlgorithm = kind(
        "MlpPolicy", normal, seed=seed, device="cpu",
        n_steps=config.batch // config.envs, batch_size=config.batch // MINIBATCHES, n_epochs=4,
        learning_rate=config.learning_rate, ent_coef=0.0, gamma=0.99, gae_lambda=0.95, clip_range=0.2, vf_coef=0.5,
        max_grad_norm=0.5,
        policy_kwargs={"net_arch": {"pi": list(hidden), "vf": list(hidden)}, "activation_fn": torch.nn.Tanh},
    )  # fmt: skip
    if init is not None:
        _fill(learner, normal, init)
    return learner


class _Frozen(RunningMeanStd):
    """Statistics that stay as they are, whatever is seen."""

    def update(self, arr: np.ndarray[Any, Any]) -> None:
        """Does nothing."""


def _fill(learner: OnPolicyAlgorithm, normal: VecNormalize, init: GaussianNetwork) -> None:
    """Gives the learner the weights and statistics of an agent: its actions are the agent's from the first.

    The returns' scale, which belongs to the rewards, is found anew; so values start as the agent's up to a factor.
    """
    state = init.state_dict()
    state["vf.out.bias"] = state["vf.out.bias"] + state["value_mean"] / state["value_std"]
    theirs = {name: state[_ours(name)] for name in learner.policy.state_dict()}
    learner.policy.load_state_dict(theirs)
    frozen = _Frozen(shape=init.spec.observation)
    frozen.mean = state["obs_mean"].double().numpy()
    # `VecNormalize` adds epsilon to the variance
    frozen.var = np.maximum(state["obs_std"].double().numpy() ** 2 - normal.epsilon, 0)
    normal.clip_obs = init.spec.clip
    normal.obs_rms = frozen  # type: ignore[assignment]  # SB3 types it as that of a dictionary


def normaliser(learner: OnPolicyAlgorithm) -> VecNormalize:
    """What normalises observations and rewards."""
    return cast(VecNormalize, learner.get_vec_normalize_env())  # `make_adversary` put it there


def export_adversary(
    learner: OnPolicyAlgorithm, config: TrainDuelist, seed: int, card: GameCard
) -> tuple[AgentCard, AnyNetwork]:
    """Returns the learner's policy, with its observation statistics frozen, as an agent of ours."""
    state = {name: tensor.detach().cpu() for name, tensor in learner.policy.state_dict().items()}
    network = _gaussian(state, normaliser(learner)) if "log_std" in state else _discrete(state, learner)
    agent = AgentCard(
        game=card.id, role=config.role, algorithm=config.algorithm, network=network.spec,
        seat="" if config.seat == "both" else config.seat,
        provenance={
            **config.provenance, "steps": learner.num_timesteps, "seed": seed, "versions": versions(card),
        },
    )  # fmt: skip
    return agent, network


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


def _discrete(state: dict[str, Tensor], learner: OnPolicyAlgorithm) -> Network:
    shape = learner.observation_space.shape
    assert shape is not None  # a Box
    spec, ours = convert(state, Sb3Architecture(observation=shape, scale=1.0, activation="tanh"))
    network = Network(spec)
    network.load_state_dict(ours)
    return network


def _ours(name: str) -> str:
    prefix = next(prefix for prefix in _NAMES if name.startswith(prefix))
    return _NAMES[prefix] + name.removeprefix(prefix)
