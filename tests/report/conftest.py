"""What tests of the report share."""

import pytest

from rlattack.report.page import write_page
from rlattack.report.runs import read_run
from tests.kit.results import write_folder
from tests.report.pages import Page


@pytest.fixture
def page(tmp_path):
    def build(*runs, **more):
        folders = [tmp_path / f"run{number}" for number, _ in enumerate(runs)]
        records = [read_run(write_folder(folder, cells, **more)) for folder, cells in zip(folders, runs, strict=True)]
        write_page(records, tmp_path / "out" / "report.html")
        return Page((tmp_path / "out" / "report.html").read_text(encoding="utf-8"))

    return build
