"""Schedules that look ahead: in a game whose critical steps are known by hand, they find these and the way down."""

import numpy as np
import pytest
import torch
from torch import nn

from rlattack.attacks import Attacker, make_attack, make_schedule
from rlattack.attacks.lookahead import FORKS, Here, Lookahead
from rlattack.budget import Budget
from rlattack.errors import InvalidInput
from rlattack.games.game import SlotFault
from rlattack.policies import ModulePolicy
from rlattack.policies.gaussian import GaussianPolicy
from tests.kit.agents import gaussian_policy, linear_gaussian_network, scores_as_seen
from tests.kit.ledge import FALL, LENGTH, Ledge, careful

WHEN = "critical:n=2,horizon=4"
AWAY = linear_gaussian_network([[0.0, 1.0]])


def looking(when, starts, attack="pgd", **options):
    """An attacker on a game in which slots stand so many steps before the ledge, and the game."""
    game, slots = Ledge(len(starts), **options), len(starts)
    made = make_attack(attack, Budget(eps=2, space="raw"), **({} if attack == "noise" else {"target": "planned"}))
    (seat,) = game.seats
    victim = GaussianPolicy(AWAY, seat.action) if options.get("continuous") else careful()
    attacker = Attacker(made, victim, seat.observation, slots, schedule=make_schedule(when))
    attacker.oracle.lookahead = Lookahead(game, Ledge(FORKS, **options))
    attacker.restart(np.arange(slots), [np.random.SeedSequence(start) for start in starts])
    game.reset(np.ones(slots, dtype=bool), np.asarray(starts) - 1)
    return attacker, game


def walk(attacker, game, steps=LENGTH):
    """Which slots are attacked in which step, and how far from the ledge all are after it, while all play."""
    hits, places, (view,) = [], [], game.views()
    for _ in range(steps):
        clean = torch.as_tensor(view.obs)
        received = attacker(clean)
        hits.append((received != clean).any(dim=1).tolist())
        with torch.no_grad():
            (view,) = game.step([careful()(received).actions.greedy.numpy()]).views
        places.append(game.rows[:, 0].astype(int).tolist())
    return hits, places


def test_what_comes_of_plans_is_what_the_game_brings_and_leaves_the_game_alone():
    _, game = looking(WHEN, [1, 2, 4])
    before, slots = game.rows.copy(), np.array([0, 1, 1, 2, 2])
    here = Here(careful(), torch.as_tensor(game.views()[0].obs), None, None)
    plans = np.array([[0, 0], [0, 0], [1, 1], [0, 0], [0, 1]])
    ahead = Lookahead(game, Ledge(FORKS)).play(here, slots, plans, 4)
    assert ahead.returns.tolist() == [-FALL, 1 - FALL, 4, 4, 4]
    assert ahead.asked.tolist() == [0, 0, 2, 2, 2]
    assert ahead.last[:, 0].mul(100).round().tolist() == [1, 1, 6, 4, 6]  # before the fall, or at the horizon
    assert np.array_equal(game.rows, before)


def test_more_plans_than_forks_bring_the_same():
    _, game = looking(WHEN, [1, 4])
    here = Here(careful(), torch.as_tensor(game.views()[0].obs), None, None)
    look, slots = Lookahead(game, Ledge(FORKS)), np.arange(3 * FORKS - 5) % 2
    found = look.play(here, slots, np.zeros((len(slots), 1), dtype=np.int64), 3)
    assert found.returns.tolist() == np.where(slots, 3.0, -FALL).tolist()


class Turning(nn.Module):
    """Walks away twice, then to the ledge: by its memory."""

    def forward(self, obs, state):
        return torch.cat([state.ge(2), state.lt(2)], dim=1) * (1 + 0 * obs), None, state + 1


def test_a_victim_with_a_memory_plays_on_with_it():
    game = Ledge(2)
    game.reset(np.ones(2, dtype=bool), np.array([0, 0]))
    seen, state = torch.as_tensor(game.views()[0].obs), torch.tensor([[0.0], [2.0]])
    here = Here(ModulePolicy(Turning(), (2,), 2, state_shape=(1,)), seen, None, state)
    ahead = Lookahead(game, Ledge(FORKS)).play(here, np.array([0, 1]), np.zeros((2, 0)), 6)
    assert ahead.returns.tolist() == [4 - FALL, -FALL]
    assert ahead.asked.tolist() == [5, 1]


class Broken(Ledge):
    def step(self, actions):
        raise SlotFault(1, "fails in step: ValueError: no")


def test_what_fails_in_a_fork_names_the_slot_that_it_is_of():
    game = Ledge(3)
    here = Here(careful(), torch.as_tensor(game.views()[0].obs), None, None)
    with pytest.raises(SlotFault, match="fails in step: ValueError: no, as one looks ahead") as caught:
        Lookahead(game, Broken(FORKS)).play(here, np.array([0, 2]), np.zeros((2, 0)), 6)
    assert caught.value.slot == 2


def test_critical_steps_are_those_from_which_the_plan_leads_over_the_ledge():
    attacker, game = looking(WHEN, [1, 2, 3, 4])
    hits, places = walk(attacker, game, steps=2)
    assert hits == [[True, True, False, False]] * 2
    assert places == [[0, 1, 4, 5], [-1, 0, 5, 6]]
    assert attacker.oracle.queries.min() > 0


def test_a_step_is_critical_only_by_more_than_delta():
    lost = 4 - (1 - FALL)  # four steps of 1, or one of 1 and a fall
    for delta, hit in ((lost - 1, True), (lost, False)):
        attacker, game = looking(f"{WHEN},delta={delta}", [2])
        assert walk(attacker, game, steps=1)[0] == [[hit]]


def test_it_looks_every_so_many_steps():
    attacker, game = looking(f"{WHEN},every=3", [4])
    game.rows[0, 0] = 4
    attacker(torch.as_tensor(game.views()[0].obs))
    game.rows[0, 0] = 1  # critical now
    found = [bool((attacker(seen) != seen).any()) for seen in [torch.as_tensor(game.views()[0].obs)] * 3]
    assert found == [False, False, True]


def test_plans_that_are_drawn_do_not_depend_on_other_slots():
    when = "critical:n=6,horizon=6,plans=8,delta=0"
    alone, crowd = looking(when, [4]), looking(when, [1, 2, 4])
    several = [[slots[-1] for slots in found] for found in walk(*crowd)]
    assert several == [[slots[0] for slots in found] for found in walk(*alone)]


def test_what_is_illegal_is_not_played_in_a_fork():
    attacker, game = looking(WHEN, [1], legal=True)  # who stands before the ledge may not fall
    clean = torch.as_tensor(game.views()[0].obs)
    received = attacker(clean, legal=torch.as_tensor(game.views()[0].legal))
    assert torch.equal(received, clean)


def test_enchanting_leads_to_where_little_is_earned_in_every_step():
    hits, places = walk(*looking("enchanting:n=3,horizon=3", [2, 3]), steps=3)
    assert hits == [[True, True]] * 3
    assert [places[1][0], places[2][1]] == [0, 0]


def test_enchanting_leads_to_a_state_that_is_named():
    _, places = walk(*looking("enchanting:n=3,horizon=3,entry=0,value=0.01", [4]), steps=3)
    assert places == [[3], [2], [1]]


@pytest.mark.parametrize("when", [f"{WHEN},plans=50", "enchanting:n=2,horizon=2"])
def test_continuous_actions_are_planned_too(when):
    attacker, game = looking(when, [1, 2], continuous=True)
    attacker(torch.as_tensor(game.views()[0].obs))
    assert (attacker.schedule.planned[:, 0] < 0).all()


def test_a_horizon_is_no_shorter_than_a_plan():
    with pytest.raises(InvalidInput, match="schedule critical: horizon: expected at least n, 3, got 2"):
        make_schedule("critical:n=3,horizon=2")


def test_an_entry_that_nothing_has_is_refused():
    with pytest.raises(InvalidInput, match="entry: expected 0 to 1, got 2"):
        looking("enchanting:entry=2", [1])


def test_actions_without_bounds_cannot_be_planned():
    made, seat = make_attack("noise", Budget(eps=1, space="raw")), Ledge(1).seats[0]
    with pytest.raises(InvalidInput, match=r"plans are made of Discrete actions or of a Box with bounds, got Box"):
        Attacker(made, gaussian_policy(2, 1), seat.observation, 1, schedule=make_schedule("critical"))


def test_a_plan_without_a_schedule_that_plans_is_refused():
    with pytest.raises(InvalidInput, match="target=planned is what a schedule plans: add --when critical or"):
        looking("every", [1])


def test_what_learns_before_play_cannot_follow_a_plan():
    with pytest.raises(InvalidInput, match="attack universal learns before anything is planned"):
        looking(WHEN, [1], attack="universal")


def test_where_there_is_no_game_nobody_looks_ahead():
    made, space = make_attack("noise", Budget(eps=1, space="raw")), Ledge(1).seats[0].observation
    attacker = Attacker(made, scores_as_seen(2), space, 1, schedule=make_schedule("critical"))
    with pytest.raises(InvalidInput, match="who looks ahead plays the game itself: `rlattack attack` has it"):
        attacker(torch.zeros(1, 2))
