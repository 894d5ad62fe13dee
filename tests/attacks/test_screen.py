"""Attacks on what an emulator's screen shows: the twin, the runner, and what every registered attack keeps there."""

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete

from rlattack.attacks import ATTACKS, Attacker, ScreenAttacker, make_attack
from rlattack.attacks.screen import Twin
from rlattack.budget import NORMS, Budget
from rlattack.errors import BudgetError, InvalidInput
from rlattack.evaluation.judge import Judge
from rlattack.games.game import Seat
from rlattack.games.screen import Screen
from tests.attacks.conftest import RandomRehearsal, RandomTuning
from tests.attacks.test_every_attack import SIGHT, SMALL
from tests.kit.agents import random_linear_policy

pytest.importorskip("cv2")

SEEN, SLOTS = (3, 21, 16), 2
SCREEN = Screen(resize=SEEN[1:])
SEAT = Seat("player", Box(0, 255, SEEN, np.uint8), Discrete(3), stacked=3, screen=SCREEN)
EVERY = np.ones(SLOTS, dtype=bool)
FOR_FRAMES = ("pa-ad", "perturber", "recorded", "sa-rl")
"""What an adversary or a recording says of frames, which a screen is not."""
LONG = (
    "autoattack", "boundary", "cw", "ead", "fab", "finite-differences", "hop-skip-jump", "lbfgs", "nes", "search",
    "spsa", "sticker",
)  # fmt: skip
SIZES = ("linf", "l2", "l1", "patch")
ON_SCREEN = [name for name in SIGHT if name not in FOR_FRAMES and {*SIZES} & {*ATTACKS.get(name).reaches}]


def pictures(seed, slots=SLOTS):
    """What screens show: blocks of one colour, in both pictures of a step."""
    blocks = np.random.default_rng(seed).integers(0, 256, (slots, 21, 16, 6), dtype=np.uint8)
    return blocks.repeat(10, axis=1).repeat(10, axis=2)


def shown(steps, seed=0):
    """Pictures of so many steps, and what a player sees of them: the last three frames, oldest first."""
    seen = [pictures(seed + step) for step in range(steps)]
    frames = [np.zeros((SLOTS, 1, *SEEN[1:]), dtype=np.uint8)] * 2 + [SCREEN.frames(one) for one in seen]
    return [(one, np.concatenate(frames[step : step + 3], axis=1)) for step, one in enumerate(seen)]


class ScreenTuning(RandomTuning):
    """Tuning episodes in which screens show blocks."""

    def __init__(self, attacker, policy):
        super().__init__(attacker, policy)
        self.victim = attacker.target

    def begin(self, obs):
        self._attacker.rehearse(_stack(obs))

    def _batches(self, count):
        for number in range(count):
            yield torch.from_numpy(pictures(100 + number)).float()

    def rehearse(self, attack, slots, *, sampled=False):
        made = Rehearsed(ScreenAttacker(attack, self._policy, SEAT, slots))
        return RandomRehearsal(made, self._policy, [_stack(one) for one in self._batches(3)], slots, sampled)


class Rehearsed:
    """An attacker of frames that are of screens."""

    def __init__(self, attacker):
        self.attacker, self.oracle, self.restart = attacker, attacker.oracle, attacker.restart

    def __call__(self, clean, active):
        return self.attacker(clean, pictures(100, len(clean)), active)


def _stack(obs):
    return torch.from_numpy(SCREEN.frames(obs.byte().numpy())).float().repeat(1, 3, 1, 1)


def attacker_of(name, norm="linf", eps=8.0, seat=SEAT, **parameters):
    policy = random_linear_policy(SEEN)
    budget = Budget(norm=norm, eps=eps if ATTACKS.get(name).sized else None, space="raw", grid=True)
    attack = make_attack(name, budget, **parameters)
    attacker = ScreenAttacker(attack, policy, seat, SLOTS)
    if attack.fitted:
        attack.learned = attack.fit(ScreenTuning(attacker, policy))
    attacker.restart(np.arange(SLOTS), [np.random.SeedSequence(slot) for slot in range(SLOTS)])
    return attacker


def first_step(attacker, active=EVERY):
    """What arrives of the first step of an episode, with what was shown."""
    (seen, stack), *_ = shown(1)
    return attacker(torch.from_numpy(stack).float(), seen, active), seen, stack


@pytest.mark.parametrize(
    "screen",
    [Screen(), Screen(resize=(105, 80)), Screen(resize=(210, 160)), Screen(resize=(110, 84), crop=(18, 0, 84, 80))],
)
def test_the_twin_is_what_the_preprocessing_makes_to_a_grey_level(screen):
    noise = np.random.default_rng(1).integers(0, 256, (6, 210, 160, 6), dtype=np.uint8)
    apart = (Twin(screen)(torch.from_numpy(noise).float()) - torch.from_numpy(screen.frames(noise))).abs()
    assert apart.max() <= 1
    assert (apart > 0).float().mean() < 0.2  # of halves, which one of them rounds up and the other to even


def test_the_slope_is_that_of_the_brighter_picture_by_colour_and_area():
    both = torch.zeros(1, 210, 160, 6)
    both[..., 3:] = 9
    both.requires_grad_(True)
    (slope,) = torch.autograd.grad(Twin(SCREEN)(both)[0, 0, 4, 5], both)
    assert slope[..., :3].abs().sum() == 0
    assert torch.allclose(slope[0, 40:50, 50:60, 3:], torch.tensor([0.2989, 0.587, 0.114]) / 100)
    assert slope.sum() == pytest.approx(0.9999)


def test_a_slope_is_that_of_the_victim_through_the_twin():
    policy = random_linear_policy(SEEN)
    attacker = ScreenAttacker(make_attack("fgsm", Budget(eps=8, space="raw", grid=True)), policy, SEAT, SLOTS)
    first_step(attacker)
    bytes_shown = torch.from_numpy(pictures(0)).float()
    slope = attacker.target.gradient(bytes_shown, lambda out: out.actions.scores[:, 0].sum())
    stack = torch.zeros(SLOTS, *SEEN)
    (own, _) = policy.gradient(stack, lambda out: out.actions.scores[:, 0].sum(), None)
    blocks = slope.view(SLOTS, 21, 10, 16, 10, 6).sum(dim=(2, 4, 5))
    assert torch.allclose(blocks, own[:, -1] * 0.9999, atol=1e-6)


def test_what_arrives_is_what_the_preprocessing_makes_of_the_settled_pictures_and_stays():
    attacker, before = attacker_of("fgsm"), None
    for seen, stack in shown(4):
        received = attacker(torch.from_numpy(stack).float(), seen, EVERY)
        assert torch.equal(received[:, -1:], torch.from_numpy(SCREEN.frames(attacker.lit.byte().numpy())).float())
        if before is not None:
            assert torch.equal(received[:, :-1], before[:, 1:])
        before = received
    assert (attacker.lit - torch.from_numpy(seen)).abs().max() == 8


def test_at_a_start_the_first_picture_was_not_on_the_screen_and_does_not_change():
    attacker = attacker_of("noise")
    steps = shown(2)
    for number, (seen, stack) in enumerate(steps):
        attacker(torch.from_numpy(stack).float(), seen, EVERY)
        changed = (attacker.lit != torch.from_numpy(seen)).flatten(0, 2).any(dim=0)
        assert changed.tolist() == [number > 0] * 3 + [True] * 3


def test_idle_slots_are_neither_changed_nor_counted():
    attacker = attacker_of("pgd", steps=2)
    received, _, stack = first_step(attacker, np.asarray([True, False]))
    assert torch.equal(received[1], torch.from_numpy(stack[1]).float())
    assert attacker.oracle.gradients.tolist() == [2, 0]


def test_a_step_down_the_slope_raises_the_loss_more_than_noise():
    def left(name):
        received, _, stack = first_step(attacker_of(name))
        policy = random_linear_policy(SEEN)
        clean, after = (policy(torch.as_tensor(obs).float(), None).actions.scores for obs in (stack, received))
        label = clean.argmax(dim=1, keepdim=True)
        return (clean.gather(1, label) - after.gather(1, label)).sum()

    assert left("fgsm") > 3 * left("noise").abs()


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name in LONG else ()) for name in ON_SCREEN]
)
def test_every_attack_keeps_its_budget_on_the_screen_before_the_judge(name):
    norm = next(norm for norm in ATTACKS.get(name).reaches if norm in SIZES)
    attacker = attacker_of(name, norm, **SMALL.get(name, {}))
    judge = Judge(0, [attacker])
    found = []
    for seen, stack in shown(2):
        received = attacker(torch.from_numpy(stack).float(), seen, EVERY)
        looked = judge.look(received, torch.from_numpy(stack), EVERY, attacker.lit, seen)
        assert looked[0].legal.all()
        found.append(looked[0].changed)
    assert np.any(found) or not ATTACKS.get(name).sized or name == "simba"  # in a few steps, or an entry at a time


def spoilt(what):
    """What the judge says of a step in which something is not as it must be."""
    attacker = attacker_of("fgsm", seat=SEAT)
    judge = Judge(0, [attacker])
    for number, (seen, stack) in enumerate(shown(2)):
        received = attacker(torch.from_numpy(stack).float(), seen, EVERY)
        lit = attacker.lit.clone()
        if number == 1 or what == "at a start":
            received, lit = SPOIL[what](received, lit)
        (sizes,) = judge.look(received, torch.from_numpy(stack), EVERY, lit, seen)
        if what == "at a start":
            break
    return sizes.legal.tolist()


def _too_far(received, lit):
    lit[0, 0, 0, 5] += 9 if lit[0, 0, 0, 5] < 128 else -9
    received[:, -1:] = torch.from_numpy(SCREEN.frames(lit.byte().numpy())).float()
    return received, lit


def _another(received, lit):
    received[0, -1, 3, 3] += 1
    return received, lit


def _older(received, lit):
    received[0, 0, 3, 3] += 1
    return received, lit


def _not_whole(received, lit):
    lit[0, 5, 5, 5] += -0.25 if lit[0, 5, 5, 5] > 128 else 0.25
    return received, lit


def _unshown(received, lit):
    lit[0, :5, :5, :3] += torch.where(lit[0, :5, :5, :3] > 128, -1, 1)
    received[:, -1:] = torch.from_numpy(SCREEN.frames(lit.byte().numpy())).float()
    return received, lit


SPOIL = {
    "too far": _too_far, "another frame": _another, "an older frame": _older, "no whole byte": _not_whole,
    "at a start": _unshown,
}  # fmt: skip


@pytest.mark.parametrize("what", SPOIL)
def test_the_judge_sees_what_no_screen_could_show(what):
    assert spoilt(what) == [False, True]


def test_a_game_without_a_screen_is_refused_with_the_way_out():
    seat = Seat("player", SEAT.observation, Discrete(3))
    with pytest.raises(InvalidInput, match="this game has none: leave --model out, or play an atari/ game"):
        attacker_of("fgsm", seat=seat)


def test_who_leads_an_attack_by_frames_is_refused():
    with pytest.raises(InvalidInput, match="attack pgd: who leads it, or what was recorded, is of frames"):
        attacker_of("pgd", target="agent:atari/pong/ppo")


def test_frames_larger_than_the_screen_are_refused():
    with pytest.raises(InvalidInput, match=r"no larger than the screen, \[210, 160\], got \[240, 84\]"):
        Twin(Screen(resize=(240, 84)))


@pytest.mark.parametrize(
    ("name", "norm", "said"),
    [("pixel", "l0", "l0 counts pixels of grey frames"), ("brightness", "brightness", "changes what the victim sees")],
)
def test_what_is_no_size_of_a_screen_is_refused(name, norm, said):
    with pytest.raises(BudgetError, match=said):
        attacker_of(name, norm, 3)


def test_a_screen_has_no_deviations_and_shows_whole_bytes():
    attack = make_attack("fgsm", Budget(eps=8, space="raw"))
    with pytest.raises(BudgetError, match="a screen shows whole bytes alone; use --grid"):
        ScreenAttacker(attack, random_linear_policy(SEEN), SEAT, SLOTS)
    attack = make_attack("fgsm", Budget(eps=1, space="sigma", grid=True))
    with pytest.raises(BudgetError, match="a screen has no deviations; use --space unit, or raw"):
        ScreenAttacker(attack, random_linear_policy(SEEN), SEAT, SLOTS)


def test_a_wrapper_is_refused_the_screen():
    attack = make_attack("fgsm", Budget(eps=8, space="raw", grid=True))
    with pytest.raises(InvalidInput, match="`rlattack attack` has it, a wrapper has not"):
        Attacker(attack, random_linear_policy(SEEN), SEAT.observation, SLOTS, model="screen")


def test_norms_are_of_both_pictures():
    assert {*NORMS} >= {"linf", "l2", "l1"}
    attacker = attacker_of("fgsm", "l2", 2.0)
    received, seen, stack = first_step(attacker)
    (sizes,) = Judge(0, [attacker]).look(received, torch.from_numpy(stack), EVERY, attacker.lit, seen)
    assert (attacker.reach.as_eps(sizes) <= 2).all()
