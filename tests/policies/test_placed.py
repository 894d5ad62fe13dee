from dataclasses import dataclass, field
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from rlattack import Attacker, AttackObservation, Budget, load_agent, make_attack
from rlattack.policies import ModulePolicy
from rlattack.policies.lent import lend
from rlattack.policies.placed import device_of, placed
from tests.kit.players import balance
from tests.kit.second_device import SECOND, second_device


@dataclass(frozen=True)
class Kept:
    """Keeps tensors wherever a user may."""

    module: nn.Module
    tied: Any
    within: dict[str, Any] = field(default_factory=dict)


@pytest.fixture
def kept():
    module, number = balance(), torch.ones(3)
    return Kept(
        module, (module, [number]), {"raw": nn.Parameter(torch.zeros(2)), "text": "text", "deep": {"n": number}}
    )


def devices(kept):
    return {
        str(tensor.device)
        for tensor in (*kept.module.parameters(), kept.tied[1][0], kept.within["raw"], kept.within["deep"]["n"])
    }


def test_everything_that_a_policy_keeps_is_placed_and_the_policy_stays_where_it_was(kept):
    with second_device():
        there = placed(kept, SECOND)
        assert devices(there) == {SECOND}
        assert devices(kept) == {"cpu"}
        assert there.tied[0] is there.module
        assert there.within["deep"]["n"] is there.tied[1][0]
        assert there.within["text"] == "text"
        assert torch.equal(there.module.weight.cpu(), kept.module.weight)


def test_what_lies_there_already_is_itself(kept):
    assert placed(kept, "cpu") is kept


def test_what_refers_to_itself_is_placed_too():
    policy = ModulePolicy(balance(), (4,), 2)
    policy.itself = policy
    with second_device():
        there = placed(policy, SECOND)
        assert there.itself is there
        assert device_of(there) == SECOND


def test_a_device_is_that_of_the_tensors_and_the_cpu_without_any(kept):
    assert device_of(kept) == device_of("text") == "cpu"
    with second_device():
        assert device_of(placed(kept, SECOND)) == SECOND


def test_a_model_that_was_trained_on_a_gpu_is_an_agent_on_the_cpu():
    with second_device():
        module = ModulePolicy(balance().to(SECOND), (4,), 2)
        agent = load_agent(lend(module))
        assert device_of(agent.policy) == "cpu"
        assert device_of(module) == SECOND


class Both(nn.Module):
    """Scores of CartPole by a layer that is on another device, and refuses what is not."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = balance()

    def forward(self, obs: Tensor) -> Tensor:
        """Scores."""
        assert obs.device == self.linear.weight.device
        scores: Tensor = self.linear(obs)
        return scores


def test_wrappers_attack_a_model_where_it_is():
    attack = make_attack("pgd", Budget(eps=0.1, space="raw"), steps=3)
    found = []
    with second_device() as crossings:
        for device in ("cpu", SECOND):
            env = gymnasium.make("CartPole-v1")
            attacker = Attacker(attack, Both().to(device), env)
            shown, _ = AttackObservation(env, attacker).reset(seed=3)
            found.append(shown)
    assert isinstance(found[0], np.ndarray)
    np.testing.assert_array_equal(*found)
    assert crossings.there
