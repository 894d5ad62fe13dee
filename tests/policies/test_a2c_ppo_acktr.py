import hashlib

import pytest
import safetensors.torch
import torch
from torch import nn

from rlattack.errors import InvalidInput, RefusedFile
from rlattack.policies.a2c_ppo_acktr import import_a2c_ppo_acktr


def tensors(actions: int = 6) -> dict[str, torch.Tensor]:
    shapes = {
        "conv1": (32, 4, 8, 8), "conv2": (64, 32, 4, 4), "conv3": (32, 64, 3, 3), "fc": (512, 1568),
        "actor": (actions, 512), "critic": (1, 512),
    }  # fmt: skip
    generator = torch.Generator().manual_seed(0)
    state = {}
    for name, shape in shapes.items():
        state[f"{name}.weight"] = 0.05 * torch.randn(shape, generator=generator)
        state[f"{name}.bias"] = 0.05 * torch.randn(shape[0], generator=generator)
    return state


def reference(state: dict[str, torch.Tensor], obs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The network as facts/atari.md describes it."""
    x = obs / 255
    for name, stride in (("conv1", 4), ("conv2", 2), ("conv3", 1)):
        x = nn.functional.conv2d(x, state[f"{name}.weight"], state[f"{name}.bias"], stride).relu()
    x = nn.functional.linear(x.flatten(1), state["fc.weight"], state["fc.bias"]).relu()
    heads = [nn.functional.linear(x, state[f"{name}.weight"], state[f"{name}.bias"]) for name in ("actor", "critic")]
    return heads[0], heads[1].squeeze(1)


OWN_NAMES = {
    "conv1": "base.main.0", "conv2": "base.main.2", "conv3": "base.main.4", "fc": "base.main.7",
    "actor": "dist.linear", "critic": "base.critic_linear",
}  # fmt: skip


def own_names(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    parts = {name: name.split(".") for name in state}
    return {f"{OWN_NAMES[layer]}.{kind}": state[name] for name, (layer, kind) in parts.items()}


@pytest.mark.parametrize("names", [dict, own_names])
@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_outputs_are_those_of_the_network(tmp_path, names, suffix):
    state = tensors()
    path = tmp_path / f"policy{suffix}"
    if suffix == ".pth":
        torch.save(names(state), path)
    else:
        safetensors.torch.save_file(names(state), path, {"env": "PongNoFrameskip-v4"})
    card, network = import_a2c_ppo_acktr(str(path), trust=False)
    obs = torch.randint(0, 256, (5, 4, 84, 84)).float()
    scores, values = reference(state, obs)
    assert network(obs)[0].equal(scores)
    assert network(obs)[1].equal(values)
    named = {"env": "PongNoFrameskip-v4"} if suffix == ".safetensors" else {}
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert card.provenance == named | {"file": path.name, "file_sha256": digest}
    assert (card.game, card.network) == ("atari/pong" if named else "", network.spec)


@pytest.mark.parametrize("name", ["pong-ppo", "pong-a2c", "pong-ppo-advtrained", "breakout-ppo", "qbert-ppo"])
def test_agents_that_others_trained_are_read(zoo, name):
    card, network = import_a2c_ppo_acktr(str(zoo / f"{name}.safetensors"), trust=False)
    assert card.provenance["license"].startswith("MIT")
    assert network.spec.actions == (4 if name == "breakout-ppo" else 6)
    assert network.spec.observation == (4, 84, 84)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.update({"gru.weight": torch.ones(2, 2)}), "tensor gru.weight: expected conv1 to conv3"),
        (lambda s: s.pop("fc.weight"), "expected three convolutions"),
        (lambda s: s.pop("actor.bias"), "actor.0.bias: expected shape"),
        (lambda s: s["actor.bias"].fill_(float("nan")), "not finite"),
        (lambda s: s.update({"fc.weight": torch.ones(512, 3136)}), "trunk.7.weight: expected shape"),
    ],
)
def test_other_networks_are_refused(tmp_path, change, message):
    state = tensors()
    change(state)
    torch.save(state, tmp_path / "policy.pth")
    with pytest.raises(RefusedFile, match=message):
        import_a2c_ppo_acktr(str(tmp_path / "policy.pth"), trust=False)


class Whole(nn.Module):
    """A module that its checkpoint pickles whole, as a2c-ppo-acktr does."""

    def __init__(self) -> None:
        super().__init__()
        for name, tensor in own_names(tensors()).items():
            place = self
            *parents, leaf = name.split(".")
            for parent in parents:
                if not hasattr(place, parent):
                    place.add_module(parent, nn.Module())
                place = getattr(place, parent)
            place.register_buffer(leaf, tensor)


@pytest.mark.parametrize("wrap", [lambda module: [module, None], lambda module: module])
@pytest.mark.parametrize("trust", [False, True])
def test_the_tensors_of_a_pickled_module_are_read_as_data(tmp_path, wrap, trust):
    torch.save(wrap(Whole()), tmp_path / "policy.pth")
    _, network = import_a2c_ppo_acktr(str(tmp_path / "policy.pth"), trust=trust)
    assert network.actor[0].weight.equal(tensors()["actor.weight"])


def test_pictures_have_no_statistics(tmp_path):
    torch.save(tensors(), tmp_path / "policy.pth")
    with pytest.raises(InvalidInput, match="sees pictures, which are not normalised: leave out --normaliser"):
        import_a2c_ppo_acktr(str(tmp_path / "policy.pth"), False, "statistics.pkl")


def test_trusted_file_that_fails_is_one_line(tmp_path):
    (tmp_path / "policy.pth").write_bytes(b"nonsense")
    with pytest.raises(RefusedFile, match="cannot be loaded"):
        import_a2c_ppo_acktr(str(tmp_path / "policy.pth"), trust=True)


def test_payload_does_not_run(tmp_path, payload, mark):
    (tmp_path / "policy.pth").write_bytes(payload)
    with pytest.raises(RefusedFile, match="expected a file of torch"):
        import_a2c_ppo_acktr(str(tmp_path / "policy.pth"), trust=False)
