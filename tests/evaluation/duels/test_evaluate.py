"""Duels from end to end: on games of known answers, and on a MuJoCo game where processes share the work."""

import csv
import dataclasses
import json

import pytest
from short_duel import duel

from rlattack.errors import RunConflict
from rlattack.evaluation.duels import Duel, evaluate_duel, plan_duel
from rlattack.evaluation.duels.rollout import take_seats
from rlattack.games.duel import MASKS


def run(folder, workers=1, **changes):
    told = []
    evaluate_duel(plan_duel(duel(**changes)), folder, workers, told.append)
    return json.loads((folder / "results.json").read_text())["cells"], told


def without_speed(folder):
    cells = json.loads((folder / "results.json").read_text())["cells"]
    return [{key: value for key, value in cell.items() if key != "steps_per_second"} for cell in cells]


def rows(folder):
    with (folder / "episodes.csv").open() as file:
        return list(csv.DictReader(file))


def test_every_pair_plays_under_every_mask_on_the_same_episodes(tmp_path, games, agent):
    cells, told = run(tmp_path / "run", players=((agent,), (agent, "zero")), masks=("none", "left", "right:zero"))
    assert [(cell["players"][1] == "zero", cell["mask"] and cell["mask"]["seat"]) for cell in cells] == [
        (False, None), (True, None), (False, "left"), (True, "left"), (False, "right"),
    ]  # fmt: skip
    assert len(told) == 30
    seeds = {
        cell["cell"]: [row["seed"] for row in rows(tmp_path / "run") if row["cell"] == cell["cell"]] for cell in cells
    }
    assert len({tuple(of) for of in seeds.values()}) == 1
    assert [masks for masks in games["masks"] if masks][-3:] == [{0: "initial"}] * 2 + [{1: "zero"}]


def test_attacks_on_a_pair_that_no_mask_changes_are_compared_with_its_open_games(tmp_path, games, agent):
    values = {"players": (("zero",), (agent,)), "masks": ("left", "right"), "eps": (0.3,)}
    cells, _ = run(tmp_path / "run", **values)
    assert [(cell["attack"], cell["mask"] and cell["mask"]["seat"]) for cell in cells] == [
        ("none", None), ("noise", None), ("none", "right"), ("noise", "right"),
    ]  # fmt: skip
    for clean, noisy in (cells[:2], cells[2:]):
        assert noisy["drop"]["return"] == pytest.approx(clean["return"][1]["mean"] - noisy["return"][1]["mean"])


@pytest.mark.parametrize("who", ["zero", "random"])
def test_a_mask_changes_no_game_of_a_player_that_looks_at_nothing(who):
    pytest.importorskip("mujoco")
    planned = plan_duel(Duel(game="mujoco/you-shall-not-pass", players=(("random",), (who,)), episodes=3, envs=2))
    (cell,) = planned.cells
    games = [
        {(e.episode, e.trajectory) for e in take_seats(hidden, tickets(cell)).episodes()}
        for hidden in (cell, *(dataclasses.replace(cell, mask=(1, mode)) for mode in MASKS))
    ]
    assert len(games[0]) == 3
    assert games == games[:1] * 4


def tickets(cell):
    left = [iter(range(slot, cell.episodes, cell.envs)) for slot in range(cell.envs)]
    return lambda slot: next(left[slot], None)


def test_a_row_an_episode_says_what_each_seat_earned_and_how_it_ended(tmp_path, games):
    _, told = run(tmp_path / "run")
    first = rows(tmp_path / "run")[0]
    episode = next(episode for episode in told if episode.episode == 0)
    assert list(first) == [
        "cell", "episode", "seed", "return_0", "return_1", "outcome", "ending", "length", "truncated",
    ]  # fmt: skip
    assert (float(first["return_0"]), float(first["return_1"])) == episode.returns
    assert (first["outcome"], first["ending"], first["truncated"]) == (episode.outcome, "pulled", "0")


def test_the_victims_seat_is_named_in_the_results_and_changes_nothing_else(tmp_path, games):
    first, _ = run(tmp_path / "run")
    again, told = run(tmp_path / "run", victim="left")
    assert (first[0]["victim_seat"], again[0]["victim_seat"]) == ("right", "left")
    assert again[0] == first[0] | {"victim_seat": "left"}
    assert len(told) == 6


def test_the_configuration_knows_versions_and_who_played(tmp_path, games):
    run(tmp_path / "run")
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert {"rlattack", "torch", "numpy"} <= config["versions"].keys()
    assert config["players_sha256"] == {"left": {"zero": None}, "right": {"random": None}}
    assert config["configuration"]["players"]["right"] == {"random": "random"}


def test_a_broken_off_run_goes_on_and_ends_with_the_same_numbers(tmp_path, games):
    players = (("zero", "random"), ("random",))
    run(tmp_path / "whole", players=players)

    class Killed(Exception):
        pass

    seen = []

    def kill(episode):
        seen.append(episode)
        if len(seen) == 9:
            raise Killed

    planned = plan_duel(duel(players=players))
    with pytest.raises(Killed):
        evaluate_duel(planned, tmp_path / "broken", 1, kill)
    (kept,) = (tmp_path / "broken" / "cells").iterdir()
    before, told, again = kept.stat().st_mtime_ns, [], []
    evaluate_duel(planned, tmp_path / "broken", 1, told.append, kept=again.append)
    assert kept.stat().st_mtime_ns == before
    assert (len(told), len(again)) == (6, 6)
    assert without_speed(tmp_path / "broken") == without_speed(tmp_path / "whole")
    assert rows(tmp_path / "broken") == rows(tmp_path / "whole")


def test_a_run_folder_of_another_configuration_is_refused_by_its_first_difference(tmp_path, games):
    run(tmp_path / "run")
    with pytest.raises(RunConflict, match=r"another configuration: duel.seed is 0 there, 1 now; choose another --run"):
        run(tmp_path / "run", seed=1)


def test_without_a_folder_the_run_is_named_by_its_configuration(tmp_path, games, monkeypatch):
    monkeypatch.chdir(tmp_path)
    first, second = (evaluate_duel(plan_duel(duel(seed=seed)), None, 1, lambda _: None) for seed in (0, 1))
    assert first != second
    assert first.name.startswith("pettingzoo-pull-")


def test_every_pair_is_attacked_at_every_size_beside_noise_on_the_same_episodes(tmp_path, games, agent):
    values = {"players": (("zero", "random"), (agent,)), "masks": ("none", "right"), "attacks": ("pgd:steps=2", "none")}
    cells, _ = run(tmp_path / "run", **values, eps=(0.1, 0.2))
    by_cell = [(cell["players"][0], bool(cell["mask"]), cell["attack"], cell.get("eps")) for cell in cells]
    tried = [("none", None), ("noise", 0.1), ("noise", 0.2), ("pgd", 0.1), ("pgd", 0.2)]
    assert by_cell == [(who, hidden, *one) for hidden in (False, True) for who in ("zero", "random") for one in tried]
    assert {cell["attacked_seat"] for cell in cells if cell["attack"] != "none"} == {"right"}
    assert {row["seed"] for row in rows(tmp_path / "run")} == {row["seed"] for row in rows(tmp_path / "run")[:6]}
    for cell in cells:
        if cell["attack"] != "none":
            assert (cell["status"], cell["radius"]) == ("ok", cell["eps"])
            (clean,) = [c for c in cells if c["attack"] == "none" and all(c[k] == cell[k] for k in ("players", "mask"))]
            assert cell["drop"]["win"] == pytest.approx(clean["loss"]["rate"] - cell["loss"]["rate"])
            assert cell["drop"]["return"] == pytest.approx(clean["return"][1]["mean"] - cell["return"][1]["mean"])


def test_an_attacked_run_goes_on_where_it_stopped_with_the_same_numbers(tmp_path, games, agent):
    values = {"players": (("random",), (agent,)), "attacks": ("pgd:steps=2",), "eps": (0.3,)}
    run(tmp_path / "whole", **values)
    run(tmp_path / "broken", **values)
    for kept in sorted((tmp_path / "broken" / "cells").iterdir())[:2]:
        kept.unlink()
    _, told = run(tmp_path / "broken", **values)
    assert len(told) == 18
    assert without_speed(tmp_path / "broken") == without_speed(tmp_path / "whole")


def test_results_do_not_depend_on_the_number_of_workers(tmp_path):
    pytest.importorskip("mujoco")
    values = {
        "game": "mujoco/you-shall-not-pass",
        "players": (("zero", "random"), ("random",)),
        "episodes": 4,
        "envs": 2,
    }
    run(tmp_path / "one", **values)
    run(tmp_path / "two", workers=2, **values)
    assert without_speed(tmp_path / "one") == without_speed(tmp_path / "two")
    assert (tmp_path / "one" / "episodes.csv").read_bytes() == (tmp_path / "two" / "episodes.csv").read_bytes()
    assert {cell["loss"]["rate"] for cell in without_speed(tmp_path / "one")} == {0.0}  # a random runner never arrives
