"""Certificates looked at during play, of a linear victim whose certificates are known by hand."""

import dataclasses

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box

from rlattack.budget import Budget
from rlattack.errors import InvalidInput, UnknownName
from rlattack.evaluation.certified import Certified, CertifiedConfig, broken
from rlattack.evaluation.observer import Moment
from rlattack.evaluation.observers import check_observers, make_observers
from rlattack.evaluation.summary import summarise
from rlattack.policies.policy import Output
from tests.kit.agents import CARTPOLE, gaussian_policy, linear_policy
from tests.kit.cells import attack_on, make_cell, play
from tests.kit.players import memory, namer

SEAT = CARTPOLE
VICTIM = linear_policy(torch.tensor([[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0]]))
CONFIG = CertifiedConfig(eps=0.25, space="raw")


def looking(config=CONFIG, attacked=False):
    return Certified(0, 2, config, attacked)


def see(observer, shown, received=None, policy=VICTIM, acting=(True, True)):
    shown = torch.tensor(shown)
    received = shown if received is None else torch.tensor(received)
    out, clean = policy(received), policy(shown)
    observer.see(
        Moment(
            seat=0, acting=np.asarray(acting), episode=np.zeros(2, dtype=np.int64), shown=shown.numpy(),
            received=received, before=None, out=out, chosen=out.actions.greedy, action=out.actions.greedy, legal=None,
            ask=lambda: clean, policy=policy, space=SEAT.observation,
        )
    )  # fmt: skip


FAR, NEAR = [1.0, 0.0, 0.0, 0.0], [0.2, 0.0, 0.0, 0.0]
"""Leads of 1 and .2; an eps of .25 takes away .5."""


def test_the_share_of_certified_states_is_of_what_was_shown():
    observer = looking()
    see(observer, [FAR, NEAR])
    see(observer, [NEAR, NEAR])
    assert observer.collect(0) == {"certified at linf 0.25": 0.5}
    assert observer.collect(1) == {"certified at linf 0.25": 0.0}
    assert observer.collect(0) == {"certified at linf 0.25": None}


def test_entries_that_may_not_change_take_nothing_away():
    """Only the second number may change, which leaves of the lead of .2 what it is not above by: .25 is more."""
    for free, shares in (("1", [1.0, 0.0]), ('"2,3"', [1.0, 1.0])):
        (observer,) = (Certified(0, 2, CertifiedConfig(eps=0.25, space="raw", free=free.strip('"')), False),)
        see(observer, [FAR, NEAR])
        assert [observer.collect(slot)["certified at linf 0.25"] for slot in (0, 1)] == shares


@pytest.mark.parametrize(
    ("own", "attacked", "covers"),
    [("", (), True), ("", (1,), True), ("1,2", (), False), ("1,2", (1,), True), ("1,2", (1, 3), False)],
)
def test_an_attack_breaks_only_what_is_certain_of_all_that_it_changes(own, attacked, covers):
    config = CertifiedConfig(eps=0.25, space="raw", free=own)
    assert config.covers(Budget(eps=0.25, space="raw", free=attacked)) == covers


def test_a_radius_is_looked_for_up_to_eps():
    observer = looking(dataclasses.replace(CONFIG, radius=True))
    see(observer, [FAR, NEAR])
    assert observer.collect(0)["certified radius at linf 0.25"] == pytest.approx(0.25)
    assert observer.collect(1)["certified radius at linf 0.25"] == pytest.approx(0.1, abs=1e-3)


def test_under_attack_a_state_is_certified_changed_or_open():
    observer = looking(attacked=True)
    see(observer, [FAR, NEAR], [[0.8, 0.2, 0.0, 0.0], [0.0, 0.2, 0.0, 0.0]])
    see(observer, [NEAR, NEAR])
    first, second = observer.collect(0), observer.collect(1)
    assert first == {"certified at linf 0.25": 0.5, "open at linf 0.25": 0.5, "certificates broken at linf 0.25": 0.0}
    assert second == {"certified at linf 0.25": 0.0, "open at linf 0.25": 0.5, "certificates broken at linf 0.25": 0.0}


def test_an_attack_that_changes_what_was_certified_breaks_a_certificate_and_fails_the_cell():
    observer = looking(attacked=True)
    see(observer, [FAR, NEAR], [[0.0, 0.5, 0.0, 0.0], NEAR])  # farther than the certificate allows
    found = observer.collect(0)
    assert broken(found) == 1
    cell = make_cell("turns/any", attacks=attack_on(1, "fgsm", eps=2.0), actions=("greedy",) * 2)
    episodes = play(cell, namer(), namer())
    seats = (dataclasses.replace(episodes[0].seats[0], measured=found), *episodes[0].seats[1:])
    wrong = [dataclasses.replace(episodes[0], seats=seats), *episodes[1:]]
    result = summarise(cell, wrong, episodes, [1.0], 1.0)
    assert result.status == "failed: an attack changed 1 actions that were certified: the certificate is wrong"


def test_only_every_so_many_th_step_is_looked_at():
    observer = looking(dataclasses.replace(CONFIG, every=2))
    for shown in (FAR, NEAR, FAR, NEAR):
        see(observer, [shown, NEAR])
    assert observer.collect(0) == {"certified at linf 0.25": 1.0}


def test_of_continuous_actions_it_says_how_far_they_may_move():
    policy = gaussian_policy(3)
    shown = torch.randn(2, 3)
    config = CertifiedConfig(eps=0.1, space="raw", tolerance=1.0)
    observer = Certified(0, 2, config, True)
    out = policy(shown)
    far = Output(dataclasses.replace(out.actions, mean=out.actions.mean + 100))
    for received in (out, far):
        observer.see(
            Moment(
                seat=0, acting=np.ones(2, dtype=np.bool_), episode=np.zeros(2, dtype=np.int64), shown=shown.numpy(),
                received=shown, before=None, out=received, chosen=out.actions.greedy, action=out.actions.greedy,
                legal=None, ask=lambda: out, policy=policy, space=Box(-9, 9, (3,), np.float32),
            )
        )  # fmt: skip
    found = observer.collect(0)
    assert found["may move at linf 0.1"] > 0
    assert found["certificates broken at linf 0.1"] == 1


def test_it_looks_at_attacks_of_its_own_size_alone():
    def numbers(*attacks):
        cell = make_cell(
            "gymnasium/CartPole-v1", players=["tests.kit.players:balance"], attacks=attacks, envs=2,
            observers=("certified:eps=0.25,space=raw",),
        )  # fmt: skip
        observer = next(one for one in make_observers(cell) if isinstance(one, Certified))
        see(observer, [FAR] * 2)
        return set(observer.collect(0))

    own, other = (attack_on(0, "fgsm", eps=eps, space="raw")[0] for eps in (0.25, 0.2))
    assert numbers() == {"certified at linf 0.25"}
    assert len(numbers(own)) == 3
    assert numbers(other) == set()


@pytest.mark.parametrize(("space", "measured"), [("raw", 3), ("sigma", 0)])
def test_an_attack_of_the_same_number_in_another_unit_is_none_of_its_size(space, measured):
    cell = make_cell(
        "gymnasium/CartPole-v1", players=["tests.kit.players:balance"], envs=2, observers=("certified:eps=0.25",),
        attacks=(attack_on(0, "fgsm", eps=0.25, space=space)[0],),
    )  # fmt: skip
    observer = next(one for one in make_observers(cell) if isinstance(one, Certified))
    see(observer, [FAR] * 2)  # of a victim without statistics, certified in raw by default
    assert len(observer.collect(0)) == measured


@pytest.mark.parametrize(
    ("text", "policy", "error", "message"),
    [
        ("certified", VICTIM, InvalidInput, "observer certified: expected eps=value, which has no default"),
        ("certified:eps=0", VICTIM, InvalidInput, "observer certified: eps: expected a number above 0"),
        ("certified:eps=0.1,every=0", VICTIM, InvalidInput, "every: expected a number at least 1"),
        ("certified:eps=0.1,methode=ibp", VICTIM, UnknownName, "'methode'; did you mean 'method'"),
        (
            "certified:eps=0.1,method=lp",
            VICTIM,
            InvalidInput,
            "method: expected 'auto' or 'ibp' or 'crown-ibp' or 'crown', got 'lp'",
        ),
        (
            "certified:eps=0.1,free=pole",
            VICTIM,
            InvalidInput,
            "free: expected numbers of entries, as 0 or .*, got 'pole'",
        ),
        ("certified:eps=0.1,free=4", VICTIM, InvalidInput, "--free: expected entries 0 to 3, got 4"),
        ("certified:eps=1,norm=l0", VICTIM, InvalidInput, "certificates are of linf, l2, l1, got l0"),
        ("certified:eps=0.1,space=sigma", VICTIM, InvalidInput, "--space sigma needs an agent that ships observation"),
        ("certified:eps=0.1,space=unit", VICTIM, InvalidInput, "--space unit is for pixels in 0..255"),
        ("certified:eps=0.1", memory(), InvalidInput, "expected a policy without memory, got Memory with a state"),
    ],
)
def test_what_cannot_be_certified_is_refused_before_play(text, policy, error, message):
    with pytest.raises(error, match=message):
        check_observers((text,), policy, SEAT)
