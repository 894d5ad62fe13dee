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


def test_among_legal_actions_the_rest_has_no_chance_and_divergences_stay_numbers():
    scores = torch.tensor([[0.0, 1.0, 5.0], [2.0, 0.0, 0.0]])
    out = Output(scores)
    assert out.among(None) is out
    masked = out.among(torch.tensor([[True, True, False], [False, True, True]]))
    torch.testing.assert_close(masked.probabilities[0, :2], scores[0, :2].softmax(0))
    assert (masked.probabilities[0, 2], masked.probabilities[1, 0]) == (0, 0)
    assert masked.greedy.tolist() == [1, 1]
    other = Output(scores * 2).among(torch.tensor([[True, True, False], [False, True, True]]))
    one, two = scores[0, :2].log_softmax(0), (scores[0, :2] * 2).log_softmax(0)
    torch.testing.assert_close(other.divergence(masked)[0], (one.exp() * (one - two)).sum())
    assert other.divergence(masked)[1] == 0
