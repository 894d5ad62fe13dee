"""Adversaries out of files: what they see, what they remember, and what is refused."""

from pathlib import Path

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box
from torch import nn

from rlattack.attacks import Attacker, make_attack
from rlattack.attacks.schedule import RandomSteps, Share
from rlattack.budget import Budget
from rlattack.errors import BudgetError, InvalidInput, RefusedFile
from rlattack.policies.gaussian import GaussianPolicy
from rlattack.policies.sa_ppo import load_sa_ppo
from rlattack.policies.torch_file import TorchFile
from tests.kit.agents import gaussian_policy
from tests.kit.model_files import write_model

ENTRIES, SLOTS, EPS, MEMORY = 5, 3, 0.075, 6
SPACE = Box(-np.inf, np.inf, (ENTRIES,), np.float64)


@pytest.fixture(params=[0, MEMORY], ids=["mlp", "lstm"])
def path(tmp_path, request):
    return write_model(tmp_path / "attack.model", ENTRIES, 2, memory=request.param)


def victim_in(path):
    return GaussianPolicy(load_sa_ppo(Path(path))[1], Box(-1, 1, (2,), np.float32))


def attacker(path, policy, space="sigma", norm="linf", schedule=None, **parameters):
    attack = make_attack("perturber", Budget(norm=norm, eps=EPS, space=space), agent=str(path), **parameters)
    return Attacker(attack, policy, SPACE, SLOTS, schedule=schedule)


def begun(made, slots=range(SLOTS)):
    made.restart(np.asarray(slots), [np.random.SeedSequence(slot) for slot in slots])
    return made


def episode(steps=4, seed=0):
    return torch.randn(steps, SLOTS, ENTRIES, generator=torch.Generator().manual_seed(seed))


def told(path, tmp_path):
    """What the adversary says in each step of an episode, by the tensors in its file alone."""
    file = TorchFile((tmp_path / "attack.model").read_bytes(), "")
    tensors = file.tensors(dict(file.content)["adversary_policy_model"])
    seen = ((episode() - 0.5) / torch.linspace(0.5, 2.0, ENTRIES)).clamp(-10, 10)
    if "lstm.weight_ih_l0" not in tensors:
        for number in (0, 1):
            layer = f"affine_layers.{number}"
            seen = nn.functional.linear(seen, tensors[f"{layer}.weight"], tensors[f"{layer}.bias"]).tanh()
        return nn.functional.linear(seen, tensors["final_mean.weight"], tensors["final_mean.bias"])
    lstm = nn.LSTM(MEMORY, MEMORY)
    lstm.load_state_dict({name.removeprefix("lstm."): one for name, one in tensors.items() if name.startswith("lstm.")})
    embedded = nn.functional.linear(seen, tensors["embedding_layer.weight"], tensors["embedding_layer.bias"])
    return nn.functional.linear(
        lstm(embedded)[0], tensors["output_layer.weight"], tensors["output_layer.bias"]
    ).detach()


def test_what_is_seen_moves_by_what_the_adversary_says(path, tmp_path):
    made, out = begun(attacker(path, victim_in(path))), told(path, tmp_path)
    assert (out.abs() > 1).any()
    assert (out.abs() < 1).any()
    deviation = torch.linspace(0.5, 2.0, ENTRIES)
    for clean, said in zip(episode(), out, strict=True):
        expected = clean + EPS * said.clamp(-1, 1) * deviation
        torch.testing.assert_close(made(clean), expected, rtol=1e-5, atol=1e-5)
    assert made.oracle.queries.sum() == made.oracle.gradients.sum() == 0


def test_the_adversary_forgets_an_episode_in_the_slots_that_begin_another(path, tmp_path):
    made, shown = begun(attacker(path, victim_in(path))), episode()
    first = made(shown[0])
    made(shown[1])
    begun(made, [1])
    again = made(shown[0])
    assert torch.equal(again[1], first[1])
    recurrent = load_sa_ppo(tmp_path / "attack.model")[1].spec.memory > 0
    assert torch.equal(again[0], first[0]) != recurrent


def test_the_adversary_goes_on_in_the_steps_in_which_it_acts(tmp_path):
    path = write_model(tmp_path / "attack.model", ENTRIES, 2, memory=MEMORY)
    policy, shown = victim_in(path), episode(8)
    rare = begun(attacker(path, policy, schedule=RandomSteps(Share(share=0.5))))
    received = torch.stack([rare(clean) for clean in shown])
    acted = (received != shown).any(dim=2)
    assert 0 < acted[:, 0].sum() < 8
    alone = begun(attacker(path, policy))
    for clean, expected, now in zip(shown[:, :1], received[:, :1], acted[:, 0], strict=True):
        if now:  # the same steps one after the other
            torch.testing.assert_close(alone(clean.expand(SLOTS, -1).clone())[:1], expected, rtol=1e-6, atol=1e-6)


def test_on_another_victim_it_looks_through_that_one_s_statistics_where_it_is_asked_to(tmp_path):
    path = write_model(tmp_path / "attack.model", ENTRIES, 2)
    other = victim_in(write_model(tmp_path / "other.model", ENTRIES, 2, seed=1, mean=0.0))
    with pytest.raises(InvalidInput, match=r"other observation statistics than the victim's.* transfer=true"):
        attacker(path, other)
    received = begun(attacker(path, other, transfer=True))(episode()[0] - 0.5)
    alike = begun(attacker(path, victim_in(path)))(episode()[0])
    torch.testing.assert_close(received + 0.5, alike, rtol=1e-5, atol=1e-5)


def test_what_does_not_fit_is_refused_in_words(tmp_path):
    path = write_model(tmp_path / "attack.model", ENTRIES, 2)
    policy = victim_in(path)
    with pytest.raises(BudgetError, match="expected --space sigma, got raw"):
        attacker(path, policy, space="raw")
    with pytest.raises(BudgetError, match="attack perturber has the norms linf, got l2"):
        attacker(path, policy, norm="l2")
    with pytest.raises(InvalidInput, match=r"expected an adversary of observations of shape \(5,\).*sees \(7,\)"):
        attacker(write_model(tmp_path / "seven.model", 7, 2), policy)
    with pytest.raises(InvalidInput, match=r"sees \(5,\) and moves \(3,\)"):
        attacker(write_model(tmp_path / "three.model", ENTRIES, 2, moves=3), policy)
    with pytest.raises(InvalidInput, match="other observation statistics"):
        attacker(path, gaussian_policy(ENTRIES, 2))
    with pytest.raises(RefusedFile, match="expected adversary_policy_model and envs"):
        attacker(write_model(tmp_path / "bare.model", ENTRIES, 2, adversary=False), policy)
    with pytest.raises(RefusedFile, match=r"none\.model: expected a file, there is none"):
        attacker(tmp_path / "none.model", policy)
    with pytest.raises(InvalidInput, match="attack perturber: expected agent=value, which has no default"):
        make_attack("perturber", Budget(eps=EPS, space="sigma"))
    (tmp_path / "cut.model").write_bytes((tmp_path / "attack.model").read_bytes()[:-200])
    with pytest.raises(RefusedFile, match=r"cut\.model"):
        attacker(tmp_path / "cut.model", policy)
