"""The worst that certificates leave open, of victims and games whose worst is known by hand."""

import dataclasses

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete

from rlattack.attacks.action import ActionAttacker
from rlattack.attacks.make import make_attack
from rlattack.budget import Budget
from rlattack.budget.choice import Choice
from rlattack.defences.certificates import Certifier
from rlattack.errors import BudgetError, InvalidInput
from rlattack.evaluation import Study, evaluate
from rlattack.evaluation.bounded import held
from tests.kit import ledge  # noqa: F401  # registers the family
from tests.kit.agents import linear_policy
from tests.kit.cells import make_cell, play
from tests.kit.players import namer

SEEN = Box(-5, 5, (3,), np.float32)
VICTIM = linear_policy(torch.eye(3))
OBS = torch.tensor([[1.0, 0.9, 0.8], [1.0, 0.9, 0.0], [1.0, 0.0, 0.0]])
ALL = np.ones(3, dtype=np.bool_)
LEDGE = {
    "game": "ledge/any", "players": "tests.kit.ledge:careful", "space": "raw", "actions": "greedy", "episodes": 4,
    "envs": 2,
}  # fmt: skip
CARTPOLE = {
    "game": "gymnasium/CartPole-v1", "players": "tests.kit.players:balance", "space": "raw", "actions": "greedy",
    "episodes": 1, "envs": 1,
}  # fmt: skip


def attacker(name, policy=VICTIM, eps=0.15, **parameters):
    made = make_attack(name, Budget(eps=eps, space="raw"), **parameters)
    found = ActionAttacker(made, policy, Discrete(3), 3, seen=SEEN, certify=Certifier)
    found.restart(np.arange(3), [np.random.SeedSequence(slot) for slot in range(3)])
    return found


def test_the_worst_action_that_is_possible_is_done():
    # an eps of .15 takes up to .3 from a lead
    done = attacker("gwc")(OBS, torch.zeros(3, dtype=torch.int64), ALL)
    assert done.tolist() == [2, 1, 0]


def test_an_illegal_action_is_not_done_however_bad():
    legal = torch.tensor([[True, True, False]] * 3)
    assert attacker("gwc")(OBS, torch.zeros(3, dtype=torch.int64), ALL, legal).tolist() == [1, 1, 0]


def test_what_is_legal_alone_is_a_rival():
    # of the legal ones the second leads by more than the eps takes, wherever the first stands
    legal = torch.tensor([[False, True, True]] * 3)
    seen = torch.tensor([[9.0, 0.9, 0.1], [9.0, 0.9, 0.8], [9.0, 0.0, 0.9]])
    assert attacker("gwc")(seen, torch.ones(3, dtype=torch.int64), ALL, legal).tolist() == [1, 2, 2]


def test_the_absolute_worst_case_is_of_games_in_which_all_is_legal():
    legal = torch.tensor([[True, True, False]] * 3)
    with pytest.raises(InvalidInput, match="attack awc: expected a game in which all actions are legal"):
        attacker("awc")(OBS, torch.zeros(3, dtype=torch.int64), ALL, legal)


def test_its_control_does_any_possible_action():
    control = attacker("gwc-noise")
    done = torch.stack([control(OBS, torch.zeros(3, dtype=torch.int64), ALL) for _ in range(60)])
    assert [sorted(set(row.tolist())) for row in done.T] == [[0, 1, 2], [0, 1], [0]]


def test_what_is_done_is_held_to_what_is_possible():
    reach, chosen = Choice(0.1, Discrete(3)), torch.zeros(2, dtype=torch.int64)
    settled = reach.settle(torch.tensor([[1.0, 1.0, 1.0, 0.0], [2.0, 1.0, 1.0, 0.0]]), chosen)
    assert settled.tolist() == [1, 0]
    judged = reach.judged()
    assert judged.measure(torch.tensor([1, 2]), chosen).legal.tolist() == [True, False]
    assert judged.measure(torch.tensor([1, 0]), chosen).changed.tolist() == [True, False]
    with pytest.raises(BudgetError, match="expected actions to choose from, the game takes Box"):
        Choice(0.1, SEEN)


def test_no_attack_leaves_less_than_the_absolute_worst_case_which_leaves_no_more_than_the_greedy_one(tmp_path):
    """On the ledge: one step towards it in every step, as long as its score can come to be the larger one."""
    study = Study(**LEDGE, attack=("pgd:steps=3", "gwc", "awc:horizon=6"), eps=(0.1, 0.6))
    results = evaluate(study, run=tmp_path / "run", workers=1)
    scores = {(one.attacks[0].name, one.eps): one.attacked.returns.mean for one in results.cells if one.attacks}
    assert results.ok
    assert scores["awc", 0.1] == scores["gwc", 0.1] == scores["pgd", 0.1] == results.cells[0].attacked.returns.mean == 6
    assert -10 <= scores["awc", 0.6] <= -7
    assert scores["awc", 0.6] <= min(scores["gwc", 0.6], scores["pgd", 0.6])
    cells = list(results.plan.cells)
    bound = next(cell for cell in cells if cell.attacks and cell.attacks[0].spec.name == "awc")
    below = {cell.key: [_episode(10.0 if cell is bound else 9.0)] for cell in cells}
    wrong = held(cells, results.cells, lambda cell: below[cell.key])
    failed = [one.attacks[0].name for one in wrong if not one.ok]
    assert failed == ["noise", "pgd"]  # at the smaller size, of which that bound is
    assert wrong[1].status.startswith("failed: episode 0 is left 9, below 10, its absolute worst case")


def test_a_worst_case_of_some_steps_is_none_of_the_others(tmp_path):
    """It plans as if it acted in every step, and so leaves more than an attack that looks no farther than one."""
    study = Study(**LEDGE, attack=("pgd:steps=3", "awc:horizon=6"), eps=0.6, when=("random:share=0.1", "every"))
    results = evaluate(study, run=tmp_path / "run", workers=1)
    cells = list(results.plan.cells)
    below = {
        cell.key: [_episode(9.0 if cell.attacks and cell.attacks[0].spec.name == "pgd" else 10.0)] for cell in cells
    }
    rare, every = (
        [cell for cell in cells if not (cell.attacks and cell.attacks[0].label.startswith("awc") and only(cell))]
        for only in (lambda cell: cell.attacks[0].schedule == "every", lambda cell: cell.attacks[0].schedule != "every")
    )
    for kept, failed in ((rare, 0), (every, 2)):  # of what acts in every step, at any time
        there = [one for cell, one in zip(cells, results.cells, strict=True) if cell in kept]
        found = held(kept, there, lambda cell: below[cell.key])
        assert [one.attacks[0].name for one in found if not one.ok] == ["pgd"] * failed


def _episode(score):
    one = play(make_cell("turns/any", actions=("greedy",) * 2), namer(), namer())[0]
    return dataclasses.replace(one, length=5, seats=(dataclasses.replace(one.seats[0], score=score),))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"attack": "awc:horizon=6,ways=2", "eps": 2.0},
            "more than 2 ways to go after 2 steps: raise ways=, or choose",
        ),
        ({"attack": "awc:horizon=0"}, "horizon: expected a number at least 1"),
        ({"attack": "gwc", "players": "tests.kit.players:memory"}, "expected a policy without memory"),
        ({"attack": "gwc", "norm": "l0", "eps": 1.0}, "attack gwc has the norms linf, l2, l1, got l0"),
        ({"attack": "gwc", "game": "mujoco/hopper", "players": "mujoco/hopper/ppo"}, "expected discrete actions"),
        ({"attack": "gwc:method=lp"}, "method: expected 'auto' or 'ibp'"),
    ],
)
def test_what_has_no_worst_case_is_refused(changes, message, tmp_path):
    with pytest.raises(InvalidInput, match=message):
        evaluate(Study(**{"eps": 0.1, **CARTPOLE, **changes}), run=tmp_path / "run", workers=1)


def test_a_wrapper_that_knows_nothing_of_what_is_seen_is_refused():
    with pytest.raises(InvalidInput, match="needs to know what is seen: play it by"):
        ActionAttacker(make_attack("gwc", Budget(eps=0.1, space="raw")), VICTIM, Discrete(3), 1)
