"""Digests of code follow what is imported, as far as it is the code's own, and nothing of it is run."""

import functools
import importlib
import shutil
import subprocess
import sys
from pathlib import Path

import gymnasium
import pytest

import rlattack
from rlattack.errors import RefusedFile
from rlattack.source import code_digest, environment_digest, own_digest, versions


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Writes modules into a folder that Python looks in, and forgets what was imported, as a new process would."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(tmp_path)

    def forget():
        for name in set(sys.modules) - before:
            if name.startswith("mine"):
                del sys.modules[name]

    def make(files=None, **modules):
        forget()
        for name, text in ((files or {}) | modules).items():
            path = tmp_path / f"{name}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        importlib.invalidate_caches()

    yield make
    forget()


def package(files):
    """Files of the package `minepack` and of `minepack.deep`."""
    return {f"minepack/{name}": text for name, text in ({"__init__": "", "deep/__init__": ""} | files).items()}


def changed(write, start, files=None, **modules):
    """Whether the digest of a module changes once these files are written."""
    before = code_digest(start)
    write(files, **modules)
    return code_digest(start) != before


def test_a_module_changes_with_its_own_source(write):
    write(mine_a="x = 1")
    assert len(code_digest("mine_a")) == 64
    assert code_digest("mine_a") == code_digest("mine_a")
    assert changed(write, "mine_a", mine_a="x = 2")


@pytest.mark.parametrize(
    "line",
    [
        "import mine_b",
        "import mine_b as other, os",
        "from mine_b import x",
        "from mine_b import *",
        "def later():\n    import mine_b",
        "try:\n    import mine_b\nexcept ImportError:\n    pass",
    ],
)
def test_a_module_changes_with_what_it_imports_from_its_folder(write, line):
    write(mine_a=line, mine_b="x = 1", mine_c="x = 1")
    assert changed(write, "mine_a", mine_b="x = 2")
    assert not changed(write, "mine_a", mine_c="x = 2")


def test_imports_are_followed_in_turn_and_in_circles(write):
    write(mine_a="import mine_b", mine_b="import mine_c", mine_c="import mine_a\nx = 1")
    assert changed(write, "mine_a", mine_c="import mine_a\nx = 2")


@pytest.mark.parametrize(
    "line",
    [
        "from . import parts", "from .parts import x", "from .. import near", "from ..near import x",
        "import minepack.near", "from minepack import near", "from minepack.near import x",
    ],
)  # fmt: skip
def test_a_module_changes_with_what_it_imports_from_its_package(write, line):
    write(package({"near": "x = 1", "deep/parts": "x = 1", "deep/start": line, "far": "x = 1"}))
    imported = "deep/parts" if "parts" in line else "near"
    assert changed(write, "minepack.deep.start", {f"minepack/{imported}": "x = 2"})
    assert not changed(write, "minepack.deep.start", {"minepack/far": "x = 2"})


def test_the_packages_around_a_module_are_part_of_it(write):
    write(package({"deep/start": ""}))
    assert changed(write, "minepack.deep.start", {"minepack/__init__": "x = 1"})
    assert changed(write, "minepack.deep.start", {"minepack/deep/__init__": "from minepack import near"})
    assert changed(write, "minepack.deep.start", {"minepack/near": "x = 1"})


def test_a_package_itself_can_be_asked_for(write):
    write(package({"__init__": "from . import near", "near": "x = 1"}))
    assert changed(write, "minepack", {"minepack/near": "x = 2"})


def test_a_package_can_do_without_an_init(write):
    write({"minepack/start": "from minepack import near", "minepack/near": "x = 1"})
    assert changed(write, "minepack.start", {"minepack/near": "x = 2"})


def test_the_place_of_the_code_does_not_matter(tmp_path, monkeypatch):
    digests = []
    for place in ("one", "two"):
        (tmp_path / place).mkdir()
        (tmp_path / place / "mine_a.py").write_text("import mine_b")
        (tmp_path / place / "mine_b.py").write_text("x = 1")
        with monkeypatch.context() as patch:
            patch.syspath_prepend(tmp_path / place)
            digests.append(code_digest("mine_a"))
    assert digests[0] == digests[1]


def test_a_renamed_module_is_another(write):
    write(mine_a="x = 1", mine_b="x = 1")
    assert code_digest("mine_a") != code_digest("mine_b")


def test_nothing_is_run(write, tmp_path):
    harm = f"open({str(tmp_path / 'ran')!r}, 'w')"
    write(mine_a=f"import mine_b\n{harm}", mine_b=harm)
    assert len(code_digest("mine_a")) == 64
    assert not (tmp_path / "ran").exists()
    assert "mine_a" not in sys.modules


def test_an_imported_module_is_found_where_it_was_found(write):
    write(mine_a="x = 1")
    before = code_digest("mine_a")
    importlib.import_module("mine_a")
    assert code_digest("mine_a") == before


def test_a_file_that_was_edited_since_this_process_imported_it_is_refused_until_it_is_imported_anew(write, tmp_path):
    write(mine_a="import mine_b", mine_b="x = 1")
    module = importlib.import_module("mine_a")
    before = code_digest("mine_a")
    (tmp_path / "mine_b.py").write_text("x = 22")
    with pytest.raises(RefusedFile, match=r"^mine_b changed since it was imported: start anew$"):
        code_digest("mine_a")
    importlib.invalidate_caches()
    importlib.reload(module.mine_b)
    assert code_digest("mine_a") != before
    (tmp_path / "mine_b.py").write_text("x = 1")
    with pytest.raises(RefusedFile, match="mine_b changed"):
        code_digest("mine_a")


def test_the_project_s_own_source_is_told_where_it_can_be_edited_as_it_was_at_first():
    if "site-packages" in rlattack.__file__:
        assert own_digest() == ""
        return
    assert len(own_digest()) == 64


OWN = """
import shutil, sys
from pathlib import Path
import rlattack.source
root = Path(rlattack.source.__file__).parent
assert root == Path(sys.argv[1]) / "rlattack"
digests = []
for name in ("report/page.py", "evaluation/results.py", "attacks/deep/new.py", "evaluation/play.py"):
    rlattack.source.own_digest.cache_clear()
    digests.append(rlattack.source.own_digest())
    (root / name).parent.mkdir(exist_ok=True)
    (root / name).open("a").write("# edited")
rlattack.source.own_digest.cache_clear()
digests.append(rlattack.source.own_digest())
print(*(one == two for one, two in zip(digests, digests[1:])))
"""


def test_the_project_s_own_source_is_told_as_far_as_it_plays(tmp_path):
    """A change of the report renames no cell."""
    skipped = shutil.ignore_patterns("__pycache__", "_content")
    shutil.copytree(Path(rlattack.__file__).parent, tmp_path / "rlattack", ignore=skipped)
    run = {"env": {"PYTHONPATH": str(tmp_path)}, "capture_output": True, "text": True, "check": True, "cwd": tmp_path}
    said = subprocess.run([sys.executable, "-c", OWN, tmp_path], **run).stdout
    assert said == "True True False False\n"


def test_source_that_nobody_could_import_is_still_told_apart(write):
    write(mine_a="import mine_b", mine_b="def (:")
    assert changed(write, "mine_a", mine_b="def (: # other")
    assert changed(write, "mine_a", mine_b="\0")


@pytest.mark.parametrize("module", ["sys", "no_such_module", "no_such.module", "math"])
def test_a_module_without_source_has_no_digest(module):
    assert code_digest(module) == ""


def test_a_package_whose_import_fails_has_no_digest(write):
    write(package({"__init__": "raise SystemError", "start": ""}))
    assert code_digest("minepack.start") == ""


def test_others_packages_and_our_own_are_told_by_their_versions(write):
    """Installed packages import others; the code of a user imports torch and us."""
    write({"mine_a": "import rlattack.errors, numpy, json", "rlattack/errors": "x = 1"})
    assert not changed(write, "mine_a", {"rlattack/errors": "x = 2"})


def test_an_installed_package_is_read_without_its_neighbours_and_without_importing_them():
    code = (
        "import sys; from rlattack.source import code_digest; print(len(code_digest('gymnasium.envs.registration'))); "
    )
    code += "print({'pygame', 'torch'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "64\nset()\n"


class TestEnvironments:
    def test_an_installed_one_is_told_by_the_version_of_its_package(self):
        entry_point = gymnasium.spec("CartPole-v1").entry_point
        expected = {"gymnasium": gymnasium.__version__}
        assert environment_digest(entry_point) == expected
        assert environment_digest(gymnasium.Env) == expected
        assert environment_digest(functools.partial(functools.partial(gymnasium.Env))) == expected

    def test_one_of_the_user_s_is_told_by_its_source(self, write):
        write(mine_env="import mine_b\nclass Env: ...", mine_b="x = 1")
        before = environment_digest("mine_env:Env")
        assert before == {"source": code_digest("mine_env")}
        assert environment_digest(importlib.import_module("mine_env").Env) == before
        write(mine_b="x = 2")
        assert environment_digest("mine_env:Env") != before

    def test_one_of_an_editable_package_is_told_by_version_and_source(self):
        """As rlattack itself is installed here."""
        if "site-packages" in rlattack.__file__:
            pytest.skip("rlattack is not installed as an editable package")
        found = environment_digest("rlattack.errors:nearest")
        assert found == {"rlattack": versions()["rlattack"], "source": code_digest("rlattack.errors")}

    def test_a_module_that_shadows_an_installed_one_is_told_by_its_source(self, write):
        write({"tomli_w/__init__": "class Env: ..."})
        code = "from rlattack.source import environment_digest; print(environment_digest('tomli_w:Env'))"
        run = {"env": {"PYTHONPATH": sys.path[0]}, "capture_output": True, "text": True, "check": True}
        assert "source" in subprocess.run([sys.executable, "-c", code], **run).stdout

    def test_one_that_cannot_be_found_has_no_source(self):
        assert environment_digest("no_such_package.envs:Env") == {"source": ""}


def test_versions_are_those_of_what_plays_and_of_what_is_asked_for():
    found = versions("ale-py-that-nobody-has", "tomli-w")
    assert list(found) == ["rlattack", "torch", "numpy", "gymnasium", "tomli-w"]
    assert found["gymnasium"] == gymnasium.__version__
