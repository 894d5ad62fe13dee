"""When an attack acts: a schedule says so for each slot, and what it asks is counted."""

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box

from rlattack.attacks import Attacker, Every, Schedule, make_attack
from rlattack.budget import Budget
from tests.kit.agents import gaussian_policy


class Some(Schedule):
    """The slots that it is told, in every step."""

    def __init__(self, *slots):
        self.slots = slots

    def now(self, victim, obs, draws):
        return torch.isin(torch.arange(victim.slots), torch.tensor(self.slots, dtype=torch.int64))


class Half(Schedule):
    """A coin a step and slot, kept with what was shown; asks for the whole output."""

    knowledge = "scores"

    def __init__(self):
        self.tossed, self.begun = [], []

    def now(self, victim, obs, draws):
        victim(obs)
        self.tossed.append(draws.uniform(1)[:, 0] < 0.5)
        return self.tossed[-1]

    def restart(self, slots):
        self.begun.append(slots.tolist())


@pytest.mark.parametrize("model", ["stack", "frame"])
def test_where_the_schedule_says_no_the_victim_receives_what_the_game_shows(policy, attack_with, model):
    attacker = attack_with(policy, "fgsm", "linf", 0.02, model=model, schedule=Some(1, 2))
    frames = torch.randint(0, 256, (4, 6, 6, 6), generator=torch.Generator().manual_seed(0)).float()
    for step in range(4):
        clean = frames[:, step : step + 3]
        changed = (attacker(clean, np.asarray([True, True, False, True])) != clean).flatten(1).any(dim=1)
        assert changed.tolist() == [False, True, False, False]
    assert attacker.oracle.gradients.tolist() == [0, 4, 0, 0]


def test_frames_that_were_attacked_stay_so_when_the_schedule_says_no(policy, attack_with):
    class Once(Schedule):
        def __init__(self):
            self.time = 0

        def now(self, victim, obs, draws):
            self.time += 1
            return torch.full((victim.slots,), self.time == 2)

    attacker = attack_with(policy, "noise", "linf", 0.02, model="frame", schedule=Once())
    frames = torch.randint(0, 256, (4, 8, 6, 6), generator=torch.Generator().manual_seed(0)).float()
    shown = [frames[:, step : step + 3] for step in range(5)]
    changed = [(attacker(clean) != clean)[0].flatten(1).any(dim=1).tolist() for clean in shown]
    assert changed == [[False] * 3, [False, False, True], [False, True, False], [True, False, False], [False] * 3]


def test_an_attack_that_never_acts_asks_nothing(policy, obs, attack_with):
    attacker = attack_with(policy, "pixel-de", "l0", 1, schedule=Some())
    received = attacker(obs)
    assert torch.equal(received, obs)
    assert received is not obs
    assert attacker.oracle.queries.sum() == 0


def test_the_questions_of_a_schedule_are_counted_and_the_attack_asks_no_more_than_it_may(policy, obs, attack_with):
    attacker = attack_with(policy, "noise", "linf", 0.02, schedule=Half())
    attacker(obs, np.asarray([True, True, False, True]))
    assert attacker.oracle.queries.tolist() == [1, 1, 0, 1]
    with pytest.raises(PermissionError, match="declared as `none`"):
        attacker.target(obs)


def test_an_attack_and_its_control_act_at_the_same_steps(policy, obs, attack_with):
    tossed = []
    for name in ("noise", "pgd"):
        attacker = attack_with(policy, name, "linf", 0.02, schedule=(half := Half()))
        changed = torch.stack([(attacker(obs) != obs).flatten(1).any(dim=1) for _ in range(6)])
        assert torch.equal(changed, torch.stack(half.tossed))
        assert half.begun == [[0, 1, 2, 3]]
        tossed.append(changed)
    assert torch.equal(*tossed)
    assert tossed[0].any()
    assert not tossed[0].all()


def test_every_step_is_the_default(policy, obs, attack_with):
    received = [attack_with(policy, "pgd", "linf", 0.02, schedule=schedule)(obs) for schedule in (None, Every())]
    assert torch.equal(*received)


def test_a_surrogate_s_perturbation_is_measured_in_the_deviations_of_the_victim():
    victim, surrogate = gaussian_policy(3), gaussian_policy(3, seed=1)
    victim.network.obs_std.fill_(0.5)
    attack = make_attack("noise", Budget(eps=0.2, space="sigma"))
    attacker = Attacker(attack, surrogate, Box(-np.inf, np.inf, (3,), np.float32), 2, victim=victim)
    assert attacker(torch.zeros(2, 3)).abs().numpy() == pytest.approx(0.1)
