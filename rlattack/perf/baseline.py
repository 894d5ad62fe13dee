"""What a user would otherwise write: Stable-Baselines3's evaluation loop, and foolbox's FGSM inside such a loop."""

import contextlib
import copy
import importlib.util
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, cast

import gymnasium
import numpy as np
import torch
from torch import Tensor, nn

from rlattack.arrays import Array
from rlattack.games.card import AtariOptions, GameCard
from rlattack.perf.clock import Clock
from rlattack.policies import ModulePolicy, Policy
from rlattack.policies.distributions import Categorical
from rlattack.policies.network import with_torch_gradients


class Loop(ABC):
    """A loop that goes on whenever it is called, and counts its own steps and time; see `baselines`.

    Attributes:
        name: What it is, in a few words.
        venv: SB3's environments.
        clock: Of its agent steps.
    """

    name: ClassVar[str]

    def __init__(self, card: GameCard, policy: Policy, envs: int) -> None:
        self._policy, self.venv = _as_loaded(policy), _vec_env(card, envs)
        self.clock = Clock(envs)

    def _scores(self, obs: Tensor) -> Tensor:
        """Scores of the actions, shape (n, actions)."""
        return cast(Categorical, self._policy(obs).actions).scores

    @abstractmethod
    def __call__(self, seconds: float) -> None:
        """Goes on for so many seconds."""


def baselines(card: GameCard, policy: Policy, envs: int, eps: float) -> dict[str, Loop]:
    """Makes the loops, by the kind of play that they do; none where what they need is missing or plays otherwise.

    Args:
        card: Played by them where it is an Atari game with the standard options.
        policy: Who plays.
        envs: Environments in SB3's `DummyVecEnv`.
        eps: Size of the perturbation, pixels over 255.
    """
    installed = all(importlib.util.find_spec(name) for name in ("foolbox", "cv2"))
    if not installed or card.family != "atari" or card.atari != AtariOptions():
        return {}
    return {"clean": _EvaluatePolicy(card, policy, envs), "fgsm": _Foolbox(card, policy, envs, eps)}


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

    name = "sb3 evaluate_policy"

    def __call__(self, seconds: float) -> None:
        from stable_baselines3.common.evaluation import evaluate_policy

        self._end, self._last = self.clock.seconds + seconds, 0.0
        model: Any = self
        with contextlib.suppress(TimeoutError):
            evaluate_policy(model, self.venv, n_eval_episodes=1_000_000, deterministic=False, warn=False)

    def predict(self, obs: Array, **_: object) -> tuple[Array, None]:
        """Actions as a model of SB3 gives them; the time of the first reset does not count."""
        now = time.perf_counter()
        if self._last:
            self.clock.seconds += now - self._last
            self.clock.calls += 1
        self._last = now
        if self.clock.seconds >= self._end:
            raise TimeoutError
        with torch.no_grad():
            return _sampled(self._scores(torch.from_numpy(obs).float())), None


class _Classifier(nn.Module):
    """A policy as the classifier that foolbox attacks."""

    def __init__(self, scores: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self._scores = scores

    def forward(self, obs: Tensor) -> Tensor:
        return self._scores(obs)


class _Foolbox(Loop):
    name = "sb3 + foolbox fgsm"

    def __init__(self, card: GameCard, policy: Policy, envs: int, eps: float) -> None:
        import foolbox

        super().__init__(card, policy, envs)
        self._model = foolbox.models.pytorch.PyTorchModel(
            _Classifier(self._scores).eval(), bounds=(0, 255), device="cpu"
        )
        self._attack, self._eps = foolbox.attacks.FGSM(), 255 * eps
        self._obs = self.venv.reset()

    def __call__(self, seconds: float) -> None:
        end = self.clock.seconds + seconds
        while self.clock.seconds < end:
            with self.clock:
                seen = torch.from_numpy(np.asarray(self._obs)).float()
                with torch.no_grad():
                    labels = self._scores(seen).argmax(dim=1)
                _, attacked, _ = self._attack(self._model, seen, labels, epsilons=self._eps)
                with torch.no_grad():
                    scores = self._scores(attacked)
                self._obs, _, _, _ = self.venv.step(_sampled(scores))


def _sampled(scores: Tensor) -> Array:
    actions: Array = torch.multinomial(scores.softmax(dim=1), 1).squeeze(1).numpy()
    return actions
