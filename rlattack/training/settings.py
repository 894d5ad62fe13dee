"""The settings that were published for the learners: for images, for vectors with discrete actions, and for control.

`every` and `updates` are ours: a value learner learns `updates` times every `every` agent steps, however many copies
are played. So are `batch` and `minibatches` of PPO: agent steps between two updates, and its parts of an epoch.
"""

from typing import Any

from torch import nn

# rl-baselines3-zoo for Atari, after Schulman et al. 2017 (table 5), Mnih et al. 2016, Mnih et al. 2015 and Dabney et
# al. 2018, with a tenth of Mnih's replay: 2.8 GB.
IMAGES: dict[str, dict[str, Any]] = {
    "ppo": {
        "n_steps": 128, "minibatches": 4, "n_epochs": 4, "learning_rate": 2.5e-4, "clip_range": 0.1, "ent_coef": 0.01,
        "vf_coef": 0.5,
    },
    "a2c": {"n_steps": 5, "learning_rate": 7e-4, "ent_coef": 0.01, "vf_coef": 0.25},
    "dqn": {
        "every": 4, "updates": 1, "batch_size": 32, "learning_rate": 1e-4, "buffer_size": 100_000,
        "learning_starts": 50_000, "target_update_interval": 1000, "exploration_fraction": 0.1,
        "exploration_final_eps": 0.01,
    },
    "qrdqn": {
        "every": 4, "updates": 1, "batch_size": 32, "learning_rate": 5e-5, "buffer_size": 100_000,
        "learning_starts": 50_000, "target_update_interval": 10_000, "exploration_fraction": 0.025,
        "exploration_final_eps": 0.01,
    },
}  # fmt: skip

# For CartPole, each under a minute with 100,000 steps: rl-baselines3-zoo's for PPO. Of its others, A2C's need five
# times the steps, and with DQN's 8 copies forgot what they had learned; so A2C starts three times as fast, and the
# value learners half as fast, with half the updates and a learning rate that falls. Three seeds of each reached 500.
_VALUES = {
    "every": 256, "updates": 64, "batch_size": 64, "learning_rate": 1e-3, "buffer_size": 100_000,
    "learning_starts": 1000, "target_update_interval": 10, "exploration_fraction": 0.16, "exploration_final_eps": 0.04,
}  # fmt: skip
VECTORS: dict[str, dict[str, Any]] = {
    "ppo": {
        "n_steps": 32, "minibatches": 1, "n_epochs": 20, "learning_rate": 1e-3, "clip_range": 0.2, "gamma": 0.98,
        "gae_lambda": 0.8,
    },
    "a2c": {"n_steps": 5, "learning_rate": 2e-3},
    "dqn": _VALUES,
    "qrdqn": _VALUES,
}  # fmt: skip

# PPO's are those of Schulman et al. 2017 (table 3), with the learning rate that falls in the authors' code. (What
# rl-baselines3-zoo tuned for Hopper alone stood still with eight copies: 995 after 356,000 steps.) The others' are
# Stable-Baselines3's, after Haarnoja et al. 2018, Fujimoto et al. 2018 and Kuznetsov et al. 2020 (there with five
# critics): they learn once a step, after 10,000 steps of chance, and see observations as they are.
_REPLAY = {"every": 1, "updates": 1, "batch_size": 256, "buffer_size": 1_000_000, "learning_starts": 10_000}
CONTROL: dict[str, dict[str, Any]] = {
    "ppo": {
        "batch": 2048, "minibatches": 32, "n_epochs": 10, "learning_rate": 3e-4, "clip_range": 0.2, "gamma": 0.99,
        "gae_lambda": 0.95, "ent_coef": 0.0, "vf_coef": 0.5, "max_grad_norm": 0.5,
        "policy_kwargs": {"net_arch": [64, 64], "activation_fn": nn.Tanh},
    },
    "sac": _REPLAY | {"learning_rate": 3e-4, "policy_kwargs": {"net_arch": [256, 256]}},
    "td3": _REPLAY | {"learning_rate": 1e-3, "exploration": 0.1, "policy_kwargs": {"net_arch": [400, 300]}},
    "tqc": _REPLAY | {"learning_rate": 3e-4, "policy_kwargs": {"net_arch": [256, 256], "n_quantiles": 25}},
}  # fmt: skip


TASKS: dict[tuple[str, str], dict[str, Any]] = {
    ("ppo", "mujoco/half-cheetah"): {
        "batch": 512,
        "minibatches": 8,
        "n_epochs": 20,
        "learning_rate": 2.0633e-5,
        "clip_range": 0.1,
        "gamma": 0.98,
        "gae_lambda": 0.92,
        "ent_coef": 0.000401762,
        "vf_coef": 0.58096,
        "max_grad_norm": 0.8,
        "policy_kwargs": {
            "net_arch": [256, 256],
            "activation_fn": nn.ReLU,
            "log_std_init": -2.0,
            "ortho_init": False,
        },
    },
    ("ppo", "mujoco/swimmer"): {"gamma": 0.9999},
    ("tqc", "mujoco/hopper"): {"top_quantiles_to_drop_per_net": 5},
    ("tqc", "mujoco/half-cheetah"): {"top_quantiles_to_drop_per_net": 0},
}
"""What differs from `CONTROL` in a task: rl-baselines3-zoo's for PPO (v3), and Kuznetsov et al. 2020's for TQC."""

PACKED = {"optimize_memory_usage": True, "replay_buffer_kwargs": {"handle_timeout_termination": False}}
"""Every frame once in the replay, half the memory. SB3 can then not tell a game that was cut off (after half an hour of
play, in Atari) from one that was lost."""
