"""`rlattack verify`: a table, and 0, 1 or 2."""

from rlattack.cli.main import main
from tests.kit.forged import Forgery
from tests.kit.runs import CARTPOLE, evaluated


def test_verify_ends_with_0_for_a_run_that_is_so_and_with_1_for_one_that_is_not(tmp_path, capsys):
    evaluated(tmp_path / "run", **CARTPOLE | {"episodes": 2})
    assert main(["verify", str(tmp_path / "run")]) == 0
    assert "nothing failed" in capsys.readouterr().out
    run = Forgery(tmp_path / "run", tmp_path / "forged")
    run.rows(lambda rows: rows.pop())
    assert main(["verify", str(run.folder)]) == 1
    assert "1 check failed" in capsys.readouterr().out


def test_verify_ends_with_2_and_a_line_for_what_is_no_run(tmp_path, capsys):
    assert main(["verify", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert said.startswith("rlattack: ")
    assert said.endswith("expected a run folder, and it has no results.json\n")


def test_of_the_folder_of_a_grid_each_run_is_checked(tmp_path, capsys):
    for name in ("one", "two"):
        evaluated(tmp_path / "whole" / name, **CARTPOLE | {"episodes": 2})
    assert main(["verify", str(tmp_path / "whole")]) == 0
    assert capsys.readouterr().out.count("nothing failed") == 2
    Forgery(tmp_path / "whole" / "two", tmp_path / "whole" / "three").rows(lambda rows: rows.pop())
    assert main(["verify", str(tmp_path / "whole")]) == 1
