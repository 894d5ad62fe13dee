"""The ensemble: who its members are, that it is the one which leaves a victim least, and what it tells."""

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box
from torch import nn

from rlattack.attacks import Attacker, Fitted, make_attack
from rlattack.attacks.attack import Setting
from rlattack.budget import Budget
from rlattack.errors import BudgetError, InvalidInput, RefusedFile
from rlattack.evaluation import Study, evaluate
from rlattack.evaluation.plan import plan
from rlattack.policies.gaussian import GaussianPolicy
from rlattack.policies.module import ModulePolicy
from rlattack.report.comparison import settings
from rlattack.report.warnings import warnings
from tests.attacks.conftest import SPACE, RandomTuning
from tests.kit.agents import linear_gaussian_network, linear_policy
from tests.kit.model_files import write_model
from tests.kit.runs import COINS

NUMBERS = Box(-9, 9, (3,), float)
TINY = {"effort": 0.001}
WEIGHTS = torch.tensor([[1.0, -2.0, 0.5], [0.0, 1.0, 1.0]])
AUTO = "autoattack:effort=0.001"


class Naming(nn.Module):
    """Names the coin that it sees, to whole numbers where that is asked for."""

    def __init__(self, whole=False):
        super().__init__()
        self.whole = whole

    def forward(self, obs):
        """Scores of the second number."""
        score = 5 * obs[:, 1]
        score = score.round() if self.whole else score
        return torch.stack([-score, score], dim=1)


def whole_coin():
    """Names the coin that it sees, by whole numbers, which have no slope (`coins`)."""
    return Naming(whole=True)


class Noisy(ModulePolicy):
    """Sees noise beside, wherever it has draws."""

    def __call__(self, obs, state=None, draws=None):
        noise = 0 if draws is None else 0.3 * draws.normal(*obs.shape[1:])
        return super().__call__(obs + noise, state, draws)


def fitted(policy, space=NUMBERS, shown=None, budget=None, **parameters):
    attack = make_attack("autoattack", budget or Budget(eps=0.1, space="raw"), **TINY | parameters)
    attacker = Attacker(attack, policy, space, 4)
    attack.learned = attack.fit(RandomTuning(attacker, policy, shown))
    return attacker, attack.learned.facts["ensemble"]


def names(found):
    return [member["attack"] for member in found["members"]]


def test_members_are_those_of_what_the_victim_sees_and_does(two):
    _, found = fitted(two, SPACE, budget=Budget(eps=0.02))
    assert names(found) == [
        "search:steps=320", "apgd:loss=ce,steps=1,restarts=2", "apgd:loss=margin,steps=1,restarts=2",
        "square:queries=1",
    ]  # fmt: skip
    shown = [torch.randn(4, 3, generator=torch.Generator().manual_seed(1))]
    _, found = fitted(GaussianPolicy(linear_gaussian_network(WEIGHTS)), shown=shown)
    assert [name.partition(":")[0] for name in names(found)] == ["search", "search", "sarsa", "apgd", "apgd", "square"]
    assert [name for name in names(found) if "loss" in name] == [
        "apgd:loss=mad,steps=1,restarts=2", "apgd:loss=value,steps=1,restarts=2",
    ]  # fmt: skip
    _, found = fitted(two, SPACE, budget=Budget(norm="l2", eps=0.02))
    assert "square:queries=1" not in names(found)


def test_it_is_the_member_that_leaves_the_victim_least_on_fresh_episodes(tmp_path):
    study = Study(
        **COINS | {"attack": (AUTO, "apgd:loss=margin,steps=1,restarts=2"), "episodes": 24, "actions": "greedy"}
    )
    results = evaluate(study, run=tmp_path, workers=1)
    clean, noise, auto, member = results.cells
    found = auto.attack.ensemble
    assert found.plays == min(found.members, key=lambda one: one.returns).attack
    assert found.episodes == 12
    assert (noise.attack.name, noise.control, noise.attack.ensemble) == ("noise", True, None)
    assert auto.attacked.returns.mean == 0 < clean.attacked.returns.mean
    by_name = {one.attack: one for one in found.members}
    assert by_name["apgd:loss=margin,steps=1,restarts=2"].returns == member.attacked.returns.mean == 0
    assert by_name["apgd:loss=margin,steps=1,restarts=2"].gradients == member.attacked.gradients == 2
    assert by_name["search:steps=800,starts=6"].learned_in >= 800
    again = evaluate(study, run=tmp_path, workers=1)  # what was kept tells the same
    assert again.cells == results.cells


def test_what_is_played_is_what_the_member_plays():
    policy = GaussianPolicy(linear_gaussian_network(WEIGHTS))
    shown = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    attacker, found = fitted(policy, shown=[shown])
    (name,) = {found["plays"]}
    alone = make_attack("search", attacker.attack.budget, steps=800, kind="linear" if "linear" in name else "director")
    assert name.startswith("search")
    beside = Attacker(alone, policy, NUMBERS, 4)
    alone.learned = Fitted(attacker.attack.learned.tensors)
    assert torch.equal(attacker(shown), beside(shown))
    assert attacker.oracle.gradients.tolist() == beside.oracle.gradients.tolist()


def noisy():
    return Noisy(Naming(), (2,), 2)


def test_of_a_victim_that_is_random_in_itself_it_takes_the_mean_of_several_draws():
    space = Box(-9, 9, (2,), float)
    assert Setting.of(noisy(), space).random
    assert not Setting.of(ModulePolicy(Naming(), (2,), 2), space).random
    attacker, found = fitted(noisy(), space, [torch.ones(4, 2)])
    assert found["random"]
    assert [name for name in names(found) if "apgd" in name or "square" in name] == [
        "apgd:loss=ce,steps=1,restarts=2", "apgd:loss=margin,steps=1,restarts=2", "square:queries=1",
    ]  # fmt: skip
    assert attacker.note == ""
    budget = Budget(eps=0.1, space="raw")
    alone = Attacker(make_attack("pgd", budget, eot=1), noisy(), space, 1)
    assert alone.note == "the victim is random in itself: leave eot= out for the mean of several draws"
    assert Attacker(make_attack("pgd", budget), noisy(), space, 1).note == ""


def test_masked_gradients_are_said_and_none_of_an_honest_victim(tmp_path):
    def said(victim):
        study = Study(**COINS | {"attack": (AUTO,), "players": (victim,), "episodes": 24, "actions": "greedy"})
        results = evaluate(study, run=tmp_path / victim[-6:], workers=1)
        return [line for setting in settings(results.cells) for line in warnings(setting) if "gradients" in line]

    assert said("tests.kit.players:coin") == []
    assert said("tests.attacks.test_autoattack:whole_coin") == [
        "autoattack effort=0.001 at eps 1.5, 4 states of tuning episodes: in 100 % of them the loss has no slope where "
        "an attack starts: the victim's gradients may be masked, and what needs them says little of it."
    ]


def test_a_trained_adversary_is_one_more_member(tmp_path):
    agent = write_model(tmp_path / "hopper.model", 11, 3, adversary=True)
    about = {"game": "mujoco/hopper", "players": (agent,), "space": "sigma", "eps": (0.1,)}
    (*_, cell) = plan(Study(**about, attack=(f'autoattack:also="perturber:agent={agent},transfer=true"',))).cells
    ((name, digest),) = cell.attacks[0].files
    assert (name, len(digest)) == ("also agent", 64)
    with pytest.raises(RefusedFile, match=r"none\.model: expected a file, there is none"):
        plan(Study(**about, attack=("autoattack:also=perturber:agent=none.model",)))


def test_the_further_member_plays_with_the_others(two):
    _, found = fitted(two, SPACE, budget=Budget(eps=0.02), also="fgsm:loss=margin")
    assert "fgsm:loss=margin" in names(found)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"also": "autoattack:effort=2"}, "attack autoattack: also: expected one more attack, got autoattack:effort=2"),
        ({"also": "mas"}, "mas: expected an attack on what this victim sees"),
        ({"also": "sarsa"}, "attack sarsa: expected continuous actions"),
        ({"also": "pgd:loss=mad,random_start=false"}, "attack pgd: the divergence .* has no slope"),
    ],
)
def test_a_further_member_that_does_not_fit_is_refused(parameters, message):
    policy = linear_policy(WEIGHTS)
    with pytest.raises(InvalidInput, match=message):
        Attacker(make_attack("autoattack", Budget(eps=0.1, space="raw"), **parameters), policy, NUMBERS, 1)


def test_norms_that_members_lack_are_refused(two):
    with pytest.raises(BudgetError, match="attack autoattack has the norms linf, l2, got l1"):
        make_attack("autoattack", Budget(norm="l1", eps=0.1))
    attacker = Attacker(make_attack("autoattack", Budget(eps=0.1)), two, SPACE, 1)
    with pytest.raises(InvalidInput, match="autoattack learns on tuning episodes first"):
        attacker(torch.zeros(1, *SPACE.shape))


def test_a_member_forgets_episodes_that_ended(tmp_path):
    agent = write_model(tmp_path / "lstm.model", 3, 3, adversary=True, memory=4)
    policy = GaussianPolicy(linear_gaussian_network(WEIGHTS))
    attack = make_attack("autoattack", Budget(eps=0.1, space="sigma"), also=f"perturber:agent={agent},transfer=true")
    attacker = Attacker(attack, policy, NUMBERS, 4)
    attack.learned = Fitted({}, {"ensemble": {"plays": f"perturber:agent={agent},transfer=true"}, "member": {}})
    shown = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    first = attacker(shown)
    assert not torch.equal(attacker(shown), first)  # it remembers
    attacker.restart(np.arange(4), [np.random.SeedSequence(seed) for seed in range(4)])
    assert torch.equal(attacker(shown), first)
