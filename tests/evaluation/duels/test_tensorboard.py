import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import metadata
from tensorboard.util import tensor_util

from rlattack.evaluation.duels.tensorboard import write_duel_events


@pytest.fixture
def written(tmp_path):
    def write(cells):
        write_duel_events(tmp_path, cells)
        found = {}
        for folder in sorted({path.parent for path in (tmp_path / "tensorboard").rglob("*tfevents*")}):
            events = EventAccumulator(str(folder), size_guidance={"images": 0, "tensors": 0})
            found[folder.relative_to(tmp_path / "tensorboard").as_posix()] = events.Reload()
        return found

    return write


def point(events, tag):
    (found,) = events.Tensors(tag)
    return found.step, pytest.approx(float(tensor_util.make_ndarray(found.tensor_proto)), rel=1e-5)


def test_every_cell_is_a_run_with_its_rates(written, heat):
    runs = written(heat)
    assert {name for name in runs if name.startswith("cells/")} == {
        "cells/adversary - runner", "cells/adversary - tuned", "cells/zero - runner", "cells/zero - tuned",
        "cells/adversary - runner, runner blind, mask initial",
    }  # fmt: skip
    events = runs["cells/zero - runner"]
    assert point(events, "duels/opponent_wins") == (100, 0.02)
    assert point(events, "duels/victim_wins") == (100, 0.97)
    assert point(events, "duels/ties") == (100, 0.01)
    assert point(events, "with_interval/opponent_wins/high") == (100, 0.12)
    assert point(events, "duels/return_runner") == (100, -1250.0)
    assert point(events, "duels/length") == (100, 167.25)


def test_every_cell_is_a_row_of_hparams(written, heat):
    events = written(heat)["cells/adversary - runner, runner blind, mask initial"]
    content = events.SummaryMetadata(metadata.SESSION_START_INFO_TAG).plugin_data.content
    values = metadata.parse_session_start_info_plugin_data(content).hparams
    assert {name: values[name].string_value for name in ("blocker", "runner", "mask", "actions")} == {
        "blocker": "adversary", "runner": "runner", "mask": "runner:initial", "actions": "sampled",
    }  # fmt: skip


def test_the_heat_map_is_an_image_where_there_are_several_cells(written, heat):
    (image,) = written(heat)["grid"].Images("duels/heat_map")
    assert image.encoded_image_string[:4] == b"\x89PNG"
    assert "grid" not in written(heat[:1])


def test_a_cell_that_failed_is_a_row_without_numbers(written, heat):
    events = written([heat[0] | {"status": "failed"}])["cells/adversary - runner"]
    assert "duels/opponent_wins" not in events.Tags()["tensors"]


def test_an_attack_on_what_a_seat_sees_is_a_line_against_its_size(written, assault):
    runs = written(assault)
    for name, wins in (("pgd", [1.0, 0.4, 0.0]), ("noise", [1.0, 0.99, 0.98])):
        line = runs[f"zero - runner - runner attacked - {name}"].Tensors("win_rate/linf-sigma")
        assert [point.step for point in line] == [0, 50_000, 200_000]
        assert [float(tensor_util.make_ndarray(point.tensor_proto)) for point in line] == pytest.approx(wins)
    assert len(runs["grid"].Images("duels/heat_map")) == 1
    content = runs["cells/zero - runner pgd linf eps 0.2 standard deviations"]
    values = metadata.parse_session_start_info_plugin_data(
        content.SummaryMetadata(metadata.SESSION_START_INFO_TAG).plugin_data.content
    ).hparams
    assert (values["attack"].string_value, values["eps"].number_value) == ("pgd", 0.2)
    assert values["attacked"].string_value == "runner"
