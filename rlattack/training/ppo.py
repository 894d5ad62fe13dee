"""PPO in a seat of a game whose other seats others hold, as Gleave et al. 2019 set it, and of who perturbs."""

from typing import Any

import torch
from gymnasium.spaces import Box, Discrete
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.preprocessing import is_image_space, is_image_space_channels_first
from stable_baselines3.common.vec_env import VecEnv, VecMonitor, VecNormalize

from rlattack.errors import InvalidInput
from rlattack.policies.gaussian import GaussianNetwork
from rlattack.training.algorithms import SMALL_TRUNK, build
from rlattack.training.origin import Origin, fill
from rlattack.training.recipes import MINIBATCHES, SeatRecipe, TrainPerturber

_HIDDEN = (64, 64)


def make_ppo(recipe: SeatRecipe, env: VecEnv, seed: int, init: GaussianNetwork | None = None) -> OnPolicyAlgorithm:
    """Builds PPO as the paper's was set; sb3-contrib's, which knows of illegal actions, where actions are discrete.

    Rewards are normalised, and so are observations where actions are not discrete, since boards and cards need not be.

    Args:
        recipe: What to train.
        env: The game with the opponents in it, `recipe.envs` copies.
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
            f"game {recipe.game}: expected numbers to see, no images, and one number or a vector to act by; "
            f"got {seen} and {taken}"
        )
    kind: Any = MaskablePPO if discrete else PPO
    normal = VecNormalize(VecMonitor(env), norm_obs=not discrete, gamma=0.99)
    learner: OnPolicyAlgorithm = build(
        kind, "MlpPolicy", normal, seed=seed, device=recipe.device,
        n_steps=recipe.batch // recipe.envs, batch_size=recipe.batch // MINIBATCHES, n_epochs=4,
        learning_rate=recipe.learning_rate, ent_coef=0.0, gamma=0.99, gae_lambda=0.95, clip_range=0.2, vf_coef=0.5,
        max_grad_norm=0.5,
        policy_kwargs={"net_arch": {"pi": list(hidden), "vf": list(hidden)}, "activation_fn": torch.nn.Tanh},
    )  # fmt: skip
    if init is not None:
        fill(learner, Origin(init, {}))
    return learner


def make_perturber(
    recipe: TrainPerturber, env: VecEnv, seed: int, kind: type[OnPolicyAlgorithm] | None = None
) -> OnPolicyAlgorithm:
    """Builds PPO for who perturbs: on numbers as on control tasks (Schulman et al. 2017), on pictures a CNN's.

    Rewards are normalised, and so are numbers that are seen. The learning rate falls over the whole run, whose parts
    are learned one by one.

    Args:
        recipe: What to train.
        env: The game of the perturber, `recipe.envs` copies.
        seed: Of weights, games and exploration.
        kind: A class of PPO in place of Stable-Baselines3's.

    Raises:
        InvalidInput: What is seen is neither a row of numbers nor pictures with their channels first.
    """
    from stable_baselines3 import PPO

    seen = env.observation_space
    pictures = isinstance(seen, Box) and is_image_space(seen) and is_image_space_channels_first(seen)
    if not (pictures or (isinstance(seen, Box) and len(seen.shape) == 1)):
        raise InvalidInput(
            f"game {recipe.game}: expected numbers in a row, or pictures (channels, height, width), got {seen}"
        )
    normal = VecNormalize(VecMonitor(env), norm_obs=not pictures, gamma=0.99)
    network: dict[str, Any] = SMALL_TRUNK if pictures else {"activation_fn": torch.nn.Tanh}
    made: OnPolicyAlgorithm = build(
        kind or PPO, "CnnPolicy" if pictures else "MlpPolicy", normal, seed=seed, device=recipe.device,
        n_steps=recipe.batch // recipe.envs, batch_size=recipe.minibatch, n_epochs=4 if pictures else 10,
        learning_rate=recipe.learning_rate, ent_coef=recipe.entropy, gamma=0.99, gae_lambda=0.95, clip_range=0.2,
        vf_coef=0.5, max_grad_norm=0.5, policy_kwargs={"net_arch": list(_HIDDEN), **network},
    )  # fmt: skip
    # not SB3's own, which falls over what is learned in one go
    made.lr_schedule = lambda _: recipe.learning_rate * max(0.0, 1 - made.num_timesteps / recipe.steps)
    return made
