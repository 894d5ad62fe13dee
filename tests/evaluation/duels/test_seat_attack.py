"""Attacks on what a seat sees: on a rope that is pulled as the victim's one weight says, and in games of turns."""

import dataclasses

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box

from rlattack.attacks import AttackSpec
from rlattack.budget import Budget
from rlattack.errors import BudgetError, InvalidInput
from rlattack.evaluation.duels import rollout as module
from rlattack.evaluation.duels.rollout import DuelRollout
from rlattack.evaluation.duels.seat_attack import SeatAttack, policy_of, seat_attacker
from rlattack.policies.base import ModulePolicy
from rlattack.policies.gaussian import GaussianNetwork, GaussianPolicy, GaussianSpec
from rlattack.policies.player import GaussianPlayer, PolicyPlayer, Zero

PGD = AttackSpec("pgd", {"steps": 3})


def puller(memory=0):
    """Pulls by what it sees, the step: 0 at the first."""
    torch.manual_seed(0)
    spec = GaussianSpec(observation=(1,), actions=1, hidden=(4,) if memory else (), memory=memory)
    network = GaussianNetwork(spec)
    if not memory:
        network.pi.out.weight.data[:], network.pi.out.bias.data[:] = 1.0, 0.0
        network.log_std.data[:] = -3.0
    network.obs_std *= 2.0
    return GaussianPlayer(GaussianPolicy(network))


def namer():
    """Names 0 where it sees less than 2.5, else 1; 2, which is never legal, it likes best of all."""
    layer = torch.nn.Linear(1, 3)
    layer.weight.data = torch.tensor([[0.0], [1.0], [0.0]])
    layer.bias.data = torch.tensor([2.5, 0.0, 100.0])
    return PolicyPlayer(ModulePolicy(layer, (1,), 3))


def played(cell, first, second, watch=None):
    left = {slot: list(range(slot, cell.episodes, cell.envs)) for slot in range(cell.envs)}
    game = module.make_duel(cell.game, cell.envs)
    rollout = DuelRollout(cell, game, (first, second), lambda s: left[s].pop(0) if left[s] else None, watch)
    return sorted(rollout.episodes(), key=lambda episode: episode.episode)


def zero():
    return Zero(Box(-1, 1, (1,), np.float32))


def attacked(make_cell, game="pull", spec=PGD, seat=1, **budget):
    budget = Budget(**{"eps": 0.5, "space": "raw"} | budget)
    return make_cell(game, attack=spec, budget=budget, attacked=seat, actions="greedy")


@pytest.mark.parametrize(("space", "reach"), [("raw", 0.5), ("sigma", 1.0)])
def test_pgd_pushes_the_pull_as_far_as_the_budget_goes(games, make_cell, space, reach):
    received = []

    def watch(seat, episode, obs, state):
        received.extend(obs[episode >= 0, 0].tolist() if seat == 1 else ())

    for episode in played(attacked(make_cell, space=space), zero(), puller(), watch):
        steps, measured = episode.length, episode.measured
        assert (measured.steps, measured.attacked, measured.broken) == (steps, steps, 0)
        assert measured.changed is None
        assert measured.size[0] == pytest.approx(0.5, rel=1e-4)
        assert (measured.queries, measured.gradients) == (steps, 3 * steps)
    ends = np.arange(4)[:, None] + [-reach, reach]
    assert all(np.abs(ends - value).min() < 1e-4 for value in received)


def test_only_the_attacked_seat_receives_something_else(games, make_cell):
    seen = {0: [], 1: []}

    def watch(seat, episode, obs, state):
        seen[seat].extend(obs[episode >= 0, 0].tolist())

    played(attacked(make_cell, seat=0), puller(), puller(), watch)
    assert {value % 1 for value in seen[1]} == {0.0}
    assert all(value % 1 for value in seen[0])


def test_an_episode_s_attack_comes_from_its_own_seed(games, make_cell):
    cell = attacked(make_cell, spec=AttackSpec("noise"))
    other = dataclasses.replace(cell, envs=2, episodes=3)
    few, many = (played(one, zero(), puller()) for one in (other, cell))
    assert [e.returns for e in few] == [e.returns for e in many[:3]]
    assert len({e.trajectory for e in many}) == 6
    again = played(dataclasses.replace(cell, seed=1), zero(), puller())
    assert [e.returns for e in again] != [e.returns for e in many]


def test_what_the_victim_draws_is_the_same_with_and_without_an_attack(games, make_cell):
    cell = dataclasses.replace(attacked(make_cell, spec=AttackSpec("noise"), eps=1e-6), actions="sampled")
    clean = dataclasses.replace(cell, attack=AttackSpec("none"), budget=None, attacked=None)
    noised, still = (played(one, zero(), puller()) for one in (cell, clean))
    assert [e.returns[1] for e in noised] == pytest.approx([e.returns[1] for e in still], abs=1e-4)
    assert still[0].measured is None


def test_the_attack_follows_the_memory_of_its_victim(games, make_cell, monkeypatch):
    states = []
    original = SeatAttack.__call__

    def call(self, obs, state, acting, legal):
        states.append((state.clone(), self._attacker.target.state.clone(), acting))
        return original(self, obs, state, acting, legal)

    monkeypatch.setattr(SeatAttack, "__call__", call)
    played(attacked(make_cell), zero(), puller(memory=3))
    for own, known, acting in states:
        torch.testing.assert_close(own[acting], known[acting])
    assert any(own.abs().sum() > 0 for own, _, _ in states)


def test_in_games_of_turns_a_seat_is_attacked_in_its_turns_among_legal_actions(games, make_cell):
    cell = attacked(make_cell, "turns", AttackSpec("fgsm"), eps=2.0)
    clean = dataclasses.replace(cell, attack=AttackSpec("none"), budget=None, attacked=None)
    before, after = (played(one, namer(), namer()) for one in (clean, cell))  # the game asserts that all are legal
    assert {e.measured.steps for e in after} == {3}
    assert {e.measured.attacked for e in after} == {3}
    assert {(e.measured.queries, e.measured.gradients) for e in after} == {(0, 3)}
    # seat 1 sees 1, 3, 5: pushed by 2 the choice flips at 1 and 3, and not at 5
    assert {e.measured.changed for e in after} == {2}
    assert all(one.trajectory != other.trajectory for one, other in zip(before, after, strict=True))


def test_noise_asks_nothing_and_its_changes_are_judged_all_the_same(games, make_cell):
    cell = attacked(make_cell, "turns", AttackSpec("noise"), eps=3.0)
    episodes = played(cell, namer(), namer())
    assert {(e.measured.queries, e.measured.gradients) for e in episodes} == {(0, 0)}
    assert 0 < sum(e.measured.changed for e in episodes) < 18


def test_who_looks_at_nothing_cannot_be_attacked():
    with pytest.raises(InvalidInput, match="--attack: nobody looks at nothing"):
        policy_of(zero(), "nobody")


def test_sigma_needs_statistics():
    space = Box(-np.inf, np.inf, (1,), np.float32)
    with pytest.raises(BudgetError, match="needs an agent that ships observation statistics"):
        seat_attacker(PGD, Budget(eps=0.1, space="sigma"), namer().policy, space, 1)


@pytest.mark.parametrize("space", ["raw", "sigma"])
@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
@pytest.mark.parametrize("spec", [PGD, AttackSpec("noise")])
def test_attacks_stay_numbers_and_in_budget_where_the_space_has_no_ends(spec, norm, space):
    torch.manual_seed(0)
    network = GaussianNetwork(GaussianSpec(observation=(6,), actions=2))
    network.obs_std *= torch.tensor([0.01, 0.1, 1, 1, 10, 100.0])
    policy = GaussianPolicy(network)
    unbounded = Box(-np.inf, np.inf, (6,), np.float32)
    attack = SeatAttack(seat_attacker(spec, Budget(norm=norm, eps=0.1, space=space), policy, unbounded, 4), policy, 0)
    attack.restart(np.arange(4), np.arange(4))
    shown = 300 * torch.randn(4, 6).numpy()
    received = attack(shown, None, np.array([True, True, True, False]), None)
    assert np.isfinite(received).all()
    assert (received[3] == shown[3]).all()
    assert [attack.collect(slot).broken for slot in range(4)] == [0] * 4
    assert [attack.collect(slot).steps for slot in range(4)] == [0] * 4
