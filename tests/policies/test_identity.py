"""One digest names an agent by all that its play depends on."""

import dataclasses
import importlib.metadata
import sys

import pytest
import torch
from functions import LINEAR
from gymnasium.spaces import Box

from rlattack.errors import RefusedFile
from rlattack.games.game import PLAYER, Seat
from rlattack.policies import load_agent
from tests.kit.agents import CARTPOLE, gaussian_agent, network_agent


def test_identity_is_of_all_that_play_depends_on(make_agent, vector):
    one, same, warm, sampled = (
        load_agent(str(make_agent(f"mine/{name}", dataclasses.replace(vector, **change), temperature=temperature)))
        for name, temperature, change in (
            ("one", 1.0, {}),
            ("same", 1.0, {}),
            ("warm", 0.01, {}),
            ("sampled", 1.0, {"scale": 2.0}),
        )
    )
    assert one.sha256 == same.sha256 == warm.sha256 == sampled.sha256
    assert one.identity == same.identity
    assert len({one.identity, warm.identity, sampled.identity}) == 3


@pytest.mark.parametrize("save", [network_agent, gaussian_agent])
def test_an_agent_has_one_identity_however_it_is_named_and_wherever_it_sits(workplace, save):
    folder = save(workplace / "agents" / "mine", "gymnasium/some")
    by_id, by_path, seated = (load_agent(spec) for spec in ("mine", folder, "agents/mine"))
    assert by_id.identity == by_path.identity == seated.identity
    seat = Seat(PLAYER, Box(-1, 1, by_id.policy.observation), by_id.policy.action)
    assert load_agent("mine", seat, game="gymnasium/some").identity == by_id.identity
    assert len(by_id.identity) == 64


def test_a_policy_that_acts_by_its_scores_is_another_than_one_that_acts_by_values(script):
    """The weights and the source are the same."""
    spec = script(
        "import os, torch\nfrom rlattack.policies import ModulePolicy\n"
        "def make():\n    torch.manual_seed(0)\n"
        "    return ModulePolicy(torch.nn.Linear(4, 2), (4,), 2, value_based='GREEDY' in os.environ)"
    )
    with pytest.MonkeyPatch.context() as patch:
        sampled = load_agent(spec)
        patch.setenv("GREEDY", "1")
        greedy = load_agent(spec)
    assert sampled.sha256 == greedy.sha256
    assert sampled.identity != greedy.identity


def test_the_identity_changes_with_a_module_that_the_user_s_own_imports(script, workplace):
    """The weights stay the same."""
    spec = script("import parts_of_mine\nmake = parts_of_mine.make")
    parts = workplace / "parts_of_mine.py"
    parts.write_text(LINEAR)
    first, again = load_agent(spec, CARTPOLE), load_agent(spec, CARTPOLE)
    parts.write_text(LINEAR + "# another\n")
    with pytest.raises(RefusedFile, match="parts_of_mine changed since it was imported: start anew"):
        load_agent(spec, CARTPOLE)
    sys.modules.pop("parts_of_mine")  # as a new process knows nothing of it
    sys.modules.pop("agent_of_mine")
    other = load_agent(spec, CARTPOLE)
    sys.modules.pop("parts_of_mine")
    assert first.sha256 == other.sha256
    assert first.identity == again.identity != other.identity


def test_the_identity_of_a_trusted_file_changes_with_the_code_of_its_classes(script, workplace):
    script("import torch\nclass Net(torch.nn.Linear):\n    pass\n")
    sys.path.insert(0, str(workplace))
    from agent_of_mine import Net

    torch.save(Net(4, 2), "agent.pth")
    first = load_agent("agent.pth", CARTPOLE, trust=True)
    (workplace / "agent_of_mine.py").write_text("import torch\nclass Net(torch.nn.Linear):\n    bias = None\n")
    del sys.modules["agent_of_mine"]
    other = load_agent("agent.pth", CARTPOLE, trust=True)
    assert first.sha256 == other.sha256
    assert first.identity != other.identity


def test_a_model_that_lives_in_stable_baselines3_is_another_one_by_its_version(script, monkeypatch):
    from stable_baselines3 import PPO

    kind = {"activation_fn": torch.nn.GELU}  # which only Stable-Baselines3 itself can build
    PPO("MlpPolicy", "CartPole-v1", n_steps=8, batch_size=8, device="cpu", policy_kwargs=kind).save("model.zip")
    specs = ["model.zip", script(LINEAR)]
    before = [load_agent(spec, CARTPOLE, trust=True).identity for spec in specs]
    own = load_agent("zero", CARTPOLE).identity
    version = importlib.metadata.version
    monkeypatch.setattr(
        importlib.metadata, "version", lambda name: "9" if name == "stable-baselines3" else version(name)
    )
    after = [load_agent(spec, CARTPOLE, trust=True).identity for spec in specs]
    assert [one == two for one, two in zip(before, after, strict=True)] == [False, False]
    assert load_agent("zero", CARTPOLE).identity == own
