"""Noise before a victim, looked at during play: radii of states, and bounds of returns of all episodes."""

import dataclasses

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box

from rlattack.defences import Defended, Front
from rlattack.errors import InvalidInput
from rlattack.evaluation.episode import SeatEpisode
from rlattack.evaluation.observer import Moment
from rlattack.evaluation.observers import check_observers, make_observers
from rlattack.evaluation.smoothed import ReturnBound, ReturnBoundConfig, SmoothedActions, SmoothedConfig
from rlattack.evaluation.summary import summarise
from rlattack.policies.load import load_agent
from tests.kit.agents import CARTPOLE, gaussian_policy, linear_policy
from tests.kit.cells import attack_on, make_cell, play
from tests.kit.players import memory, namer

SEEN = Box(-9, 9, (4,), np.float32)
SIDES = linear_policy([[1.0, 0.0, 0.0, 0.0], [-1.0, 0.0, 0.0, 0.0]])


@dataclasses.dataclass(frozen=True)
class Noise:
    """Parameters of a front that puts noise before a victim."""

    sigma: float = 0.5
    space: str | None = "raw"


class Noising(Front):
    """A front by that name, as a victim has it."""

    name = "smooth"
    copies = 4
    size = torch.full((1,), 0.5)

    def seen(self, obs, draws, memory=None):
        return obs


NOISED = Defended(SIDES, Noising(Noise()))


def see(observer, shown, policy=SIDES):
    shown = torch.tensor(shown)
    out = SIDES(shown)
    slots = len(shown)
    observer.begin(np.arange(slots), np.arange(slots))
    observer.see(
        Moment(
            seat=0, acting=np.ones(slots, dtype=np.bool_), episode=np.arange(slots), shown=shown.numpy(),
            received=shown, before=None, out=out, chosen=out.actions.greedy, action=out.actions.greedy, legal=None,
            ask=lambda: out, policy=policy, space=SEEN,
        )
    )  # fmt: skip


STATES = [[0.5, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]]


@pytest.mark.parametrize(
    ("config", "policy"), [(SmoothedConfig(sigma=0.5, space="raw"), SIDES), (SmoothedConfig(), NOISED)]
)
def test_radii_are_told_as_sizes_per_entry(config, policy):
    observer = SmoothedActions(0, 2, config, run=0, clean=True)
    see(observer, STATES, policy)
    # .5 from the border in l2; of four entries the root mean square is half of that
    assert observer.collect(0)["smoothed radius at sigma 0.5"] == pytest.approx(0.25, abs=0.03)
    assert observer.collect(1)["smoothed radius at sigma 0.5"] == pytest.approx(0.0, abs=0.02)
    assert observer.collect(0)["smoothed radius at sigma 0.5"] is None


def test_the_share_of_states_that_a_size_leaves_certain_is_told():
    observer = SmoothedActions(
        0, 2, SmoothedConfig(sigma=0.5, space="raw", eps=0.1, vote="majority"), run=0, clean=True
    )
    see(observer, STATES)
    found = [observer.collect(slot)["certified at l2 0.1 by smooth-0.5"] for slot in (0, 1)]
    assert found == [1.0, 0.0]


def test_of_continuous_actions_it_says_how_far_the_median_may_move():
    policy = gaussian_policy(3)
    config = SmoothedConfig(sigma=0.1, space="raw", eps=0.01)
    observer = SmoothedActions(0, 1, config, run=0, clean=True)
    shown = torch.randn(1, 3)
    observer.begin(np.arange(1), np.arange(1))
    out = policy(shown)
    observer.see(
        Moment(
            seat=0, acting=np.ones(1, dtype=np.bool_), episode=np.arange(1), shown=shown.numpy(), received=shown,
            before=None, out=out, chosen=out.actions.greedy, action=out.actions.greedy, legal=None, ask=lambda: out,
            policy=policy, space=Box(-9, 9, (3,), np.float32),
        )
    )  # fmt: skip
    assert 0 < observer.collect(0)["smoothed action may move at sigma 0.1, l2 0.01"] < 5


def test_an_episode_has_its_own_noise_again_and_no_other_play():
    cell = make_cell(
        "gymnasium/CartPole-v1", players=["tests.kit.players:balance"], episodes=2, envs=2,
        observers=("smoothed:sigma=0.1,space=raw,every=50",),
    )  # fmt: skip
    policy = load_agent("tests.kit.players:balance", CARTPOLE).policy
    first, again = (play(cell, policy, observers=make_observers(cell)) for _ in range(2))
    assert [one.seats[0].measured for one in first] == [one.seats[0].measured for one in again]
    assert first[0].seats[0].measured != first[1].seats[0].measured
    assert [one.trajectory for one in play(cell, policy)] == [one.trajectory for one in first]


def test_under_attack_nothing_is_measured():
    cell = make_cell(
        "gymnasium/CartPole-v1", players=["tests.kit.players:balance"], envs=2, attacks=attack_on(0, "fgsm", eps=0.1),
        observers=("smoothed:sigma=0.1,space=raw",),
    )  # fmt: skip
    observer = next(one for one in make_observers(cell) if isinstance(one, SmoothedActions))
    see(observer, STATES)
    assert observer.collect(0) == {}


def test_a_bound_of_returns_is_of_all_episodes_together():
    config = ReturnBoundConfig(eps=0.01, steps=25, low=0.0, high=10.0)
    observer = ReturnBound(0, 2, config, clean=True)
    see(observer, STATES, NOISED)
    measured = observer.collect(0)
    assert measured == {"_size at 0.01": pytest.approx(0.01 * 4 / 0.5)}  # four entries in four copies: .04 of .5
    episodes = [SeatEpisode(score=10.0, outcome=None, measured=measured)] * 400
    found = ReturnBound.over(config, episodes, [25] * 400)
    assert found["bound of return, quantile 0.5, at l2 0.01"].mean == 10
    assert 8 < found["bound of mean return at l2 0.01"].mean < 10
    with pytest.raises(InvalidInput, match="expected episodes of at most steps=25, one took 26: raise steps="):
        ReturnBound.over(config, episodes, [26] * 400)


def test_bounds_stand_in_the_result_and_what_they_need_does_not():
    cell = make_cell("turns/any", actions=("greedy",) * 2, observers=("return-bound:eps=0.1,steps=9,low=-9",), victim=1)
    episodes = [
        dataclasses.replace(
            one, seats=tuple(dataclasses.replace(seat, measured={"_size at 0.1": 0.01}) for seat in one.seats)
        )
        for one in play(cell, namer(), namer())
    ]
    observed = summarise(cell, episodes, episodes, [], 1.0).seats[1].observed
    assert set(observed) == {"bound of return, quantile 0.5, at l2 0.1", "bound of mean return at l2 0.1"}


@pytest.mark.parametrize(
    ("text", "policy", "message"),
    [
        ("smoothed:sigma=0", SIDES, "observer smoothed: sigma: expected a number above 0, got 0"),
        ("smoothed:space=sigma", NOISED, "space: the noise before the victim is counted in raw, got sigma"),
        ("smoothed", SIDES, "observer smoothed: sigma: expected noise above 0, as sigma=0.1, or a victim behind"),
        ("smoothed:sigma=0.1,alpha=1", SIDES, "alpha: expected a number above 0 and below 1, got 1"),
        ("smoothed:sigma=0.1,vote=median", SIDES, "vote: expected majority or mean of Discrete.2., got median"),
        ("smoothed:sigma=0.1,low=1", SIDES, "low and high: expected both ends of Q values, or none"),
        ("smoothed:sigma=0.1", memory(), "expected a policy without memory, got one with a state"),
        ("return-bound:eps=0.1,steps=9", SIDES, "expected a victim whose first front is noise, as --defence smooth"),
        ("return-bound:eps=0.1", SIDES, "observer return-bound: expected steps=value, which has no default"),
    ],
)
def test_what_noise_cannot_certify_is_refused_before_play(text, policy, message):
    with pytest.raises(InvalidInput, match=message):
        check_observers((text,), policy, CARTPOLE)
