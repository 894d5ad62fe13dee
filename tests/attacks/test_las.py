"""LAS in a game whose one step that counts is known by hand."""

import numpy as np
import pytest
import torch

from rlattack.attacks import ActionAttacker, make_attack
from rlattack.attacks.las import _projected
from rlattack.attacks.lookahead import FORKS, Lookahead
from rlattack.budget import Budget
from rlattack.errors import InvalidInput
from rlattack.evaluation import Study
from rlattack.evaluation.plan import plan
from rlattack.policies.gaussian import GaussianPolicy
from tests.evaluation.kinds import ROPE
from tests.kit.agents import linear_gaussian_network
from tests.kit.games import made  # noqa: F401  # registers the games
from tests.kit.ledge import LENGTH, Ledge

SLOTS = 2


def walked(name, eps, norm, starts=(1, 3), **parameters):
    """Who walks away from the ledge by a third of what it could: which slots fall, and what is spent a step."""
    game = Ledge(SLOTS, continuous=True)
    (seat,) = game.seats
    policy = GaussianPolicy(linear_gaussian_network([[0.0, 0.3]]), seat.action)
    attack = make_attack(name, Budget(norm=norm, eps=eps, space="raw"), **parameters)
    attacker = ActionAttacker(attack, policy, seat.action, SLOTS)
    attacker.oracle.lookahead = Lookahead(game, Ledge(FORKS, continuous=True))
    attacker.restart(np.arange(SLOTS), [np.random.SeedSequence(seed) for seed in range(SLOTS)])
    (view,) = game.reset(np.ones(SLOTS, dtype=bool), np.asarray(starts) - 1)
    spent, every, fallen = [], np.ones(SLOTS, dtype=bool), np.zeros(SLOTS, dtype=bool)
    for _ in range(LENGTH):
        obs = torch.as_tensor(view.obs)
        with torch.no_grad():
            chosen = policy(obs).actions.greedy
        done = attacker(obs, chosen, every)
        spent.append((done - chosen).abs()[:, 0].tolist())
        step = game.step([done.numpy()])
        (view,), fallen = step.views, fallen | step.terminated
    return fallen.tolist(), np.asarray(spent), attacker


def test_changes_are_projected_to_what_is_left_and_the_largest_steps_keep_most():
    change = torch.tensor([[[0.5, -0.1], [-0.2, 0.2], [0.1, 0.0]]])
    shrunk = _projected(change, torch.tensor([0.5]))
    assert shrunk.abs().amax(dim=2).tolist() == [pytest.approx([0.4, 0.1, 0.0], abs=1e-6)]
    assert torch.allclose(shrunk[0, 0], torch.tensor([0.4, -0.08]))
    assert torch.equal(_projected(change, torch.tensor([2.0])), change)


def test_it_goes_over_the_ledge_by_a_budget_with_which_no_single_step_could():
    fallen, _, _ = walked("mas", 0.2, "linf")
    assert fallen == [False, False]
    fallen, spent, _ = walked("las", 0.2, "shared", horizon=3)
    assert fallen == [True, False]  # who stands far from it has nothing to fear of one step
    assert spent.max() > 0.3
    windows = spent.reshape(-1, 3, SLOTS).sum(axis=1)
    assert windows.max() <= 3 * 0.2 + 1e-5


def test_it_keeps_its_budget_before_the_judge_and_counts_what_it_asks():
    _, _, attacker = walked("las", 0.2, "shared", horizon=3)
    assert (attacker.oracle.queries > 0).all()
    assert attacker.reach.judged().horizon == 3


def test_it_needs_a_size_and_actions_within_a_range():
    ledge = {"game": "ledge/any", "players": ("tests.kit.ledge:careful",), "space": "raw"}
    with pytest.raises(InvalidInput, match="--eps: expected at least one size"):
        plan(Study(**ledge, attack=("las",)))
    with pytest.raises(InvalidInput, match="attack las: expected continuous actions"):
        plan(Study(**ledge, attack=("las",), eps=0.1))
    with pytest.raises(InvalidInput, match="--attack las: game pull/any cannot be played ahead from where it stands"):
        plan(Study(**ROPE, attack=("las",), eps=0.1))
