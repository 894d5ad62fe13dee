"""Files of SA-PPO's family, made up here, beside a plain torch loop; and those of the zoo."""

import pytest
import torch
from torch import nn

from rlattack.errors import InvalidInput, RefusedFile
from rlattack.policies import load_agent
from rlattack.policies.importer import guess, import_agent
from rlattack.policies.policy import judged
from rlattack.policies.sa_ppo import import_sa_ppo, load_sa_ppo
from tests.kit.model_files import write_model


def tensors(path):
    """What the file holds, loaded as its authors would, but without their classes."""
    from rlattack.policies.torch_file import TorchFile

    file = TorchFile(path.read_bytes(), "file")
    return {name: file.tensors(file.content[name]) for name in ("policy_model", "val_model")}


def seen(obs):
    deviation = torch.linspace(0.5, 2.0, obs.shape[1])
    return ((obs - 0.5) / deviation).clamp(-10, 10)


def linear(state, name, x):
    return nn.functional.linear(x, state[f"{name}.weight"], state[f"{name}.bias"])


@pytest.fixture
def obs():
    return 3 * torch.randn(7, 5, generator=torch.Generator().manual_seed(1))


def test_layers_play_as_a_plain_loop(tmp_path, obs):
    path = tmp_path / "agent.model"
    write_model(path, 5, 3)
    held = tensors(path)
    policy = load_agent(str(path)).policy
    state = held["policy_model"]
    hidden = seen(obs)
    for number in (0, 1):
        hidden = linear(state, f"affine_layers.{number}", hidden).tanh()
    out = policy(obs)
    torch.testing.assert_close(out.actions.mean, linear(state, "final_mean", hidden), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(out.actions.deviation, torch.full((3,), -1.0).exp())
    value = seen(obs)
    for number in (0, 1):
        value = linear(held["val_model"], f"affine_layers.{number}", value).tanh()
    wanted = linear(held["val_model"], "final", value).squeeze(1)
    torch.testing.assert_close(policy.value(obs), wanted, atol=1e-5, rtol=1e-5)
    assert policy.normaliser.clip == 10.0


def test_a_memory_plays_as_a_plain_loop(tmp_path, obs):
    """The embedding has no activation, so that it and the LSTM's own layer are one here."""
    path = tmp_path / "agent.model"
    write_model(path, 5, 3, memory=6)
    held = tensors(path)
    lstms = {name: nn.LSTM(6, 6) for name in held}
    for name, lstm in lstms.items():
        lstm.load_state_dict({key.removeprefix("lstm."): one for key, one in held[name].items() if key[:5] == "lstm."})
    policy = judged(load_agent(str(path)).policy)
    ours, theirs = policy.initial_state(7), dict.fromkeys(held)
    for step in range(4):
        told = {}
        shown = (obs + step).requires_grad_(True)
        for name, state in held.items():
            hidden, after = lstms[name](linear(state, "embedding_layer", seen(shown))[None], theirs[name])
            told[name] = linear(state, "output_layer" if name == "policy_model" else "final", hidden[0])
            theirs[name] = tuple(one.detach() for one in after)
        out, value = policy(shown, ours), policy.value(shown, None, ours)
        torch.testing.assert_close(out.actions.mean, told["policy_model"], atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(value, told["val_model"].squeeze(1), atol=1e-5, rtol=1e-5)
        slopes = [torch.autograd.grad(of.sum(), shown)[0] for of in (value, told["val_model"])]
        torch.testing.assert_close(*slopes, atol=1e-5, rtol=1e-5)
        ours = out.state.detach()


@pytest.mark.parametrize("memory", [0, 6])
def test_the_adversary_in_it_is_another_network(tmp_path, obs, memory):
    path = tmp_path / "agent.model"
    write_model(path, 5, 3, memory=memory)
    card, network = load_sa_ppo(path, "adversary")
    assert (card.role, network.spec.actions, network.spec.memory) == ("adversary", 5, memory)
    assert load_sa_ppo(path)[0].role == "victim"


def test_an_agent_without_an_adversary_says_so(tmp_path):
    path = tmp_path / "agent.model"
    write_model(path, 5, 3, adversary=False)
    with pytest.raises(RefusedFile, match="expected adversary_policy_model and envs as SA-PPO's family"):
        load_sa_ppo(path, "adversary")


def test_it_becomes_an_agent_with_its_statistics(tmp_path, workplace, obs):
    path = tmp_path / "agent.model"
    write_model(path, 11, 3)
    told = []
    folder = import_agent("auto", path, "mujoco/hopper/mine", say=told.append)
    assert guess(str(path)) == "sa-ppo"
    assert told == [f"{path}: taken for a .model of SA-PPO's family (SA-PPO, ATLA, RADIAL, PA-ATLA, WocaR); "
                    "`rlattack import sa-ppo` says so"]  # fmt: skip
    kept, read = load_agent(str(folder)).policy, load_agent(str(path)).policy
    assert kept.normaliser.mean.equal(read.normaliser.mean)
    shown = torch.randn(3, 11)
    assert kept(shown).actions.mean.equal(read(shown).actions.mean)


def test_a_truncated_file_is_refused(tmp_path):
    path = tmp_path / "agent.model"
    write_model(path, 5, 3)
    raw = path.read_bytes()
    for share in (0.0, 0.3, 0.9, 0.999):
        path.write_bytes(raw[: int(share * len(raw))])
        with pytest.raises(RefusedFile, match=r"agent\.model: "):
            load_agent(str(path))


def test_another_network_is_refused_with_its_names(tmp_path):
    path = tmp_path / "agent.model"
    torch.save({"policy_model": {"mine.weight": torch.ones(2, 2)}, "envs": []}, path)
    with pytest.raises(RefusedFile, match=r"not a network of SA-PPO's family: mine\.weight"):
        load_agent(str(path))


def test_a_pickle_within_it_does_not_run(tmp_path, mark):
    class Harm:
        def __reduce__(self):
            import os

            return os.mkdir, (str(mark),)

    path = tmp_path / "agent.model"
    torch.save({"policy_model": {"a.weight": torch.ones(2, 2)}, "val_model": {}, "envs": [Harm()]}, path)
    with pytest.raises(RefusedFile, match="not a network of SA-PPO's family"):
        load_agent(str(path))


def test_trust_is_of_no_use(tmp_path):
    with pytest.raises(InvalidInput, match="an import of sa-ppo runs no code: leave out --trust"):
        import_sa_ppo(str(tmp_path / "agent.model"), True)


def test_every_file_of_the_zoo_is_read(zoo):
    files = sorted((zoo.parent / "control").rglob("*.model"))
    assert len(files) > 40
    for path in files:
        card, network = load_sa_ppo(path)
        assert (card.game, network.spec.observation, network.spec.actions) == ("mujoco/hopper", (11,), 3)
        if path.name.startswith("attack-"):
            assert load_sa_ppo(path, "adversary")[1].spec.actions == 11
