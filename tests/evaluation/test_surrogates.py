"""Surrogates in a study: several of them against several victims, the victim itself, and those that learn from it."""

import pytest

from rlattack.errors import InvalidInput
from rlattack.evaluation import Study, evaluate
from rlattack.evaluation.fits import read_fit
from rlattack.evaluation.plan import plan
from rlattack.report.comparison import settings
from rlattack.report.warnings import warnings
from tests.kit.runs import COINS, ROPE, numbers, rows

COIN = "tests.kit.players:coin"
CONTRARY = "tests.evaluation.test_tuning:contrary"
IMITATE = "imitate:episodes=40,epochs=5"


def attacked(**changes):
    """What the attacks of a plan are crafted on, by victim."""
    cells = [cell for cell in plan(Study(**COINS | changes)).cells if cell.attacks and not cell.control]
    return [(cell.players[0].name, ref.surrogate and ref.surrogate.name) for cell in cells for ref in cell.attacks]


def test_every_victim_meets_attacks_from_every_surrogate_and_a_victim_s_own_name_is_the_victim_itself():
    found = attacked(players=((COIN, CONTRARY),), surrogate=(COIN, CONTRARY, IMITATE))
    assert found == [
        (COIN, None), (COIN, CONTRARY), (COIN, IMITATE),
        (CONTRARY, COIN), (CONTRARY, None), (CONTRARY, IMITATE),
    ]  # fmt: skip


def test_self_is_the_victim_as_it_is_without_a_surrogate_and_the_control_is_played_once():
    alone, beside = (plan(Study(**COINS | changes)).cells for changes in ({}, {"surrogate": ("self", CONTRARY)}))
    assert [cell.key for cell in beside[:3]] == [cell.key for cell in alone]
    assert sum(cell.control for cell in beside) == 1
    assert attacked(surrogate="self") == attacked(surrogate=None) == [(COIN, None)]


def test_before_a_front_the_bare_victim_is_a_surrogate():
    bright = "tests.kit.players:bright"
    found = attacked(
        game="film/any", players=bright, surrogate=bright, defence="jpeg", attack="fgsm", eps=0.1, space="unit"
    )
    assert found == [(bright, bright)]


@pytest.mark.parametrize("options", [COINS, ROPE], ids=["coins", "rope"])
def test_a_surrogate_learns_from_what_the_victim_does_and_attacks_it_with_any_number_of_workers(tmp_path, options):
    told = []
    counts = (1, 2) if options is ROPE else (1,)
    for workers in counts:
        study = Study(**options | {"surrogate": ("self", IMITATE), "attack": "pgd:steps=3"})
        results = evaluate(study, run=tmp_path / str(workers), workers=workers, say=told.append)
    assert told[0] == "fitting imitate:episodes=40,epochs=5 on tuning episodes"
    words = "agrees with the victim in " if options is COINS else "of the variance of the victim's actions"
    assert told[1].startswith("imitate:episodes=40,epochs=5 ")
    assert words in told[1]
    first, last = (tmp_path / str(workers) for workers in (counts[0], counts[-1]))
    assert (numbers(first), rows(first)) == (numbers(last), rows(last))
    _, noise, own, imitated = results.cells
    assert (own.attack.surrogate, own.attack.knowledge) == (None, "white")
    assert (imitated.attack.surrogate, imitated.attack.knowledge) == (IMITATE, "decision")
    assert noise.attack.surrogate is None
    assert imitated.attack.note in told[1]
    assert any(f"PGD: {imitated.attack.note}." == line for one in settings(results.cells) for line in warnings(one))
    (key,) = (ref.surrogate.identity for cell in results.plan.cells for ref in cell.attacks if ref.surrogate)
    assert read_fit(results.fits, key).facts["agreement"] > 0.4
    if options is COINS:
        assert imitated.attacked.action_change > 0.8 > noise.attacked.action_change


def test_a_fitted_attack_learns_on_the_surrogate_that_learned_before_and_both_are_found_again(tmp_path):
    told = []
    bright = {"game": "film/any", "players": "tests.kit.players:bright", "eps": 0.1, "episodes": 2, "envs": 4}
    study = Study(**bright, attack="universal:states=8", surrogate="imitate:episodes=40,epochs=1")
    for _ in range(2):
        evaluate(study, run=tmp_path / "run", workers=1, say=told.append)
    said = [line for line in told if line.startswith("fitting")]
    assert said == [
        "fitting imitate:episodes=40,epochs=1 on tuning episodes",
        "fitting universal:states=8 0.1 from imitate:episodes=40,epochs=1 on tuning episodes",
    ]
    assert len(list((tmp_path / "run" / "store" / "fits").glob("*.safetensors"))) == 2


def test_a_victim_of_whom_no_gradient_is_to_be_had_is_attacked_by_an_imitation(tmp_path):
    opaque = COINS | {"game": "gymnasium/CartPole-v1", "players": "tests.kit.players:opaque", "eps": 0.2}
    with pytest.raises(InvalidInput, match="gives no gradient"):
        plan(Study(**opaque))
    results = evaluate(
        Study(**opaque | {"surrogate": "imitate:episodes=2,epochs=2", "actions": "greedy", "episodes": 2}),
        run=tmp_path, workers=1,
    )  # fmt: skip
    assert results.cells[-1].attacked.action_change > 0.1


@pytest.mark.parametrize(
    ("surrogate", "message"),
    [
        ("imitate:episodes=0", "imitate: expected at least 2 episodes, one of them to be tried on, got 0"),
        ("gymnasium/CartPole-v1/dqn", "was trained for gymnasium/CartPole-v1, not for coins/any"),
        (("self", "random"), "--surrogate: expected an agent to craft attacks on, and random looks at nothing"),
        ("", "expected an agent's name, got an empty one"),
    ],
)
def test_what_is_no_surrogate_is_refused_before_anything_is_played(surrogate, message):
    with pytest.raises(Exception, match=message):
        plan(Study(**COINS | {"surrogate": surrogate}))


def test_too_few_states_are_told_before_anything_is_played(tmp_path):
    study = Study(**COINS | {"surrogate": "imitate:episodes=2", "max_steps": 3})
    with pytest.raises(InvalidInput, match="2 tuning episodes had 3 and 3; episodes=N watches more"):
        evaluate(study, run=tmp_path, workers=1)
    assert not list((tmp_path / "store").glob("cells/*"))
