import io

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.hparams import api_pb2, metadata
from tensorboard.util import tensor_util

from rlattack.errors import Unwritable
from rlattack.evaluation.tensorboard import write_tensorboard


@pytest.fixture
def written(tmp_path, make_run):
    def write(cells, clips=()):
        run = make_run(tmp_path / "run", cells, clips)
        write_tensorboard(run, cells, run / "clips")
        folders = sorted({path.parent for path in (run / "tensorboard").rglob("*tfevents*")})
        found = {}
        for folder in folders:
            events = EventAccumulator(str(folder), size_guidance={"scalars": 0, "images": 0, "tensors": 0})
            found[folder.relative_to(run / "tensorboard").as_posix()] = events.Reload()
        return found

    return write


def points(events, tag):
    found = [(point.step, float(tensor_util.make_ndarray(point.tensor_proto))) for point in events.Tensors(tag)]
    return [(step, pytest.approx(value, rel=1e-6)) for step, value in found]


def tags(events):
    return {tag for tag in events.Tags()["tensors"] if "/" in tag and not tag.startswith("_")}


def session(events):
    content = events.SummaryMetadata(metadata.SESSION_START_INFO_TAG).plugin_data.content
    start = metadata.parse_session_start_info_plugin_data(content)
    return {key: getattr(value, value.WhichOneof("kind")) for key, value in start.hparams.items()}


def test_every_attack_is_one_line_from_the_clean_value_on(written, pong_cells):
    runs = written(pong_cells)
    assert {name for name in runs if not name.startswith("cells/")} == {
        "fgsm", "fgsm from atari-pong-a2c", "noise", "pgd steps=10", "pixel",
    }  # fmt: skip
    assert points(runs["fgsm"], "return/linf") == [(0, 21.0), (1000, -18.2), (2500, -21.0)]
    assert points(runs["fgsm"], "win_rate/linf") == [(0, 1.0), (1000, 0.0), (2500, 0.0)]
    assert points(runs["fgsm"], "return_drop/linf") == [(0, 0.0), (1000, 39.2), (2500, 42.0)]
    assert points(runs["fgsm"], "win_drop/linf") == [(0, 0.0), (1000, 1.0), (2500, 1.0)]
    assert points(runs["fgsm"], "action_change/linf") == [(0, 0.0), (1000, 0.95), (2500, 0.95)]


def test_the_step_of_l0_is_the_number_of_pixels(written, pong_cells):
    runs = written(pong_cells)
    assert points(runs["pixel"], "return/l0") == [(0, 21.0), (1, 6.0), (2, -13.8)]
    assert points(runs["noise"], "return/l0") == [(0, 21.0), (1, 21.0)]
    assert "return/linf" in tags(runs["noise"])


def test_the_description_of_a_tag_says_what_a_step_is(written, pong_cells):
    runs = written(pong_cells)
    assert "eps in millionths, in unit space" in runs["fgsm"].SummaryMetadata("win_rate/linf").summary_description
    assert "pixels" in runs["pixel"].SummaryMetadata("win_rate/l0").summary_description


def test_a_budget_in_another_space_has_its_own_tag(written, make_cell):
    cells = [make_cell("f", "fgsm", 0.1, 9.0, None, space="raw"), make_cell("g", "fgsm", 0.1, 9.0, None)]
    assert {"return/linf-raw", "return/linf"} <= tags(written(cells)["fgsm"])


def test_intervals_are_bands_of_custom_scalars(written, pong_cells):
    runs = written(pong_cells)
    assert points(runs["fgsm"], "with_interval/return/linf/low") == [(0, 20.2), (1000, -19.0), (2500, -21.8)]
    (tensor,) = runs["fgsm"].Tensors("custom_scalars__config__")
    layout = layout_pb2.Layout.FromString(tensor.tensor_proto.string_val[0])
    series = [series for chart in layout.category[0].chart for series in chart.margin.series]
    assert len(series) == 4
    assert all({part.value, part.lower, part.upper} <= tags(runs["fgsm"]) for part in series)


def test_a_line_without_wins_has_no_empty_charts(written, make_cell):
    runs = written([make_cell("f", "fgsm", 0.1, 9.0, None, space="raw")])
    (tensor,) = runs["fgsm"].Tensors("custom_scalars__config__")
    charts = layout_pb2.Layout.FromString(tensor.tensor_proto.string_val[0]).category[0].chart
    assert sorted(chart.title for chart in charts) == ["return (linf-raw)", "return drop (linf-raw)"]


def test_every_cell_is_one_row_of_hparams(written, pong_cells):
    runs = written(pong_cells)
    rows = {name: events for name, events in runs.items() if name.startswith("cells/")}
    assert len(rows) == len(pong_cells)
    row = rows["cells/pgd steps=10 linf 0.001 p1"]
    assert session(row) == {
        "attack": "pgd steps=10", "eps": 0.001, "norm": "linf", "game": "atari/pong", "victim": "atari/pong/ppo",
        "model": "stack", "grid": False, "actions": "greedy", "sticky": 0.0,
    }  # fmt: skip
    assert points(row, "summary/return") == [(0, -20.1)]
    assert points(row, "summary/win_drop") == [(0, 1.0)]
    assert session(rows["cells/fgsm from atari-pong-a2c linf 0.001 t1"])["surrogate"] == "atari/pong/a2c"
    assert session(rows["cells/none c0"])["attack"] == "none"


def test_a_failed_cell_is_a_failed_row_and_on_no_line(written, pong_cells):
    pong_cells[4]["status"] = "failed: the attack left its budget in 1 of 10 steps"
    runs = written(pong_cells)
    assert points(runs["fgsm"], "return/linf") == [(0, 21.0), (1000, -18.2)]
    row = runs["cells/fgsm linf 0.0025 f2"]
    content = row.SummaryMetadata(metadata.SESSION_END_INFO_TAG).plugin_data.content
    assert metadata.parse_session_end_info_plugin_data(content).status == api_pb2.STATUS_FAILURE
    assert tags(row) == set()


def test_a_game_without_a_win_rule_has_no_win_tags(written, make_cell):
    cells = [make_cell("c", "none", None, 500.0, None), make_cell("f", "fgsm", 0.001, 9.0, None)]
    found = tags(written(cells)["fgsm"])
    assert "return/linf" in found
    assert not [tag for tag in found if "win" in tag]


def test_what_is_not_a_number_is_not_written(written, make_cell):
    cells = [make_cell("f", "fgsm", 0.001, float("nan"), 0.5), make_cell("g", "fgsm", 0.002, 3.0, 0.5)]
    runs = written(cells)
    assert points(runs["fgsm"], "return/linf") == [(2000, 3.0)]
    assert "summary/return" not in tags(runs["cells/fgsm linf 0.001 f"])


def test_pictures_stand_at_the_steps_of_their_line(written, pong_cells):
    runs = written(pong_cells, ("f1", "f2", "n1"))
    assert [image.step for image in runs["fgsm"].Images("frames/linf")] == [1000, 2500]
    (picture,) = runs["noise"].Images("frames/linf")
    image = Image.open(io.BytesIO(picture.encoded_image_string))
    assert image.size == (picture.width, picture.height)
    assert np.asarray(image).std() > 0


def test_writing_again_replaces_and_leaves_nothing_behind(written, pong_cells, tmp_path):
    written(pong_cells)
    runs = written(pong_cells[:4])
    assert set(runs) == {"fgsm", "noise"} | {name for name in runs if name.startswith("cells/")}
    assert points(runs["fgsm"], "return/linf") == [(0, 21.0), (1000, -18.2)]
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == [
        "clips",
        "config.json",
        "results.json",
        "tensorboard",
    ]


def test_what_a_killed_writer_left_is_cleared(written, pong_cells, tmp_path):
    (tmp_path / "run" / ".tensorboard.new" / "ghost").mkdir(parents=True)
    assert "ghost" not in written(pong_cells)
    assert not (tmp_path / "run" / ".tensorboard.new").exists()


def test_no_cells_leave_no_events(written, pong_cells, tmp_path):
    written(pong_cells)
    assert written([]) == {}


def test_two_settings_of_one_run_are_told_apart(written, pong_cells, make_cell):
    runs = written([*pong_cells, make_cell("z", "fgsm", 0.001, -3.0, 0.4, sticky=0.25)])
    assert points(runs["sticky=0.25/fgsm"], "return/linf") == [(1000, -3.0)]
    assert points(runs["sticky=0.0/fgsm"], "return/linf")[0] == (0, 21.0)


def test_labels_cannot_leave_the_folder_or_fall_together(written, make_cell, tmp_path):
    names = ["../../escape", "a/b", "a-b", "x" * 400]
    runs = written([make_cell(str(i), "fgsm", 0.001, float(i), 0.5, surrogate=name) for i, name in enumerate(names)])
    lines = [events for name, events in runs.items() if not name.startswith("cells/")]
    assert sorted(points(events, "return/linf")[0][1].expected for events in lines) == [0.0, 1.0, 2.0, 3.0]
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path, pong_cells):
    (tmp_path / "run").write_text("")
    with pytest.raises(Unwritable, match="cannot be written"):
        write_tensorboard(tmp_path / "run", pong_cells, tmp_path)
