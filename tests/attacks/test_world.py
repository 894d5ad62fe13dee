"""Worlds that are named or searched for, in a game whose worst world is known by hand."""

import numpy as np
import pytest
import torch

from rlattack.attacks import TuningStep, make_attack, parse_attack
from rlattack.attacks.dynamics import DynamicsAttacker
from rlattack.attacks.make import control_of
from rlattack.attacks.schedule import make_schedule
from rlattack.budget import Budget
from rlattack.draws import SharedDraws
from rlattack.errors import InvalidInput, UnknownName
from rlattack.evaluation import Study
from rlattack.evaluation.plan import plan
from tests.attacks.hands import Certain
from tests.evaluation.kinds import COINS, run

BOX = '"mass=0.5..2,force-x@torso=-4..4"'
SLOTS = 3
HOPPER = {"game": "mujoco/hopper", "players": ("mujoco/hopper/ppo",), "max_steps": 40, "episodes": 3, "envs": 2}


class Earns:
    """A world in which a victim earns as much as the squares of how far its numbers are from the worst one."""

    def __init__(self, worst):
        self.worst, self.worlds, self.evaluations = np.asarray(worst), np.zeros((0, 2)), 0

    def bend(self, slots, parameters, values):
        """Keeps what worlds are."""
        self.worlds[slots] = values

    def bent(self, parameters):
        """What was kept."""
        return self.worlds

    def rehearse(self, attack, slots, *, sampled=False):
        """Opens it in so many slots."""
        self.worlds = np.ones((slots, 2))
        self.attacker = attacker_of(attack, slots)
        self.attacker.game = self
        return self

    def round(self, take):
        """Plays one step a slot."""
        slots = np.arange(len(self.worlds))
        self.attacker.restart(slots, [np.random.SeedSequence(int(slot)) for slot in slots])
        active = np.asarray([take(int(slot)) is not None for slot in slots])
        self.evaluations += int(active.sum())
        nothing = torch.zeros(len(slots), 3)
        paid = np.square(self.worlds - self.worst).sum(axis=1)
        yield TuningStep(active, nothing.numpy(), nothing, nothing, paid, active, active)

    def stop(self, slots):
        """Changes nothing: the episodes are short."""

    def close(self):
        """Holds nothing."""

    def say(self, line):
        """Tells nobody."""


def attacker_of(attack, slots=SLOTS, **more):
    return DynamicsAttacker(attack, Certain(), ("torso",), slots, **more)


def made(text, eps=100.0):
    spec = parse_attack(text)
    return make_attack(spec.name, Budget(norm="world", eps=eps), **spec.parameters)


def fitted(text, worst):
    attack, game = made(text), Earns(worst)
    game.reach, game.draws = attacker_of(attack).reach, SharedDraws(1, 0)
    attack.learned = attack.fit(game)
    return attack, game


def worlds(attack, eps=None):
    attacker = attacker_of(attack)
    attacker.game = game = Earns((0, 0))
    game.worlds = np.ones((SLOTS, 2))
    attacker.restart(np.arange(SLOTS), [np.random.SeedSequence(seed) for seed in range(SLOTS)])
    return game.worlds


def test_the_world_that_is_named_is_played_and_of_half_the_size_half_the_way():
    assert worlds(made('world:at="mass=0.5,force-x@torso=-4"')).tolist() == [[0.5, -4.0]] * SLOTS
    assert worlds(made('world:at="mass=0.5,force-x@torso=-4"', eps=50.0)).tolist() == [[0.75, -2.0]] * SLOTS


def test_its_control_is_a_random_world_on_the_way_in_each_episode():
    spec = control_of("world", {"at": "mass=0.5,force-x@torso=-4"})
    assert str(spec) == 'random-world:box="mass=0.5,force-x@torso=-4",evaluations=1'
    drawn = worlds(made(str(spec)))
    assert len(np.unique(drawn[:, 0])) == SLOTS
    assert ((drawn >= (0.5, -4)) & (drawn <= (1, 0))).all()


def test_a_worst_corner_is_found_as_such():
    attack, _ = fitted(f"worst-world:box={BOX},evaluations=50", worst=(9.0, -9.0))
    assert worlds(attack).tolist() == [[2.0, -4.0]] * SLOTS
    assert attack.learned.facts["corner"]
    assert attack.told(attack.learned).startswith('found "mass=2,force-x@torso=-4", at a corner: ')


def test_a_worst_world_within_the_box_is_found_nearer_than_by_as_many_random_ones():
    worst = (1.7, 2.9)
    found, game = fitted(f"worst-world:box={BOX},evaluations=200", worst)
    by_chance, other = fitted(f"random-world:box={BOX},evaluations=200", worst)
    assert not found.learned.facts["corner"]
    assert found.learned.facts["return"] < by_chance.learned.facts["return"] < 0.1
    assert worlds(found)[0] == pytest.approx(worst, abs=0.1)
    assert max(game.evaluations, other.evaluations) <= 800


def test_corners_alone_are_tried_where_that_is_asked_for():
    attack, game = fitted(f"worst-world:box={BOX},evaluations=50,points=corners", worst=(1.7, 2.9))
    assert worlds(attack).tolist() == [[2.0, 4.0]] * SLOTS
    assert game.evaluations < 100


def test_what_was_searched_for_is_known_before_it_is_played():
    with pytest.raises(InvalidInput, match="learns on tuning episodes first"):
        worlds(made(f"worst-world:box={BOX}"))


@pytest.mark.parametrize(
    ("attack", "error", "message"),
    [
        ('world:at="mass=0.5..2"', InvalidInput, "expected one value each"),
        ('world:at="weight=2"', InvalidInput, "attack world: expected mass, friction"),
        ("world", InvalidInput, "expected at=value"),
        ('worst-world:box="mass=2..3"', InvalidInput, "attack worst-world: mass: expected a range around"),
        (
            'world:at="force-x@tail=2"',
            UnknownName,
            "force-x@tail: expected a body, torso, thigh, leg, foot; got 'tail'",
        ),
        ('world:at="mass=2",eps=120', InvalidInput, "per cent of the box, expected at most 100"),
    ],
)
def test_a_world_that_is_none_is_refused_before_anything_is_played(attack, error, message):
    pytest.importorskip("mujoco")
    with pytest.raises(error, match=message):
        plan(Study(**HOPPER, attack=(attack,)))


def test_a_game_without_a_physics_engine_and_single_steps_are_refused():
    with pytest.raises(InvalidInput, match="attack world: expected a game of a physics engine"):
        plan(Study(**COINS, attack=('world:at="mass=2"',)))
    with pytest.raises(InvalidInput, match="attack world makes a world from the start of an episode to its end"):
        attacker_of(made('world:at="mass=2"'), schedule=make_schedule("random:share=0.5"))


def test_a_world_is_judged_by_the_engine_and_takes_what_a_victim_earns(tmp_path):
    pytest.importorskip("mujoco")
    asked = HOPPER | {"attack": ('world:at="mass=1.5"', 'worst-world:box="mass=0.5..2",evaluations=4,episodes=1')}
    clean, *controls, world, worst = run(tmp_path / "run", **asked)
    assert [one.attack.name for one in (*controls, world, worst)] == ["random-world"] * 2 + ["world", "worst-world"]
    for cell in (world, worst):
        assert (cell.status, cell.attack.access, cell.attack.reach) == ("ok", "dynamics", "world")
        assert cell.attacked.sizes == {"world": 100.0}
        assert cell.attacked.attacked == 1.0
        assert cell.attacked.action_change == cell.attacked.queries == 0
        assert cell.attacked.returns.mean != clean.attacked.returns.mean


def test_a_world_is_attacked_at_once_with_what_is_seen_and_stays_where_that_acts_at_times(tmp_path):
    pytest.importorskip("mujoco")
    asked = HOPPER | {
        "attack": ('pgd:steps=2,eps=0.1+world:at="mass=1.5"',),
        "space": "raw",
        "when": ("random:share=0.5",),
    }
    _, control, both = run(tmp_path / "run", **asked)
    assert [(one.name, one.eps, one.schedule) for one in both.attacks] == [
        ("pgd", 0.1, "random:share=0.5"), ("world", 100.0, "every"),
    ]  # fmt: skip
    assert [one.name for one in control.attacks] == ["noise", "random-world"]
    assert both.attacked.sizes["linf"] == pytest.approx(0.1, rel=1e-5)
    assert both.attacked.sizes["world"] == both.attacks[1].eps
    assert both.status == control.status == "ok"


@pytest.mark.slow
def test_a_worst_world_is_the_same_whatever_the_workers(tmp_path):
    pytest.importorskip("mujoco")
    asked = HOPPER | {"attack": ('worst-world:box="mass=0.5..2",evaluations=20',)}
    cells, again = (run(tmp_path / str(workers), workers=workers, **asked) for workers in (1, 2))
    assert [one.attacked.returns for one in cells] == [one.attacked.returns for one in again]
