"""Files of perturbations: written and read again to the bit, and refused where they are anything else."""

import io
import pickle
import zipfile

import numpy as np
import pytest

from rlattack.attacks.recording import Page, Recording, recording_bytes, steps_of
from rlattack.errors import InvalidInput, RefusedFile
from rlattack.policies.archive import array_bytes

SHOWN = np.arange(6, dtype=np.float32).reshape(3, 2)
RECEIVED = SHOWN + np.asarray([[0, 0], [0.1, 0], [0, -0.1]], dtype=np.float32)
PAGES = {1: Page(SHOWN, RECEIVED), 0: Page(SHOWN[:1].astype(np.uint8), RECEIVED[:1])}


def written(folder, raw):
    path = folder / "perturbations.npz"
    path.write_bytes(raw)
    return path


def members(**arrays):
    """A zip of arrays, by the names of its members without dots."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, values in arrays.items():
            raw = values if isinstance(values, bytes) else array_bytes(np.asarray(values))
            file.writestr(f"{name.replace('_', '.')}.npy", raw)
    return buffer.getvalue()


def test_what_is_written_is_read_to_the_bit(tmp_path):
    raw = recording_bytes(7, PAGES)
    found = Recording.read(written(tmp_path, raw))
    assert (found.seed, found.episodes) == (7, (0, 1))
    for episode, page in PAGES.items():
        again = found.page(episode)
        assert again.shown.dtype == page.shown.dtype
        assert np.array_equal(again.shown, page.shown)
        assert np.array_equal(again.received, page.received)
    assert recording_bytes(7, dict(sorted(PAGES.items()))) == raw


def test_steps_in_which_nothing_was_moved_are_told_apart():
    assert steps_of(PAGES[1]).tolist() == [1, 2]


def test_numpy_alone_reads_it(tmp_path):
    with np.load(written(tmp_path, recording_bytes(7, PAGES))) as file:
        assert sorted(file) == ["received.0", "received.1", "seed", "shown.0", "shown.1"]
        assert not file["received.1"][0].any()


GOOD = {"seed": [7], "shown_0": SHOWN, "received_0": np.zeros((3, 4, 2), dtype=np.uint8)}


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (recording_bytes(7, PAGES)[:-30], "not a zip, or a truncated one"),
        (members(**GOOD, more=[1]), "more.npy: expected a recording: seed, shown.EPISODE and received.EPISODE"),
        (members(**{**GOOD, "shown_00": SHOWN}), "shown.00.npy: expected a recording"),
        (members(seed=[7]), "expected shown and received of each episode, and at least one"),
        (members(seed=[7], shown_0=SHOWN), "expected shown and received of each episode"),
        (members(**{**GOOD, "seed": [-1]}), "seed: expected one whole number, 0 or more"),
        (members(**{**GOOD, "seed": [7.0]}), "seed: expected one whole number, 0 or more"),
        (members(**{**GOOD, "seed": pickle.dumps([7])}), "seed.npy is no array"),
        (members(shown_0=SHOWN, received_0=GOOD["received_0"]), "expected a member 'seed.npy'"),
    ],
)
def test_what_is_no_recording_is_refused(tmp_path, raw, message):
    with pytest.raises(RefusedFile, match=message):
        Recording.read(written(tmp_path, raw))


@pytest.mark.parametrize(
    ("spoilt", "message"),
    [
        ({"received_0": np.zeros((2, 4, 2), dtype=np.uint8)}, "expected numbers, and 4 bytes of each that arrived"),
        ({"received_0": np.zeros((3, 4, 2), dtype=np.int8)}, "expected numbers, and 4 bytes of each that arrived"),
        ({"shown_0": np.asarray(["a", "b", "c"])}, "expected numbers, and 4 bytes of each that arrived"),
        ({"shown_0": np.full((3, 2), np.nan, dtype=np.float32)}, "holds what is no finite number"),
        ({"received_0": np.full((3, 4, 2), 255, dtype=np.uint8), "shown_0": 0 * SHOWN}, "holds what is no finite"),
        ({"shown_0": pickle.dumps(SHOWN)}, "shown.0.npy is no array"),
    ],
)
def test_an_episode_that_is_damaged_is_refused(tmp_path, spoilt, message):
    found = Recording.read(written(tmp_path, members(**{**GOOD, **spoilt})))
    with pytest.raises(RefusedFile, match=message):
        found.page(0)


def test_more_episodes_than_a_file_may_hold_are_refused():
    pages = dict.fromkeys(range(2001), Page(SHOWN[:1], RECEIVED[:1]))
    with pytest.raises(InvalidInput, match="expected at most 2,000 episodes of perturbations, got 2,001; play fewer"):
        recording_bytes(0, pages)


def test_a_file_that_nobody_would_read_is_not_written():
    with pytest.raises(InvalidInput, match=r"perturbations of .* bytes .*: expected at most 100 .* play fewer"):
        recording_bytes(7, PAGES, largest=100)
