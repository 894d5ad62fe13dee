"""Ledgers: what is kept of cells for those who check them, whoever plays and however often it is stopped."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from rlattack.arrays import packed, unpacked
from rlattack.errors import ContentError, RefusedFile
from rlattack.evaluation.ledger import (
    SHARE,
    Ledger,
    most_sampled,
    read_ledger,
    sampled_steps,
    write_ledger,
)
from tests.kit.runs import CARTPOLE, COINS, ROPE, evaluated, numbers


def ledgers(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((folder / "ledgers").iterdir())}


def small(**said: object) -> Ledger:
    told = {"key": "k", "episodes": [{"length": 2}], **said}
    return Ledger(told, {"rewards": np.zeros((2, 1)), "sampled": np.asarray([[0, 1]])})


def test_about_one_step_in_fifty_is_sampled_and_one_of_every_episode():
    counts = [len(sampled_steps(0, episode, 1000, 10**6)) for episode in range(50)]
    assert abs(np.mean(counts) - 1000 * SHARE) < 2
    assert {len(sampled_steps(0, episode, 3, 10**6)) for episode in range(20)} == {1}


def test_of_pictures_fewer_steps_are_sampled_and_these_are_among_the_others():
    few, many = (sampled_steps(3, 1, 2000, most) for most in (most_sampled(4 * 84 * 84), 10**6))
    assert len(few) == 9
    assert set(few) < set(many)


def test_what_is_not_changed_is_packed_as_zeros_and_what_is_comes_back_to_the_bit():
    shown = np.arange(12, dtype=np.uint8).reshape(3, 4)
    received = shown.astype(np.float32) + np.float32(0.1) * np.eye(3, 4, dtype=np.float32)
    assert not packed(shown.astype(np.float32), shown).any()
    assert np.array_equal(unpacked(packed(received, shown)[None], shown[None])[0], received)


def test_a_ledger_changes_no_episode_and_no_key(tmp_path):
    evaluated(tmp_path / "with", **COINS, ledger=True)
    evaluated(tmp_path / "without", **COINS)
    assert numbers(tmp_path / "with") == numbers(tmp_path / "without")
    assert not (tmp_path / "without" / "ledgers").exists()


@pytest.mark.parametrize("study", [COINS, ROPE], ids=["one seat", "two seats"])
def test_two_workers_leave_the_same_ledgers_to_the_byte(study, tmp_path):
    evaluated(tmp_path / "one", **study, ledger=True)
    evaluated(tmp_path / "two", workers=2, **study, ledger=True)
    assert ledgers(tmp_path / "one") == ledgers(tmp_path / "two")
    assert not list((tmp_path / "two" / "store" / "ledgers").glob("*.parts"))


def test_more_episodes_are_joined_to_those_that_are_there(tmp_path):
    evaluated(tmp_path / "run", **COINS | {"episodes": 3}, ledger=True)
    evaluated(tmp_path / "run", **COINS, ledger=True)
    evaluated(tmp_path / "whole", **COINS, ledger=True)
    assert ledgers(tmp_path / "run") == ledgers(tmp_path / "whole")


def test_a_run_of_fewer_episodes_shows_their_part_of_the_ledger(tmp_path):
    evaluated(tmp_path / "run", **COINS, ledger=True)
    evaluated(tmp_path / "run", **COINS | {"episodes": 2}, ledger=True)
    evaluated(tmp_path / "two", **COINS | {"episodes": 2}, ledger=True)
    assert ledgers(tmp_path / "run") == ledgers(tmp_path / "two")


def test_what_was_played_without_a_ledger_is_played_again_for_one(tmp_path):
    evaluated(tmp_path / "run", **COINS)
    _, told = evaluated(tmp_path / "run", **COINS, ledger=True)
    assert all(not kept for _, kept in told)
    _, told = evaluated(tmp_path / "run", **COINS, ledger=True)
    assert all(kept for _, kept in told)


def test_a_damaged_ledger_is_made_again(tmp_path):
    evaluated(tmp_path / "run", **COINS, ledger=True)
    before = ledgers(tmp_path / "run")
    path = next((tmp_path / "run" / "store" / "ledgers").glob("*.npz"))
    path.write_bytes(path.read_bytes()[:-50])
    evaluated(tmp_path / "run", **COINS, ledger=True)
    assert ledgers(tmp_path / "run") == before


def test_what_a_killed_run_left_of_an_episode_is_written_over(tmp_path):
    evaluated(tmp_path / "whole", **COINS, ledger=True)
    for name in ledgers(tmp_path / "whole"):
        left = tmp_path / "run" / "store" / "ledgers" / name.replace(".npz", ".parts")
        left.mkdir(parents=True)
        (left / "0.npz").write_bytes(b"half of it")
    evaluated(tmp_path / "run", **COINS, ledger=True)
    assert ledgers(tmp_path / "run") == ledgers(tmp_path / "whole")


def test_all_actions_and_rewards_are_there_of_a_real_game(tmp_path):
    evaluated(tmp_path / "run", **CARTPOLE | {"attack": (), "episodes": 2})
    one = read_ledger(min((tmp_path / "run" / "ledgers").iterdir()))
    assert len(one.arrays["action.0"]) == sum(one.lengths) == one.arrays["rewards"].sum()
    assert set(np.unique(one.arrays["action.0"])) <= {0, 1}


def test_a_ledger_that_was_cut_off_is_refused(tmp_path):
    write_ledger(tmp_path / "l.npz", small())
    (tmp_path / "cut.npz").write_bytes((tmp_path / "l.npz").read_bytes()[:-30])
    with pytest.raises(RefusedFile, match="not a zip, or a truncated one"):
        read_ledger(tmp_path / "cut.npz")


@pytest.mark.parametrize(
    ("old", "new", "error", "message"),
    [
        (b'"key": "k"', b'"key": "j"', RefusedFile, "another checksum than it says"),
        (b"ledger/1", b"ledger/2", ContentError, "expected schema 'rlattack/ledger/1', got 'rlattack/ledger/2'"),
        (b'"key": "k"', b'"key": NaN', RefusedFile, "NaN is no JSON"),
    ],
    ids=["checksum", "version", "no JSON"],
)
def test_a_ledger_whose_words_were_changed_is_refused(tmp_path, old, new, error, message):
    write_ledger(tmp_path / "l.npz", small())
    _rewrite(tmp_path / "l.npz", old, new)
    with pytest.raises(error, match=message):
        read_ledger(tmp_path / "l.npz")


def test_an_array_of_objects_is_refused_and_nothing_of_it_runs(tmp_path):
    write_ledger(tmp_path / "l.npz", small())
    buffer = io.BytesIO()
    np.save(buffer, np.asarray([print], dtype=object), allow_pickle=True)
    with zipfile.ZipFile(tmp_path / "l.npz", "a") as file:
        file.writestr("more.npy", buffer.getvalue())
    with pytest.raises(RefusedFile, match=r"more\.npy is no array"):
        read_ledger(tmp_path / "l.npz")


def _rewrite(path: Path, before: bytes, after: bytes) -> None:
    with zipfile.ZipFile(path) as file:
        members = {name: file.read(name).replace(before, after) for name in file.namelist()}
    with zipfile.ZipFile(path, "w") as file:
        for name, raw in members.items():
            file.writestr(name, raw)
