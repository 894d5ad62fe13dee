"""Files of torch, read as data: today's zips, those before torch 1.6, and files made to do harm."""

import collections
import io
import pickle
import struct
import zipfile

import pytest
import torch

from rlattack.errors import RefusedFile
from rlattack.policies import torch_file
from rlattack.policies.torch_file import TorchFile

STATE = {"a.weight": torch.arange(6.0).reshape(2, 3), "a.bias": torch.tensor([1.5, -2.5], dtype=torch.float64)}


def saved(thing, **settings) -> bytes:
    buffer = io.BytesIO()
    torch.save(thing, buffer, **settings)
    return buffer.getvalue()


def edited(raw: bytes, **members: bytes) -> bytes:
    """The same zip with some of its members changed, by the last part of their names."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(raw)) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            new.writestr(name, members.get(name.rpartition("/")[2].partition(".")[0], old.read(name)))
    return out.getvalue()


def read(raw: bytes):
    file = TorchFile(raw, "file")
    return file.tensors(file.content)


@pytest.mark.parametrize("zipped", [True, False])
def test_tensors_are_read_as_torch_wrote_them(zipped):
    found = read(saved(collections.OrderedDict(STATE), _use_new_zipfile_serialization=zipped))
    assert found.keys() == STATE.keys()
    for name, tensor in STATE.items():
        assert found[name].dtype == torch.float32
        assert found[name].equal(tensor.float())


@pytest.mark.parametrize("zipped", [True, False])
def test_views_and_parameters_are_read(zipped):
    whole = torch.arange(12.0).reshape(3, 4)
    state = {"t": whole.T, "part": whole[1:, 2:], "p": torch.nn.Parameter(torch.ones(2)), "half": torch.ones(2).half()}
    found = read(saved(state, _use_new_zipfile_serialization=zipped))
    assert all(found[name].equal(tensor.detach().float()) for name, tensor in state.items())


def test_what_is_beside_the_tensors_is_told_and_not_run(payload, mark):
    class Harm:
        def __reduce__(self):
            return exec, ("raise SystemExit",)

    file = TorchFile(saved({"state": STATE, "env": Harm(), "step": 7}), "file")
    assert file.content["step"] == 7
    assert file.content["env"].name.endswith(".exec")
    assert file.tensors(file.content["state"])["a.weight"].equal(STATE["a.weight"])


@pytest.mark.parametrize("thing", [{"a": 1}, {"a": [1.0]}, {"a": torch.ones(2, dtype=torch.int64)}])
def test_what_is_no_tensor_of_floats_is_refused_with_its_name(thing):
    with pytest.raises(RefusedFile, match="file: a: expected a tensor of floats"):
        read(saved(thing))


def test_what_is_no_state_dict_is_refused():
    with pytest.raises(RefusedFile, match="file: expected a state dict, got list"):
        read(saved([1, 2]))


def rebuilt(*args) -> dict[str, object]:
    """A table of one tensor as a pickle rebuilds it."""

    class Rebuilt:
        def __reduce__(self):
            return torch._utils._rebuild_tensor_v2, args

    return {"a": Rebuilt()}


class Stored:
    """What a crafted pickle says of a storage that is there."""


def crafted(offset, shape, strides, count=6) -> bytes:
    """A file whose one tensor says of itself what is not so."""

    class Pickler(pickle.Pickler):
        def persistent_id(self, one):
            return ("storage", torch.FloatStorage, "0", "cpu", count) if isinstance(one, Stored) else None

    buffer = io.BytesIO()
    Pickler(buffer, 2).dump(rebuilt(Stored(), offset, shape, strides, False, collections.OrderedDict()))
    return edited(saved({"a": torch.arange(6.0)}), data=buffer.getvalue())


@pytest.mark.parametrize(
    ("offset", "shape", "strides"),
    [
        (0, (7,), (1,)), (4, (3,), (1,)), (0, (2, 3), (4, 1)), (0, (10**6, 10**6), (0, 0)), (0, (2**31,), (0,)),
        (-1, (2,), (1,)), (0, (2,), (-1,)), (0, (2.0,), (1,)), (2**40, (1,), (1,)),
    ],
)  # fmt: skip
def test_strides_that_pretend_are_refused(offset, shape, strides):
    with pytest.raises(RefusedFile, match="file: a: a tensor that does not hold what it says"):
        read(crafted(offset, shape, strides))


@pytest.mark.parametrize(("shape", "strides"), [((2,), ()), (3, 1), (None, None), ("ab", "cd")])
def test_what_says_no_shape_is_refused(shape, strides):
    with pytest.raises(RefusedFile, match="file: a: "):
        read(crafted(0, shape, strides))


def test_an_honest_crafted_tensor_is_read():
    assert read(crafted(1, (2, 2), (2, 1)))["a"].tolist() == [[1.0, 2.0], [3.0, 4.0]]


def test_many_tensors_that_share_what_is_stored_are_bounded(monkeypatch):
    monkeypatch.setattr(torch_file, "LARGEST", 100)
    one = torch.ones(10)
    with pytest.raises(RefusedFile, match="file: tensors of more than"):
        read(saved({str(number): one for number in range(3)}))


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_refused(zipped, share):
    raw = saved(STATE, _use_new_zipfile_serialization=zipped)
    with pytest.raises(RefusedFile, match="file: "):
        read(raw[: int(share * len(raw))])


def test_a_false_count_is_refused():
    raw = saved(STATE, _use_new_zipfile_serialization=False)
    assert raw.count(struct.pack("<q", 6)) == 1
    for count in (2**62, 7 * 10**9, -5):
        with pytest.raises(RefusedFile, match="file: truncated"):
            read(raw.replace(struct.pack("<q", 6), struct.pack("<q", count)))


@pytest.mark.parametrize("raw", [b"", b"text", pickle.dumps({"a": 1}), pickle.dumps([0x1950A86A20F9469CFC6C])])
def test_another_file_is_refused(raw):
    with pytest.raises(RefusedFile, match=r"file: (expected a file of torch|not a pickle, or a damaged one)"):
        TorchFile(raw, "file")


def test_another_zip_is_refused(make_zip):
    with pytest.raises(RefusedFile, match=r"expected a file of torch, got a zip of other\.txt"):
        TorchFile(make_zip({"other.txt": b"1"}).read_bytes(), "file")


def test_a_payload_in_the_place_of_the_content_does_not_run(payload, mark):
    file = TorchFile(edited(saved(STATE), data=payload), "file")
    with pytest.raises(RefusedFile, match="expected a state dict, got"):
        file.tensors(file.content)
