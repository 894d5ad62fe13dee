from dataclasses import replace

from PIL import Image

from rlattack.report import write_run
from tests.kit.results import CONFIG, heat, pong, write_folder


def written(folder):
    return {path.name for path in folder.iterdir()} - {"results.json", "config.json", "clips", "videos"}


def test_a_finished_run_gets_its_page_its_events_and_its_heat_map(tmp_path):
    cells = heat()
    run = write_folder(tmp_path, cells)
    write_run(run, cells)
    assert written(run) == {"report.html", "tensorboard", "heatmap.png"}
    with Image.open(run / "heatmap.png") as image:
        assert image.width > 300
    assert "Who beats whom" in (run / "report.html").read_text()
    assert list((run / "tensorboard").rglob("events.out.tfevents*"))


def test_where_nobody_meets_several_others_there_is_no_heat_map(tmp_path):
    write_run(write_folder(tmp_path, pong()), pong())
    assert written(tmp_path) == {"report.html", "tensorboard"}


def test_every_game_of_a_run_has_its_heat_map(tmp_path):
    cells = [*heat(), *pong(), *(replace(cell, game="mujoco/sumo-humans") for cell in heat())]
    write_run(write_folder(tmp_path, cells), cells)
    assert {"heatmap.png", "heatmap-2.png"} <= written(tmp_path)


def test_names_of_actions_are_those_of_the_configuration(tmp_path):
    pages = []
    for config in ({}, {"action_names": CONFIG["action_names"]}):
        run = write_folder(tmp_path, pong(), ("f2",), config=config)
        write_run(run, pong())
        pages.append((run / "report.html").read_text())
    assert pages[0] != pages[1]
