"""Natural changes and their control at work, against changes made by hand; the worst of a grid; slips and delays."""

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete, MultiDiscrete

from rlattack.attacks import ATTACKS, ActionAttacker, Attacker, AttackObservation, ObservationAttack, make_attack
from rlattack.attacks.natural import NATURAL
from rlattack.budget import Budget, Rotation
from rlattack.draws import Streams
from rlattack.errors import InvalidInput
from rlattack.policies.gaussian import GaussianPolicy
from rlattack.policies.module import ModulePolicy
from rlattack.specs import NoParameters
from tests.attacks.conftest import SPACE
from tests.attacks.hands import ACTION, SLOTS, Certain, begun, every, judged, seen
from tests.kit.agents import linear_gaussian_network, streams


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


@pytest.mark.parametrize("name", NATURAL)
def test_every_natural_change_says_its_standard_severities_and_asks_nothing(name):
    kind = ATTACKS.get(name)
    assert kind.standard
    assert kind.knowledge == "none"
    for eps in kind.standard:
        kind(Budget(norm=kind.reaches[0], eps=eps), kind.config_type())


def test_the_other_direction_is_that_of_negative_severities(policy, obs, attack_with):
    attacker = attack_with(policy, "rotate", "rotation", 3, reverse=True)
    assert torch.equal(attacker(obs), Rotation(3, SPACE).settle(torch.full((4,), -3.0), obs))


def searching(victim, name, eps, **parameters):
    """An attacker that looks for the worst severity."""
    attack = make_attack(name, Budget(norm=ATTACKS.get(name).reaches[0], eps=eps), worst=True, **parameters)
    return begun(Attacker(attack, victim, SPACE, 4))


def lightly(slope):
    """A policy of two actions that prefers the second, the more the brighter it is, or the darker."""
    layer = torch.nn.Linear(int(np.prod(SPACE.shape)), 2)
    with torch.no_grad():
        layer.weight.copy_(torch.stack([torch.zeros_like(layer.weight[0]), torch.full_like(layer.weight[1], slope)]))
        layer.bias.copy_(torch.tensor([0.0, 10.0]))
    return ModulePolicy(torch.nn.Sequential(torch.nn.Flatten(), layer), SPACE.shape, 2)


@pytest.mark.parametrize(("slope", "worst"), [(1e-4, -20.0), (-1e-4, 20.0)])
def test_the_worst_of_a_grid_is_the_end_at_which_the_margin_of_a_linear_victim_is_least(slope, worst):
    victim, obs = lightly(slope), torch.rand(4, *SPACE.shape) * 100 + 60
    attacker = searching(victim, "brightness", 20, grid=5)
    assert torch.allclose(attacker(obs), obs + worst)
    assert attacker.oracle.queries.tolist() == [1 + 5] * 4
    assert attacker.oracle.gradients.sum() == 0


def test_the_worst_of_a_grid_may_lie_within_it():
    """A victim who chooses its second action but where a pixel is dark: a shift by one pixel brings it there."""
    layer = torch.nn.Linear(int(np.prod(SPACE.shape)), 2)
    weights = torch.zeros(2, *SPACE.shape)
    weights[1, :, :, 3] = 1.0
    with torch.no_grad():
        layer.weight.copy_(weights.flatten(1))
        layer.bias.zero_()
    victim = ModulePolicy(torch.nn.Sequential(torch.nn.Flatten(), layer), SPACE.shape, 2)
    obs = torch.full((4, *SPACE.shape), 200.0)
    obs[..., 2] = 0.0
    received = searching(victim, "shift-x", 2)(obs)
    assert (received[..., 3] == 0).all()
    assert torch.equal(received[..., 1:], obs[..., :-1])


def test_the_worst_for_continuous_actions_is_furthest_from_what_the_victim_would_do():
    victim = GaussianPolicy(linear_gaussian_network(torch.tensor([[3.0, 0.0, 0.0]])), Box(-9, 9, (1,), np.float32))
    space = Box(-50, 50, (3,), np.float32)
    attack = make_attack("gain", Budget(norm="gain", eps=50), worst=True, grid=4)
    attacker = Attacker(attack, victim, space, 2)
    attacker.restart(np.arange(2), [np.random.SeedSequence(seed) for seed in range(2)])
    obs = torch.tensor([[1.0, 2.0, 3.0], [-1.0, 0.5, 0.0]])
    received = attacker(obs)
    assert torch.allclose(received, 0.5 * obs) or torch.allclose(received, 1.5 * obs)
    assert attacker.oracle.queries.tolist() == [1 + 4] * 2


def test_an_occlusion_stays_where_it_is_until_its_episode_ends(policy, attack_with):
    attacker, obs = attack_with(policy, "occlusion", "occlusion", 2), torch.full((4, *SPACE.shape), 90.0)
    first = attacker(obs)
    assert torch.equal(attacker(obs), first)
    attacker(obs, np.asarray([False, True, True, True]))
    for seed in range(5, 9):  # one of which is another place
        attacker.restart(np.asarray([0]), [np.random.SeedSequence(seed)])
        later = attacker(obs)
        assert torch.equal(later[1:], first[1:])
        if not torch.equal(later[0], first[0]):
            return
    pytest.fail("it never moved")


def test_a_change_of_one_direction_has_no_other(policy):
    with pytest.raises(InvalidInput, match="attack blur: reverse: it has one direction alone"):
        searching(policy, "blur", 3, reverse=True)


def hand(name, eps, space=ACTION, policy=None, slots=SLOTS):
    kind = ATTACKS.get(name)
    norm = kind.reaches[0] if name != "action-noise" else "slip"
    return begun(ActionAttacker(make_attack(name, Budget(norm=norm, eps=eps)), policy or Certain(), space, slots))


@pytest.mark.parametrize("name", ["action-slip", "action-delay", "action-noise"])
def test_natural_changes_of_actions_are_kept_before_the_judge_and_forget_an_episode(name):
    obs, chosen = seen()

    def done_in(attacker):
        return [attacker(obs, chosen * (1 - 0.1 * step), every()) for step in range(4)]

    attacker = hand(name, 100 if name != "action-delay" else 2)
    done = done_in(attacker)
    assert any((one != chosen).any() for one in done)
    assert all(one.abs().max() <= 1 for one in done)
    found = judged(attacker, obs, chosen * 0.7, done[-1])
    assert [one.broken for one in found] == [0 if name != "action-delay" else 1] * SLOTS  # a judge who saw no past
    begun(attacker)
    assert torch.equal(torch.stack(done), torch.stack(done_in(attacker)))
    assert attacker.oracle.queries.sum() == 0


@pytest.mark.parametrize(
    ("space", "chosen", "legal"),
    [
        (Discrete(6), torch.full((SLOTS,), 2), torch.tensor([[True, False, True, False, False, False]] * SLOTS)),
        (
            MultiDiscrete([2, 3]),
            torch.tensor([[0, 2]] * SLOTS),
            torch.tensor([[True, False, True, True, True]] * SLOTS),
        ),
    ],
)
def test_an_illegal_action_is_never_slipped_to(space, chosen, legal):
    attacker, seen_done = hand("action-slip", 100, space), set()
    for _ in range(40):
        done = attacker(torch.zeros(SLOTS, 3), chosen, every(), legal)
        seen_done |= set(map(tuple, done.reshape(SLOTS, -1).tolist()))
    assert seen_done == ({(0,), (2,)} if chosen.ndim == 1 else {(0, 0), (0, 1), (0, 2)})


def test_a_late_action_is_the_one_that_was_chosen_before():
    attacker = hand("action-delay", 1, Discrete(6))
    shown, chosen = torch.zeros(SLOTS, 3), [torch.full((SLOTS,), action) for action in (4, 2, 5)]
    assert [int(attacker(shown, one, every())[0]) for one in chosen] == [4, 4, 2]


def test_balls_around_actions_to_choose_from_are_refused():
    with pytest.raises(InvalidInput, match="attack action-noise: expected continuous actions"):
        ActionAttacker(make_attack("action-noise", Budget(eps=0.1, space="raw")), Certain(), Discrete(6), SLOTS)


def test_an_environment_of_others_shows_what_was_there_a_step_before():
    env, plain = (gymnasium.make("CartPole-v1") for _ in range(2))
    attack = make_attack("delay", Budget(norm="delay", eps=1))
    late = AttackObservation(env, Attacker(attack, ModulePolicy(torch.nn.Linear(4, 2), (4,), 2), env.observation_space))
    for seed in (0, 1):
        seen_late, shown = ([one.reset(seed=seed)[0]] for one in (late, plain))
        for _ in range(3):
            seen_late.append(late.step(1)[0])
            shown.append(plain.step(1)[0])
        assert np.array_equal(np.stack(seen_late), np.stack([shown[0], *shown[:-1]]))
