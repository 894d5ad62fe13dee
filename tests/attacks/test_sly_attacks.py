"""Attacks that write to what they were handed, now or later: each is harmless, or the judge says what it did."""

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box

from rlattack.attacks import Attacker, ObservationAttack
from rlattack.attacks.attack import NoParameters
from rlattack.budget import Budget
from tests.kit.agents import random_linear_policy

SPACE = Box(0, 255, (3, 6, 6), np.uint8)
EPS = 0.3
SLOTS, STEPS = 4, 6


class Sly(ObservationAttack):
    """Keeps everything that it was handed or gave, for later."""

    name = "sly"

    def __init__(self):
        super().__init__(Budget(eps=EPS), NoParameters())
        self.kept = []

    def perturb(self, victim, obs, reach, draws):
        wanted = self.wish(victim, obs, reach, draws)
        self.kept += [obs, wanted]
        return wanted


class InPlace(Sly):
    def wish(self, victim, obs, reach, draws):
        return obs.add_(100.0)


class InPlaceThroughNumpy(Sly):
    def wish(self, victim, obs, reach, draws):
        obs.numpy()[...] += 100.0
        return obs


class Input(Sly):
    def wish(self, victim, obs, reach, draws):
        return obs


class Later(Sly):
    """Writes to all that it was handed before, and to all that it gave."""

    def wish(self, victim, obs, reach, draws):
        for one in self.kept:
            one.numpy()[...] = 55.0
        return obs + 1


class AsksAfterwards(Sly):
    """Asks about the observations that it was handed after it changed them."""

    def wish(self, victim, obs, reach, draws):
        obs.numpy()[...] = 255.0 - obs.numpy()
        victim(obs)
        victim.gradient(obs, lambda out: out.actions.scores.sum())
        return obs


class WritesToOutputs(Sly):
    """Asks about the clean observations and writes to the answers."""

    def wish(self, victim, obs, reach, draws):
        grad = victim.gradient(obs, self.loss)
        for out in (victim.clean_output, victim(obs), victim.clean_output):
            out.actions.scores.numpy()[...] = [[9.0, 0.0, -9.0]] * SLOTS
            victim.labels.zero_()
        return obs + 255 * grad.sign()

    def loss(self, out):
        total = -out.actions.scores.gather(1, out.actions.greedy[:, None]).sum()
        out.actions.scores.data.copy_(torch.tensor([0.0, 0.0, 9.0]))
        return total


class MovesTheReach(Sly):
    """Tells its reach that everything is allowed."""

    def wish(self, victim, obs, reach, draws):
        for end, value in ((reach.low, -1e6), (reach.high, 1e6), (reach.scale, 1e6)):
            end.numpy()[...] = value
        return reach.settle(obs + 500.0, obs)


class WakesIdleSlots(Sly):
    """Writes to who plays."""

    def wish(self, victim, obs, reach, draws):
        draws.active[:] = False
        victim.active.zero_()
        return obs + 1


class Typed(Sly):
    """Gives numbers of another type, with the graph that they came from."""

    def wish(self, victim, obs, reach, draws):
        return (obs.double().requires_grad_(True) * 1.01).half().double()


class Nan(Sly):
    """Wants what is no number, or too large for one, and one grey level more elsewhere."""

    def wish(self, victim, obs, reach, draws):
        wanted = obs + 1
        wanted[:, :, 0], wanted[:, :, 1], wanted[:, :, 2] = torch.nan, torch.inf, -torch.inf
        return wanted


CASES = [InPlace, InPlaceThroughNumpy, Input, Later, AsksAfterwards, WritesToOutputs, MovesTheReach, WakesIdleSlots]


@pytest.fixture
def play(watched):
    """Plays a sly attack beside a judge; returns frames shown and received, shape (steps, slots, 3, 6, 6), and it."""

    def played(kind, model, active=None):
        policy = random_linear_policy(SPACE.shape)
        show = watched(Attacker(kind(), policy, SPACE, SLOTS, model=model), policy)
        show.attacker.restart(np.arange(SLOTS), [np.random.SeedSequence(slot) for slot in range(SLOTS)])
        frames = np.random.default_rng(0).integers(0, 256, (SLOTS, STEPS + 2, 6, 6), dtype=np.uint8)
        shown = [frames[:, step : step + 3].copy() for step in range(STEPS)]
        kept = [one.copy() for one in shown]
        received = [show(one, active) for one in shown]
        assert all(map(np.array_equal, shown, kept))
        return policy, torch.from_numpy(np.stack(shown).astype(np.float32)), torch.stack(received), show.judge

    return played


@pytest.mark.parametrize("model", ["stack", "frame"])
@pytest.mark.parametrize("kind", CASES)
def test_what_a_sly_attack_did_is_judged_as_it_was(play, kind, model):
    policy, shown, received, judge = play(kind, model)
    far = (received - shown)[:, :, -1:] if model == "frame" else received - shown
    for slot in range(SLOTS):
        found = judge.judgement(slot)
        assert found.steps == STEPS
        assert found.broken == 0
        assert found.sizes["linf"] == pytest.approx(float(far[:, slot].abs().max()) / 255, abs=1e-7)
        assert found.sizes["linf"] <= EPS * (1 + 1e-6) + 1e-6
        assert (found.attacked > 0) == (kind is not Input)
        assert found.attacked == int((received != shown)[:, slot].flatten(1).any(dim=1).sum())
        before, after = (policy(seen[:, slot]).actions.greedy for seen in (shown, received))
        assert found.changed == int((before != after).sum())


@pytest.mark.parametrize("model", ["stack", "frame"])
@pytest.mark.parametrize("kind", CASES)
def test_a_sly_attack_changes_nothing_where_it_may_not_act(play, kind, model):
    active = np.asarray([True, False, True, False])
    _, shown, received, judge = play(kind, model, active)
    assert torch.equal(received[:, ~active], shown[:, ~active])
    assert active.tolist() == [True, False, True, False]
    assert [judge.judgement(slot).steps for slot in range(SLOTS)] == [STEPS, 0, STEPS, 0]


@pytest.mark.parametrize("kind", CASES)
def test_frames_that_were_received_stay_as_they_were(play, kind):
    _, _, received, _ = play(kind, "frame")
    assert torch.equal(received[1:, :, :-1], received[:-1, :, 1:])


@pytest.mark.parametrize("model", ["stack", "frame"])
def test_some_of_them_do_change_what_the_victim_chooses(play, model):
    """Else the tests above would compare nothing with nothing."""
    judges = [play(kind, model)[3] for kind in (InPlace, AsksAfterwards, WritesToOutputs)]
    assert all(sum(judge.judgement(slot).changed for slot in range(SLOTS)) > 0 for judge in judges)


@pytest.mark.parametrize("model", ["stack", "frame"])
def test_where_an_attack_gives_no_number_the_victim_receives_what_is_shown(play, model):
    _, shown, received, judge = play(Nan, model)
    assert torch.equal(received[:, :, :, :3], shown[:, :, :, :3])
    assert (received[:, :, -1, 3:] != shown[:, :, -1, 3:]).any()
    assert judge.judgement(0).broken == 0


@pytest.mark.parametrize("model", ["stack", "frame"])
def test_the_victim_receives_floats_without_a_graph(play, model):
    _, shown, received, judge = play(Typed, model)
    assert received.dtype == torch.float32
    assert not received.requires_grad
    assert not torch.equal(received, shown)
    assert judge.judgement(0).broken == 0
