"""What is refused before anything is played, and what makes another configuration."""

from pathlib import Path

import pytest

from rlattack.errors import BudgetError, InvalidInput, UnknownName
from rlattack.evaluation.plan import Evaluation, plan

HERE = str(Path(__file__).parent)


@pytest.fixture(autouse=True)
def players(monkeypatch):
    monkeypatch.syspath_prepend(HERE)


def planned(**changes):
    values = {
        "game": "gymnasium/CartPole-v1", "victim": "players:balance", "attacks": ("fgsm",), "eps": (0.2,),
        "space": "raw",
    }  # fmt: skip
    return plan(Evaluation(**values | changes))


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"episodes": 0}, InvalidInput, "--episodes: expected at least 1, got 0"),
        ({"envs": 0}, InvalidInput, "--envs: expected at least 1"),
        ({"seed": -1}, InvalidInput, "--seed: expected 0 or more"),
        ({"eps": ()}, InvalidInput, "--eps: expected at least one size"),
        ({"eps": (0.0,)}, BudgetError, "above 0, got 0"),
        ({"eps": (-0.1,)}, BudgetError, "above 0, got -0.1"),
        ({"eps": (float("nan"),)}, BudgetError, "above 0"),
        ({"space": "unit"}, BudgetError, "use --space raw"),
        ({"space": "sigma"}, BudgetError, "observation statistics"),
        ({"model": "frame"}, InvalidInput, "--model frame is for stacked images"),
        ({"grid": True}, BudgetError, "byte observations"),
        ({"attacks": ("fgms",)}, UnknownName, "did you mean 'fgsm'"),
        ({"attacks": ("pixel",)}, BudgetError, "has the norms l0, got linf"),
        ({"attacks": ("fgsm:target=7",)}, InvalidInput, "expected an action 0 to 1"),
        ({"game": "gymnasium/CartPol-v1"}, UnknownName, "CartPole-v1"),
        ({"victim": "players:nobody"}, InvalidInput, "nobody"),
        ({"game": "gymnasium/Acrobot-v1"}, InvalidInput, r"\(6,\)"),
        ({"sticky": 1.5}, ValueError, "sticky"),
    ],
)
def test_wrong_input_is_refused_before_anything_is_played(changes, error, message):
    with pytest.raises(error, match=message):
        planned(**changes)


def test_a_victim_of_other_code_is_another_configuration(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    source = Path("own.py")
    source.write_text(f"import sys\nsys.path.insert(0, {HERE!r})\nfrom players import balance\n")
    before = planned(victim="own:balance")
    source.write_text(source.read_text() + "# edited\n")
    after = planned(victim="own:balance")
    assert before.configuration["victim"] != after.configuration["victim"]
    assert {cell.key for cell in before.cells}.isdisjoint(cell.key for cell in after.cells)


def test_a_module_without_gradients_is_told_before_it_plays():
    with pytest.raises(InvalidInput, match=r"players:opaque gives no gradient .*; fgsm needs one"):
        planned(victim="players:opaque")
    planned(victim="players:opaque", attacks=())
