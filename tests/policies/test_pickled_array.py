import pickle

import numpy as np
import pytest

from rlattack.errors import RefusedFile
from rlattack.policies.pickled import read_array

FLOATS = np.random.default_rng(0).standard_normal(1000).astype(np.float32)


def pickled(value: object, protocol: int = 3) -> bytes:
    return pickle.dumps(value, protocol=protocol)


def as_of_2018(raw: bytes) -> bytes:
    """The pickle as numpy 1 wrote it."""
    old = raw.replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
    return old.replace(b"K\x00\x89\x88\x87", b"K\x00K\x00K\x01\x87").replace(b"\x89\x88\x87", b"K\x00K\x01\x87")


@pytest.mark.parametrize("size", [1, 255, 256, 1000, 70_000])
@pytest.mark.parametrize("write", [pickled, lambda array: as_of_2018(pickled(array))])
def test_an_array_is_read_to_the_bit(size, write):
    array = np.resize(FLOATS, size)
    read = read_array(write(array), "agent.pkl")
    assert read.dtype == np.float32
    np.testing.assert_array_equal(read, array)


@pytest.mark.parametrize("protocol", range(6))
def test_an_array_of_any_protocol_is_read(protocol):
    np.testing.assert_array_equal(read_array(pickled(FLOATS, protocol), "agent.pkl"), FLOATS)


@pytest.mark.parametrize(
    "value",
    [
        FLOATS.astype(np.float64), FLOATS.astype(">f4"), FLOATS.astype(np.int32), FLOATS.reshape(10, 100),
        np.asfortranarray(FLOATS.reshape(10, 100)), FLOATS[0], [FLOATS], (FLOATS, FLOATS), {"a": FLOATS}, 1.0, None,
        np.array([None]), np.array(["a"]),
    ],
    ids=str,
)  # fmt: skip
def test_another_value_is_refused(value):
    with pytest.raises(RefusedFile, match=r"agent\.pkl: expected (the pickle of one float32 array|an array of numb)"):
        read_array(pickled(value), "agent.pkl")


def test_a_payload_does_not_run(payload, mark):
    with pytest.raises(RefusedFile, match=r"got (posix|nt)\.mkdir; nothing in it was run"):
        read_array(payload, "agent.pkl")
    assert not mark.exists()


def test_a_payload_in_the_place_of_numpy_s_own_does_not_run(mark):
    """The whole array is there, and what would build it is `os.mkdir`."""
    call = b"cos\nmkdir\nX%c\x00\x00\x00%s\x85R0" % (len(str(mark)), str(mark).encode())
    raw = pickled(FLOATS)
    assert raw.startswith(b"\x80\x03")
    for evil in (raw[:2] + call + raw[2:], raw[:-1] + call + b".", raw.replace(b"numpy\nndarray", b"os\nmkdir")):
        with pytest.raises(RefusedFile, match=r"got os\.mkdir; nothing in it was run"):
            read_array(evil, "agent.pkl")


@pytest.mark.parametrize("kept", [0, 1, 2, 30, 100, 200, 4000, -1])
def test_a_truncated_pickle_is_refused(kept):
    with pytest.raises(RefusedFile, match="not a pickle, or a damaged one"):
        read_array(pickled(FLOATS)[:kept], "agent.pkl")


def test_bytes_that_are_no_pickle_are_refused():
    with pytest.raises(RefusedFile, match="not a pickle, or a damaged one"):
        read_array(b"# rlattack", "agent.pkl")


def test_what_follows_the_pickle_is_refused():
    with pytest.raises(RefusedFile, match="3 bytes after the end of the pickle"):
        read_array(pickled(FLOATS) + b"abc", "agent.pkl")


@pytest.mark.parametrize("claim", [b"M\xe7\x03", b"M\xe9\x03", b"J\xff\xff\xff\xff", b"J\xff\xff\xff\x7f"])
def test_a_false_length_is_refused(claim):
    """0x03e8 floats, said to be one fewer, one more, -1 and 2 ** 31 - 1."""
    assert pickled(FLOATS).count(b"M\xe8\x03") == 1
    with pytest.raises(RefusedFile, match="an array that does not hold what it says"):
        read_array(pickled(FLOATS).replace(b"M\xe8\x03", claim), "agent.pkl")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refused(value):
    array = FLOATS.copy()
    array[500] = value
    with pytest.raises(RefusedFile, match="not finite"):
        read_array(pickled(array), "agent.pkl")
