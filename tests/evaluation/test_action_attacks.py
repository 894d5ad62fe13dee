"""Attacks on what a victim does, from the command to the result; on the rope, where a pull is all that counts."""

import dataclasses

import pytest
import torch

from rlattack.errors import BudgetError, InvalidInput
from rlattack.evaluation import Study, evaluate
from rlattack.evaluation.observer import Observer
from rlattack.evaluation.plan import plan
from tests.kit.by_hand import Pusher
from tests.kit.cells import attack_on, judged, make_cell, play
from tests.kit.players import puller

ROPE = {"game": "pull/any", "players": ("zero", "tests.kit.players:puller"), "space": "raw", "envs": 2, "episodes": 5}


class Done(Observer):
    """Keeps what a seat chose and what the game was given, a step each."""

    def __init__(self, seat):
        self.seat, self.chosen, self.done = seat, [], []

    def see(self, moment):
        if moment.seat == self.seat:
            acting = torch.from_numpy(moment.acting)
            self.chosen.append(moment.chosen[acting].clone())
            self.done.append(moment.action[acting].clone())


def test_the_game_is_given_the_changed_action_and_the_judge_compares_it_with_the_chosen_one():
    cell, notes = make_cell(attacks=attack_on(1, "mas", eps=0.25), envs=1), Done(1)
    before, after = (play(one, Pusher(0.0), puller(), observers=[notes] * (one is cell)) for one in (cell.clean, cell))
    chosen, done = (torch.cat(of).clamp(-1, 1) for of in (notes.chosen, notes.done))
    assert (done - chosen).abs().max() == pytest.approx(0.25, abs=1e-6)
    found = judged(after)
    assert {(one.broken, one.attacked == one.steps) for one in found} <= {(0, True), (0, False)}
    assert max(one.sizes["action linf"] for one in found) == pytest.approx(0.25, rel=1e-5)
    pulled = sum(episode.seats[1].score for episode in after)
    assert pulled == pytest.approx(float(done.sum()), abs=1e-5)
    assert pulled != pytest.approx(sum(episode.seats[1].score for episode in before), abs=0.1)
    assert {episode.seats[0].judged for episode in after} == {None}


def test_what_a_victim_sees_and_what_it_does_can_be_attacked_at_once():
    both = (*attack_on(1, "pgd:steps=3", eps=0.5), *attack_on(1, "mas", eps=0.125))
    cell = make_cell(attacks=both, actions=("greedy",) * 2)
    for one in judged(play(cell, Pusher(0.0), puller())):
        assert one.sizes["linf"] == pytest.approx(0.5, rel=1e-4)
        assert one.sizes["action linf"] == pytest.approx(0.125, rel=1e-4)
        assert (one.broken, one.queries, one.gradients) == (0, 2 * one.steps, 3 * one.steps)


def test_an_episode_s_attack_comes_from_its_own_seed():
    cell = make_cell(attacks=attack_on(1, "action-noise", eps=0.25), actions=("greedy",) * 2)
    many = play(cell, Pusher(0.0), puller())
    few = play(dataclasses.replace(cell, episodes=3), Pusher(0.0), puller())
    assert [one.trajectory for one in few] == [one.trajectory for one in many[:3]]
    again = play(dataclasses.replace(cell, seed=1), Pusher(0.0), puller())
    assert [one.seats[1].score for one in again] != [one.seats[1].score for one in many]


def test_mas_stands_beside_noise_on_actions_and_workers_change_nothing(tmp_path):
    study = Study(**ROPE, attack=("mas",), eps=(0.1, 0.3), norm="l2")
    one, two = (evaluate(study, run=tmp_path / str(workers), workers=workers) for workers in (1, 2))
    assert [cell.seats for cell in one.cells] == [cell.seats for cell in two.cells]
    assert one.ok
    assert [(cell.attack.name, cell.attack.access, cell.attack.control, cell.attack.eps) for cell in one.cells[1:]] == [
        ("action-noise", "action", True, 0.1), ("action-noise", "action", True, 0.3),
        ("mas", "action", False, 0.1), ("mas", "action", False, 0.3),
    ]  # fmt: skip
    for cell in one.cells[1:]:
        assert cell.attacked.sizes["action l2"] <= cell.attack.radius + 1e-6
        assert cell.attacked.attacked > 0


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"norm": "l0", "eps": (1.0,)}, BudgetError, "attack mas has the norms linf, l2, l1, got l0"),
        ({"eps": (2.5,)}, BudgetError, "2.5 is more than the whole range of an entry, 2 in"),
        ({"space": "unit"}, BudgetError, "use --space raw"),
        ({"attack": ("mas:steps=0",)}, InvalidInput, "attack mas: steps: expected a number at least 1, got 0"),
        ({"attack": ("mas+action-noise",)}, InvalidInput, "both change the action of right"),
        ({"game": "turns/any", "players": ("zero", "tests.kit.players:namer")}, InvalidInput, "actions; use pr-mdp$"),
    ],
)
def test_what_makes_no_sense_for_actions_is_refused_before_play(changes, error, message):
    with pytest.raises(error, match=message):
        plan(Study(**ROPE | {"attack": ("mas",), "eps": (0.1,)} | changes))
