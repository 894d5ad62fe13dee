import threading

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.summary.writer import event_file_writer

from rlattack.errors import Unwritable
from rlattack.training.curves import write_points


def test_points_are_added_to_what_is_there(tmp_path):
    write_points(tmp_path, {"evaluation/return_mean": 1.0}, 10)
    write_points(tmp_path, {"evaluation/return_mean": 2.0}, 20)
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    points = events.Scalars("evaluation/return_mean")
    assert [(point.step, point.value) for point in points] == [(10, 1.0), (20, 2.0)]


def test_a_full_disk_is_one_error_and_nothing_on_the_screen(tmp_path, monkeypatch, capfd):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(event_file_writer.RecordWriter, "write", full)
    before = threading.excepthook
    with pytest.raises(Unwritable, match=r"cannot be written \(No space left on device\); what was finished"):
        write_points(tmp_path, {"evaluation/return_mean": 1.0}, 10)
    assert threading.excepthook is before
    assert capfd.readouterr() == ("", "")
