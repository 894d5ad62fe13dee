import threading

import pytest

from rlattack.errors import Unwritable
from rlattack.files import write_whole, writing_events


def test_a_file_is_written_with_its_folders(tmp_path):
    write_whole(tmp_path / "a" / "b" / "file", b"all of it")
    assert (tmp_path / "a" / "b" / "file").read_bytes() == b"all of it"
    assert [path.name for path in (tmp_path / "a" / "b").iterdir()] == ["file"]


def test_a_full_disk_leaves_the_old_file_and_nothing_beside_it(tmp_path, monkeypatch):
    write_whole(tmp_path / "file", b"old")

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(Unwritable, match="cannot be written \\(No space left on device\\)"):
        write_whole(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_file_in_the_place_of_a_folder_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(Unwritable, match="cannot be written"):
        write_whole(tmp_path / "file" / "inside", b"")


def test_an_interrupt_leaves_nothing_half_written(tmp_path, monkeypatch):
    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr("os.fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_whole(tmp_path / "file", b"new")
    assert list(tmp_path.iterdir()) == []


def test_what_other_threads_meet_is_still_said(tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr(threading, "excepthook", said.append)
    with writing_events(tmp_path):
        for error in (ZeroDivisionError("seven"), OSError("full")):
            threading.excepthook(threading.ExceptHookArgs((type(error), error, None, None)))
    assert [str(args.exc_value) for args in said] == ["seven"]
