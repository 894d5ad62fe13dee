import pytest
import torch

from rlattack.errors import InvalidInput
from rlattack.inspect.kinds import Saliency
from rlattack.inspect.saliency import saliency
from tests.inspect.looks import COINS, PUSHING, UNSURE, other, subject_of

pytestmark = pytest.mark.library
SIDES = Saliency(**UNSURE, states=4, every=2, film=2)


def test_the_slope_of_a_linear_policy_is_its_weight_times_how_unsure_it_is():
    subject = subject_of(SIDES)
    found = saliency(subject, SIDES)
    states = subject.states(4, 2)
    sure = subject.certainty(subject.numbers(states.obs)).amax(dim=1).double().mean()
    # of the log-probability by a pixel of either side: (1 - p) times 0.02 over 120 pixels
    expected = float((1 - sure) * 0.02 / 120)
    assert found.numbers["networks"]["agent"]["largest"].mean == pytest.approx(expected, rel=1e-4)
    assert [one.name for one in found.shown] == ["saliency", "film"]
    assert found.shown[1].film is not None


def test_of_numbers_the_entry_that_decides_has_all():
    options = Saliency(**COINS, states=8, every=1)
    found = saliency(subject_of(options), options).numbers["entries"]
    assert found["1"]["agent"].mean == pytest.approx(1)  # the coin, and not the step
    assert found["0"]["agent"].mean == pytest.approx(0)
    assert set(found["1"]) == {"agent", "shuffled weights"}


def test_continuous_actions_have_slopes_too():
    options = Saliency(**PUSHING, states=8, every=1)
    found = saliency(subject_of(options), options)
    assert found.numbers["entries"]["0"]["agent"].mean == 1
    assert not found.shown


def test_an_agent_without_a_gradient_is_refused():
    options = Saliency(game="gymnasium/CartPole-v1", victim="tests.kit.players:opaque", envs=2, states=2)
    with pytest.raises(InvalidInput, match=r"gives no gradient .*saliency needs one; use `rlattack inspect occlusion`"):
        saliency(subject_of(options), options)


def test_nothing_global_is_seeded():
    subject = subject_of(SIDES)
    before = torch.random.get_rng_state()
    saliency(subject, other(SIDES, film=0))
    assert torch.equal(before, torch.random.get_rng_state())
