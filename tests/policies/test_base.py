import torch
from torch import nn

from rlattack.policies.base import ModulePolicy, Output, sample


class Counting(nn.Module):
    """Scores that grow with the number of calls, kept in its state."""

    def forward(self, obs, state):
        after = state + 1
        return obs * after, None, after


def test_gradient_of_a_linear_policy_is_its_weight():
    module = nn.Linear(3, 2)
    policy = ModulePolicy(module, (3,), 2)
    grad, out = policy.gradient(torch.zeros(4, 3), lambda out: out.scores[:, 1].sum())
    assert grad.equal(module.weight[1].expand(4, 3))
    assert not out.scores.requires_grad


def test_q_values_become_a_distribution_by_their_temperature():
    policy = ModulePolicy(nn.Identity(), (2,), 2, value_based=True, temperature=0.5)
    out = policy(torch.tensor([[1.0, 2.0]]))
    assert out.q.tolist() == [[1.0, 2.0]]
    assert out.values.tolist() == [2.0]
    assert torch.allclose(out.probabilities, torch.tensor([[2.0, 4.0]]).softmax(dim=1))


def test_state_goes_through():
    policy = ModulePolicy(Counting(), (1,), 1, state_shape=(1,))
    first = policy(torch.ones(2, 1), policy.initial_state(2))
    second = policy(torch.ones(2, 1), first.state)
    assert second.scores.tolist() == [[2.0], [2.0]]


def test_samples_follow_the_distribution():
    out = Output(torch.tensor([0.5, 0.0, 0.5]).log().expand(4, 3))
    uniform = torch.tensor([0.0, 0.49, 0.51, 0.999999])
    assert sample(out, uniform).tolist() == [0, 0, 2, 2]


def test_impossible_action_is_never_drawn():
    out = Output(torch.tensor([[0.0, 1.0]]).log())
    assert sample(out, torch.zeros(1)).tolist() == [1]
