import pytest
import torch
from torch import nn

from rlattack.policies.network import NATURE, SMALL, Network, NetworkSpec
from rlattack.training import extractor
from rlattack.training.extractor import ConvolutionalExtractor
from tests.kit.learning import SPACES


@pytest.mark.parametrize(("convolutions", "hidden"), [(SMALL, (256,)), (NATURE, (512,)), (SMALL, (64, 32))])
def test_it_has_the_layers_of_the_trunk_that_an_agent_folder_holds(monkeypatch, convolutions, hidden):
    monkeypatch.setattr(extractor, "_processor", lambda: "")
    space = SPACES["images"]
    made = ConvolutionalExtractor(space, convolutions, hidden)
    spec = NetworkSpec(observation=space.shape, actions=2, head="q", convolutions=convolutions, hidden=hidden)
    network = Network(spec)
    network.trunk.load_state_dict(made.layers.state_dict())
    seen = torch.rand(5, *space.shape)
    assert made(seen).equal(network.trunk(seen))
    assert made.features_dim == hidden[-1]


def test_it_computes_in_bfloat16_where_the_processor_does(monkeypatch):
    found = []
    for processor in ("flags: avx512_bf16", "flags: avx2"):
        monkeypatch.setattr(extractor, "_processor", lambda processor=processor: processor)
        made = ConvolutionalExtractor(SPACES["images"], SMALL, (256,))
        made.layers.append(Look(found))
        assert made(torch.rand(2, 4, 40, 36)).dtype == torch.float32
    assert found == ([torch.bfloat16, torch.float32] if not torch.cuda.is_available() else [torch.bfloat16] * 2)


class Look(nn.Module):
    def __init__(self, found):
        super().__init__()
        self.found = found

    def forward(self, features):
        self.found.append(features.dtype)
        return features


def test_a_system_that_does_not_tell_its_processor_is_no_error(monkeypatch):
    monkeypatch.setattr(extractor, "Path", lambda _: Absent())
    assert extractor._processor() == ""


class Absent:
    def read_text(self, encoding):
        raise FileNotFoundError
