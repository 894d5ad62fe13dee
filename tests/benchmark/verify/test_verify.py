"""What else a verifier meets: runs without ledgers, agents that were swapped, drawn actions, and what is no run."""

import json
import shutil
from pathlib import Path

import pytest

from rlattack.benchmark.verify import Verdict, verify
from rlattack.errors import ContentError
from rlattack.evaluation.ledger import read_ledger, write_ledger
from tests.kit.forged import Forgery
from tests.kit.runs import CARTPOLE, COINS, ROPE, evaluated

AGENT = Path(__file__).parents[3] / "agents" / "gymnasium" / "CartPole-v1" / "dqn"


def by_name(verdict: Verdict, status: str) -> set[str]:
    return {check.name for check in verdict.checks if check.status == status}


def why(verdict: Verdict, name: str) -> str:
    return next(check.why for check in verdict.checks if check.name == name and check.why)


@pytest.fixture
def agent(tmp_path):
    shutil.copytree(AGENT, tmp_path / "agent")
    return tmp_path / "agent"


@pytest.fixture
def own(agent, tmp_path):
    """A run of an agent that lies beside it."""
    evaluated(tmp_path / "own", **CARTPOLE | {"players": (str(agent),), "episodes": 2, "attack": ()})
    return tmp_path / "own"


def test_a_run_without_ledgers_is_checked_as_far_as_its_tables_go(run):
    shutil.rmtree(run.folder / "ledgers")
    verdict = verify(run.folder)
    assert verdict.ok
    assert by_name(verdict, "ok") == {"cells", "weights", "episodes", "figures", "control"}
    assert why(verdict, "ledger") == "the run has none: play it with --ledger"


def test_without_ledgers_a_better_mean_is_found_all_the_same(run):
    shutil.rmtree(run.folder / "ledgers")
    run.results(lambda result: result["seats"][0]["drop"]["return"].update(mean=0.0))
    assert by_name(verify(run.folder), "failed") == {"figures"}


def test_an_agent_that_plays_softer_than_it_did_is_found(own, agent):
    card = agent / "agent.toml"
    card.write_text(card.read_text().replace("temperature = 1.0", "temperature = 2.0"))
    assert "another agent than played" in why(verify(own), "said")


def test_other_weights_in_the_place_of_an_agent_are_found(own, agent):
    raw = bytearray((agent / "policy.safetensors").read_bytes())
    raw[-1] ^= 1
    (agent / "policy.safetensors").write_bytes(bytes(raw))
    assert by_name(verify(own), "failed") == {"weights", "said"}


def test_an_agent_that_is_not_here_is_not_asked(own, agent):
    shutil.rmtree(agent)
    verdict = verify(own)
    assert verdict.ok
    assert why(verdict, "said").endswith("is not here")


def test_code_that_a_run_names_runs_only_where_it_is_trusted(tmp_path):
    evaluated(tmp_path / "run", **COINS, ledger=True)
    verdict = verify(tmp_path / "run")
    assert "tests.kit.players:coin is code of somebody's, which only --trust runs" in why(verdict, "said")
    assert {"weights", "said"} <= by_name(verdict, "not checked")
    trusted = verify(tmp_path / "run", trust=True)
    assert trusted.failed == ()
    assert "said" in by_name(trusted, "ok")


def test_actions_that_were_drawn_are_drawn_anew_in_both_seats(tmp_path):
    evaluated(tmp_path / "run", **ROPE, ledger=True)
    assert verify(tmp_path / "run", trust=True).failed == ()
    run = Forgery(tmp_path / "run", tmp_path / "forged")
    run.array("chosen.0", lambda values: values.__setitem__(0, -values[0]))
    assert "random" not in why(verify(run.folder, trust=True), "said")
    assert by_name(verify(run.folder, trust=True), "failed") == {"said"}


def test_a_front_that_draws_cannot_be_asked_anew(tmp_path):
    front = {"defence": ("smooth:sigma=0.01,space=raw",), "episodes": 2, "attack": ()}
    evaluated(tmp_path / "run", **CARTPOLE | front)
    verdict = verify(tmp_path / "run")
    assert verdict.ok
    assert "random in itself" in why(verdict, "said")


def test_a_front_that_remembers_is_asked_anew_without_an_attack(tmp_path):
    evaluated(tmp_path / "run", **CARTPOLE | {"defence": ("temporal",), "episodes": 2, "attack": ()})
    verdict = verify(tmp_path / "run")
    assert verdict.failed == ()
    assert "said" in by_name(verdict, "ok")


def test_natural_changes_are_not_measured_anew_and_it_says_so(tmp_path):
    evaluated(tmp_path / "run", **CARTPOLE | {"attack": ("missing",), "episodes": 2, "eps": (0.5,)})
    verdict = verify(tmp_path / "run")
    assert verdict.ok
    assert "natural changes count from what was settled" in why(verdict, "reach")


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(ContentError, match=r"expected a run folder, and it has no results\.json"):
        verify(tmp_path)
    with pytest.raises(ContentError, match="expected a run folder, none is there"):
        verify(tmp_path / "nothing")
    (tmp_path / "file").write_text("")
    with pytest.raises(ContentError, match="expected a run folder, this is a file"):
        verify(tmp_path / "file")


def test_results_of_another_version_are_refused(run):
    path = run.folder / "results.json"
    path.write_text(path.read_text().replace("rlattack/results/2", "rlattack/results/9"))
    with pytest.raises(ContentError, match="expected schema 'rlattack/results/2', got 'rlattack/results/9'"):
        verify(run.folder)


def test_results_that_cannot_be_read_are_refused(run):
    (run.folder / "results.json").write_text("{")
    with pytest.raises(ContentError, match=r"results\.json: cannot be read"):
        verify(run.folder)


def test_a_run_in_which_nothing_was_played_yet_is_refused(run):
    run.all_results(lambda cells: cells.clear())
    with pytest.raises(ContentError, match="holds no results yet"):
        verify(run.folder)


def test_a_table_of_other_columns_is_refused(run):
    path = run.folder / "episodes.csv"
    path.write_text(path.read_text().replace("seat,", "chair,", 1))
    with pytest.raises(ContentError, match="expected the columns cell, episode, seed"):
        verify(run.folder)
    path.write_text(path.read_text().replace("chair,", "seat,", 1) + "one,two\n")
    with pytest.raises(ContentError, match="a row of another number of columns"):
        verify(run.folder)


def test_no_table_at_all_is_refused(run):
    (run.folder / "episodes.csv").unlink()
    with pytest.raises(ContentError, match=r"episodes\.csv: cannot be read"):
        verify(run.folder)


def test_a_ledger_of_another_version_is_refused(run):
    path, said = run.ledger_path(), dict(read_ledger(run.ledger_path()).said)
    raw = path.read_bytes()
    assert said["schema"] == "rlattack/ledger/1"
    import zipfile

    with zipfile.ZipFile(path) as file, zipfile.ZipFile(path.with_suffix(".new"), "w") as new:
        for name in file.namelist():
            text = file.read(name)
            new.writestr(name, text.replace(b"rlattack/ledger/1", b"rlattack/ledger/9"))
    path.with_suffix(".new").rename(path)
    assert path.read_bytes() != raw
    with pytest.raises(ContentError, match="expected schema 'rlattack/ledger/1', got 'rlattack/ledger/9'"):
        verify(run.folder)


def test_a_ledger_that_lacks_an_array_is_told_in_a_line(run):
    ledger = read_ledger(run.ledger_path())
    left = {name: values for name, values in ledger.arrays.items() if name != "rewards"}
    write_ledger(run.ledger_path(), type(ledger)(ledger.said, left))
    assert why(verify(run.folder), "ledger") == "ledger: does not hold what it must ('rewards')"


def test_a_configuration_without_cells_or_agents_fails(run):
    run.config(lambda config: [config.pop(name) for name in ("cells", "players_sha256")])
    assert {"cells", "weights"} <= by_name(verify(run.folder), "failed")
    assert json.loads((run.folder / "config.json").read_text())["schema"] == "rlattack/config/2"
