"""Perturbation policies of few parameters: their rules by hand, and the best of them in a game that is known."""

import dataclasses
import itertools
import math

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box

from rlattack.attacks import Attacker, Fitted, make_attack
from rlattack.attacks.basis import make_basis
from rlattack.budget import Budget
from rlattack.errors import BudgetError, InvalidInput
from rlattack.evaluation import Study, evaluate
from rlattack.evaluation.plan import plan
from rlattack.evaluation.prepare import prepare
from rlattack.policies.gaussian import GaussianPolicy
from tests.attacks.conftest import SPACE, RandomTuning
from tests.kit.agents import gaussian_network, linear_gaussian_network, linear_policy, random_linear_policy
from tests.kit.cells import Film  # noqa: F401  # registers the game
from tests.kit.runs import COINS

EPS, SCALE = 0.1, 0.5
NUMBERS = Box(-9, 9, (3,), float)
WEIGHTS = torch.tensor([[1.0, -2.0, 0.5], [0.0, 1.0, 1.0]])
SMALL = {"steps": 600, "population": 8, "episodes": 4}


@pytest.fixture
def policy():
    """Its mean is linear; statistics of deviation 0.5."""
    return GaussianPolicy(linear_gaussian_network(WEIGHTS, scale=SCALE))


def armed(policy, weights, space=NUMBERS, norm="linf", unit="sigma", model="stack", known=None, **parameters):
    """An attacker by a rule that was not searched for."""
    attack = make_attack("search", Budget(norm=norm, eps=EPS, space=unit), **parameters)
    attacker = Attacker(attack, policy, space, 4, model=model)
    attack.learned = Fitted({"weights": torch.as_tensor(weights), **(known or {})})
    return attacker


def shown(seed=0):
    return torch.randn(4, 3, generator=torch.Generator().manual_seed(seed))


def test_a_constant_moves_everything_by_the_sign_of_its_numbers(policy):
    moved = armed(policy, [[2.0], [-0.1], [0.3]], kind="const")(shown()) - shown()
    assert torch.allclose(moved, SCALE * EPS * torch.tensor([1.0, -1.0, 1.0]).expand(4, 3))


def test_a_linear_rule_looks_at_what_the_statistics_make_of_what_is_shown(policy):
    rule = torch.randn(3, 4, generator=torch.Generator().manual_seed(1))
    moved = armed(policy, rule, kind="linear")(shown()) - shown()
    seen = torch.cat([shown() / SCALE, torch.ones(4, 1)], dim=1)
    assert torch.allclose(moved, SCALE * EPS * (seen @ rule.T).sign())


def test_a_director_leads_the_action_by_its_slope(policy):
    rule = torch.randn(2, 4, generator=torch.Generator().manual_seed(1))
    attacker = armed(policy, rule)
    moved = attacker(shown()) - shown()
    seen = torch.cat([shown() / SCALE, torch.ones(4, 1)], dim=1)
    assert torch.allclose(moved, SCALE * EPS * (seen @ rule.T @ WEIGHTS).sign())
    assert attacker.oracle.gradients.tolist() == [1] * 4


def test_of_several_choices_at_once_a_director_leads_all_scores():
    network = gaussian_network(3, 5, hidden=(), head="categorical", choices=(2, 3))
    rule = torch.randn(5, 4, generator=torch.Generator().manual_seed(1))
    moved = armed(GaussianPolicy(network), rule)(shown()) - shown()
    seen = torch.cat([shown(), torch.ones(4, 1)], dim=1)
    assert torch.allclose(moved, EPS * (seen @ rule.T @ network.pi.out.weight).sign(), atol=1e-6)


@pytest.mark.parametrize("kind", ["linear", "director"])
def test_in_other_norms_it_goes_the_same_way_as_far_as_the_budget(policy, kind):
    rule = torch.randn(3 if kind == "linear" else 2, 4, generator=torch.Generator().manual_seed(1))
    moved = (armed(policy, rule, norm="l2", kind=kind)(shown()) - shown()) / SCALE
    said = torch.cat([shown() / SCALE, torch.ones(4, 1)], dim=1) @ rule.T
    way = said if kind == "linear" else said @ WEIGHTS * SCALE
    assert torch.allclose(moved, EPS * math.sqrt(3) * way / way.norm(dim=1, keepdim=True), atol=1e-5)
    spent = (armed(policy, rule, norm="l1", kind=kind)(shown()) - shown()).abs().sum(dim=1) / SCALE
    assert torch.allclose(spent, torch.full((4,), 3 * EPS), atol=1e-5)


def test_each_slot_can_have_a_rule_of_its_own(policy):
    rules = torch.randn(4, 3, 4, generator=torch.Generator().manual_seed(1))
    together = armed(policy, rules, kind="linear")(shown())
    for slot, rule in enumerate(rules):
        assert torch.equal(together[slot], armed(policy, rule, kind="linear")(shown())[slot])


def pictures():
    return torch.randint(50, 200, (4, *SPACE.shape), generator=torch.Generator().manual_seed(3)).float()


@pytest.mark.parametrize(("basis", "count"), [("dct", 5), ("tiles", 12)])
def test_of_pictures_it_sees_and_moves_a_few_numbers(two, basis, count):
    waves = make_basis(basis, SPACE.shape, count)
    rule = torch.randn(count, count + 1, generator=torch.Generator().manual_seed(1))
    known = {"mean": torch.linspace(-9, 9, count), "deviation": torch.linspace(50, 90, count)}
    asked = {"kind": "linear", "basis": basis, "coefficients": count, "known": known, "unit": "unit"}
    moved = armed(two, rule, SPACE, **asked)(pictures()) - pictures()
    seen = ((pictures().flatten(1) @ waves.T - known["mean"]) / known["deviation"]).clamp(-5, 5)
    said = torch.cat([seen, torch.ones(4, 1)], dim=1) @ rule.T
    assert torch.allclose(moved, 255 * EPS * (said @ waves).sign().view_as(moved))


def test_where_the_newest_frame_alone_may_change_the_basis_is_of_that(two):
    attacker = armed(two, [[0.0], [1.0]], SPACE, kind="const", coefficients=2, unit="unit", model="frame")
    received = attacker(pictures()[:, -1:].repeat(1, 3, 1, 1)) - pictures()[:, -1:]
    sign = make_basis("dct", (1, 6, 6), 2)[1].sign().view(6, 6)
    assert torch.allclose(received, 255 * EPS * sign.expand(4, 3, 6, 6))


def test_what_is_seen_is_made_comparable_by_tuning_episodes_where_the_victim_has_no_statistics():
    policy = linear_policy(WEIGHTS)
    attack = make_attack("search", Budget(eps=EPS, space="raw"), kind="linear", **SMALL)
    batches = [3 + 7 * shown(1), 3 + 7 * shown(2)]
    batches[0][:, 2] = batches[1][:, 2] = 4.0  # which stays
    learned = attack.fit(RandomTuning(Attacker(attack, policy, NUMBERS, 4), policy, batches))
    whole = torch.cat(batches)
    assert torch.allclose(learned.tensors["mean"], whole.mean(dim=0), atol=1e-4)
    deviation = whole.std(dim=0, unbiased=False)
    assert torch.allclose(learned.tensors["deviation"][:2], deviation[:2], rtol=1e-4)
    assert learned.tensors["deviation"][2] == 1
    assert learned.tensors["weights"].shape == (3, 4)


def played(folder, attack, **changes):
    """Mean returns of the clean game, and under an attack whose fit tells the second one."""
    study = Study(**COINS | {"attack": (attack,), "episodes": 24, "seed": 3, "actions": "greedy"} | changes)
    results = evaluate(study, run=folder, workers=1)
    return [results.cells[place].attacked.returns.mean for place in (0, 2)]


@pytest.mark.parametrize("kind", ["linear", "director"])
def test_a_rule_that_sees_turns_every_coin(tmp_path, kind):
    clean, attacked = played(tmp_path, f"search:kind={kind},steps=3000,population=12,episodes=4")
    assert clean > 3.5  # all of them
    assert attacked == 0


def test_a_constant_can_hide_only_one_side_of_a_coin(tmp_path):
    clean, attacked = played(tmp_path, "search:kind=const,steps=2000,population=12,episodes=8")
    assert attacked == pytest.approx(clean / 2, abs=0.5)


def test_what_is_found_is_the_same_each_time_and_told(tmp_path):
    cell = plan(Study(**COINS | {"attack": ("search:steps=900,population=8,episodes=4",)})).cells[-1]
    for place in "ab":
        prepare([cell], tmp_path / place, lambda line: None)
    (one,), (other,) = (list((tmp_path / place).iterdir()) for place in "ab")
    assert one.name == other.name
    assert one.read_bytes() == other.read_bytes()


def test_what_it_says_of_how_far_it_is(policy):
    told, attack = [], make_attack("search", Budget(eps=EPS, space="sigma"), **SMALL)
    tuning = RandomTuning(Attacker(attack, policy, NUMBERS, 4), policy, [shown(1)])
    tuning.say = told.append
    facts = attack.fit(tuning).facts
    assert told[0].startswith("generation 1, ")
    assert told[0].endswith(" of the victim, 96 steps")
    assert told[-1].startswith("choosing among 6 rules, ")
    assert facts["generations"] == len(told) - 1 == 6
    assert facts["steps"] > 600


class Wavering(RandomTuning):
    """Every other round of its episodes pays 100 more a step."""

    def rehearse(self, attack, slots, *, sampled=False):
        opened, rounds = super().rehearse(attack, slots, sampled=sampled), itertools.count()
        play = opened.round

        def waver(take):
            more = 100 * (next(rounds) % 2 == 0)
            for step in play(take):
                yield dataclasses.replace(step, reward=step.reward + more)

        opened.round = waver
        return opened


def test_of_several_searches_that_are_begun_the_best_one_goes_on(policy):
    told, attack = [], make_attack("search", Budget(eps=EPS, space="sigma"), **SMALL | {"starts": 2, "steps": 2000})
    tuning = Wavering(Attacker(attack, policy, NUMBERS, 4), policy, [shown(1)])
    tuning.say = told.append
    facts = attack.fit(tuning).facts
    numbers = [int(line.split(",")[0].removeprefix("generation ")) for line in told[:-1]]
    assert numbers == [1, 1, 2, 2, 3, 3, 4, 4, *range(5, facts["generations"] + 1)]
    assert facts["start"] == 1


def test_a_search_ends_where_nothing_gets_better():
    policy = GaussianPolicy(linear_gaussian_network(torch.zeros(2, 3)))
    attack = make_attack("search", Budget(eps=EPS, space="sigma"), population=4)
    learned = attack.fit(RandomTuning(Attacker(attack, policy, NUMBERS, 4), policy, [shown(1)]))
    assert learned.facts["generations"] == 21
    assert learned.facts["return"] == 0


def test_a_director_needs_gradients_and_the_others_nothing():
    attack = make_attack("search", Budget(eps=EPS))
    assert attack.knows(attack.config) == "white"
    for kind in ("const", "linear"):
        blind = make_attack("search", Budget(eps=EPS), kind=kind)
        assert blind.knows(blind.config) == "none"


def test_a_victim_without_gradients_has_the_black_box_kinds(tmp_path):
    about = {"game": "turns/any", "players": ("tests.kit.players:blind_namer", "zero"), "victim": "0", "space": "raw"}
    with pytest.raises(InvalidInput, match=r"gives no gradient .*, and search needs one"):
        plan(Study(**about, attack=("search",), eps=(0.1,)))
    results = evaluate(
        Study(**about, attack=("search:kind=linear,steps=9,population=4,horizon=1",), eps=(0.1,), episodes=1, envs=1),
        run=tmp_path, workers=1,
    )  # fmt: skip
    assert results.cells[2].attack.knowledge == "none"


def test_a_population_is_of_pairs():
    with pytest.raises(InvalidInput, match="search: population: expected an even number, got 5"):
        make_attack("search", Budget(eps=EPS), population=5)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"steps": 319}, "search: steps: expected at least 320, in which each of population x episodes plays once, "),
        ({"steps": 31, "horizon": 1}, "search: steps: expected at least 32, "),
        ({"population": 1000, "episodes": 11}, "search: population x episodes: expected at most 10,000 at once, got 1"),
    ],
)
def test_fewer_steps_than_a_generation_and_more_games_than_can_be_open_are_refused(parameters, message):
    with pytest.raises(InvalidInput, match=message):
        make_attack("search", Budget(eps=EPS), **parameters)


def test_steps_by_which_what_is_seen_is_made_comparable_count(policy, two):
    played = []
    for victim, space, unit, seen in (policy, NUMBERS, "sigma", [shown(1)]), (two, SPACE, "unit", None):
        attack = make_attack("search", Budget(eps=EPS, space=unit), kind="linear", **SMALL)
        tuning = RandomTuning(Attacker(attack, victim, space, 4), victim, seen)
        tuning.steps = 7  # of somebody before
        played.append((attack.fit(tuning).facts["steps"], tuning.steps - 7))
    (numbers, none), (pictures, some) = played
    assert (none, some) == (0, 1000)
    assert 600 < numbers < 1000 + 600 < pictures


def test_what_does_not_fit_what_is_shown_is_refused(policy, two):
    with pytest.raises(InvalidInput, match=r"basis=dct is for pictures, this game shows \(3,\): leave it out"):
        armed(policy, [[0.0]], basis="dct")
    with pytest.raises(InvalidInput, match="coefficients: expected at least 3, one a frame"):
        armed(two, [[0.0]], SPACE, unit="unit", basis="tiles", coefficients=2)
    wide, big = Box(0, 255, (501,), np.uint8), Box(0, 255, (3, 20, 20), np.uint8)
    with pytest.raises(InvalidInput, match=r"kind=linear has 251,502 parameters here, .* 250,000: kind=director"):
        armed(random_linear_policy((501,)), [[0.0]], wide, unit="unit", kind="linear")
    with pytest.raises(InvalidInput, match=r"kind=linear has 360,600 parameters here, .*: fewer coefficients"):
        armed(random_linear_policy(big.shape), [[0.0]], big, unit="unit", kind="linear", coefficients=600)
    with pytest.raises(BudgetError, match="attack search has the norms linf, l2, l1, got l0"):
        make_attack("search", Budget(eps=2, norm="l0"))


def test_before_anything_was_searched_for_it_does_not_play(policy):
    attacker = Attacker(make_attack("search", Budget(eps=EPS, space="sigma")), policy, NUMBERS, 4)
    with pytest.raises(InvalidInput, match="search learns on tuning episodes first"):
        attacker(shown())


def test_the_numbers_of_a_generation_come_from_the_draws_of_the_tuning(policy):
    found = []
    for seed in (0, 0, 1):
        attack = make_attack("search", Budget(eps=EPS, space="sigma"), **SMALL)
        tuning = RandomTuning(Attacker(attack, policy, NUMBERS, 4), policy, [shown(1)])
        tuning.draws = type(tuning.draws)(4, seed)
        found.append(attack.fit(tuning).tensors["weights"])
    assert torch.equal(found[0], found[1])
    assert not np.allclose(found[0], found[2])
