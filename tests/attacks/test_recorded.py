"""Recorded perturbations, given again: to the bit in the episodes that they were recorded in, and nowhere else."""

import numpy as np
import pytest

from rlattack.attacks.recording import Page, Recording, recording_bytes
from rlattack.benchmark.arrivals import played_again
from rlattack.errors import InvalidInput, RefusedFile
from rlattack.evaluation import Study
from rlattack.evaluation.plan import plan

CARTPOLE = {
    "game": "gymnasium/CartPole-v1", "players": "gymnasium/CartPole-v1/dqn", "eps": 0.1, "space": "raw",
    "episodes": 3, "envs": 2, "max_steps": 40, "seed": 4,
}  # fmt: skip


def cell_of(attack, **more):
    """The cell of an attack on CartPole."""
    return plan(Study(**{**CARTPOLE, "attack": attack, **more})).cells[-1]


def recorded(folder, pages, seed=4):
    """Writes a recording, and returns the attack that plays it."""
    path = folder / "perturbations.npz"
    path.write_bytes(recording_bytes(seed, pages))
    return f"recorded:file={path}"


@pytest.fixture(scope="module")
def pgd(tmp_path_factory):
    """Episodes under PGD, and what arrived in them."""
    episodes, pages = played_again(cell_of("pgd:loss=margin"), tmp_path_factory.mktemp("fits"), 1)
    return episodes, dict(pages)


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_what_arrived_arrives_again_to_the_bit(tmp_path, norm):
    before, pages = played_again(cell_of("pgd:loss=margin", norm=norm), tmp_path, 1)
    after, again = played_again(cell_of(recorded(tmp_path, pages), norm=norm), tmp_path, 1)
    assert [one.trajectory for one in after] == [one.trajectory for one in before]
    assert all(np.array_equal(again[episode].received, pages[episode].received) for episode in range(3))
    assert all(one.seats[0].judged.queries == one.seats[0].judged.broken == 0 for one in after)
    assert [one.seats[0].judged.attacked for one in after] == [one.length for one in before]


def test_held_frames_arrive_again_to_the_bit(tmp_path):
    pong = {"game": "atari/pong", "players": "atari/pong/distil", "eps": 0.004, "space": "unit", "model": "frame"}
    pong |= {"norm": "l2", "episodes": 1, "envs": 1, "max_steps": 6}
    _, pages = played_again(cell_of("fgsm", **pong), tmp_path, 1)
    _, again = played_again(cell_of(recorded(tmp_path, pages), **pong), tmp_path, 1)
    assert (pages[0].received != pages[0].shown).any()
    assert np.array_equal(again[0].received, pages[0].received)


def test_nothing_changes_in_episodes_that_were_not_recorded(tmp_path, pgd):
    _, pages = pgd
    episodes, again = played_again(cell_of(recorded(tmp_path, {1: pages[1]})), tmp_path, 1)
    attacked = [one.seats[0].judged.attacked for one in episodes]
    assert attacked[0] == attacked[2] == 0 < attacked[1]
    assert np.array_equal(again[1].received, pages[1].received)
    episodes, _ = played_again(cell_of(recorded(tmp_path, pages), seed=5), tmp_path, 1)
    assert [one.seats[0].judged.attacked for one in episodes] == [0, 0, 0]


def test_beyond_the_recorded_steps_nothing_changes(tmp_path, pgd):
    _, pages = pgd
    short = {0: Page(pages[0].shown[:5], pages[0].received[:5])}
    episodes, _ = played_again(cell_of(recorded(tmp_path, short), episodes=1), tmp_path, 1)
    assert episodes[0].length > 5
    assert episodes[0].seats[0].judged.attacked <= 5


def test_where_the_game_shows_something_else_it_is_moved_by_as_much(tmp_path, pgd):
    _, pages = pgd
    speeds = np.asarray([0, 1, 0, 1], dtype=np.float32)
    shown, moved = pages[0].shown + speeds, np.tile(0.05 * speeds, (len(pages[0].shown), 1))
    episodes, again = played_again(
        cell_of(recorded(tmp_path, {0: Page(shown, shown + moved)}), episodes=1), tmp_path, 1
    )
    assert episodes[0].seats[0].judged.attacked == episodes[0].length
    assert np.allclose(again[0].received - again[0].shown, 0.05 * speeds, atol=1e-6)


def test_a_step_that_goes_beyond_the_budget_is_told_before_anything_is_played(tmp_path, pgd):
    _, pages = pgd
    received = pages[2].received.copy()
    received[7, 1] = pages[2].shown[7, 1] + 0.2
    attack = recorded(tmp_path, pages | {2: Page(pages[2].shown, received)})
    message = (
        r"episode 2, step 7: moves what is seen by 0\.2 \(linf\), or out of the game's range: expected at most 0\.1"
    )
    with pytest.raises(InvalidInput, match=message):
        cell_of(attack)
    assert cell_of(attack, eps=0.2).attacks[0].budget.eps == 0.2


def test_a_recording_of_another_game_is_refused(tmp_path):
    page = Page(np.zeros((2, 3), dtype=np.float32), np.zeros((2, 3), dtype=np.float32))
    with pytest.raises(InvalidInput, match=r"perturbations of observations of shape \(4,\), got some of \(3,\)"):
        cell_of(recorded(tmp_path, {0: page}))


def test_a_file_that_is_none_is_refused(tmp_path):
    with pytest.raises(RefusedFile, match=r"none\.npz: expected a file, there is none"):
        cell_of(f"recorded:file={tmp_path / 'none.npz'}")


def test_a_cell_is_named_by_what_the_file_holds(tmp_path, pgd):
    _, pages = pgd
    one = cell_of(recorded(tmp_path, pages))
    (tmp_path / "other").mkdir()
    same = cell_of(recorded(tmp_path / "other", pages))
    fewer = cell_of(recorded(tmp_path, {0: pages[0]}))
    assert one.key == same.key != fewer.key
    assert Recording.read(tmp_path / "perturbations.npz").episodes == (0,)
