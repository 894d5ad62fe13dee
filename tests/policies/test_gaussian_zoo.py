"""Gaussian policies of 2018 do what was recorded of them."""

import numpy as np
import pytest
import torch

from rlattack.policies.bansal import import_bansal
from rlattack.policies.gaussian import GaussianPolicy


@pytest.fixture
def recording(zoo):
    """Two episodes of sumo ants, recorded in MuJoCo 1.31."""
    return np.load(zoo.parent / "originals" / "sumo-ants-recording.npz")


def residuals(recording: np.lib.npyio.NpzFile, policy: GaussianPolicy) -> np.ndarray:
    """Recorded actions in standard deviations from the means of a policy that saw the same."""
    found = []
    for episode in np.unique(recording["episode"]):
        rows = recording["episode"] == episode
        state = policy.initial_state(1)
        for obs, action in zip(recording["obs"][rows], recording["actions"][rows], strict=True):
            out = policy(torch.from_numpy(obs[None]).float(), state)
            state = out.state
            found.append((torch.from_numpy(action) - out.actions.mean[0]) / out.actions.deviation)
    return torch.stack(found).numpy()


def test_the_recorded_player_is_version_1(zoo, recording):
    """The noise of its own policy has deviation 1; 2696 draws leave 0.014 of error (facts/games.md, section 0)."""
    spread = {}
    for version in (1, 2):
        _, network = import_bansal(str(zoo.parent / "mujoco" / "sumo-ants" / f"agent-v{version}.safetensors"), False)
        spread[version] = residuals(recording, GaussianPolicy(network)).std()
    assert spread[1] == pytest.approx(0.988, abs=0.001)
    assert spread[2] == pytest.approx(2.69, abs=0.01)


def test_the_recorded_player_forgot_at_the_end_of_an_episode(zoo, recording):
    _, network = import_bansal(str(zoo.parent / "mujoco" / "sumo-ants" / "agent-v1.safetensors"), False)
    policy = GaussianPolicy(network)
    kept = {key: recording[key] for key in ("obs", "actions", "episode")}
    whole = residuals(kept, policy)
    joined = residuals(kept | {"episode": np.zeros(337)}, policy)
    assert np.abs(whole[:127] - joined[:127]).max() == 0
    assert (whole[127:137] ** 2).mean() < (joined[127:137] ** 2).mean()
