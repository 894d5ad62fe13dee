"""What an attacker holds from step to step: received frames, recurrent state, counts."""

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box
from torch import nn

from rlattack.attacks import Attacker, make_attack
from rlattack.budget import Budget, Picture
from rlattack.errors import InvalidInput
from rlattack.policies.module import ModulePolicy
from tests.kit.agents import random_linear_policy, scores_as_seen


class Counter(nn.Module):
    """Its state is the sum of all it has received; its scores are linear in that sum."""

    def forward(self, obs, state):
        state = state + obs
        return torch.stack([state.sum(1), -state.sum(1)], dim=1), None, state


FRAMES = Box(0, 255, (3, 6, 6), np.uint8)
VECTOR = Box(-10, 10, (3,), np.float32)
COUNTER = ModulePolicy(Counter(), (3,), 2, state_shape=(3,))


def attacker_of(policy, shown=FRAMES, slots=2, name="fgsm", model="stack", **budget):
    attack = make_attack(name, Budget(**({"eps": 0.01} | budget)))
    attacker = Attacker(attack, policy, shown, slots, model=model)
    attacker.restart(np.arange(slots), [np.random.SeedSequence(seed) for seed in range(slots)])
    return attacker


def state_of(attacker):
    """What a counter's state is told by: its state after seeing nothing."""
    return attacker.target(torch.zeros(attacker.slots, 3)).state


def stacks(fill, steps=4, slots=2):
    """Stacks of three random frames from an episode's start on, filled with zeros or with the first frame."""
    frames = torch.randint(0, 256, (slots, steps, 6, 6), generator=torch.Generator().manual_seed(5)).float()
    start = frames[:, :1] if fill == "first" else torch.zeros(slots, 1, 6, 6)
    frames = torch.cat([start, start, frames], dim=1)
    return [frames[:, step : step + 3] for step in range(steps)]


@pytest.mark.parametrize("fill", ["zero", "first"])
def test_a_frame_is_perturbed_once_and_stays_so(policy, fill):
    attacker = attacker_of(policy, model="frame", name="noise")
    before = None
    for clean in stacks(fill):
        received = attacker(clean)
        assert ((received[:, -1] - clean[:, -1]).abs() > 0).flatten(1).any(dim=1).all()
        if before is not None:
            assert torch.equal(received[:, :-1], before[:, 1:])
        elif fill == "first":  # copies of one frame of the camera
            assert torch.equal(received, received[:, -1:].expand_as(received))
        else:
            assert (received[:, :-1] == 0).all()
        before = received.clone()
        received.zero_()  # what a caller does with its own must not change what is held


def test_a_stack_starts_clean_after_a_restart(policy):
    attacker = attacker_of(policy, model="frame")
    for clean in stacks("zero"):
        received = attacker(clean)
    attacker.restart(np.asarray([1]), [np.random.SeedSequence(9)])
    first, following = stacks("zero", steps=5)[3:]
    fresh = torch.stack([following[0], first[1] * 0 + 7])
    fresh[1, :-1] = 0
    again = attacker(fresh)
    assert torch.equal(again[0, :-1], received[0, 1:])
    assert (again[1, :-1] == 0).all()


def test_a_slot_that_pauses_holds_its_frames(policy):
    attacker = attacker_of(policy, model="frame")
    first, second, third, _ = stacks("zero")
    attacker(first)
    before = attacker(second)
    other = torch.stack([third[0], torch.zeros_like(third[1])])
    assert torch.equal(attacker(other, np.asarray([True, False]))[1], other[1])
    assert torch.equal(attacker(torch.stack([stacks("zero")[3][0], third[1]]))[1, :-1], before[1, 1:])


def test_frames_that_do_not_shift_are_refused(policy, obs):
    attacker = attacker_of(policy, model="frame", slots=4)
    attacker(obs)
    with pytest.raises(InvalidInput, match=r"--model frame is for stacked frames.*do not shift"):
        attacker(obs)


def test_the_label_of_the_frame_model_is_that_of_the_clean_stack(policy):
    attacker = attacker_of(policy, model="frame")
    for step, clean in enumerate(stacks("zero")):
        attacker(clean)
        assert torch.equal(attacker.target.labels, policy(clean).actions.greedy)
        assert attacker.oracle.gradients.tolist() == [step + 1] * 2
    assert attacker.oracle.queries.tolist() == [4] * 2  # the gradient is asked where older frames are perturbed


def test_recurrent_state_follows_what_was_received_in_slots_that_play():
    attacker = attacker_of(COUNTER, VECTOR, slots=3, eps=0.5, space="raw")
    clean = torch.ones(3, 3)
    once = attacker(clean)
    assert torch.equal(once, clean - 0.5)  # away from action 0
    active = np.asarray([True, False, True])
    twice = attacker(clean, active)
    assert torch.equal(twice[1], clean[1])
    assert torch.equal(state_of(attacker), once + torch.where(torch.from_numpy(active)[:, None], twice, 0))
    attacker.restart(np.asarray([2]), [np.random.SeedSequence(0)])
    assert state_of(attacker).sum(dim=1).tolist() == [3.0, 1.5, 0.0]


def test_recurrent_state_is_asked_with_and_its_advance_is_free():
    attacker = attacker_of(COUNTER, VECTOR, slots=2, eps=0.5, space="raw")
    attacker(torch.tensor([[9.5, 9.5, 9.5], [-9.5, -9.5, -9.5]]))
    assert state_of(attacker)[:, 0].tolist() == [9.0, -9.0]
    attacker.oracle.queries[:] = 0
    received = attacker(torch.zeros(2, 3))
    assert received.tolist() == [[-0.5] * 3, [0.5] * 3]
    assert (attacker.oracle.queries == 0).all()


def test_nobody_plays_and_nothing_is_asked(policy, obs):
    attacker = attacker_of(policy, slots=4, name="pixel-de", norm="l0", eps=1)
    received = attacker(obs, np.zeros(4, dtype=bool))
    assert torch.equal(received, obs)
    assert received is not obs
    assert attacker.oracle.queries.sum() == 0


def test_noise_may_ask_nothing(policy, obs):
    attacker = attacker_of(policy, slots=4, name="noise")
    for ask in (attacker.target, lambda o: attacker.target.gradient(o, lambda out: out.actions.scores.sum())):
        with pytest.raises(PermissionError, match="declared as `none`"):
            ask(obs)


def test_the_clean_output_is_kept_where_the_attack_asked_for_it(policy, obs):
    for name, known in (("fgsm", True), ("noise", False)):
        attacker = attacker_of(policy, slots=4, name=name)
        attacker(obs)
        out = attacker.oracle.known_clean_output
        assert (out is not None) == known
        assert out is None or torch.equal(out.actions.scores, policy(obs).actions.scores)


@pytest.mark.parametrize(
    ("model", "actions", "shown", "message"),
    [
        ("camera", 3, FRAMES, "--model: expected one of stack, frame, screen, got 'camera'"),
        ("frame", 3, Box(0, 255, (108,), np.uint8), r"stacked images.*shows \(108,\)"),
        ("frame", 3, Box(0, 255, (6, 6, 3), np.uint8), "stacked images"),
        ("frame", 3, Picture(0, 255, (3, 6, 6), np.uint8), r"shows \(3, 6, 6\) of one picture in colours"),
        ("stack", 3, Box(0, 255, (4, 6, 6), np.uint8), r"sees observations of shape \(3, 6, 6\).*shows \(4, 6, 6\)"),
        ("stack", 1, FRAMES, "a choice of actions, got 1"),
    ],
)
def test_what_does_not_fit_the_game_is_refused(model, actions, shown, message):
    with pytest.raises(InvalidInput, match=message):
        attacker_of(random_linear_policy(FRAMES.shape, actions), shown, model=model)


@pytest.mark.parametrize("parameters", [{}, {"target": "least"}])
def test_an_attack_chooses_among_what_is_legal(parameters):
    """Scores are what is seen; of 0 and 1, which are legal, the victim takes 1, though it likes 2 best and 3 least."""
    policy = scores_as_seen(4)
    space = Box(-10, 10, (4,), np.float32)
    attacker = Attacker(make_attack("fgsm", Budget(eps=0.5, space="raw"), **parameters), policy, space, 1)
    clean = torch.tensor([[1.0, 2.0, 9.0, -9.0]])
    received = attacker(clean, legal=torch.tensor([[True, True, False, False]]))
    pushed = (received - clean)[0].tolist()
    assert pushed[:2] == [0.5, -0.5]
    assert pushed[2:] == [0.0, 0.0]
    assert attacker.target.labels.tolist() == [1]


@pytest.mark.parametrize("given", [None, 0.25])
def test_an_attack_is_held_to_the_budget_that_its_engine_gives_else_to_its_own(given):
    attack = make_attack("noise", Budget(eps=0.5, space="raw"))
    budget = None if given is None else Budget(eps=given, space="raw")
    attacker = Attacker(attack, COUNTER, VECTOR, 2, budget=budget)
    clean = torch.zeros(2, 3)
    assert (attacker(clean) - clean).abs().tolist() == [[given or 0.5] * 3] * 2
