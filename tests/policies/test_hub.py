import sys

import numpy as np
import pytest

from rlattack.errors import InvalidInput, MissingExtra, RefusedFile
from rlattack.policies.hub import fetch
from rlattack.policies.load import load_agent
from tests.kit.agents import CARTPOLE

NAME = "ppo-CartPole-v1"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A local cache as huggingface-hub lays it out, and no network."""
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    commit = "0123456789abcdef0123456789abcdef01234567"
    repository = tmp_path / "hub" / f"models--sb3--{NAME}"
    snapshot = repository / "snapshots" / commit
    snapshot.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commit)
    return snapshot


def test_hub_model_is_loaded_from_the_cache(cache, make_model):
    make_model("ppo").save(cache / f"{NAME}.zip")
    agent = load_agent(f"hf:sb3/{NAME}", CARTPOLE)
    assert (agent.name, agent.algorithm) == (f"hf:sb3/{NAME}", "ppo")


def test_file_of_a_hub_model_can_be_named(cache):
    (cache / "old").mkdir()
    (cache / "old" / "model.zip").write_bytes(b"zip")
    assert fetch(f"hf:sb3/{NAME}:old/model.zip").read_bytes() == b"zip"


@pytest.mark.parametrize("spec", [f"hf:sb3/{NAME}", f"hf:sb3/{NAME}:none.zip", "hf:nobody/nothing"])
def test_what_cannot_be_had_is_one_line(cache, spec):
    with pytest.raises(InvalidInput, match="neither be downloaded nor is it in the local cache") as caught:
        fetch(spec)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("spec", ["hf:sb3", "hf:", "hf:a/b/c", "hf:a/b:", "hf:a/b c"])
def test_other_forms_are_refused(spec):
    with pytest.raises(InvalidInput, match="expected hf:owner/name"):
        fetch(spec)


def test_file_outside_the_repository_is_refused(cache):
    with pytest.raises(InvalidInput):
        fetch(f"hf:sb3/{NAME}:../../../secret.zip")


def test_missing_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(MissingExtra, match=r'pip install "rlattack\[hub\]"'):
        fetch("hf:sb3/ppo")


def test_statistics_and_results_of_a_hub_model_come_with_it(cache, make_model):
    from stable_baselines3.common.vec_env import VecNormalize

    model = make_model("ppo")
    env = VecNormalize(model.get_env(), clip_obs=3.0)
    env.obs_rms.mean = np.arange(4.0)
    env.save(cache / "vec_normalize.pkl")
    (cache / "results.json").write_text('{"mean_reward": 499.0, "std_reward": 1.0, "is_deterministic": true}')
    model.save(cache / f"{NAME}.zip")
    agent = load_agent(f"hf:sb3/{NAME}", CARTPOLE)
    assert (agent.policy.normaliser.clip, agent.published.mean) == (3.0, 499.0)


def test_a_hub_model_whose_statistics_are_missing_is_refused(cache, make_model):
    (cache / "config.yml").write_text("normalize: true")
    make_model("ppo").save(cache / f"{NAME}.zip")
    with pytest.raises(RefusedFile, match=r"config\.yml says .* --normaliser none plays it without"):
        load_agent(f"hf:sb3/{NAME}", CARTPOLE)
