import dataclasses

import numpy as np
import pytest
import torch

from rlattack.errors import InvalidInput, UnknownName
from rlattack.evaluation.plan import plan
from rlattack.evaluation.study import Study
from rlattack.games import Variant, find_game
from rlattack.inspect.recording import conditions, record
from rlattack.policies.load import load_agent
from tests.kit.agents import gaussian_agent
from tests.kit.cells import attack_on, make_cell
from tests.kit.games import Coins

TELLING = "tests.inspect.players:telling"


@pytest.fixture
def cells(tmp_path):
    """Makes cells of one Gaussian agent on the right of the rope against others on the left."""
    agent = gaussian_agent(tmp_path / "right", "pull/any", hidden=(4, 4))

    def make(*opponents, **changes):
        return [make_cell(players=(name, agent), victim=1, episodes=40, **changes) for name in opponents]

    make.agent = agent
    return make


def coins(**changes):
    """Cells of a player that tells what it sees: clean, noise and pgd of two kinds."""
    study = Study(
        game="coins/any", players=(TELLING,), attack=("pgd:steps=3", "pgd:steps=5"), eps=(0.5,), space="raw",
        episodes=12, envs=4, **changes,
    )  # fmt: skip
    return plan(study).cells


def test_every_step_of_the_seat_is_recorded_with_its_episode(cells):
    found = record(*conditions(cells("zero", "random")), 1)
    assert list(found) == ["zero", "random"]
    one = found["zero"]
    lengths = np.bincount(one.episode)
    assert len(lengths) == 40
    assert set(lengths) == {2, 3, 4}
    # the game shows the step's number, so every episode goes through the same activations
    expected = load_agent(cells.agent).policy(torch.arange(4.0)[:, None]).hidden.numpy()
    for episode in range(40):
        rows = one.values[one.episode == episode]
        np.testing.assert_allclose(rows, expected[: len(rows)], rtol=1e-5)


def test_only_steps_in_which_the_seat_acts_are_recorded():
    cells = [make_cell("turns/any", (name, "tests.inspect.players:telling_namer")) for name in ("zero", "random")]
    for one in record(*conditions(cells, "second"), 1).values():
        assert set(np.bincount(one.episode)) == {3}  # of six moves
        assert set(one.values[:, 0] % 2) == {1}  # the second seat's turns


def test_the_number_of_workers_changes_nothing(cells):
    one, two = (record(*conditions(cells("zero", "random")), workers) for workers in (1, 2))
    for name in one:
        np.testing.assert_array_equal(one[name].values, two[name].values)
        np.testing.assert_array_equal(one[name].episode, two[name].episode)


def test_of_several_opponents_cells_with_an_attack_are_left_out(cells):
    attacked = cells("zero", "random", attacks=attack_on(1, "noise"))
    clean, found = (record(*conditions(of), 1) for of in (cells("zero", "random"), cells("zero", "random") + attacked))
    assert [one.values.tolist() for one in clean.values()] == [one.values.tolist() for one in found.values()]


def test_of_one_player_alone_the_control_and_every_attack_are_compared_with_play_without():
    found = record(*conditions(coins()), 1)
    assert list(found) == ["no attack", "noise 0.5", "pgd:steps=3 0.5", "pgd:steps=5 0.5"]
    clean = found["no attack"]
    shown = Coins(1)
    for episode in range(12):
        rows = clean.values[clean.episode == episode]
        np.testing.assert_array_equal(rows[:, 0], np.arange(len(rows)))
        assert set(rows[:, 1]) <= {-1.0, 1.0}
    assert shown.seats[0].observation.shape == clean.values.shape[1:]
    pushed = found["pgd:steps=3 0.5"]  # towards the other coin, by all that is allowed
    np.testing.assert_allclose(np.abs(pushed.values[:, 1]), 0.5, atol=1e-6)
    noise = np.abs(np.abs(found["noise 0.5"].values[:, 1]) - 1)
    assert 0.1 < noise.max() <= 0.5 + 1e-6


def test_attacks_without_a_size_and_those_on_some_steps_are_told_apart():
    study = Study(
        game="coins/any", players=(TELLING,), attack=("deepfool", "fgsm:loss=margin"), eps=(0.5,), space="raw",
        when=("every", "timed:share=0.1"), episodes=3, envs=2,
    )  # fmt: skip
    planned = plan(study).cells
    seat, found = conditions(planned)
    assert {"deepfool", "fgsm:loss=margin 0.5", "fgsm:loss=margin 0.5 timed:share=0.1"} <= found.keys()
    assert [*found.values()] == [*planned]
    assert len(record(seat, found, 1)) == len(found)


def test_cells_of_one_name_are_told_apart_by_their_keys(cells):
    of = [*cells("zero"), *cells("zero", attacks=attack_on(1, "noise"))]
    of += cells("zero", attacks=attack_on(1, "noise", norm="l2"))
    _, found = conditions(of)
    assert list(found) == ["no attack", f"noise 0.5 {of[1].key}", f"noise 0.5 {of[2].key}"]


def test_of_a_single_opponent_attacks_are_compared(cells):
    of = [*cells("zero", attacks=attack_on(1, "noise")), *cells("zero")]
    assert list(conditions(of)[1]) == ["no attack", "noise 0.5"]


def test_all_other_seats_name_an_opponent_and_the_victim_is_looked_into_by_default(cells):
    of = cells("zero", "random")
    assert conditions(of) == (1, dict(zip(("zero", "random"), of, strict=True)))
    assert conditions(coins(), "player")[0] == 0


def test_an_unknown_seat_a_single_opponent_and_a_masked_one_are_refused(cells):
    with pytest.raises(UnknownName, match=r"--activations: expected left \(0\) or right \(1\), got 'top'"):
        conditions(cells("zero", "random"), "top")
    masked = {"game": Variant(find_game("pull/any"), ((1, "zero"),))}
    hidden = [dataclasses.replace(cell, **masked) for cell in cells("random")]
    with pytest.raises(InvalidInput, match=r"at least two opponents.*got 1 there and 1 such cells"):
        conditions(cells("zero") + hidden, "right")
    with pytest.raises(InvalidInput, match="expected one player there and an attack to compare with"):
        conditions(coins()[:1])
    with pytest.raises(InvalidInput, match=r"--activations left: expected one player there .* got 2 there"):
        conditions(cells("zero", "random"), "left")


def test_a_player_without_activations_is_refused():
    nobody = [make_cell(players=(name, "zero")) for name in ("zero", "random")]
    with pytest.raises(InvalidInput, match="zero shows none: expected a policy whose outputs tell"):
        record(*conditions(nobody, "right"), 1)
