"""Policies of the user's own code: functions that make them, and files that are trusted."""

import pickle
import sys

import numpy as np
import pytest
import torch
from functions import HALF, LINEAR, NUMBERS, WRONG
from gymnasium.spaces import Box, Discrete

from rlattack.errors import InvalidInput, RefusedFile
from rlattack.games.game import Seat
from rlattack.policies import Agent, ModulePolicy, load_agent
from tests.kit.agents import CARTPOLE, act, streams


@pytest.mark.parametrize("suffix", ["pth", "pkl"])
def test_trusted_pickle_of_a_module_is_loaded(workplace, suffix):
    module = torch.nn.Linear(4, 2)
    if suffix == "pth":
        torch.save(module, "agent.pth")
    else:
        (workplace / "agent.pkl").write_bytes(pickle.dumps(module))
    agent = load_agent(f"agent.{suffix}", CARTPOLE, trust=True)
    assert agent.policy(torch.ones(1, 4)).actions.scores.equal(module(torch.ones(1, 4)))


def test_trusted_pickle_of_something_else_is_refused(workplace):
    (workplace / "agent.pkl").write_bytes(pickle.dumps({"weights": 1}))
    with pytest.raises(InvalidInput, match=r"agent.pkl: expected a Policy, a torch.nn.Module .* got dict"):
        load_agent("agent.pkl", trust=True)
    (workplace / "agent.pkl").write_bytes(b"nonsense")
    with pytest.raises(RefusedFile, match=r"agent.pkl: cannot be loaded"):
        load_agent("agent.pkl", trust=True)


def test_function_that_returns_a_module_is_loaded(script):
    agent = load_agent(script(LINEAR), CARTPOLE)
    torch.manual_seed(0)
    assert agent.policy(torch.ones(1, 4)).actions.scores.equal(torch.nn.Linear(4, 2)(torch.ones(1, 4)))
    assert (agent.name, agent.algorithm, agent.policy.action) == ("agent_of_mine:make", "module", Discrete(2))
    assert (agent.foreign, agent.looks, agent.card) == (True, True, None)


def test_digest_of_a_module_is_that_of_its_tensors(script):
    spec = script(LINEAR)
    first, again = (load_agent(spec, CARTPOLE) for _ in range(2))
    torch.manual_seed(1)
    sys.modules["agent_of_mine"].make = lambda: torch.nn.Linear(4, 2)
    assert first.sha256 == again.sha256 != load_agent(spec, CARTPOLE).sha256


def test_function_that_returns_a_policy_is_loaded(script):
    spec = script(
        "import torch\nfrom rlattack.policies import ModulePolicy\n"
        "def make():\n    return ModulePolicy(torch.nn.Linear(4, 2), (4,), 2, value_based=True)"
    )
    agent = load_agent(spec, CARTPOLE)
    assert isinstance(agent, Agent)
    assert isinstance(agent.policy, ModulePolicy)
    assert agent.policy.acts == "greedy"
    assert len(agent.sha256) == 64


def test_function_that_returns_a_model_is_loaded(script):
    spec = script(
        "from stable_baselines3 import PPO\n"
        "def make():\n    return PPO('MlpPolicy', 'CartPole-v1', n_steps=8, batch_size=8, device='cpu')"
    )
    assert load_agent(spec, CARTPOLE).policy(torch.ones(3, 4)).actions.scores.shape == (3, 2)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def make():\n    raise RuntimeError('two\\nlines')", "agent_of_mine:make: RuntimeError: two lines"),
        ("import no_such_package", "ModuleNotFoundError: No module named 'no_such_package'"),
        ("def make(:", "SyntaxError"),
        ("import sys\nsys.exit(3)", "SystemExit: 3"),
        ("def other(): pass", "AttributeError: .*no attribute 'make'"),
        ("def make(argument): pass", "TypeError: .*argument"),
        ("def make():\n    return 3", "expected a Policy, a torch.nn.Module or a Stable-Baselines3 model, got int"),
        (LINEAR.replace("4, 2", "5, 2"), r"fails on observations of shape \(4,\)"),
        (LINEAR.replace("4, 2", "4, 3"), r"sees \(4,\) and has 3 actions; the game shows \(4,\) and takes one of 2"),
        (LINEAR.replace("Linear(4, 2)", "Flatten(0)"), r"expected scores of shape \(2, actions\)"),
        (HALF, "got Half, which lacks acts, normaliser, gradient, value, initial_state to be a Policy"),
        (WRONG, "expected a rlattack.policies.Output from the policy, got Tensor"),
    ],
)
def test_function_that_fails_is_one_line(script, text, message):
    with pytest.raises(InvalidInput, match=message) as caught:
        load_agent(script(text), CARTPOLE)
    assert "\n" not in str(caught.value)


def test_module_without_a_game_is_refused(script):
    with pytest.raises(InvalidInput, match="does not say what it sees"):
        load_agent(script(LINEAR))


def test_unknown_module_is_one_line(workplace):
    with pytest.raises(InvalidInput, match="ModuleNotFoundError: No module named 'no_such_module'"):
        load_agent("no_such_module:make")


def test_module_that_changes_what_it_sees_is_refused(script):
    text = """
import torch
class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(4, 2)
    def forward(self, x):
        x /= 255
        return self.linear(x)
make = Net
"""
    with pytest.raises(InvalidInput, match=r"changes what it is shown in place.*; write x = x / 255"):
        load_agent(script(text), CARTPOLE)


def test_function_that_returns_a_policy_of_continuous_actions_is_loaded(script):
    done = Box(np.float32([-0.4, -1]), np.float32([0.4, 3]))
    agent = load_agent(script(NUMBERS), Seat("runner", Box(-9, 9, (3,)), done), game="mujoco/you-shall-not-pass")
    assert act(agent.policy, np.zeros((2, 3)), streams(1, 2))[0].shape == (2, 2)
    assert (agent.foreign, len(agent.identity), agent.policy.action) == (True, 64, done)
