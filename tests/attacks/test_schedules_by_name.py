"""Schedules that are named on the command line: which steps they take is known by hand, and how many they may take."""

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box

from rlattack.attacks import SCHEDULES, Attacker, make_attack, make_schedule
from rlattack.attacks.oracle import Oracle
from rlattack.attacks.schedule import Limited
from rlattack.attacks.target import Target
from rlattack.budget import Budget
from rlattack.errors import InvalidInput, UnknownName
from tests.kit.agents import gaussian_policy, scores_as_seen

VECTOR = Box(-50, 50, (2,), np.float32)
COUNTED = ("every", "period", "first")
LIMITED = [name for name in SCHEDULES if name not in SCHEDULES.added and issubclass(SCHEDULES.get(name), Limited)]


def attacker_of(when, slots=1, seeds=None, attack="noise"):
    made = make_attack(attack, Budget(eps=0.1, space="raw"))
    schedule = make_schedule(when) if isinstance(when, str) else when
    attacker = Attacker(made, scores_as_seen(2, value_based=True), VECTOR, slots, schedule=schedule)
    begin(attacker, seeds or range(slots))
    return attacker


def begin(attacker, seeds):
    attacker.restart(np.arange(len(seeds)), [np.random.SeedSequence(seed) for seed in seeds])


def shown(*differences):
    """Two scores a slot, so far apart: the further, the larger the gap of their probabilities."""
    return torch.tensor([[one / 2, -one / 2] for one in differences])


def attacked(attacker, steps, active=None):
    """Which slots are attacked in which step; `steps` has a row a step and a column a slot."""
    found = []
    for number, differences in enumerate(steps):
        clean = shown(*differences)
        received = attacker(clean, None if active is None else active[number])
        found.append((received != clean).any(dim=1).tolist())
    return found


def taken(*differences, when="timed:share=0.25"):
    found = attacked(attacker_of(when), [[one] for one in differences])
    return [step + 1 for step, (hit,) in enumerate(found) if hit]


@pytest.mark.parametrize(
    ("differences", "steps"),
    [
        ((1, 5, 2, 3, 4, 1, 6, 2, 5), [7, 9]),  # 3 and 4 are no 5; at step 9 two may be taken, and 6 and 5 are the most
        ((6, 5, 4, 3, 2, 1, 0.5, 0.2), []),
        ((1, 2, 3, 4, 5, 6, 7, 8, 9), [4, 8]),
        ((1, 1, 1, 1, 1, 1, 1, 1), [4, 8]),
        ((-9, 1, 1, -9), [4]),  # how clearly, not which
    ],
)
def test_timed_takes_the_steps_in_which_one_action_is_preferred_most_clearly(differences, steps):
    assert taken(*differences) == steps


@pytest.mark.parametrize("name", LIMITED)
@pytest.mark.parametrize("share", [0.05, 0.3, 1.0])
def test_never_more_than_the_share_of_the_steps_so_far_is_attacked(name, share):
    differences = torch.rand(400, 3, generator=torch.Generator().manual_seed(0)).tolist()
    found = np.cumsum(attacked(attacker_of(f"{name}:share={share}", slots=3), differences), axis=0)
    allowed = share * np.arange(1, 401)[:, None]
    assert (found <= allowed + 1e-9).all()
    assert (found[-1] >= 0.5 * allowed[-1]).all()
    assert share < 1 or (found[-1] == 400).all()


@pytest.mark.parametrize("name", LIMITED)
def test_a_slot_is_attacked_as_its_own_episode_has_it(name):
    differences = torch.rand(60, 3, generator=torch.Generator().manual_seed(1))
    beside = [attacked(attacker_of(f"{name}:share=0.3", 3, seeds), rows.tolist()) for seeds, rows in (
        ([4, 5, 6], differences), ([9, 5, 8], differences * torch.tensor([3.0, 1.0, 0.1])),
    )]  # fmt: skip
    assert [row[1] for row in beside[0]] == [row[1] for row in beside[1]]
    assert [row[0] for row in beside[0]] != [row[1] for row in beside[0]]


@pytest.mark.parametrize("name", LIMITED)
def test_an_episode_is_forgotten_when_the_next_begins(name):
    attacker, differences = attacker_of(f"{name}:share=0.3"), [[one] for one in (3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5)]
    first = attacked(attacker, differences)
    begin(attacker, [0])
    assert attacked(attacker, differences) == first


@pytest.mark.parametrize("name", LIMITED)
def test_a_slot_that_pauses_goes_on_where_it_was(name):
    steps = torch.rand(40, 2, generator=torch.Generator().manual_seed(2)).tolist()
    playing = [np.asarray([True, number % 3 == 0]) for number in range(40)]
    paused = attacked(attacker_of(f"{name}:share=0.3", 2), steps, playing)
    alone = [row for row, active in zip(steps, playing, strict=True) if active[1]]
    expected = attacked(attacker_of(f"{name}:share=0.3", 2), alone)
    assert [row[1] for row, active in zip(paused, playing, strict=True) if active[1]] == [row[1] for row in expected]
    assert not any(row[1] for row, active in zip(paused, playing, strict=True) if not active[1])


@pytest.mark.parametrize("name", LIMITED)
def test_an_attack_and_its_control_act_at_the_same_steps_of_the_same_play(name):
    differences = torch.rand(60, 2, generator=torch.Generator().manual_seed(3)).tolist()
    found = [attacked(attacker_of(f"{name}:share=0.2", 2, attack=attack), differences) for attack in ("noise", "pgd")]
    assert found[0] == found[1]
    assert np.any(found[0])


@pytest.mark.parametrize(("name", "asked"), [("random", 0), ("timed", 1)])
def test_timed_asks_once_a_step_and_random_asks_nothing(name, asked):
    attacker = attacker_of(f"{name}:share=0.5", 2)
    attacked(attacker, [[1.0, 2.0]] * 4, [np.asarray([True, number < 2]) for number in range(4)])
    assert attacker.oracle.queries.tolist() == [4 * asked, 2 * asked]
    assert attacker.oracle.gradients.tolist() == [0, 0]


@pytest.mark.parametrize(
    ("when", "steps"),
    [
        ("period:n=3", [1, 4, 7]),
        ("first:steps=2", [1, 2]),
        ("timed:threshold=0.9", [2, 5, 7]),  # gaps of 1, 5, 2, 1, 3, 1, 9: tanh of their halves
        ("importance:threshold=2.5", [2, 5, 7]),
        ("value:above=1.4", [2, 5, 7]),
        ("entropy:below=0.3", [2, 5, 7]),
    ],
)
def test_a_rule_takes_the_steps_that_it_names(when, steps):
    assert taken(1, 5, 2, 1, 3, 1, 9, when=when) == steps


def test_what_is_counted_begins_anew_with_an_episode():
    attacker = attacker_of("first:steps=1", 2)
    assert attacked(attacker, [[1, 1], [1, 1]]) == [[True, True], [False, False]]
    attacker.restart(np.asarray([1]), [np.random.SeedSequence(1)])
    assert attacked(attacker, [[1, 1]]) == [[False, True]]


def test_a_victim_without_a_critic_has_no_value():
    attack = make_attack("noise", Budget(eps=0.1, space="raw"))
    for when in ("value:share=0.5", "importance:share=0.5"):
        with pytest.raises(InvalidInput, match=f"--when {when[:-10]}: expected a victim with a critic"):
            Attacker(attack, scores_as_seen(2), VECTOR, 1, schedule=make_schedule(when))


def learned(when, scores):
    """What a schedule learns of tuning episodes in which the victim says these scores."""
    oracle = Oracle(scores_as_seen(2, value_based=True), 4, "scores")

    class Tuned:
        victim = Target(oracle)

        def begin(self, obs):
            oracle.begin(obs, np.ones(4, dtype=np.bool_))

        def observations(self, count):
            return (shown(*four) for four in zip(*[iter(scores)] * 4, strict=True))

    return make_schedule(when).fit(Tuned())


def test_the_threshold_for_a_share_is_found_on_tuning_episodes():
    schedule = make_schedule("importance:share=0.25")
    schedule.learned = learned("importance:share=0.25", [1, 2, 3, 4, 5, 6, 7, 8])
    attacker = attacker_of(schedule)
    hits = attacked(attacker, [[one] for one in (1, 1, 1, 9, 6, 7, 9, 8)])
    assert [step + 1 for step, (hit,) in enumerate(hits) if hit] == [4, 8]  # never more than a quarter so far


def test_of_equal_scores_as_many_are_taken_as_the_share_asks_for():
    schedule = make_schedule("importance:share=0.5")
    schedule.learned = learned("importance:share=0.5", [1, 1, 5, 5, 5, 5, 5, 5])  # two of three of the equal ones
    hits = attacked(attacker_of(schedule), [[score] for score in [1, 5] * 300])
    assert 180 < sum(hit for (hit,) in hits) < 220
    assert not any(hit for (hit,) in hits[::2])


def test_timed_needs_a_choice_between_actions():
    attack = make_attack("noise", Budget(eps=0.1, space="raw"))
    space = Box(-50, 50, (3,), np.float32)
    with pytest.raises(InvalidInput, match=r"--when timed: expected discrete actions; use random:share="):
        Attacker(attack, gaussian_policy(3), space, 1, schedule=make_schedule("timed:share=0.1"))
    Attacker(attack, gaussian_policy(3), space, 1, schedule=make_schedule("random:share=0.1"))


@pytest.mark.parametrize(
    ("when", "error", "message"),
    [
        ("timd:share=0.1", UnknownName, "no schedule 'timd'; did you mean 'timed'"),
        ("random", InvalidInput, "schedule random: expected share=value, which has no default"),
        ("timed", InvalidInput, "schedule timed: expected one of share= and threshold="),
        ("timed:share=0.1,threshold=0.5", InvalidInput, "schedule timed: expected one of share= and threshold="),
        ("value", InvalidInput, "schedule value: expected one of share= and above="),
        ("entropy", InvalidInput, "schedule entropy: expected one of share= and below="),
        ("every:share=0.1", UnknownName, "schedule every has no parameter 'share'"),
    ],
)
def test_a_schedule_that_makes_no_sense_is_refused(when, error, message):
    with pytest.raises(error, match=message):
        make_schedule(when)
