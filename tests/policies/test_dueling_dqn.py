import pytest
import torch
from torch import nn

from rlattack.errors import RefusedFile
from rlattack.policies import load_agent
from rlattack.policies.dueling_dqn import import_dueling_dqn
from rlattack.policies.importer import guess


class Dueling(nn.Module):
    """Streams of values and advantages after three convolutions."""

    def __init__(self):
        super().__init__()
        self.cnn_layer = nn.Module()
        for number, layer in enumerate((nn.Conv2d(4, 8, 8, 4), nn.Conv2d(8, 8, 4, 2), nn.Conv2d(8, 4, 3, 1)), start=1):
            self.cnn_layer.add_module(f"conv{number}", layer)
        self.action_fc, self.state_value_fc = nn.Linear(196, 16), nn.Linear(196, 12)
        self.action_value, self.state_value = nn.Linear(16, 6), nn.Linear(12, 1)

    def forward(self, obs):
        hidden = obs / 255
        for layer in self.cnn_layer.children():
            hidden = layer(hidden).relu()
        hidden = hidden.flatten(1)
        advantage = self.action_value(self.action_fc(hidden).relu())
        return self.state_value(self.state_value_fc(hidden).relu()) + advantage - advantage.mean(dim=1, keepdim=True)


@pytest.fixture
def saved(tmp_path):
    torch.manual_seed(0)
    network = Dueling()

    def save(change=lambda state: None):
        state = network.state_dict()
        change(state)
        torch.save(state, tmp_path / "model.pt")
        return str(tmp_path / "model.pt")

    return network, save


def test_its_values_are_those_of_the_two_streams(saved):
    network, save = saved
    path = save()
    policy = load_agent(path).policy
    obs = 255 * torch.rand(3, 4, 84, 84)
    assert guess(path) == "dueling-dqn"
    torch.testing.assert_close(policy(obs).q, network(obs), atol=1e-5, rtol=1e-5)
    assert policy.acts == "greedy"


def test_its_gradient_is_that_of_the_two_streams(saved):
    network, save = saved
    obs = 255 * torch.rand(2, 4, 84, 84)
    found, _ = load_agent(save()).policy.gradient(obs, lambda out: out.q[:, 2].sum())
    point = obs.clone().requires_grad_(True)
    (wanted,) = torch.autograd.grad(network(point)[:, 2].sum(), point)
    torch.testing.assert_close(found, wanted, atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("cnn_layer.conv2.bias"), r"expected a layer cnn_layer\.conv2 with weight and bias"),
        (lambda s: s.update({"lstm.weight": torch.ones(1, 1)}), r"a dueling network does not have: lstm\.weight"),
        (lambda s: s.update({"state_value.weight": torch.ones(1, 5)}), "layers that do not follow each other"),
        (lambda s: s.update({"state_value.weight": torch.ones(2, 12)}), "expected a layer state_value"),
    ],
)
def test_other_networks_are_refused(saved, change, message):
    with pytest.raises(RefusedFile, match=message):
        import_dueling_dqn(saved[1](change))


def test_the_agent_of_the_zoo_is_read(zoo):
    assert load_agent(str(zoo.parent / "ad3" / "Pong" / "dqn" / "model.pt")).policy.action.n == 6
