"""What a user would otherwise write: Stable-Baselines3's evaluation loop, and foolbox's FGSM inside such a loop."""

import contextlib
import copy
import time
from abc import ABC, abstractmethod
from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from rlattack.games import GameCard
from rlattack.policies import ModulePolicy, Policy
from rlattack.policies.network import with_torch_gradients

__all__ = ["Loop", "baselines"]

Array = npt.NDArray[Any]


class Loop(ABC):
    """A loop that goes on whenever it is called, and counts its own steps and time.

    Args:
        card: An Atari game with the standard options.
        policy: Who plays.
        envs: Environments in SB3's `DummyVecEnv`.
    """

    def __init__(self, card: GameCard, policy: Policy, envs: int) -> None:
        self._policy, self._venv = _as_loaded(policy), _vec_env(card, envs)
        self._steps, self._spent = 0, 0.0

    @property
    def speed(self) -> float:
        """Agent steps a second."""
        return self._steps / self._spent

    @abstractmethod
    def __call__(self, seconds: float) -> None:
        """Goes on for so many seconds."""


def baselines(card: GameCard, policy: Policy, envs: int, eps: float) -> dict[str, Loop]:
    """Returns the loops by name."""
    return {
        "sb3 evaluate_policy": _EvaluatePolicy(card, policy, envs),
        "sb3 loop with foolbox fgsm": _Foolbox(card, policy, envs, eps),
    }


def _as_loaded(policy: Policy) -> Policy:
    """The network as it comes out of a model file, without our own gradients."""
    if isinstance(policy, ModulePolicy):
        policy = copy.copy(policy)
        policy.module = with_torch_gradients(policy.module)
    return policy


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


class _EvaluatePolicy(Loop):
    """SB3's own evaluation, of an object with the part of a model that it calls: `predict`."""

    def __call__(self, seconds: float) -> None:
        from stable_baselines3.common.evaluation import evaluate_policy

        self._left, self._begun = seconds, 0.0
        model: Any = self
        with contextlib.suppress(TimeoutError):
            evaluate_policy(model, self._venv, n_eval_episodes=1_000_000, deterministic=False, warn=False)

    def predict(self, obs: Array, **_: object) -> tuple[Array, None]:
        """See SB3's `BaseAlgorithm`; the time of the first reset does not count."""
        now = time.perf_counter()
        if not self._begun:
            self._begun = now
        elif now - self._begun > self._left:
            self._spent += now - self._begun
            raise TimeoutError
        self._steps += len(obs)
        with torch.no_grad():
            scores = self._policy(torch.from_numpy(obs).float()).scores
        return _sampled(scores), None


class _Scores(nn.Module):
    """A policy as the classifier that foolbox attacks."""

    def __init__(self, policy: Policy) -> None:
        super().__init__()
        self._policy = policy

    def forward(self, obs: Tensor) -> Tensor:
        return self._policy(obs).scores


class _Foolbox(Loop):
    def __init__(self, card: GameCard, policy: Policy, envs: int, eps: float) -> None:
        import foolbox

        super().__init__(card, policy, envs)
        self._model = foolbox.models.pytorch.PyTorchModel(_Scores(self._policy).eval(), bounds=(0, 255), device="cpu")
        self._attack, self._eps = foolbox.attacks.FGSM(), 255 * eps
        self._obs = self._venv.reset()

    def __call__(self, seconds: float) -> None:
        begun = time.perf_counter()
        while time.perf_counter() - begun < seconds:
            seen = torch.from_numpy(np.asarray(self._obs)).float()
            with torch.no_grad():
                labels = self._policy(seen).greedy
            _, attacked, _ = self._attack(self._model, seen, labels, epsilons=self._eps)
            with torch.no_grad():
                scores = self._policy(attacked).scores
            self._obs, _, _, _ = self._venv.step(_sampled(scores))
            self._steps += len(seen)
        self._spent += time.perf_counter() - begun


def _sampled(scores: Tensor) -> Array:
    actions: Array = torch.multinomial(scores.softmax(dim=1), 1).squeeze(1).numpy()
    return actions
