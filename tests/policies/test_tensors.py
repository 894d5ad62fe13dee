import io
import pickle
import zipfile

import pytest
import safetensors.torch
import torch

from rlattack.errors import RefusedFile
from rlattack.policies.tensors import load_safetensors, load_torch


def saved(value: object, **settings) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer, **settings)
    return buffer.getvalue()


@pytest.mark.parametrize("zipped", [True, False])
def test_state_dict_comes_back_as_floats(zipped):
    module = torch.nn.Linear(3, 2).half()
    loaded = load_torch(saved(module.state_dict(), _use_new_zipfile_serialization=zipped), "file")
    assert loaded["weight"].dtype == torch.float32
    assert loaded["weight"].equal(module.weight.float())


@pytest.mark.parametrize("zipped", [True, False])
def test_payload_in_a_torch_file_does_not_run(payload, mark, zipped):
    class Inner:
        def __reduce__(self):
            return pickle.loads, (payload,)

    raw = saved({"weight": torch.ones(2), "other": Inner()}, _use_new_zipfile_serialization=zipped)
    with pytest.raises(RefusedFile, match="more than tensors"):
        load_torch(raw, "file")


def test_plain_pickle_does_not_run(payload, mark):
    with pytest.raises(RefusedFile, match="more than tensors"):
        load_torch(payload, "file")


def test_bomb_inside_a_torch_file_is_refused():
    buffer = io.BytesIO(saved({"weight": torch.ones(2)}))
    with zipfile.ZipFile(buffer, "a", zipfile.ZIP_DEFLATED) as file:
        file.writestr("archive/data/1", bytes(20_000_000))
    with pytest.raises(RefusedFile, match="zip bomb"):
        load_torch(buffer.getvalue(), "file")


def test_tensor_that_pretends_to_be_large_is_refused():
    raw = saved({"weight": torch.ones(1).expand(100_000, 100_000)})
    with pytest.raises(RefusedFile, match="more than 512 MB"):
        load_torch(raw, "file")


@pytest.mark.parametrize(
    "value",
    [1.0, torch.ones(2, dtype=torch.int64), torch.ones(2, 2).to_sparse(), torch.ones(2, dtype=torch.complex64)],
)
def test_other_than_plain_floats_are_refused(value):
    with pytest.raises(RefusedFile, match="'a' to be a tensor of floats"):
        load_torch(saved({"a": value}), "file")


def test_other_than_a_dictionary_is_refused():
    with pytest.raises(RefusedFile, match="expected a state dict, got list"):
        load_torch(saved([torch.ones(2)]), "file")


def test_truncated_torch_file_is_refused():
    raw = saved({"a": torch.ones(100)})
    with pytest.raises(RefusedFile, match="not a zip, or a truncated one"):
        load_torch(raw[: len(raw) // 2], "file")


def test_safetensors_come_with_their_metadata():
    raw = safetensors.torch.save({"a": torch.ones(2).half()}, {"license": "MIT"})
    tensors, metadata = load_safetensors(raw, "file")
    assert tensors["a"].tolist() == [1.0, 1.0]
    assert metadata == {"license": "MIT"}


@pytest.mark.parametrize("keep", [0, 4, 20, -4])
def test_truncated_safetensors_are_refused(keep):
    raw = safetensors.torch.save({"a": torch.ones(20)})
    with pytest.raises(RefusedFile, match="not a readable safetensors file"):
        load_safetensors(raw[:keep], "file")
