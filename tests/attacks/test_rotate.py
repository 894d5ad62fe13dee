"""The natural change and its control, against turns made by hand."""

import numpy as np
import torch

from rlattack.attacks import Attacker, ObservationAttack
from rlattack.budget import Budget, Rotation
from rlattack.draws import Streams
from rlattack.specs import NoParameters
from tests.attacks.conftest import SPACE
from tests.kit.agents import streams


def test_rotate_turns_all_that_is_seen_by_the_largest_angle_in_every_step(policy, obs, attack_with):
    attacker = attack_with(policy, "rotate", "rotation", 3)
    expected = Rotation(3, SPACE).settle(torch.full((4,), 3.0), obs)
    assert torch.equal(attacker(obs), expected)
    assert torch.equal(attacker(obs), expected)
    assert attacker.oracle.queries.sum() == attacker.oracle.gradients.sum() == 0


def test_noise_of_a_rotation_turns_each_slot_by_random_angles_of_its_own(policy, obs, attack_with):
    attacker = attack_with(policy, "noise", "rotation", 3)
    drawn: Streams = streams(0, 1, 2, 3)
    for _ in range(2):
        angles = (2 * drawn.uniform(1)[:, 0] - 1) * 3
        assert torch.equal(attacker(obs), Rotation(3, SPACE).settle(angles, obs))


class Sly(ObservationAttack):
    """Wants to turn by more than it may; writes to what it was handed, now and later, and widens its reach."""

    name = "sly"
    reaches = ("rotation",)

    def __init__(self):
        super().__init__(Budget(norm="rotation", eps=2.0), NoParameters())
        self.kept = []

    def perturb(self, victim, obs, reach, draws):
        for tensor in (*self.kept, obs):
            tensor.fill_(77.0)
        reach.radius = 90.0
        reach.settle(torch.full((4,), 50.0), obs)
        self.kept += [obs, torch.full((4,), 90.0)]
        return self.kept[-1]


def test_what_a_sly_attack_turns_is_judged_as_it_is(policy, watched):
    attacker = Attacker(Sly(), policy, SPACE, 4)
    show, bytes_shown = (
        watched(attacker, policy),
        np.random.default_rng(0).integers(0, 256, (4, *SPACE.shape), np.uint8),
    )
    turned = Rotation(2, SPACE).settle(torch.full((4,), 2.0), torch.from_numpy(bytes_shown).float())
    for _ in range(3):
        assert torch.equal(show(bytes_shown), turned)
    found = show.judge.judgement(0)
    assert (found.steps, found.attacked, found.broken, found.sizes) == (3, 3, 0, {"rotation": 2.0})
