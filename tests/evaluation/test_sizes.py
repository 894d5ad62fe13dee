"""Sizes of perturbations over the steps of an episode, from one moment to a result."""

import numpy as np
import pytest
import torch

from rlattack.budget import Budget
from rlattack.evaluation import Moment, Study, evaluate
from rlattack.evaluation.sizes import SizeQuantiles
from rlattack.evaluation.store import Store
from rlattack.policies.distributions import Categorical
from rlattack.policies.policy import Output
from tests.kit.cells import attack_on, make_cell
from tests.kit.games import made  # noqa: F401  # registers the games
from tests.kit.runs import numbers, rows

COINS = {
    "game": "coins/any", "players": ("tests.kit.players:coin",), "attack": ("deepfool",), "norm": "l2", "space": "raw",
    "actions": "greedy", "episodes": 6, "envs": 4,
}  # fmt: skip
"""The coin, -1 or 1, is all that the victim goes by, so it is 1 away from the boundary; the other entry is the step."""


def moment(moved, sizes, acting=(True, True), seat=0):
    """A step in which the choice of some slots is another than on the clean view."""

    def scores(choices):
        return Output(Categorical(torch.nn.functional.one_hot(torch.tensor(choices), 2).float()))

    obs, out = np.zeros((2, 3)), scores([int(one) for one in moved])
    return Moment(
        seat=seat, acting=np.asarray(acting), episode=np.zeros(2, dtype=np.int64), shown=obs, before=None, out=out,
        received=torch.from_numpy(obs), chosen=out.actions.greedy, action=out.actions.greedy, legal=None,
        ask=lambda: scores([0, 0]), eps=[np.asarray(sizes, dtype=np.float64)],
    )  # fmt: skip


def test_quantiles_are_of_the_steps_in_which_the_choice_changed():
    observer = SizeQuantiles(0, 2, budget=Budget(norm="l2", eps=None, space="raw"))
    for size in range(1, 12):
        observer.see(moment([True, True], [size, 0.5]))
    observer.see(moment([False, True], [99.0, 0.5]))
    observer.see(moment([True, True], [99.0, 0.5], acting=(False, True)))
    observer.see(moment([True, True], [99.0, 99.0], seat=1))
    expected = {"size found, 10 %": 2.0, "size found, median": 6.0, "size found, 90 %": 10.0, "found": 11 / 12}
    assert observer.collect(0) == pytest.approx(expected)
    assert observer.collect(1)["found"] == 1.0
    assert observer.collect(1) == {name: None if "size" in name else 0.0 for name in expected}


def test_sizes_of_pixels_are_told_in_grey_levels_too():
    observer = SizeQuantiles(0, 2, budget=Budget(norm="l2", eps=None))
    observer.see(moment([True, True], [0.1, 0.2]))
    found = observer.collect(0)
    assert found["size found, median"] == pytest.approx(0.1)
    assert found["size found, median, grey levels"] == pytest.approx(25.5)


def test_the_attack_that_has_no_size_to_keep_is_looked_at():
    (sized,), (unsized,) = attack_on(1, "fgsm"), attack_on(1, "deepfool", eps=None)
    cell = make_cell(attacks=(sized, unsized), envs=2)
    observer = SizeQuantiles.of(cell, 1)
    step = moment([True, True], [0.1, 0.1], seat=1)
    step.eps = [np.full(2, 0.1), np.full(2, 0.2)]
    observer.see(step)
    assert observer.collect(0)["size found, median"] == 0.2
    nothing = SizeQuantiles.of(cell, 0)
    nothing.see(moment([True, True], [0.1, 0.1]))
    assert nothing.collect(0) == {}


@pytest.mark.parametrize(("norm", "size"), [("l2", 1 / 2**0.5), ("linf", 1.0)])
def test_a_distance_known_by_hand_comes_out_of_an_evaluation(tmp_path, norm, size):
    clean, direction, deepfool = evaluate(Study(**COINS | {"norm": norm}), run=tmp_path, workers=1).cells
    assert (direction.attack.name, direction.control, deepfool.attack.eps) == ("direction", True, None)
    assert clean.attacked.observed == {}
    found = deepfool.attacked.observed
    assert found["found"].mean == deepfool.attacked.action_change == 1.0
    assert found["size found, median"].mean == pytest.approx(1.02 * size, rel=1e-3)
    assert found["size found, 90 %"].mean == pytest.approx(1.02 * size, rel=1e-3)
    assert (deepfool.attacked.returns.mean, clean.attacked.returns.mean) == (0.0, clean.length.mean)
    random = direction.attacked.observed
    assert 0 < random["found"].mean < 1
    assert random["size found, median"].mean > size


def test_sizes_are_the_same_with_any_number_of_workers_and_whatever_eps_is_given(tmp_path):
    for name, changes in ("one", {}), ("two", {"workers": 2}), ("eps", {"eps": (0.5, 1.0)}):
        evaluate(Study(**COINS | {"eps": changes.pop("eps", ())}), run=tmp_path / name, **{"workers": 1} | changes)
    assert numbers(tmp_path / "one") == numbers(tmp_path / "two") == numbers(tmp_path / "eps")
    assert rows(tmp_path / "one") == rows(tmp_path / "two") == rows(tmp_path / "eps")


def test_episodes_in_which_nothing_was_found_are_left_out_of_sizes_and_not_of_what_was_found(tmp_path):
    study = Study(**COINS | {"attack": ("direction:doublings=13,first=0.0002",), "episodes": 24})
    results = evaluate(study, run=tmp_path, workers=1)
    kept = Store(tmp_path / "store").read(results.plan.cells[-1])
    measured = [episode.seats[0].measured for episode in kept.episodes]
    medians = [one["size found, median"] for one in measured if one["found"] > 0]
    assert 0 < len(medians) < 24
    observed = results.cells[-1].attacked.observed
    assert observed["size found, median"].mean == pytest.approx(sum(medians) / len(medians))
    assert observed["found"].mean == pytest.approx(sum(one["found"] for one in measured) / 24)


def test_sizes_of_other_attacks_are_measured_where_they_are_asked_for(tmp_path):
    study = Study(**COINS | {"attack": ("fgsm:loss=margin",), "eps": (1.5,), "observe": ("sizes",)})
    clean, _, fgsm = evaluate(study, run=tmp_path, workers=1).cells
    assert clean.attacked.observed == {}
    assert fgsm.attacked.observed["size found, median"].mean == pytest.approx(1.5)
