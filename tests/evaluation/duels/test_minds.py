import dataclasses
import sys

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box

from rlattack.attacks import AttackSpec
from rlattack.budget import Budget
from rlattack.errors import InvalidInput, MissingExtra, UnknownName
from rlattack.evaluation.cell import AgentRef
from rlattack.evaluation.duels.minds import FILE, PICTURE, check_minds, minds_warning, read_minds, record, write_minds
from rlattack.policies.folder import AgentCard, save_agent
from rlattack.policies.gaussian import GaussianNetwork, GaussianPolicy, GaussianSpec
from rlattack.policies.player import load_player

pytest.importorskip("sklearn")


@pytest.fixture
def watched(games, make_cell, tmp_path):  # `games` makes the game known
    """Cells of one Gaussian agent on the right against `zero` and `random` on the left."""
    torch.manual_seed(0)
    network = GaussianNetwork(GaussianSpec(observation=(1,), actions=1, hidden=(4, 4)))
    card = AgentCard(game="pettingzoo/pull", role="victim", algorithm="ppo", network=network.spec)
    save_agent(tmp_path / "right", card, network)
    seen = load_player(str(tmp_path / "right"), card.game, "right", Box(-10, 10, (1,)), Box(-1, 1, (1,)))
    right = AgentRef(str(tmp_path / "right"), seen.identity, "right")

    def cells(*opponents, **changes):
        return [
            make_cell(players=(AgentRef(name, name, name), right), episodes=40, **changes) for name in opponents
        ]  # fmt: skip

    return cells, network


def test_every_step_of_the_watched_seat_is_recorded_with_its_episode(watched):
    cells, network = watched
    found = record(cells("zero", "random"), "right", 1)
    assert list(found) == ["zero", "random"]
    one = found["zero"]
    lengths = np.bincount(one.episode)
    assert len(lengths) == 40
    assert set(lengths) == {2, 3, 4}
    # the game shows the step's number, so every episode goes through the same activations
    expected = GaussianPolicy(network)(torch.arange(4.0)[:, None]).hidden.numpy()
    for episode in range(40):
        rows = one.values[one.episode == episode]
        np.testing.assert_allclose(rows, expected[: len(rows)], rtol=1e-5)


def test_cells_with_an_attack_are_left_out(watched):
    cells, _ = watched
    attack = {"attack": AttackSpec("noise"), "budget": Budget(eps=1.0, space="raw"), "attacked": 1}
    clean, found = (
        record([*cells("zero", "random"), *more], "right", 1) for more in ([], cells("zero", "random", **attack))
    )
    assert [one.values.tolist() for one in clean.values()] == [one.values.tolist() for one in found.values()]


def test_numbers_and_picture_are_left_in_the_run(watched, tmp_path):
    cells, _ = watched
    told = []
    write_minds(tmp_path, cells("zero", "random"), "1", 1, lambda *stage: told.append(stage))
    assert told == [
        *(("recording the right's activations in 80 games", done, 80) for done in range(81)),
        ("fitting a Gaussian mixture to play against zero", 0, 0), ("placing activations in the plane (t-SNE)", 0, 0),
    ]  # fmt: skip
    found = read_minds(tmp_path)
    assert (found["seat"], found["normal"]) == ("right", "zero")
    assert 40 <= found["rows"] <= 80  # half of 40 games of 2 to 4 steps
    width = 4  # means, covariances and weights
    assert found["parameters"] == found["components"] * (width + width * (width + 1) // 2 + 1) - 1
    assert list(found["log_likelihood"]) == ["train", "validation", "random"]
    for interval in found["log_likelihood"].values():
        assert interval["ci"][0] <= interval["mean"] <= interval["ci"][1]
    assert (tmp_path / PICTURE).read_bytes().startswith(b"\x89PNG")


def test_a_mixture_of_more_numbers_than_it_was_fitted_to_is_told(tmp_path):
    few = minds_warning({"rows": 8000, "parameters": 21_449})
    assert "21,449 parameters and was fitted to 8,000 steps only" in few
    assert "at least 3 times as many games" in few
    assert minds_warning({"rows": 30_000, "parameters": 21_449}) is None
    assert minds_warning({}) is None  # of an older run


@pytest.mark.parametrize("content", ["", "{}", '{"schema": "another"}'])
def test_what_is_not_ours_is_not_read(tmp_path, content):
    (tmp_path / FILE).write_text(content)
    assert read_minds(tmp_path) is None


def test_an_unknown_seat_a_single_opponent_and_a_masked_one_are_refused(watched, tmp_path):
    cells, _ = watched
    with pytest.raises(UnknownName, match=r"--activations: expected left \(0\) or right \(1\), got 'top'"):
        write_minds(tmp_path, cells("zero", "random"), "top", 1)
    with pytest.raises(InvalidInput, match="at least two opponents"):
        write_minds(tmp_path, cells("zero") + cells("random", mask=(1, "zero")), "right", 1)


def test_a_player_without_activations_is_refused(watched, tmp_path, make_cell):
    nobody = AgentRef("zero", "zero", "zero")
    nobody = [make_cell(players=(AgentRef(name, name, name), nobody)) for name in ("zero", "random")]
    with pytest.raises(InvalidInput, match="zero shows none: expected an agent of continuous actions"):
        write_minds(tmp_path, nobody, "right", 1)
    with pytest.raises(InvalidInput, match="zero shows none"):
        check_minds(nobody, "right")


def test_what_cannot_be_looked_into_is_refused_before_play(watched, games, monkeypatch):
    cells, _ = watched
    check_minds(cells("zero", "random"), "1")
    assert games["games"][-1].closed
    with pytest.raises(InvalidInput, match="at least two opponents"):
        check_minds(cells("zero"), "right")
    few = [dataclasses.replace(cell, episodes=3) for cell in cells("zero", "random")]
    with pytest.raises(InvalidInput, match="--activations: expected at least 4 --episodes, got 3"):
        check_minds(few, "right")
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(MissingExtra, match=r"rlattack\[analysis\]"):
        check_minds(cells("zero", "random"), "right")
