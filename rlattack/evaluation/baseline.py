"""What a user would otherwise write: Stable-Baselines3's evaluation loop, and foolbox's FGSM inside such a loop."""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from rlattack.games import GameCard
from rlattack.policies import Policy

__all__ = ["baselines"]

Array = npt.NDArray[Any]
Loop = Callable[[float], float]


def baselines(card: GameCard, policy: Policy, envs: int, eps: float) -> dict[str, Loop]:
    """Returns loops that play for some seconds and tell their agent steps a second, by name."""
    return {
        "sb3 evaluate_policy": partial(_evaluate_policy, card, policy, envs),
        "sb3 loop with foolbox fgsm": partial(_foolbox_loop, card, policy, envs, eps),
    }


def _vec_env(card: GameCard, envs: int) -> Any:  # a VecEnv
    """SB3's Atari stack: DummyVecEnv over AtariWrapper, four frames, channels first."""
    import ale_py
    from stable_baselines3.common.atari_wrappers import AtariWrapper
    from stable_baselines3.common.vec_env import DummyVecEnv, VecFrameStack, VecTransposeImage

    gymnasium.register_envs(ale_py)
    name = next(
        spec.id for spec in gymnasium.registry.values() if spec.kwargs.get("game") == card.rom and "v5" in spec.id
    )

    def make() -> gymnasium.Env[Any, Any]:
        env = gymnasium.make(name, frameskip=1, repeat_action_probability=card.protocol.sticky)
        return AtariWrapper(env, terminal_on_life_loss=False, clip_reward=False)

    venv = VecTransposeImage(VecFrameStack(DummyVecEnv([make] * envs), card.atari.stack))
    venv.seed(0)
    return venv


class _Model:
    """The part of an SB3 model that `evaluate_policy` calls."""

    def __init__(self, policy: Policy, deadline: float) -> None:
        self._policy, self._deadline, self.steps = policy, deadline, 0

    def predict(self, obs: Array, **_: object) -> tuple[Array, None]:
        if time.perf_counter() > self._deadline:
            raise TimeoutError
        self.steps += len(obs)
        with torch.no_grad():
            scores = self._policy(torch.from_numpy(obs).float()).scores
        return _sampled(scores), None


def _evaluate_policy(card: GameCard, policy: Policy, envs: int, seconds: float) -> float:
    from stable_baselines3.common.evaluation import evaluate_policy

    venv = _vec_env(card, envs)
    begun = time.perf_counter()
    model: Any = _Model(policy, begun + seconds)
    try:
        evaluate_policy(model, venv, n_eval_episodes=1_000_000, deterministic=False, warn=False)
    except TimeoutError:
        pass
    finally:
        venv.close()
    return float(model.steps / (time.perf_counter() - begun))


class _Scores(nn.Module):
    """A policy as the classifier that foolbox attacks."""

    def __init__(self, policy: Policy) -> None:
        super().__init__()
        self._policy = policy

    def forward(self, obs: Tensor) -> Tensor:
        return self._policy(obs).scores


def _foolbox_loop(card: GameCard, policy: Policy, envs: int, eps: float, seconds: float) -> float:
    import foolbox

    venv = _vec_env(card, envs)
    model = foolbox.models.pytorch.PyTorchModel(_Scores(policy).eval(), bounds=(0, 255), device="cpu")
    attack = foolbox.attacks.FGSM()
    obs = venv.reset()
    begun, steps = time.perf_counter(), 0
    while time.perf_counter() - begun < seconds:
        seen = torch.from_numpy(np.asarray(obs)).float()
        with torch.no_grad():
            labels = policy(seen).greedy
        _, attacked, _ = attack(model, seen, labels, epsilons=255 * eps)
        with torch.no_grad():
            scores = policy(attacked).scores
        obs, _, _, _ = venv.step(_sampled(scores))
        steps += envs
    venv.close()
    return steps / (time.perf_counter() - begun)


def _sampled(scores: Tensor) -> Array:
    actions: Array = torch.multinomial(scores.softmax(dim=1), 1).squeeze(1).numpy()
    return actions
