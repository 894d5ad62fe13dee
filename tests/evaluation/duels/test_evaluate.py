"""Duels from end to end: on games of known answers, and on a MuJoCo game where processes share the work."""

import csv
import dataclasses
import json
import sys

import pytest
import torch

from rlattack.errors import BudgetError, InvalidInput, RunConflict, UnknownName
from rlattack.evaluation.duels import Duel, evaluate_duel, plan_duel
from rlattack.evaluation.duels.rollout import take_seats
from rlattack.games.duel import MASKS
from rlattack.policies import ModulePolicy
from rlattack.policies.folder import AgentCard, save_agent
from rlattack.policies.gaussian import GaussianNetwork, GaussianSpec


def duel(**changes):
    values = {"game": "pettingzoo/pull", "players": (("zero",), ("random",)), "episodes": 6, "envs": 4}
    return Duel(**values | changes)


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


def test_nothing_is_hidden_from_a_player_that_looks_at_nothing(games, agent):
    masks = ("none", "left", "right", "right:zero")
    planned = plan_duel(duel(players=(("random",), (agent, "zero", "random")), masks=masks))
    assert [(cell.players[1].name == agent, cell.mask_name) for cell in planned.cells] == [
        (True, "none"), (False, "none"), (False, "none"), (True, "right:initial"), (True, "right:zero"),
    ]  # fmt: skip
    assert planned.note == (
        "--mask: random and zero see nothing that could be hidden, so under it 7 pairs are not played again"
    )
    assert plan_duel(duel(players=(("random",), (agent,)), masks=("none", "right"))).note == ""


def test_a_pair_that_was_asked_for_under_a_mask_alone_plays_once_in_the_open(games):
    planned = plan_duel(duel(masks=("left", "left:noise")))
    assert [cell.mask for cell in planned.cells] == [None]
    assert planned.note == "--mask: zero sees nothing that could be hidden, so under it 2 pairs are not played again"


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


def test_a_seat_s_number_is_as_good_as_its_name(games, agent):
    asked = {"players": ((agent,), (agent,)), "eps": (0.1,)}
    named, numbered = (
        plan_duel(duel(**asked, victim=left, attacked=right, masks=("none", left, f"{right}:zero")))
        for left, right in (("left", "right"), ("0", "1"))
    )
    assert named.cells == numbered.cells
    assert (named.victim, named.configuration) == (numbered.victim, numbered.configuration)
    assert named.configuration["duel"]["masks"] == ["none", "left", "right:zero"]


def test_a_game_that_cannot_hide_says_so_before_any_player_is_loaded():
    pytest.importorskip("pettingzoo.classic")
    with pytest.raises(InvalidInput, match="pettingzoo/tictactoe_v3: only MuJoCo games can hide the other player"):
        plan_duel(duel(game="pettingzoo/tictactoe_v3", players=(("nobody",), ("nobody",)), masks=("none", "1")))


def test_a_row_an_episode_says_what_each_seat_earned_and_how_it_ended(tmp_path, games):
    _, told = run(tmp_path / "run")
    first = rows(tmp_path / "run")[0]
    episode = next(episode for episode in told if episode.episode == 0)
    assert list(first) == [
        "cell", "episode", "seed", "return_0", "return_1", "outcome", "ending", "length", "truncated",
    ]  # fmt: skip
    assert (float(first["return_0"]), float(first["return_1"])) == episode.returns
    assert (first["outcome"], first["ending"], first["truncated"]) == (episode.outcome, "pulled", "0")


def test_players_named_twice_play_once(tmp_path, games):
    assert len(plan_duel(duel(players=(("zero", "zero"), ("random",)), masks=("right", "right:initial"))).cells) == 1


def test_actions_are_the_cards_unless_they_are_chosen(games):
    assert [plan_duel(duel(actions=how)).cells[0].actions for how in ("card", "greedy")] == ["sampled", "greedy"]


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


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"episodes": 0}, InvalidInput, "--episodes: expected at least 1, got 0"),
        ({"envs": 0}, InvalidInput, "--envs: expected at least 1, got 0"),
        ({"seed": -1}, InvalidInput, "--seed: expected 0 or more, got -1"),
        ({"players": (("zero",),)}, InvalidInput, "--players: expected two, .* got zero"),
        ({"players": (("zero",), ("zero",), ("a", "b"))}, InvalidInput, "--players: .* got zero zero a,b"),
        ({"players": (("zero",), ("",))}, InvalidInput, "--players: expected two"),
        ({"victim": "rigth"}, UnknownName, r"--victim: expected left \(0\) or right \(1\), got 'rigth'; .* 'right'"),
        ({"masks": ("up",)}, UnknownName, r"--mask: expected left \(0\) or right \(1\) or none, got 'up'"),
        ({"attacks": ("pgd",)}, InvalidInput, "--eps: expected at least one size, as in --eps 0.05 0.2"),
        ({"attacks": ("pgd",), "eps": (0.1,)}, InvalidInput, "--attack: random looks at nothing, .* --attacked names"),
        ({"eps": (0.1,)}, InvalidInput, "--attack: random looks at nothing"),
        ({"attacks": ("pg",), "eps": (0.1,)}, UnknownName, "no attack 'pg'; did you mean 'pgd'"),
        ({"eps": (0.1,), "attacked": "lef"}, UnknownName, "--attacked: expected left .*, got 'lef'.* 'left'"),
        ({"players": (("zero",), ("nobody",))}, UnknownName, "no agent and no file 'nobody'"),
        ({"attacked": "2"}, UnknownName, "--attacked: expected left .* or right .*, got '2'"),
    ],
)  # fmt: skip
def test_wrong_input_is_refused_before_anything_is_played(games, changes, error, message):
    with pytest.raises(error, match=message):
        plan_duel(duel(**changes))


@pytest.fixture
def agent(tmp_path):
    """A Gaussian agent of the rope, by its folder."""
    torch.manual_seed(0)
    network = GaussianNetwork(GaussianSpec(observation=(1,), actions=1, hidden=(4,)))
    card = AgentCard(game="pettingzoo/pull", role="victim", algorithm="ppo", network=network.spec)
    save_agent(tmp_path / "agent", card, network)
    return str(tmp_path / "agent")


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


def test_the_attacked_seat_is_the_victim_s_unless_another_is_named(games, agent):
    cells = [
        plan_duel(duel(players=((agent,), ("zero",)), eps=(0.1,), **named)).cells[1].attacked
        for named in ({"victim": "left"}, {"attacked": "left"})
    ]
    assert cells == [0, 0]


def test_what_the_attack_cannot_do_is_refused_before_anything_is_played(games, agent):
    values = {"players": (("zero",), (agent,)), "eps": (0.1,)}
    with pytest.raises(InvalidInput, match=r"attack fgsm: the divergence .* use pgd"):
        plan_duel(duel(**values, attacks=("fgsm",)))
    with pytest.raises(BudgetError, match="--space unit is for pixels"):
        plan_duel(duel(**values, space="unit"))


def opaque():
    return ModulePolicy(Opaque(), (1,), 3)


class Opaque(torch.nn.Module):
    """Gives no gradient."""

    def forward(self, obs):
        return obs.detach().expand(-1, 3).clone()


def test_a_module_without_gradients_is_refused_for_attacks_that_need_them(games, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "opaques", sys.modules[__name__])
    values = {"game": "pettingzoo/turns", "players": (("zero",), ("opaques:opaque",)), "eps": (0.1,), "trust": True}
    with pytest.raises(InvalidInput, match=r"opaques:opaque gives no gradient .*; fgsm needs one"):
        plan_duel(duel(**values, attacks=("fgsm",)))
    assert len(plan_duel(duel(**values)).cells) == 2


def test_a_game_of_one_seat_is_refused():
    with pytest.raises(InvalidInput, match="gymnasium/CartPole-v1 has one seat: `rlattack attack"):
        plan_duel(duel(game="gymnasium/CartPole-v1"))


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
