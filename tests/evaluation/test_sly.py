"""Attacks that write where they should not: harmless, or judged as broken, for both models and both kinds of action."""

import numpy as np
import pytest
import torch

from rlattack.errors import InvalidInput
from rlattack.evaluation import Study, evaluate
from rlattack.evaluation.observer import Observer
from rlattack.evaluation.plan import plan
from tests.evaluation import sly  # noqa: F401  # registers them
from tests.kit.by_hand import Pusher
from tests.kit.cells import Received, attack_on, judged, make_cell, play
from tests.kit.players import bright, namer, puller

STILL = ["sly-still", "sly-nan"]
FAR = ["sly-in-place", "sly-late", "sly-answers", "sly-widening", "sly-lie", "sly-wide", "sly-tampering", "sly-ruining"]
HARMLESS = [*STILL, *FAR]
FRAMES = {"eps": 0.01, "space": "unit"}


def frames(attack, model):
    """Plays with one slot, so that what is received is that of one episode after another."""
    notes = Received(0)
    cell = make_cell("film/any", actions=("greedy",), envs=1, attacks=attack_on(0, attack, model=model, **FRAMES))
    return judged(play(cell, bright(), observers=[notes]), 0), notes


@pytest.mark.parametrize("model", ["stack", "frame"])
@pytest.mark.parametrize("attack", HARMLESS)
def test_what_a_sly_attack_does_to_frames_is_judged_as_it_is(attack, model):
    found, notes = frames(attack, model)
    moved = (torch.cat(notes.received) - torch.cat(notes.shown)).flatten(1).abs().amax(dim=1)
    assert moved.max() <= 2.55 + 1e-4
    assert [one.broken for one in found] == [0] * 6
    assert sum(one.attacked for one in found) == int((moved > 0).sum())
    assert max(one.sizes["linf"] for one in found) == pytest.approx(float(moved.max()) / 255, rel=1e-5)
    assert bool(moved.max() > 2.5) == (attack in FAR)


@pytest.mark.parametrize("model", ["stack", "frame"])
def test_frames_that_were_received_stay_as_they_were_whatever_is_written_later(model):
    notes = frames("sly-late", model)[1]
    first = torch.cat(notes.received[:5])
    if model == "frame":
        assert torch.equal(first[1:, :-1], first[:-1, 1:])
    assert not (torch.cat(notes.received) == 77.0).any()


@pytest.mark.parametrize("attack", HARMLESS)
def test_what_a_sly_attack_does_to_a_seat_of_continuous_actions_is_judged_as_it_is(attack):
    notes = Received(1)
    cell = make_cell(actions=("greedy",) * 2, attacks=attack_on(1, attack))
    found = judged(play(cell, Pusher(0.0), puller(), observers=[notes]))
    shown, received = torch.cat(notes.shown), torch.cat(notes.received)
    assert (received - shown).abs().max() == (0.5 if attack in FAR else 0.0)
    assert [one.broken for one in found] == [0] * 6
    changed = (received.clamp(-1, 1) - shown.clamp(-1, 1)).abs().sum() / 2
    assert sum(one.changed for one in found) == pytest.approx(float(changed), abs=1e-5)


class Done(Observer):
    """Keeps copies of what a seat chose, as the game would clip it, and of what was done."""

    def __init__(self, seat):
        super().__init__(seat, 4)
        self.chosen, self.done, self.received = [], [], []

    def see(self, moment):
        if moment.seat == self.seat:
            acting = torch.from_numpy(moment.acting)
            self.chosen.append(moment.chosen[acting].clamp(-1, 1))
            self.done.append(moment.action[acting].clone())
            self.received.append(moment.received[acting].clone())


@pytest.mark.parametrize(
    "attack",
    ["sly-action-in-place", "sly-action-late", "sly-action-still", "sly-action-widening", "sly-action-wide"],
)
def test_what_a_sly_attack_does_to_actions_is_judged_as_it_is(attack):
    notes = Done(1)
    cell = make_cell(attacks=attack_on(1, attack, eps=0.25))
    episodes = play(cell, Pusher(0.0), puller(), observers=[notes])
    moved = (torch.cat(notes.done) - torch.cat(notes.chosen)).abs()
    found = judged(episodes)
    assert moved.max() == pytest.approx(0.0 if attack == "sly-action-still" else 0.25)
    assert [one.broken for one in found] == [0] * 6
    assert sum(one.attacked for one in found) == int((moved > 0).sum())
    assert max(one.sizes["action linf"] for one in found) == pytest.approx(float(moved.max()), abs=1e-6)
    assert sum(e.seats[1].score for e in episodes) == pytest.approx(float(torch.cat(notes.done).sum()), abs=1e-5)
    assert set(torch.cat(notes.received).unique().tolist()) <= {0.0, 1.0, 2.0, 3.0}


@pytest.mark.parametrize("attack", HARMLESS)
def test_whether_the_choice_changed_among_legal_actions_is_found_by_the_truly_clean_view(attack):
    cell = make_cell("turns/any", actions=("greedy",) * 2, attacks=attack_on(1, attack, eps=2.0))
    found = judged(play(cell, namer(), namer()))
    # seat 1 sees 1, 3, 5: pushed up by 2 the choice flips at 1, at 3 and 5 it is the larger number already
    assert [one.changed for one in found] == [1.0 if attack in FAR else 0.0] * 6


def test_what_an_attack_declares_holds_whatever_it_makes_of_itself_at_play():
    for one in frames("sly-tampering", "stack")[0]:
        assert (one.queries, one.gradients) == (0, 0)
    for one in frames("sly-ruining", "stack")[0]:
        assert (one.queries, one.gradients) == (0, one.steps)  # what it asked tells the clean output too


def test_a_policy_that_an_attack_would_ruin_plays_on_as_it_was():
    for text, (seat, *policies) in {"film/any": (0, bright()), "pull/any": (1, Pusher(0.0), puller())}.items():
        cell = make_cell(text, actions=("greedy",) * len(policies), attacks=attack_on(seat, "sly-ruining", eps=0.25))
        before, _, after = (play(one, *policies) for one in (cell.clean, cell, cell.clean))
        assert [one.trajectory for one in before] == [one.trajectory for one in after]


@pytest.mark.parametrize(
    ("attack", "message"),
    [
        ("sly-screen", "attack sly-screen changes the screen, which cannot be played yet"),
        ("sly-baseless", "attack sly-baseless changes the observation: expected a subclass of ObservationAttack"),
    ],
)
def test_an_attack_that_cannot_be_played_is_refused_before_play(attack, message):
    study = Study(game="film/any", players=("tests.kit.players:bright",), attack=(attack,), eps=(0.01,))
    with pytest.raises(InvalidInput, match=message):
        plan(study)


@pytest.mark.parametrize("model", ["stack", "frame"])
def test_an_attack_that_leaves_its_budget_fails_its_cell(tmp_path, model):
    study = Study(
        game="film/any", players=("tests.kit.players:bright",), attack=("sly-leaky", "sly-in-place"), eps=(0.01,),
        model=model, episodes=3, envs=2,
    )  # fmt: skip
    results = evaluate(study, run=tmp_path / "run", workers=1)
    clean, noise, leaky, in_place = results.cells
    steps = leaky.steps
    # its first step, in two slots, was bound to be settled already
    assert leaky.status == f"failed: the attack left its budget in {steps - 2} of {steps} steps"
    assert (clean.ok, noise.ok, leaky.ok, in_place.ok, results.ok) == (True, True, False, True, False)
    assert leaky.attacked.sizes["linf"] > 0.3


def test_a_spawned_worker_knows_attacks_that_were_added_here(tmp_path):
    study = Study(
        game="film/any", players=("tests.kit.players:bright",), attack=("sly-in-place", "sly-late"), eps=(0.01,),
        episodes=4, envs=2,
    )  # fmt: skip
    one, two = (evaluate(study, run=tmp_path / str(workers), workers=workers) for workers in (1, 2))
    found = [[(cell.seats, cell.length) for cell in results.cells] for results in (one, two)]
    assert found[0] == found[1]
    assert np.all([cell.ok for cell in two.cells])
