import collections
import io
import os
import pickle
import struct

import numpy as np
import pytest

from rlattack.errors import RefusedFile
from rlattack.policies.pickled import Record, array, read_pickle


class Harm:
    """Creates a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


class Kept:
    def __init__(self):
        self.mean, self.count = np.arange(3.0), 7


def test_what_a_pickle_would_run_is_told_and_not_run(tmp_path):
    found = read_pickle(pickle.dumps([1, Harm(tmp_path / "made")]), "file")
    assert found[0] == 1
    assert found[1].name.endswith(".open")
    assert found[1].args == (str(tmp_path / "made"), "w")
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("protocol", range(6))
def test_an_object_of_any_protocol_tells_its_fields(protocol):
    found = read_pickle(pickle.dumps(Kept(), protocol=protocol), "file")
    assert isinstance(found, Record)
    assert found.fields["count"] == 7
    assert (array(found.fields["mean"], "file") == np.arange(3.0)).all()


def test_a_global_is_looked_up_nowhere():
    raw = b"cno_such_module\nno_such_name\n."
    assert read_pickle(raw, "file").name == "no_such_module.no_such_name"


def test_containers_of_others_keep_what_is_put_in_them():
    found = read_pickle(pickle.dumps(collections.OrderedDict(a=1, b=2)), "file")
    assert found.name == "collections.OrderedDict"
    assert found.items == [("a", 1), ("b", 2)]


@pytest.mark.parametrize(
    "numbers",
    [np.arange(6.0).reshape(2, 3), np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3)), np.zeros((0, 4)),
     np.arange(3, dtype=">f8"), np.asarray([True, False])],
)  # fmt: skip
@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_arrays_are_read_as_numpy_wrote_them(numbers, protocol):
    found = array(read_pickle(pickle.dumps(numbers, protocol=protocol), "file"), "file")
    assert found.shape == numbers.shape
    assert (found == numbers).all()


def test_a_number_of_numpy_is_read():
    assert array(read_pickle(pickle.dumps(np.float64(2.5)), "file"), "file") == 2.5


@pytest.mark.parametrize("thing", [np.asarray(["a"]), np.asarray([None]), np.zeros(2, dtype=[("a", "f8")]), "text"])
def test_arrays_of_anything_but_numbers_are_refused(thing):
    with pytest.raises(RefusedFile, match="file: expected an array of numbers"):
        array(read_pickle(pickle.dumps(thing), "file"), "file")


def test_an_array_that_is_shorter_than_it_says_is_refused():
    raw = pickle.dumps(np.arange(4.0), protocol=2).replace(b"K\x04", b"K\x08", 1)
    with pytest.raises(RefusedFile, match="does not hold what it says"):
        array(read_pickle(raw, "file"), "file")


@pytest.mark.parametrize(
    "raw",
    [b"", b"no pickle", pickle.dumps(Kept())[:-9], b"\x96" + struct.pack("<Q", 2**40) + b".",
     b"(" * 10_000 + b"l" * 9_000],
    ids=["empty", "text", "truncated", "bytearray of a terabyte", "nested"],
)  # fmt: skip
def test_what_is_no_pickle_or_a_damaged_one_is_refused(raw):
    with pytest.raises(RefusedFile, match="file: not a pickle, or a damaged one"):
        read_pickle(raw, "file")


def test_a_memo_of_billions_costs_no_memory():
    raw = b"\x80\x04K\x01r" + struct.pack("<I", 2**32 - 1) + b"."
    assert read_pickle(raw, "file") == 1


def test_a_reference_to_something_beside_it_is_refused():
    with pytest.raises(RefusedFile, match="refers to what is not in it"):
        read_pickle(b"Pelsewhere\n.", "file")


def test_pickles_in_a_row_are_read_one_by_one():
    stream = io.BytesIO(pickle.dumps(1) + pickle.dumps("two"))
    assert [read_pickle(stream, "file"), read_pickle(stream, "file")] == [1, "two"]


def test_a_record_is_not_run_by_being_called_with_a_state():
    class Sly:
        def __reduce__(self):
            return os.getcwd, (), {"x": 1}

    found = read_pickle(pickle.dumps(Sly()), "file")
    assert (found.args, found.fields) == ((), {"x": 1})
