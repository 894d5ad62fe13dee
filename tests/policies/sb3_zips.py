"""Zips of Stable-Baselines3 that are edited, and whether what is read gives what the model gives."""

import io
import json
import zipfile

import numpy as np
import torch

from rlattack.policies.module import ModulePolicy
from rlattack.policies.sb3_zip import load_sb3_zip


def observations(model, n: int = 5) -> np.ndarray:
    space = model.observation_space
    draw = np.random.default_rng(0)
    if space.dtype == np.uint8:
        return draw.integers(0, 256, (n, *space.shape), dtype=np.uint8)
    return draw.normal(size=(n, *space.shape)).astype(np.float32)


@torch.no_grad()
def expected(model, obs: np.ndarray) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Scores and values by Stable-Baselines3's own methods."""
    policy = model.policy
    policy.set_training_mode(False)
    tensor, _ = policy.obs_to_tensor(obs)
    if hasattr(policy, "quantile_net"):
        return policy.quantile_net(tensor).mean(dim=1), None
    if hasattr(policy, "q_net"):
        return policy.q_net(tensor), None
    features = policy.extract_features(tensor)
    actor, critic = features if isinstance(features, tuple) else (features, features)
    scores = policy.action_net(policy.mlp_extractor.forward_actor(actor))
    return scores, policy.value_net(policy.mlp_extractor.forward_critic(critic)).squeeze(1)


def check_equal(model, path) -> None:
    policy = ModulePolicy.of(load_sb3_zip(path)[1])
    obs = observations(model)
    scores, values = expected(model, obs)
    out = policy(torch.as_tensor(obs).float())
    assert out.actions.scores.equal(scores)
    assert values is None or out.values.equal(values)
    assert out.actions.greedy.tolist() == model.predict(obs, deterministic=True)[0].tolist()
    assert (policy.observation, policy.action.n) == (model.observation_space.shape, model.action_space.n)


def edited(path, change=None, tensors=None, drop=(), members=None):
    """Rewrites a zip: `change` gets its data, `tensors` its state dict."""
    with zipfile.ZipFile(path) as file:
        content = {name: file.read(name) for name in file.namelist()}
    data = json.loads(content["data"])
    if change is not None:
        change(data)
    content["data"] = json.dumps(data).encode()
    if tensors is not None:
        state = torch.load(io.BytesIO(content["policy.pth"]), weights_only=True)
        tensors(state)
        buffer = io.BytesIO()
        torch.save(state, buffer)
        content["policy.pth"] = buffer.getvalue()
    content |= members or {}
    with zipfile.ZipFile(path, "w") as file:
        for name, raw in content.items():
            if name not in drop:
                file.writestr(name, raw)
    return path
