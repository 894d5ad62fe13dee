import json

import pytest

from rlattack.report.activations import FILE, PICTURE, SCHEMA, read_activations

FOUND = {
    "schema": SCHEMA, "seat": "runner", "normal": "zero", "components": 2, "rows": 100, "parameters": 35,
    "bic": [3.0, 2.0], "steps": {"zero": 200}, "log_likelihood": {"train": {"mean": 1.5, "ci": [1.0, 2.0]}},
}  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    (tmp_path / FILE).write_text(json.dumps(FOUND))
    (tmp_path / PICTURE).write_bytes(b"picture")
    return tmp_path


def test_what_was_written_is_read(folder):
    found = read_activations(folder)
    assert found is not None
    assert (found.seat, found.normal, found.log_likelihood["train"].ci) == ("runner", "zero", (1.0, 2.0))
    assert found.warning is None


def test_more_parameters_than_steps_are_warned_of(folder):
    (folder / FILE).write_text(json.dumps(FOUND | {"parameters": 250}))
    found = read_activations(folder)
    assert found is not None
    assert found.warning is not None
    assert "has 250 parameters and was fitted to 100 steps only" in found.warning
    assert "play at least 3 times as many games" in found.warning


@pytest.mark.parametrize("text", ["", "[]", "{}", json.dumps(FOUND | {"schema": "another/1"})])
def test_a_folder_without_activations_has_none(folder, text):
    (folder / FILE).write_text(text)
    assert read_activations(folder) is None


def test_numbers_without_their_picture_are_not_shown(folder):
    (folder / PICTURE).unlink()
    assert read_activations(folder) is None
