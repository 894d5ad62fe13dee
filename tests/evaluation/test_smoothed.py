"""Noise before a victim, looked at during play: radii of states, and bounds of returns of all episodes."""

import dataclasses

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete
from torch import nn

from rlattack.defences.defended import defend
from rlattack.draws import Streams
from rlattack.errors import InvalidInput
from rlattack.evaluation import Study, evaluate
from rlattack.evaluation.bounded import held
from rlattack.evaluation.episode import SeatEpisode
from rlattack.evaluation.observer import Moment
from rlattack.evaluation.observers import check_observers, make_observers
from rlattack.evaluation.results import Mean
from rlattack.evaluation.return_bound import ReturnBound, ReturnBoundConfig
from rlattack.evaluation.smoothed import SmoothedActions, SmoothedConfig
from rlattack.evaluation.summary import summarise
from rlattack.games.game import Seat
from rlattack.policies import ModulePolicy
from rlattack.policies.load import load_agent
from rlattack.policies.network import Network, NetworkSpec
from tests.kit.agents import CARTPOLE, gaussian_policy, linear_policy
from tests.kit.cells import attack_on, make_cell, play
from tests.kit.players import memory, namer

SEEN = Box(-9, 9, (4,), np.float32)
SIDES = linear_policy([[1.0, 0.0, 0.0, 0.0], [-1.0, 0.0, 0.0, 0.0]])


SEAT = Seat("player", SEEN, Discrete(2))
NOISED = defend(SIDES, ["smooth:sigma=0.5,copies=4,vote=majority,space=raw"], SEAT)


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


def drawn(seed):
    draws = Streams(1)
    draws.restart(0, np.random.SeedSequence(seed))
    draws.active = np.ones(1, dtype=np.bool_)
    return draws


@pytest.mark.parametrize("vote", ["majority", "mean"])
def test_what_is_certain_is_what_a_victim_behind_noise_does_at_an_end_of_its_range(vote):
    """Noise around black pixels is cut there, so that their sum is far above 0 and calls for the second action."""
    space = Box(0, 255, (1, 10, 10), np.uint8)
    layer = nn.Linear(100, 2)
    layer.weight.data = torch.stack([torch.zeros(100), torch.ones(100)])
    layer.bias.data = torch.tensor([25 * 0.1 * 255, 0.0])
    policy = ModulePolicy(nn.Sequential(nn.Flatten(), layer), (1, 10, 10), 2)
    victim = defend(policy, [f"smooth:sigma=0.1,vote={vote}"], Seat("player", space, Discrete(2)))
    black = torch.zeros(1, 1, 10, 10)
    assert {int(victim(black, None, drawn(seed)).actions.greedy) for seed in range(10)} == {1}
    smoothed, _ = SmoothedConfig(noises=1000).of(victim, space)
    action, radius = smoothed.radius(black, drawn(99))
    assert action.item() == 1
    assert radius.item() > 1


def test_what_is_certain_is_what_the_copies_of_a_victim_vote_for():
    """Most copies want the first action by a little, few the second by far: a mean chooses it, a majority does not."""

    class Torn(nn.Module):
        def forward(self, seen):
            return torch.cat([torch.where(seen < 0.5, 0.1, -9.0), torch.zeros_like(seen)], dim=1)

    space, policy = Box(-np.inf, np.inf, (1,), np.float32), ModulePolicy(Torn(), (1,), 2)
    for vote, chosen in (("mean", 1), ("majority", 0)):
        victim = defend(
            policy, [f"smooth:sigma=1,copies=256,space=raw,vote={vote}"], Seat("player", space, Discrete(2))
        )
        assert victim(torch.zeros(1, 1), None, drawn(3)).actions.greedy.item() == chosen
        smoothed, _ = SmoothedConfig().of(victim, space)
        assert smoothed.radius(torch.zeros(1, 1), drawn(4))[0].item() == chosen


RATED = ModulePolicy.of(Network(NetworkSpec(observation=(4,), actions=2, head="q", scale=1.0, actor=(5,))))


@pytest.mark.parametrize(
    ("policy", "vote", "config", "said"),
    [
        (SIDES, "mean", SmoothedConfig(vote="majority"), "vote: copies before the victim vote by mean, got majority"),
        (SIDES, "median", SmoothedConfig(), r"vote: expected majority or mean of Discrete\(2\), got median"),
        (gaussian_policy(4), "mean", SmoothedConfig(), "vote: expected median of Box"),
        (RATED, "mean", SmoothedConfig(), "vote: a mean of Q values is certain only between ends of theirs"),
    ],
)
def test_a_vote_of_which_nothing_is_certain_is_refused(policy, vote, config, said):
    victim = defend(
        policy, [f"smooth:sigma=0.5,space=raw,vote={vote}"], Seat("player", policy_space(policy), policy.action)
    )
    with pytest.raises(InvalidInput, match=said):
        config.of(victim, SEEN)


def policy_space(policy):
    return Box(-9, 9, policy.observation, np.float32)


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


@pytest.mark.parametrize(
    ("bounds", "name", "said"),
    [
        ({}, "fgsm", ""),
        (
            {"bound of mean return at l2 0.1": 7.0}, "fgsm",
            "failed: it leaves a mean return of at most 6, below 7, the bound of mean return at l2 0.1: the",
        ),
        (
            {"bound of return, quantile 0.5, at l2 0.1": 7.0}, "fgsm",
            "failed: 20 of 20 episodes are left less than 7, the bound of return, quantile 0.5, at l2 0.1",
        ),
        ({"bound of mean return at l2 0.1": 7.0}, "mas", ""),  # of what is done, not of what is seen
    ],
)  # fmt: skip
def test_an_attack_that_leaves_less_than_a_bound_fails(tmp_path, bounds, name, said):
    study = Study(
        game="gymnasium/CartPole-v1", players=("tests.kit.players:balance",), defence=("smooth:sigma=0.1,space=raw",),
        attack=("fgsm:eps=0.1,norm=l2",), space="raw", max_steps=6, episodes=20,
        observe=("return-bound:eps=0.1,steps=6,low=0,high=6",),
    )  # fmt: skip
    results = evaluate(study, run=tmp_path / "run", workers=1)
    assert results.ok
    cells, clean = list(results.plan.cells), results.cells[0]
    observed = {of: Mean(value, (value, value)) for of, value in bounds.items()}
    own = dataclasses.replace(clean.victim_seat, observed=observed)
    told = [dataclasses.replace(clean, seats=(own,)), *results.cells[1:]]
    if name == "mas":
        cells[2] = dataclasses.replace(cells[2], attacks=attack_on(0, "mas", eps=0.1, norm="l2"))
    one = play(make_cell("gymnasium/CartPole-v1", episodes=1, envs=1), memory())[0]
    played = [dataclasses.replace(one, length=6, seats=(dataclasses.replace(one.seats[0], score=6.0),))] * 20
    found = held(cells, told, lambda cell: played)
    assert found[2].status.startswith(said) if said else found[2].ok


def test_a_victim_that_has_its_noise_in_itself_is_held_to_its_bounds_too(tmp_path):
    space = Box(-np.inf, np.inf, (4,), np.float32)
    victim = defend(SIDES, ["smooth:sigma=0.1,space=raw"], Seat("player", space, Discrete(2)))
    study = Study(
        game="gymnasium/CartPole-v1", players=victim, attack="fgsm:eps=0.1,norm=l2", space="raw", max_steps=6,
        episodes=4, observe=("return-bound:eps=0.1,steps=6,low=0,high=6",),
    )  # fmt: skip
    assert evaluate(study, run=tmp_path / "run", workers=1).ok
