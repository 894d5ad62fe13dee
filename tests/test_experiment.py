"""An evaluation from a program: what may stand for names, what comes back, and what messages speak of."""

import json
import sys

import pytest
import torch
from stable_baselines3 import PPO
from torch import nn

from rlattack import Budget, Study, evaluate, load_agent, make_attack
from rlattack.attacks import ObservationAttack
from rlattack.errors import BudgetError, InvalidInput, MissingExtra, UnknownName, told
from rlattack.evaluation import Results
from rlattack.evaluation.plan import plan
from rlattack.policies import ModulePolicy
from rlattack.report import read_run
from rlattack.specs import NoParameters
from tests.kit.players import balance

pytestmark = pytest.mark.library


CARTPOLE = {"game": "gymnasium/CartPole-v1", "attack": "fgsm", "eps": 0.2, "space": "raw", "episodes": 3}


class Mine(ObservationAttack):
    """Pushes everything up."""

    name = "mine-of-a-test"
    knowledge = "none"

    def perturb(self, victim, obs, reach, draws):
        return obs + reach.radius


class Push(Mine):
    """What cannot be found elsewhere under its name."""


def played(folder, players, **changes):
    return evaluate(Study(**CARTPOLE | {"players": players} | changes), run=folder, workers=1, progress=False)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return played(tmp_path_factory.mktemp("run") / "run", "tests.kit.players:balance")


def test_what_comes_back_is_a_row_a_cell(results):
    assert isinstance(results, Results)
    rows = results.to_dicts()
    assert [(row["attack"], row["control"], row["eps"]) for row in rows] == [
        ("none", False, None), ("noise", True, 0.2), ("fgsm", False, 0.2),
    ]  # fmt: skip
    clean, _, fgsm = rows
    assert clean["return"] - fgsm["return"] == pytest.approx(fgsm["return_drop"])
    assert fgsm["return_low"] <= fgsm["return"] <= fgsm["return_high"]
    assert len({tuple(row) for row in rows}) == 1
    assert json.loads(json.dumps(rows)) == rows


def test_a_frame_is_of_pandas_or_says_what_would_do(results, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingExtra, match=r"a frame needs pandas: pip install pandas; to_dicts\(\) is the same"):
        results.to_frame()

    class Pandas:
        DataFrame = list

    monkeypatch.setitem(sys.modules, "pandas", Pandas)
    assert results.to_frame() == results.to_dicts()


def test_a_condition_says_of_each_attack_whether_it_holds(results):
    (verdict,) = results.verdicts("return_drop > -1000 and eps == 0.2")
    assert (verdict.holds, verdict.fails, verdict.cell.attacks[0].name) == (True, True, "fgsm")
    assert [one.fails for one in results.verdicts("return_drop > 1000")] == [False]
    with pytest.raises(InvalidInput, match="no attacked cell has win"):
        results.verdicts("win < 1")


def test_a_tracker_takes_the_run_or_says_what_is_missing(results, monkeypatch):
    assert results.record.config["command"].startswith("rlattack.evaluate(Study(")
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(MissingExtra, match=r"needs mlflow: pip install 'rlattack\[mlflow\]'"):
        results.track("mlflow")
    with pytest.raises(UnknownName, match="expected wandb or mlflow"):
        results.track("tensorflow")


def test_a_plan_is_played_as_its_study_is(results, tmp_path):
    study = Study(**CARTPOLE | {"players": "tests.kit.players:balance"})
    again = evaluate(plan(study), run=tmp_path / "run", workers=1, progress=False)
    assert [cell.cell for cell in again.cells] == [cell.cell for cell in results.cells]
    assert again.record.command == f"rlattack.evaluate(plan: {again.plan.name})"


def test_the_table_is_that_of_the_command_line(results, capsys):
    results.show()
    shown = capsys.readouterr().out
    assert "tests.kit.players:balance in gymnasium/CartPole-v1" in shown
    assert "noise (control)" in shown
    assert f"tensorboard --logdir {results.folder}" in shown.replace("\n", "")
    assert "fgsm" in results._repr_html_()


def test_the_report_is_written_and_opened(results, monkeypatch):
    opened = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    page = results.folder / "report.html"
    page.unlink()
    assert results.report() == page
    assert page.is_file()
    assert results.report(open=True) == page
    assert opened == [page.absolute().as_uri()]
    assert read_run(results.folder).command.startswith(
        "rlattack.evaluate(Study(game='gymnasium/CartPole-v1', attack=('f"
    )


def test_a_module_and_a_policy_are_agents_as_a_name_is(tmp_path):
    names, returns = [], []
    for number, way in enumerate([balance(), ModulePolicy(balance(), (4,), 2), "tests.kit.players:balance"]):
        found = played(tmp_path / str(number), way)
        names.append(found.cells[0].seats[0].player)
        returns.append([row["return"] for row in found.to_dicts()])
    assert all(one == returns[0] for one in returns)
    assert [name.partition("@")[0] for name in names[:-1]] == ["Linear", "ModulePolicy"]


def test_a_model_in_memory_plays_as_the_zip_that_it_is_saved_as(tmp_path):
    model = PPO("MlpPolicy", "CartPole-v1", n_steps=32, batch_size=32, device="cpu", seed=0)
    model.save(tmp_path / "model.zip")
    held, saved = (played(tmp_path / name, agent) for name, agent in (("a", model), ("b", tmp_path / "model.zip")))
    assert [row["return"] for row in held.to_dicts()] == [row["return"] for row in saved.to_dicts()]
    study = Study(**CARTPOLE, players=model)
    model.learn(32)
    assert Study(**CARTPOLE, players=model).players != study.players  # it is another agent now
    again = evaluate(study, run=tmp_path / "c", workers=1, progress=False)
    assert [row["return"] for row in again.to_dicts()] == [row["return"] for row in held.to_dicts()]


def test_a_model_with_code_of_its_own_plays_by_that_code(tmp_path):
    class Doubled(nn.Flatten):
        pass

    module = nn.Sequential(Doubled(), nn.Linear(4, 2))
    assert played(tmp_path, module).ok
    model = PPO(
        "MlpPolicy", "CartPole-v1", n_steps=32, batch_size=32, device="cpu", seed=0,
        policy_kwargs={"activation_fn": nn.Softplus},
    )  # fmt: skip
    agent = load_agent(model)
    assert (agent.algorithm, agent.policy.observation) == ("module", (4,))
    assert load_agent(model).identity == agent.identity


def test_the_same_weights_have_one_name_and_others_another():
    first, second = nn.Linear(4, 2), nn.Linear(4, 2)
    names = [Study(**CARTPOLE, players=one).players for one in (first, second, first)]
    assert names[0] == names[2] != names[1]


def test_what_is_no_agent_is_refused():
    with pytest.raises(InvalidInput, match=r"expected an agent: a name, a path, a Policy, .*, got int"):
        Study(**CARTPOLE, players=(7,))


def test_an_attack_that_is_registered_nowhere_is_played(tmp_path):
    found = played(tmp_path, "tests.kit.players:balance", attack=(Mine, "fgsm"))
    assert [row["attack"] for row in found.to_dicts()] == ["none", "noise", "mine-of-a-test", "fgsm"]
    assert found.to_dicts()[2]["return"] < 100


def test_an_attack_gives_its_parameters():
    study = Study(**CARTPOLE | {"attack": make_attack("pgd", Budget(eps=0.1, space="raw"), steps=7)}, players="zero")
    assert study.attack == ("pgd:steps=7",)
    assert Study(
        **CARTPOLE | {"attack": Mine(Budget(eps=0.1, space="raw"), NoParameters())}, players="zero"
    ).attack == ("mine-of-a-test",)


@pytest.mark.parametrize(
    ("attack", "message"),
    [
        (7, "attack: expected names, or attacks of a class of your own, got 7"),
        (int, "attack: expected names, or attacks of a class of your own, got <class 'int'>"),
        (ObservationAttack, "attack ObservationAttack: expected a class that defines perturb"),
        (
            type("Other", (Mine,), {"name": "fgsm"}),
            "its name 'fgsm' is the name of rlattack.attacks.fgsm:FGSM; give it",
        ),
        (type("Other", (Mine,), {"name": "a b"}), "its name 'a b' is no word; give it another `name`"),
    ],
)
def test_what_is_no_attack_is_refused(attack, message):
    with pytest.raises(InvalidInput, match=message.replace("(", r"\(")):
        Study(**CARTPOLE | {"attack": attack}, players="zero")


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"eps": ()}, InvalidInput, r"^eps: expected at least one size, as in eps=\(0.001, 0.0025\)$"),
        ({"space": "unit"}, BudgetError, r"^space='unit' is for pixels in 0..255, .*; use space='raw'$"),
        ({"episodes": 0}, InvalidInput, "^episodes: expected at least 1, got 0$"),
        ({"plugin": "a_module_that_is_nowhere"}, InvalidInput, "^plugin a_module_that_is_nowhere: ModuleNotFoundError"),
    ],
)
def test_messages_speak_of_arguments(tmp_path, changes, error, message):
    with pytest.raises(error, match=message):
        played(tmp_path, "tests.kit.players:balance", **changes)


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("--run runs/mine holds another; choose another --run", "run='runs/mine' holds another; choose another run"),
        ("--grid is for bytes, which --trust allows", "grid=True is for bytes, which trust=True allows"),
        ("--normaliser FILE; --normaliser none plays", "normaliser=FILE; normaliser='none' plays"),
        ("`rlattack duel a --players A B` plays it", "`rlattack duel a --players A B` plays it"),
        ("with fewer --workers", "with fewer workers"),
        ("a -- b --- c", "a -- b --- c"),
    ],
)
def test_options_in_a_message_are_read_as_arguments(typed, read):
    assert told(typed) == read


def test_a_torch_module_needs_the_game_to_say_what_it_sees():
    with pytest.raises(InvalidInput, match=r"Linear@\w+: a torch module does not say what it sees"):
        load_agent(torch.nn.Linear(4, 2))
