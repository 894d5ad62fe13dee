"""The examples in the docstrings of the public names run as they stand, and so do those of what they stand on."""

import doctest

import pytest

import rlattack
from rlattack import errors, specs

pytestmark = [pytest.mark.library, pytest.mark.filterwarnings("ignore::UserWarning")]


def examples_of(thing, name):
    finder = doctest.DocTestFinder(recurse=False)
    return [one for one in finder.find(thing, name, globs={}) if one.examples]


def run(examples):
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    told = []
    for one in examples:
        runner.run(one, out=told.append)
    assert "".join(told) == ""


@pytest.mark.parametrize("name", rlattack.__all__)
def test_the_example_of_a_public_name_runs(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    examples = examples_of(getattr(rlattack, name), name)
    assert examples, f"{name} has no example"
    run(examples)


@pytest.mark.parametrize("module", [errors, specs], ids=lambda module: module.__name__)
def test_examples_of_other_functions_run(module):
    parts = [(name, part) for name, part in vars(module).items() if callable(part)]
    examples = [one for name, part in parts for one in examples_of_own(module, name, part)]
    assert examples, f"{module.__name__} has no example"
    run(examples)


def examples_of_own(module, name, part):
    found = examples_of(part, name) if getattr(part, "__module__", "") == module.__name__ else []
    for one in found:
        one.globs = dict(vars(module))
    return found
