"""Counterexamples on trial: replayed first, and counted only where they lower what was known beyond doubt."""

import csv
import dataclasses
import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from rlattack.attacks.recording import Page, Recording, recording_bytes
from rlattack.benchmark import plan_grid, play_grid, rank, read_grid, write_leaderboard
from rlattack.benchmark.counterexample import play_digest, read_counterexample
from rlattack.benchmark.publish import columns
from rlattack.benchmark.trials import plan_trials, try_all
from rlattack.benchmark.verify import verify
from rlattack.draws import game_seed
from rlattack.errors import InvalidInput
from rlattack.evaluation import Study, evaluate
from tests.benchmark.grids import chooser, silent, written
from tests.benchmark.test_counterexample import made_of
from tests.kit.agents import linear_gaussian_network, perturber_agent
from tests.kit.runs import CARTPOLE
from tests.oracle.verifier import problems

GRID = """
schema = "rlattack/grid/1"

[defaults]
episodes = 12
envs = 4
space = "raw"

[[tables]]
games = ["coins/any"]
victims = ["tests.kit.players:coin"]
attack = ["pgd:steps=1,step=0.1"]
eps = [0.5, 1.5, 2.5]
"""
"""An attack that does no harm, so that the least known is the clean score."""


@pytest.fixture(scope="module")
def flipped(tmp_path_factory):
    """A counterexample on a seed of its own, and its folder."""
    return made_of(tmp_path_factory.mktemp("made"))


def grid_of(folder, text=GRID):
    return plan_grid(read_grid(written(folder, text)))


def board_of(program, folder, *counterexamples, **more):
    """The leaderboard of a grid with counterexamples, and what came of them."""
    trials = plan_trials(program, counterexamples)
    cells = play_grid(program, folder, watch=silent, workers=1)
    tried = try_all(trials, program, folder, watch=silent, workers=1, **more)
    return rank(program, cells, (), tried), tried


def rows_of(board):
    return [ranking.rows[0] for ranking in board.boards[0].rankings]


def restated(folder, **changes):
    """Writes other perturbations into a counterexample, or other words, with all digests made anew."""
    card = folder / "counterexample.toml"
    told = read_counterexample(folder)
    raw = (folder / "perturbations.npz").read_bytes()
    if pages := changes.pop("pages", None):
        raw = recording_bytes(told.seed, pages)
        (folder / "perturbations.npz").write_bytes(raw)
    text = card.read_text().replace(told.sha256, hashlib.sha256(raw).hexdigest())
    for name, value in changes.items():
        old = next(line for line in text.splitlines() if line.startswith(f"{name} = "))
        text = text.replace(old, f"{name} = {json.dumps(value)}")
    card.write_text(text)
    return folder


def copy_of(folder, to):
    return shutil.copytree(folder, to / "counterexample")


def test_replayed_it_leaves_what_it_states_and_lowers_every_size_that_allows_it(flipped, tmp_path):
    folder, made, _ = flipped
    board, (tried,) = board_of(grid_of(tmp_path), tmp_path / "run", folder)
    assert tried.attacked[0].result.victim_seat.returns.mean == made.claim.mean == 0
    small, same, large = rows_of(board)
    assert small.counterexamples == ()
    assert small.best.value.mean == small.clean.mean > 3
    for row in (same, large):
        (shown,) = row.counterexamples
        assert (shown.counted, shown.why, shown.stated, shown.authors) == (True, "", 0.0, "us")
        assert (row.best.value.mean, row.best.attack) == (
            0,
            "fgsm:loss=margin, a counterexample by us on seeds of its own",
        )
        assert row.agents[0].best == 0
        assert f"--attack recorded:file={folder}/perturbations.npz --eps 1.5" in row.agents[0].command
        assert "--seed 3" in row.agents[0].command
        assert row.best.value.episodes == 10


def test_it_touches_nothing_else_of_the_row(flipped, tmp_path):
    program = grid_of(tmp_path)
    board, _ = board_of(program, tmp_path / "run", flipped[0])
    alone = rank(program, play_grid(program, tmp_path / "run", watch=silent, workers=1))
    for row, without in zip(rows_of(board), rows_of(alone), strict=True):
        kept = ("clean", "control", "standard", "tier", "reasons", "seeds", "certificate")
        assert all(getattr(row, name) == getattr(without, name) for name in kept)
    assert board.boards[0].attackers == alone.boards[0].attackers
    assert board.missing == alone.missing == 0


def test_a_best_known_on_seeds_of_its_own_is_told_apart_wherever_it_stands(flipped, tmp_path):
    board, _ = board_of(grid_of(tmp_path), tmp_path / "run", flipped[0])
    write_leaderboard(board, tmp_path / "run")
    content = json.loads((tmp_path / "run" / "leaderboard.json").read_text())
    told = [ranking["rows"][0]["best"]["own_seeds"] for ranking in content["boards"][0]["rankings"]]
    assert told == [row.best.own_seeds for row in rows_of(board)] == [False, True, True]
    rows = csv.DictReader((tmp_path / "run" / "leaderboard.csv").read_text().splitlines())
    assert [row["own_seeds"] for row in rows] == ["False", "True", "True"]
    for ranking, own in zip(board.boards[0].rankings, told, strict=True):
        heads, (values,) = columns(ranking)
        shown = {head: str(value) for (head, _), value in zip(heads, values, strict=True)}
        assert shown["best known"].endswith(" on seeds of its own") == own
        assert ("on seeds of its own" in " ".join(ranking.rows[0].warnings)) == own
    page = (tmp_path / "run" / "leaderboard.html").read_text()
    assert page.count("] on seeds of its own</span>") + page.count("]* on seeds of its own</span>") == 2


def test_on_the_grids_own_seed_neither_takes_the_others_episodes(tmp_path):
    folder, made, _ = made_of(tmp_path, seed=0)
    board, (tried,) = board_of(grid_of(tmp_path), tmp_path / "run", folder)
    row = rows_of(board)[1]
    assert (row.clean.episodes, tried.clean[0].result.episodes, row.counterexamples[0].value.episodes) == (12, 10, 10)
    assert row.best.value.mean == made.claim.mean == 0
    assert board_of(grid_of(tmp_path), tmp_path / "run", folder)[0].boards[0].attackers == board.boards[0].attackers


def test_what_fronts_learned_on_another_seed_is_no_other_play(flipped):
    cell = flipped[2].plan.cells[-1]
    learned = dataclasses.replace(cell, players=(dataclasses.replace(cell.players[0], fits=("a",)),))
    assert play_digest(learned) == play_digest(cell) == flipped[1].play
    assert learned.key != cell.key


def test_the_files_and_the_page_show_it(flipped, tmp_path):
    board, _ = board_of(grid_of(tmp_path), tmp_path / "run", flipped[0])
    write_leaderboard(board, tmp_path / "run")
    content = json.loads((tmp_path / "run" / "leaderboard.json").read_text())
    (shown,) = content["boards"][0]["rankings"][1]["rows"][0]["counterexamples"]
    assert (shown["attack"], shown["authors"], shown["counted"], shown["value"]["mean"]) == (
        "fgsm:loss=margin", "us", True, 0.0,
    )  # fmt: skip
    rows = list(csv.DictReader((tmp_path / "run" / "leaderboard.csv").read_text().splitlines()))
    assert [(row["counterexamples"], row["counted"]) for row in rows] == [("0", "0"), ("1", "1"), ("1", "1")]
    page = (tmp_path / "run" / "leaderboard.html").read_text()
    assert (
        page.count(
            "fgsm:loss=margin, a counterexample by us on seeds of its own (a paper) on tests.kit.players:coin at 1.5"
        )
        == 2
    )
    assert "It counts." in page


def test_a_run_of_a_trial_is_verified_without_the_attack(flipped, tmp_path):
    text = GRID.replace('space = "raw"', 'space = "raw"\nledger = true')
    _, (tried,) = board_of(grid_of(tmp_path, text), tmp_path / "run", flipped[0], verify=True)
    assert tried.replayed is True
    board = board_of(grid_of(tmp_path, text), tmp_path / "run", flipped[0], verify=True)[0]
    assert rows_of(board)[1].counterexamples[0].counted
    (folder,) = (tmp_path / "run").glob("counterexample-*")
    verdict = verify(folder, trust=True)
    assert verdict.ok
    assert {check.status for check in verdict.checks if check.name in ("replay", "reach", "control")} == {"ok"}


def test_the_second_verifier_passes_recorded_perturbations_too(tmp_path):
    folder, made, run = made_of(tmp_path, **CARTPOLE | {"seed": 0, "ledger": False, "episodes": 3})
    study = Study(**CARTPOLE | {"attack": (str(made.spec(folder)),), "episodes": 3})
    again = evaluate(study, run=tmp_path / "again", workers=1)
    assert again.cells[-1].victim_seat.returns == run.cells[-1].victim_seat.returns
    assert problems(tmp_path / "again", Path(__file__).parents[2] / "agents") == []
    assert verify(tmp_path / "again").ok


def test_an_adversary_plays_the_grids_own_seeds_and_episodes(tmp_path):
    program = grid_of(tmp_path, GRID.replace("[[tables]]", "[[tables]]\nseeds = [0, 1]"))
    identity = program.cells[0].players[0].identity
    network = linear_gaussian_network(np.asarray([[0.0, 0.0], [0.0, -5.0]]))
    adversary = perturber_agent(tmp_path / "adversary", "coins/any", network, "sa-rl", victim_identity=identity)
    folder, _, _ = made_of(tmp_path, attack=f"sa-rl:agent={adversary}", seed=9)
    board, (tried,) = board_of(program, tmp_path / "run", folder)
    assert [(one.cell.seed, one.cell.episodes) for one in tried.attacked] == [(0, 12), (1, 12)]
    (shown,) = rows_of(board)[1].counterexamples
    assert (shown.counted, shown.value.mean, shown.value.episodes) == (True, 0.0, 24)
    assert rows_of(board)[1].best.attack == "sa-rl, a counterexample by us"


def test_one_that_is_not_lower_by_more_than_its_interval_does_not_count(flipped, tmp_path):
    folder, _, _ = flipped
    again, _, _ = made_of(tmp_path, attack="pgd:loss=margin")
    board, _ = board_of(grid_of(tmp_path), tmp_path / "run", folder, again)
    first, second = rows_of(board)[1].counterexamples
    assert (first.counted, second.counted) == (True, False)
    assert second.why == "not below the 0 that is known by more than its interval"
    assert rows_of(board)[1].best.attack == "fgsm:loss=margin, a counterexample by us on seeds of its own"


def test_one_of_few_episodes_does_not_count(tmp_path):
    folder, _, _ = made_of(tmp_path, episodes=9)
    board, _ = board_of(grid_of(tmp_path), tmp_path / "run", folder)
    (shown,) = rows_of(board)[1].counterexamples
    assert (shown.counted, shown.why) == (False, "9 episodes, and at least 10 count")
    assert rows_of(board)[1].best.value.mean > 3


def test_seeds_that_are_hard_without_an_attack_are_no_attack(tmp_path):
    """The seed is looked for among many: one whose 10 episodes bring least without an attack."""
    means = {seed: np.mean([3 + game_seed(seed, episode) % 3 for episode in range(10)]) for seed in range(4000)}
    folder, _, _ = made_of(tmp_path, seed=min(means, key=means.get))
    board, _ = board_of(grid_of(tmp_path), tmp_path / "run", folder)
    (shown,) = rows_of(board)[1].counterexamples
    assert not shown.counted
    assert shown.why.startswith(f"its seeds are hard without an attack: {shown.clean.mean:.4g} there, below the ")
    assert rows_of(board)[1].best.value.mean > 3


def test_perturbations_that_were_made_larger_are_refused_before_anything_is_played(flipped, tmp_path):
    folder = copy_of(flipped[0], tmp_path)
    found = Recording.read(folder / "perturbations.npz")
    pages = {episode: found.page(episode) for episode in found.episodes}
    received = pages[4].received.copy()
    received[1, 1] = pages[4].shown[1, 1] + 1.6
    restated(folder, pages=pages | {4: Page(pages[4].shown, received)})
    message = (
        r"--against .*: .*perturbations.npz: episode 4, step 1: moves what is seen by 1\.6 \(linf\).* at most 1\.5"
    )
    with pytest.raises(InvalidInput, match=message):
        plan_trials(grid_of(tmp_path), [folder])


def test_one_that_claims_a_smaller_size_than_it_has_is_refused(flipped, tmp_path):
    folder = restated(copy_of(flipped[0], tmp_path), eps=0.4)
    with pytest.raises(InvalidInput, match=r"moves what is seen by 1\.5 \(linf\), or out of .*: expected at most 0\.4"):
        plan_trials(grid_of(tmp_path), [folder])


def test_what_it_states_counts_for_nothing(flipped, tmp_path):
    folder = copy_of(flipped[0], tmp_path)
    found = Recording.read(folder / "perturbations.npz")
    shown = {episode: found.page(episode).shown for episode in found.episodes}
    restated(folder, pages={episode: Page(one, one.astype(np.float32)) for episode, one in shown.items()})
    board, _ = board_of(grid_of(tmp_path), tmp_path / "run", folder)
    (told,) = rows_of(board)[1].counterexamples
    assert (told.stated, told.value.mean) == (0.0, told.clean.mean)
    assert told.why.startswith("not below the")


def test_where_its_ledger_says_otherwise_it_does_not_count(flipped, tmp_path):
    program = grid_of(tmp_path)
    cells = play_grid(program, tmp_path / "run", watch=silent, workers=1)
    (tried,) = try_all(plan_trials(program, [flipped[0]]), program, tmp_path / "run", watch=silent, workers=1)
    board = rank(program, cells, (), [dataclasses.replace(tried, replayed=False)])
    (shown,) = rows_of(board)[1].counterexamples
    assert (shown.counted, shown.why) == (False, "its ledger was replayed, and something else came of it")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            GRID.replace("players:coin", "players:coin_by_values"),
            r"is about tests.kit.players:coin in coins/any \(identity .*, and the grid has no such agent; name it by",
        ),
        (GRID.replace('space = "raw"', 'space = "raw"\nactions = "greedy"'), "plays actions sampled, and the grid act"),
        (GRID.replace("eps = [0.5, 1.5, 2.5]", "eps = [0.5]"), "and the grid attacks .* at no such size or a larger"),
        (GRID.replace("envs = 4", 'envs = 4\nwhen = ["random:share=0.5"]'), "at no such size or a larger one"),
        (GRID.replace("envs = 4", "envs = 4\nmax_steps = 2"), "another game or agent than the grid: its options"),
        (GRID.replace("envs = 4", 'envs = 4\nfree = "0"'), "moves what is seen by .* or out of the game's range"),
    ],
)
def test_one_that_no_row_is_about_is_refused_in_one_line(flipped, tmp_path, text, message):
    with pytest.raises(InvalidInput, match=message) as caught:
        plan_trials(grid_of(tmp_path, text), [flipped[0]])
    assert str(caught.value).startswith(f"--against {flipped[0]}: ")


def test_two_contenders_on_other_episodes_are_compared_without_a_p_value(flipped, tmp_path):
    other = chooser(tmp_path / "other", 0, scale=20.0)
    text = GRID.replace('"tests.kit.players:coin"', f'"tests.kit.players:coin", "{other}"')
    board, _ = board_of(grid_of(tmp_path, text), tmp_path / "run", flipped[0])
    small, same, _ = board.boards[0].rankings
    assert small.differences[0].p is not None
    assert same.differences[0].p is None
