import json
import sys

import numpy as np
import pytest

from rlattack.errors import InvalidInput, MissingExtra, UnknownName
from rlattack.evaluation import Results, evaluate
from rlattack.evaluation.plan import plan
from rlattack.evaluation.study import Study
from rlattack.inspect import check_activations, conditions, record, write_activations
from rlattack.report.activations import FILE, PICTURE, read_activations
from tests.kit import games
from tests.kit.agents import gaussian_agent

pytest.importorskip("sklearn")
TELLING = "tests.inspect.players:telling"


def unplayed(planned, folder):
    """Results of a plan of which nothing was played."""
    return Results([], folder, planned, folder / "fits")


@pytest.fixture
def pulling(tmp_path):
    """Plans duels of one Gaussian agent on the right of the rope against others on the left."""
    agent = gaussian_agent(tmp_path / "right", "pull/any", hidden=(4, 4))

    def make(opponents, **changes):
        return plan(Study(**{"game": "pull/any", "players": (opponents, agent), "episodes": 40, "envs": 4} | changes))

    return make


def test_numbers_and_picture_are_left_in_the_run(pulling, tmp_path):
    told = []
    write_activations(unplayed(pulling(("zero", "random")), tmp_path), "1", 1, lambda *what: told.append(what))
    assert told == [
        *(("recording the right's activations in 80 games", done, 80) for done in range(81)),
        ("fitting a Gaussian mixture to play against zero", 0, 0), ("placing activations in the plane (t-SNE)", 0, 0),
    ]  # fmt: skip
    found = read_activations(tmp_path)
    assert (found.seat, found.normal) == ("right", "zero")
    assert 40 <= found.rows <= 80  # half of 40 games of 2 to 4 steps
    width = 4  # means, covariances and weights
    assert found.parameters == found.components * (width + width * (width + 1) // 2 + 1) - 1
    assert list(found.log_likelihood) == ["train", "validation", "random"]
    for one in found.log_likelihood.values():
        assert one.ci[0] <= one.mean <= one.ci[1]
    content = json.loads((tmp_path / FILE).read_text())
    assert content["steps"].keys() == {"zero", "random"}
    assert content["steps"]["zero"] == content["steps"]["random"]  # the seed says how long a game is
    assert (tmp_path / PICTURE).read_bytes().startswith(b"\x89PNG")


def test_of_a_game_for_one_attack_and_control_are_less_likely_than_play_without_them(tmp_path):
    study = Study(
        game="coins/any", players=(TELLING,), attack=("pgd:steps=3",), eps=(0.5,), space="raw", episodes=24, envs=4
    )
    write_activations(unplayed(plan(study), tmp_path))
    found = read_activations(tmp_path)
    assert (found.seat, found.normal) == ("player", "no attack")
    assert list(found.log_likelihood) == ["train", "validation", "noise 0.5", "pgd:steps=3 0.5"]
    validation, noise, pgd = (found.log_likelihood[name].mean for name in list(found.log_likelihood)[1:])
    assert validation > 0 > max(noise, pgd)


def test_what_an_attack_learned_is_played_again(tmp_path):
    study = Study(
        game="coins/any", players=(TELLING,), attack=("universal:states=50",), eps=(0.5,), space="raw", episodes=24,
        envs=4,
    )  # fmt: skip
    found = evaluate(study, run=tmp_path / "run", workers=1)
    write_activations(found)
    name = "universal:states=50 0.5"
    assert name in read_activations(found.folder).log_likelihood
    recorded = record(*conditions(found.plan.cells), 1, fits=found.folder / "store" / "fits")
    steps = np.concatenate([np.arange(length) for length in np.bincount(recorded[name].episode)])
    added = np.unique((recorded[name].values[:, 0] - steps).round(5))  # the game shows the step
    assert len(added) == 1
    assert 0 < abs(added[0]) <= 0.5


def test_an_unknown_seat_is_refused_before_anything_is_played(pulling, tmp_path):
    with pytest.raises(UnknownName, match=r"--activations: expected left \(0\) or right \(1\), got 'top'"):
        write_activations(unplayed(pulling(("zero", "random")), tmp_path), "top", 1)


def test_a_player_without_activations_is_refused(tmp_path):
    nobody = plan(Study(game="pull/any", players=(("zero", "random"), "zero")))
    with pytest.raises(InvalidInput, match="zero shows none: expected a policy whose outputs tell"):
        write_activations(unplayed(nobody, tmp_path), "right", 1)
    with pytest.raises(InvalidInput, match="zero shows none"):
        check_activations(nobody, "right")
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_looked_into_is_refused_before_play(pulling, monkeypatch):
    check_activations(pulling(("zero", "random")), "1")
    assert games.made[-1].closed
    assert games.made[-1].time.max() == 1  # one step was enough
    with pytest.raises(InvalidInput, match="at least two opponents"):
        check_activations(pulling("zero"), "right")
    with pytest.raises(InvalidInput, match="--activations: expected at least 4 --episodes, got 3"):
        check_activations(pulling(("zero", "random"), episodes=3), "right")
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(MissingExtra, match=r"rlattack\[analysis\]"):
        check_activations(pulling(("zero", "random")), "right")
