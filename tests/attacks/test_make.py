"""Attacks by name, those of other packages among them."""

import json
import subprocess
import sys

import pytest

from rlattack.attacks import ATTACKS, make_attack, parse_attack, title_of
from rlattack.budget import Budget
from rlattack.errors import InvalidInput, UnknownName
from rlattack.specs import REQUIRED, parameters_of

_NEEDED = {"agent": "some.model", "file": "some.npz", "at": "mass=2", "box": "mass=0.5..2"}
"""What has no default."""
OURS = sorted({*ATTACKS} - {*ATTACKS.added})


def test_parameters_are_read_by_their_types():
    spec = parse_attack("pgd:steps=50,restarts=2,step=0.01,random_start=true,loss=margin,target=least")
    assert spec.parameters == {
        "steps": 50, "restarts": 2, "step": 0.01, "random_start": True, "loss": "margin", "target": "least",
    }  # fmt: skip
    assert parse_attack("fgsm:target=2").parameters == {"target": 2}
    assert parse_attack("pgd:step=none,target=none,").parameters == {"step": None, "target": None}
    assert parse_attack("none").parameters == parse_attack("pixel-de:").parameters == {}


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("fgms", UnknownName, "no attack 'fgms'; did you mean 'fgsm'"),
        ("pgd:stps=3", UnknownName, "no parameter 'stps'; did you mean 'steps'"),
        ("noise:level=3", UnknownName, "no parameter 'level'"),
        ("none:steps=3", InvalidInput, "none takes no parameters"),
        ("pgd:steps", InvalidInput, "expected steps=value"),
        ("pgd:steps=2.5", InvalidInput, "expected a whole number, got '2.5'"),
        ("pgd:step=big", InvalidInput, "a number"),
        ("pgd:random_start=maybe", InvalidInput, "expected true or false"),
        (
            "fgsm:loss=mse",
            InvalidInput,
            "expected 'ce' or 'margin' or 'dlr' or .* or none, got 'mse'",
        ),
        ("fgsm:target=most", InvalidInput, "got 'most'"),
        ("pgd:steps=0", InvalidInput, "at least 1"),
        ("pgd:steps=2,steps=3", InvalidInput, "expected steps=value once, got 'pgd:steps=2,steps=3'"),
        ("pgd:steps=none", InvalidInput, "expected a whole number, got 'none'"),
        ("pgd:step=nan", InvalidInput, "attack pgd: step: expected a number above 0, got nan"),
        (
            "fgsm:target=most",
            InvalidInput,
            "or 'least' or 'worst' or 'planned' or agent:NAME or none, got 'most'",
        ),
    ],
)
def test_what_cannot_be_read_is_one_line(text, error, message):
    with pytest.raises(error, match=message):
        parse_attack(text)


def test_make_attack_names_the_closest_parameter():
    with pytest.raises(UnknownName, match="did you mean 'steps'"):
        make_attack("pgd", Budget(eps=0.1), stpes=3)


def test_only_parameters_that_differ_from_their_defaults_are_told():
    assert make_attack("pgd", Budget(eps=0.1), steps=50, restarts=1).parameters == {"steps": 50}
    assert make_attack("noise", Budget(eps=0.1)).parameters == {}


def test_an_unknown_attack_names_the_closest_one():
    with pytest.raises(UnknownName, match="no attack 'pixels'; did you mean 'pixel'"):
        make_attack("pixels", Budget(norm="l0", eps=1))


def test_every_attack_tells_its_parameters_and_is_its_own_name():
    for name in OURS:
        kind = ATTACKS.get(name)
        assert kind.name == name
        given = {name: _NEEDED[name] for name, default in parameters_of(kind).items() if default is REQUIRED}
        assert kind.config_type(**parameters_of(kind) | given) == kind.config_type(**given)
    assert parameters_of(ATTACKS.get("fgsm")) == {
        "loss": None, "target": None, "eot": None, "evade": None, "caution": 1.0, "random_start": False,
    }  # fmt: skip
    assert parameters_of(ATTACKS.get("noise")) == {}


def test_attacks_have_titles_for_sentences():
    titles = ["Noise", "FGSM", "PGD", "Pixel", "Pixel-de"]
    assert [title_of(name) for name in ("noise", "fgsm", "pgd", "pixel", "pixel-de")] == titles
    assert title_of("what is not installed") == "What is not installed"


def test_a_control_changes_the_same_thing_asks_nothing_and_is_its_own():
    for name in OURS:
        kind = ATTACKS.get(name)
        control = ATTACKS.get(kind.control().name)
        assert kind.control().parameters == {}
        assert (control.access, control.sized, control.is_control) == (kind.access, kind.sized, True)
        assert control.control() == kind.control()
        assert kind.is_control == (control is kind)


def test_an_attack_that_is_not_fitted_learns_nothing():
    for name in OURS:
        kind = ATTACKS.get(name)
        if not kind.fitted and REQUIRED not in parameters_of(kind).values():
            attack = make_attack(name, Budget(norm=kind.reaches[0], eps=1 if kind.sized else None))
            assert not attack.fit(None).tensors


_MINE = """
import dataclasses
from rlattack.attacks.noise import Noise

@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    agent: str
    speed: int | str = "slow"
    seeds: list = dataclasses.field(default_factory=list)

class Learned(Noise):
    name = "learned"
    config_type = Config
"""
_READ = """
import json
from rlattack.attacks import ATTACKS, make_attack, parse_attack
from rlattack.specs import parameters_of
from rlattack.budget import Budget
from rlattack.errors import InvalidInput
found = [list(ATTACKS)[-1], parameters_of(ATTACKS.get("learned"))]
for agent in ("atari/pong/ppo,speed=3", "hf:a/b=c,speed=fast"):
    found.append(parse_attack(f"learned:agent={agent}").parameters)
for bad in ("learned", "learned:agent="):
    try:
        parse_attack(bad)
    except InvalidInput as error:
        found.append(str(error))
found.append(make_attack("learned", Budget(eps=0.1), agent="me").parameters)
print(json.dumps(found))
"""


def test_attacks_of_an_installed_package_are_found_and_take_text(tmp_path):
    (tmp_path / "mine.py").write_text(_MINE)
    about = tmp_path / "mine-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: mine\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[rlattack.attacks]\nlearned = mine:Learned\n")
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r}){_READ}"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert json.loads(done.stdout) == [
        "learned",
        {"agent": "required", "speed": "slow", "seeds": []},
        {"agent": "atari/pong/ppo", "speed": 3},
        {"agent": "hf:a/b=c", "speed": "fast"},
        "attack learned: expected agent=value, which has no default",
        "attack learned: agent: expected text, got ''",
        {"agent": "me"},
    ]


def test_the_title_of_a_place_imports_nothing(tmp_path, monkeypatch):
    (tmp_path / "harm_of_results.py").write_text("raise SystemExit('it ran')\n")
    monkeypatch.chdir(tmp_path)
    assert title_of("harm_of_results:Attack") == "Attack"
    assert title_of("somebody-s") == "Somebody-s"
    assert "harm_of_results" not in sys.modules
