import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.hparams import api_pb2, metadata
from tensorboard.util import tensor_util

from rlattack.errors import Unwritable
from rlattack.report.runs import RunRecord, read_run
from rlattack.report.staircase import write_staircase
from rlattack.report.tensorboard import write_tensorboard
from tests.kit.results import assault, crossed, duel, heat, mean, pong, pong_cell, three, write_folder


@pytest.fixture
def written(tmp_path):
    def write(cells, clips=()):
        write_tensorboard(read_run(write_folder(tmp_path / "run", cells, clips)))
        return events(tmp_path / "run")

    return write


def events(run):
    found = {}
    for folder in sorted({path.parent for path in (run / "tensorboard").rglob("*tfevents*")}):
        events = EventAccumulator(str(folder), size_guidance={"scalars": 0, "images": 0, "tensors": 0})
        found[folder.relative_to(run / "tensorboard").as_posix()] = events.Reload()
    return found


def points(events, tag):
    found = [(point.step, float(tensor_util.make_ndarray(point.tensor_proto))) for point in events.Tensors(tag)]
    return [(step, pytest.approx(value, rel=1e-6)) for step, value in found]


def tags(events):
    return {tag for tag in events.Tags()["tensors"] if "/" in tag and not tag.startswith("_")}


def session(events):
    content = events.SummaryMetadata(metadata.SESSION_START_INFO_TAG).plugin_data.content
    start = metadata.parse_session_start_info_plugin_data(content)
    return {key: getattr(value, value.WhichOneof("kind")) for key, value in start.hparams.items()}


def test_every_attack_is_one_line_from_the_clean_value_on(written):
    runs = written(pong())
    assert {name for name in runs if not name.startswith("cells/")} == {
        "fgsm", "fgsm from atari-pong-a2c", "noise", "pgd steps=10", "pixel",
    }  # fmt: skip
    assert points(runs["fgsm"], "return/linf") == [(0, 21.0), (1000, -18.2), (2500, -21.0)]
    assert points(runs["fgsm"], "win_rate/linf") == [(0, 1.0), (1000, 0.0), (2500, 0.0)]
    assert points(runs["fgsm"], "return_drop/linf") == [(0, 0.0), (1000, 39.2), (2500, 42.0)]
    assert points(runs["fgsm"], "win_drop/linf") == [(0, 0.0), (1000, 1.0), (2500, 1.0)]
    assert points(runs["fgsm"], "action_change/linf") == [(0, 0.0), (1000, 0.95), (2500, 0.95)]


def test_an_attack_on_a_seat_of_a_duel_is_a_line_as_well(written):
    runs = written(assault())
    for name, wins in (("pgd", [1.0, 0.4, 0.0]), ("noise", [1.0, 0.99, 0.98])):
        line = runs[f"zero - runner - runner attacked - {name}"]
        assert points(line, "win_rate/linf-sigma") == list(zip([0, 50_000, 200_000], wins, strict=True))
    assert len(runs["grid"].Images("heat_map")) == 1


def test_the_step_of_l0_is_the_number_of_pixels(written):
    runs = written(pong())
    assert points(runs["pixel"], "return/l0") == [(0, 21.0), (1, 6.0), (2, -13.8)]
    assert points(runs["noise"], "return/l0") == [(0, 21.0), (1, 21.0)]
    assert "return/linf" in tags(runs["noise"])


def test_the_description_of_a_tag_says_what_a_step_is(written):
    runs = written(pong())
    largest, pixels = (
        runs[name].SummaryMetadata(f"win_rate/{reach}").summary_description
        for name, reach in (("fgsm", "linf"), ("pixel", "l0"))
    )
    assert "eps in millionths; L∞: eps is the largest entry; 1 is black to white" in largest
    assert "the budget, eps; L0: eps is the number of pixels" in pixels


def test_a_budget_in_another_space_has_its_own_tag(written):
    raw = pong_cell("f", "fgsm", 0.1, 9.0, None, about={"space": "raw"})
    cells = [raw, pong_cell("g", "fgsm", 0.1, 9.0, None)]
    assert {"return/linf-raw", "return/linf"} <= tags(written(cells)["fgsm"])


def test_intervals_are_bands_of_custom_scalars(written):
    runs = written(pong())
    assert points(runs["fgsm"], "with_interval/return/linf/low") == [(0, 20.2), (1000, -19.0), (2500, -21.8)]
    (tensor,) = runs["fgsm"].Tensors("custom_scalars__config__")
    layout = layout_pb2.Layout.FromString(tensor.tensor_proto.string_val[0])
    series = [series for chart in layout.category[0].chart for series in chart.margin.series]
    assert len(series) == 4
    assert all({part.value, part.lower, part.upper} <= tags(runs["fgsm"]) for part in series)


def test_a_line_without_wins_has_no_empty_charts(written):
    runs = written([pong_cell("f", "fgsm", 0.1, 9.0, None, about={"space": "raw"})])
    (tensor,) = runs["fgsm"].Tensors("custom_scalars__config__")
    charts = layout_pb2.Layout.FromString(tensor.tensor_proto.string_val[0]).category[0].chart
    assert sorted(chart.title for chart in charts) == ["return (linf-raw)", "return drop (linf-raw)"]


def test_every_cell_is_one_row_of_hparams(written):
    runs = written(pong())
    rows = {name: events for name, events in runs.items() if name.startswith("cells/")}
    assert len(rows) == len(pong())
    row = rows["cells/pgd steps=10 linf 0.001 p1"]
    assert session(row) == {
        "attack": "pgd steps=10", "eps": 0.001, "reach": "linf", "space": "unit", "game": "atari/pong",
        "victim": "ppo", "model": "stack", "grid": False, "schedule": "every", "actions": "greedy", "sticky": 0.0,
        "seed": 0,
    }  # fmt: skip
    assert points(row, "summary/return") == [(0, -20.1)]
    assert points(row, "summary/win_drop") == [(0, 1.0)]
    assert session(rows["cells/fgsm from atari-pong-a2c linf 0.001 t1"])["surrogate"] == "atari/pong/a2c"
    assert session(rows["cells/clean c0"])["attack"] == "clean"


def test_a_row_of_a_duel_tells_who_sits_where_and_what_is_hidden(written):
    runs = written(heat())
    rows = [name for name in runs if name.startswith("cells/")]
    assert len(rows) == 5
    masked = next(events for name, events in runs.items() if "runner blind, mask initial" in name)
    row = session(masked)
    assert {name: row[name] for name in ("blocker", "runner", "mask", "actions")} == {
        "blocker": "adversary", "runner": "runner", "mask": "runner:initial", "actions": "sampled",
    }  # fmt: skip
    weak = next(events for name, events in runs.items() if name.startswith("cells/zero - runner"))
    assert points(weak, "summary/wins_blocker") == [(0, 0.02)]
    assert points(weak, "summary/wins_runner") == points(weak, "summary/win_rate") == [(0, 0.97)]
    assert points(weak, "summary/ties") == [(0, 0.01)]
    assert points(weak, "summary/return_runner") == [(0, -1250.0)]
    assert points(weak, "summary/length") == [(0, 167.25)]


def test_a_row_of_an_attacked_seat_names_it(written):
    runs = written(assault())
    row = next(events for name, events in runs.items() if name.endswith("pgd linf 0.2 pgd0.2"))
    told = session(row)
    assert (told["attack"], told["attacked"], told["eps"], told["space"]) == ("pgd", "runner", 0.2, "sigma")


def test_the_heat_map_is_an_image_where_several_players_meet(written):
    (image,) = written(heat())["grid"].Images("heat_map")
    assert image.encoded_image_string[:4] == b"\x89PNG"
    assert "grid" not in written(heat()[:1])


def test_the_matrix_of_transfer_is_an_image(written):
    runs = written(crossed())
    (name,) = (name for name in runs if name.startswith("transfer/"))
    (image,) = runs[name].Images("transfer")
    assert name.startswith("transfer/fgsm at eps 0.004")
    assert image.encoded_image_string[:4] == b"\x89PNG"


def test_a_failed_cell_is_a_failed_row_and_on_no_line(written):
    cells = pong()
    cells[4] = replace(cells[4], status="failed: the attack left its budget in 1 of 10 steps")
    runs = written(cells)
    assert points(runs["fgsm"], "return/linf") == [(0, 21.0), (1000, -18.2)]
    row = runs["cells/fgsm linf 0.0025 f2"]
    content = row.SummaryMetadata(metadata.SESSION_END_INFO_TAG).plugin_data.content
    assert metadata.parse_session_end_info_plugin_data(content).status == api_pb2.STATUS_FAILURE
    assert tags(row) == set()


def test_a_game_without_a_win_rule_has_no_win_tags(written):
    cells = [pong_cell("c", "clean", None, 500.0, None), pong_cell("f", "fgsm", 0.001, 9.0, None)]
    found = tags(written(cells)["fgsm"])
    assert "return/linf" in found
    assert not [tag for tag in found if "win" in tag]


def test_what_observers_collected_is_a_chart(written):
    observed = {"observed": {"alarms": mean(3.0, 1.0)}}
    cells = [pong_cell("c", "clean", None, 21.0, 1.0, seat=observed), duel("a", "b", 0.5, seat=observed)]
    runs = written(cells)
    one, two = ([tag for tag in tags(events) if "observed" in tag] for events in runs.values())
    assert (one, two) == (["observed/alarms"], ["observed/alarms_blocker"])


def test_pictures_stand_at_the_steps_of_their_line(written):
    runs = written(pong(), ("f1", "f2", "n1"))
    assert [image.step for image in runs["fgsm"].Images("frames/linf")] == [1000, 2500]
    (picture,) = runs["noise"].Images("frames/linf")
    image = Image.open(io.BytesIO(picture.encoded_image_string))
    assert image.size == (picture.width, picture.height)
    assert np.asarray(image).std() > 0


def test_a_staircase_is_a_picture_and_points(tmp_path):
    cells = [duel("a0", "v0", 0.6), duel("a0", "v1", 0.2)]
    run = write_folder(tmp_path / "run", cells)
    write_staircase(run, cells, ["v0", "v1"], ["a0"])
    write_tensorboard(read_run(run))
    stairs = events(run)["staircase"]
    assert len(stairs.Images("staircase")) == 1
    assert points(stairs, "staircase/adversary_wins") == [(0, 0.6), (1, 0.2)]


def test_writing_again_replaces_and_leaves_nothing_behind(written, tmp_path):
    written(pong())
    runs = written(pong()[:4])
    assert set(runs) == {"fgsm", "noise"} | {name for name in runs if name.startswith("cells/")}
    assert points(runs["fgsm"], "return/linf") == [(0, 21.0), (1000, -18.2)]
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == [
        "clips", "config.json", "results.json", "tensorboard", "videos",
    ]  # fmt: skip


def test_what_a_killed_writer_left_is_cleared(written, tmp_path):
    (tmp_path / "run" / ".tensorboard.new" / "ghost").mkdir(parents=True)
    assert "ghost" not in written(pong())
    assert not (tmp_path / "run" / ".tensorboard.new").exists()


def test_no_cells_leave_no_events(written):
    written(pong())
    assert written([]) == {}


def test_two_settings_of_one_run_are_told_apart(written):
    runs = written([*pong(), pong_cell("z", "fgsm", 0.001, -3.0, 0.4, sticky=0.25)])
    assert points(runs["sticky=0.25/fgsm"], "return/linf") == [(1000, -3.0)]
    assert points(runs["sticky=0.0/fgsm"], "return/linf")[0] == (0, 21.0)


def test_labels_cannot_leave_the_folder_or_fall_together(written, tmp_path):
    names = ["../../escape", "a/b", "a-b", "x" * 400]
    cells = [pong_cell(str(i), "fgsm", 0.001, float(i), 0.5, about={"surrogate": name}) for i, name in enumerate(names)]
    lines = [events for name, events in written(cells).items() if not name.startswith(("cells/", "transfer/"))]
    assert sorted(points(events, "return/linf")[0][1].expected for events in lines) == [0.0, 1.0, 2.0, 3.0]
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "run").write_text("")
    with pytest.raises(Unwritable, match="cannot be written"):
        write_tensorboard(RunRecord(tmp_path / "run", (three(),)))
