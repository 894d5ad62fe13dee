"""Attacks at play: on a rope that is pulled as the victim's one weight says, on frames, and in games of turns."""

import dataclasses

import numpy as np
import pytest
import torch

from rlattack.errors import BudgetError, InvalidInput
from rlattack.evaluation.play import Play
from rlattack.evaluation.player import make_attacker
from rlattack.games import make_game
from rlattack.policies import ModulePolicy
from tests.kit.agents import gaussian_policy
from tests.kit.by_hand import Pusher
from tests.kit.cells import Received, attack_on, judged, make_cell, play, take
from tests.kit.players import balance, bright, coin, memory, namer, puller

GREEDY = {"actions": ("greedy", "greedy")}


@pytest.mark.parametrize(("space", "reach"), [("raw", 0.5), ("sigma", 1.0)])
def test_pgd_pushes_the_pull_as_far_as_the_budget_goes(space, reach):
    cell, notes = make_cell(attacks=attack_on(1, space=space), **GREEDY), Received(1)
    episodes = play(cell, Pusher(0.0), puller(), observers=[notes])
    for episode, found in zip(episodes, judged(episodes), strict=True):
        assert (found.steps, found.attacked, found.broken) == (episode.length,) * 2 + (0,)
        assert found.sizes["linf"] == pytest.approx(0.5, rel=1e-4)
        assert (found.queries, found.gradients) == (episode.length, 3 * episode.length)
    received = torch.cat(notes.received).flatten()
    ends = torch.arange(4)[:, None] + torch.tensor([-reach, reach])
    assert all((ends - value).abs().min() < 1e-4 for value in received)


def test_the_change_of_a_continuous_action_is_the_share_of_its_range():
    cell = make_cell(envs=1, episodes=1, attacks=attack_on(1), **GREEDY)
    notes = Received(1)
    (found,) = judged(play(cell, Pusher(0.0), puller(), observers=[notes]))
    shown, received = (torch.cat(of).flatten().clamp(-1, 1) for of in (notes.shown, notes.received))
    assert found.changed == pytest.approx(float((received - shown).abs().sum() / 2), abs=1e-6)
    assert found.changed >= 0.25  # from the 0 of the first step


def test_only_the_attacked_seat_receives_something_else():
    both = [Received(0), Received(1)]
    episodes = play(make_cell(attacks=attack_on(0), **GREEDY), puller(), puller(), observers=both)
    attacked, other = ((torch.cat(one.received) - torch.cat(one.shown)).abs() for one in both)
    assert other.max() == 0 < attacked.min()
    assert {episode.seats[1].judged for episode in episodes} == {None}
    assert all(found.attacked == found.steps for found in judged(episodes, seat=0))


def test_both_seats_can_be_attacked_at_once_each_by_draws_of_its_own():
    two = (*attack_on(0, "noise", eps=0.25), *attack_on(1, "noise"))
    both = [Received(0), Received(1)]
    episodes = play(make_cell(attacks=two, envs=1, **GREEDY), puller(), puller(), observers=both)
    assert {found.sizes["linf"] for found in judged(episodes, 0)} == {0.25}
    assert {found.sizes["linf"] for found in judged(episodes, 1)} == {0.5}
    signs = [(torch.cat(one.received) - torch.cat(one.shown)).sign().flatten().tolist() for one in both]
    assert signs[0] != signs[1]


def test_two_attacks_on_what_one_seat_sees_are_refused():
    cell = make_cell(attacks=(*attack_on(1, "noise"), *attack_on(1)), **GREEDY)
    with pytest.raises(InvalidInput, match="two attacks on what the right sees, or on what it does"):
        play(cell, puller(), puller())


def test_an_episode_s_attack_comes_from_its_own_seed():
    cell = make_cell(attacks=attack_on(1, "noise"), **GREEDY)
    many = play(cell, Pusher(0.0), puller())
    few = play(dataclasses.replace(cell, episodes=3), Pusher(0.0), puller())
    assert [e.trajectory for e in few] == [e.trajectory for e in many[:3]]
    assert len({e.trajectory for e in many}) == 6
    again = play(dataclasses.replace(cell, seed=1), Pusher(0.0), puller())
    assert [e.seats[1].score for e in again] != [e.seats[1].score for e in many]


def test_what_the_victim_draws_is_the_same_with_and_without_an_attack():
    cell = make_cell(attacks=attack_on(1, "noise", eps=1e-6))
    noised, still = (play(one, Pusher(0.0), puller()) for one in (cell, cell.clean))
    assert [e.seats[1].score for e in noised] == pytest.approx([e.seats[1].score for e in still], abs=1e-4)
    assert {episode.seats[1].judged for episode in still} == {None}


def test_the_attack_follows_the_memory_of_its_victim():
    """With the budget of a hair the victim's state goes on as without an attack, and the clean label is its own."""
    cell = make_cell("gymnasium/CartPole-v1", episodes=2, envs=2, actions=("greedy",), players=["zero"])
    cell = dataclasses.replace(cell, attacks=attack_on(0, "fgsm", eps=1e-6))
    notes, clean = Received(0), Received(0)
    found = judged(play(cell, memory(), observers=[notes]), 0)
    play(cell.clean, memory(), observers=[clean])
    assert [one.changed for one in found] == [0, 0]
    assert [one.gradients for one in found] == [one.steps for one in found]
    assert torch.cat(notes.states).abs().sum() > 0
    assert torch.allclose(torch.cat(notes.states)[:50], torch.cat(clean.states)[:50], atol=1e-4)


def test_in_games_of_turns_a_seat_is_attacked_in_its_turns_among_legal_actions():
    cell = make_cell("turns/any", attacks=attack_on(1, "fgsm", eps=2.0), **GREEDY)
    before, after = (play(one, namer(), namer()) for one in (cell.clean, cell))  # the game asserts that all are legal
    for found in judged(after):
        # seat 1 sees 1, 3, 5: pushed by 2 the choice flips at 1 and 3, and not at 5
        assert (found.steps, found.attacked, found.changed) == (3, 3, 2.0)
        assert (found.queries, found.gradients) == (0, 3)
    assert all(one.trajectory != other.trajectory for one, other in zip(before, after, strict=True))


def test_noise_asks_nothing_and_its_changes_are_judged_all_the_same():
    found = judged(play(make_cell("turns/any", attacks=attack_on(1, "noise", eps=3.0), **GREEDY), namer(), namer()))
    assert {(one.queries, one.gradients) for one in found} == {(0, 0)}
    assert 0 < sum(one.changed for one in found) < 18


def test_a_surrogate_is_attacked_and_the_victim_judged():
    cell = make_cell("gymnasium/CartPole-v1", episodes=2, envs=2, actions=("greedy",))
    cell = dataclasses.replace(cell, attacks=attack_on(0, "fgsm", eps=0.2))
    victim, surrogate = ModulePolicy(balance(), (4,), 2), memory()
    played = Play(cell, make_game(cell.game, 2), [victim], take(cell), surrogates=[surrogate])
    for episode in (episode for ended in played.play() for episode in ended):
        found = episode.seats[0].judged
        assert found.changed > 0.1 * found.steps
        assert (found.queries, found.gradients) == (0, found.steps)


def test_sigma_needs_statistics():
    (ref,) = attack_on(1, space="sigma")
    seat = make_game(make_cell("turns/any").game, 1).seats[1]
    with pytest.raises(BudgetError, match="needs an agent that ships observation statistics"):
        make_attacker(ref, namer(), None, seat, 1)


def test_budgets_in_sigma_are_in_deviations_of_who_receives_not_of_the_surrogate():
    (ref,) = attack_on(1, "noise", space="sigma")
    seat = make_game(make_cell().game, 1).seats[1]
    attacker = make_attacker(ref, puller(scale=2.0), puller(scale=8.0), seat, 1)
    attacker.restart(np.arange(1), [np.random.SeedSequence(0)])
    received = attacker(torch.zeros(1, 1))
    assert received.abs().item() == pytest.approx(0.5 * 2.0)


@pytest.mark.parametrize("space", ["raw", "sigma"])
@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
@pytest.mark.parametrize("attack", ["pgd:steps=3", "noise"])
def test_attacks_stay_numbers_and_in_budget_where_the_space_has_no_ends(attack, norm, space):
    policy = gaussian_policy(3, 1)
    policy.normaliser.deviation.copy_(torch.tensor([0.01, 1.0, 100.0]))
    cell, notes = make_cell("tug/any", attacks=attack_on(1, attack, norm=norm, eps=0.1, space=space)), Received(1)
    found = judged(play(cell, Pusher(0.5), policy, observers=[notes]))
    assert torch.cat(notes.received).isfinite().all()
    assert [one.broken for one in found] == [0] * 6
    assert [one.attacked for one in found] == [4] * 6


@pytest.mark.parametrize("model", ["stack", "frame"])
def test_stacked_frames_are_perturbed_anew_each_step_or_once_when_they_are_newest(model):
    cell = make_cell("film/any", actions=("greedy",), attacks=attack_on(0, "noise", eps=2.0, model=model), envs=1)
    notes = Received(0)
    found = judged(play(cell, bright(), observers=[notes]), 0)
    assert {one.broken for one in found} == {0}
    first = torch.cat(notes.received[:6])  # of one episode: there is one slot
    kept = (first[1:5, :-1] == first[:4, 1:]).all()
    assert bool(kept) == (model == "frame")


def test_a_grid_keeps_perturbed_pixels_whole_bytes():
    cell = make_cell("film/any", actions=("greedy",), attacks=attack_on(0, "noise", eps=2.5, grid=True))
    notes = Received(0)
    play(cell, bright(), observers=[notes])
    assert set((torch.cat(notes.received) - torch.cat(notes.shown)).unique().tolist()) == {-2.0, 2.0}


def test_coins_are_read_wrong_once_they_seem_to_lie_on_the_other_side():
    cell = make_cell("coins/any", actions=("greedy",), attacks=attack_on(0, "fgsm:loss=margin", eps=1.5))
    victim = ModulePolicy(coin(), (2,), 2)
    clean, attacked = (play(one, victim) for one in (cell.clean, cell))
    assert [e.seats[0].score for e in clean] == [e.length for e in clean]
    assert [e.seats[0].score for e in attacked] == [0.0] * 6
